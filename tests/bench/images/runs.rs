//! One measured run of one contender on a fresh root, ending with everything on disk.
//! It is separate because what is inside the clock, and what is not, must be read in one place.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::contender::{Contender, Ours, Through};
use super::group::Group;
use super::link::Link;
use super::set::Set;
use crate::generations::{Daemon, Generation, Options};
use crate::rig::{Result, cache, doing, run};

/// No run takes longer.
const LIMIT: Duration = Duration::from_mins(10);

/// The transfer service's knobs, where they help most: its manual calls the defaults careful.
const KNOBS: &str = "[plugins.\"io.containerd.transfer.v1.local\"]\nmax_concurrent_downloads = 8\n\
    max_concurrent_unpacks = 4\nconcurrent_layer_fetch_buffer = 8388608\n";

/// What a run took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) wall: Duration,
    /// Client, daemon and all their children, without the registry.
    pub(crate) cpu: Duration,
    /// Bytes.
    pub(crate) peak: u64,
    /// What the daemon's start took, where it is not part of `wall`.
    pub(crate) start: Option<Duration>,
}

/// Where runs happen.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub(crate) generation: Generation,
    pub(crate) link: &'a Link,
    pub(crate) set: &'a Set,
    /// The root that is filled.
    pub(crate) store: PathBuf,
    /// The directory of `igzip`, for generations that look for it.
    pub(crate) igzip: Option<PathBuf>,
}

impl Field<'_> {
    /// Runs one contender; with `check` the store is looked through afterwards.
    pub(crate) fn run(&self, contender: &Contender, check: bool) -> Result<Measured> {
        self.fresh()?;
        let measured = match contender {
            Contender::Ctr(through, at_once) => return self.ctr(*through, *at_once, check),
            Contender::Skopeo => self.measure(|group| self.skopeo(group))?,
            Contender::Floor => self.floor()?,
            Contender::Ours(ours) => self.measure(|group| self.ours(group, ours))?,
            Contender::Again(ours) => {
                self.measure(|group| self.ours(group, ours))?;
                self.measure(|group| self.ours(group, ours))?
            }
            Contender::Online(ours) => {
                self.measure(|group| self.ours(group, ours))?;
                return self.online(ours);
            }
        };
        if check && matches!(contender, Contender::Ours(_) | Contender::Again(_)) {
            let daemon = Daemon::start_with(self.generation, &self.options(Through::Client))?;
            self.check(&daemon)?;
            daemon.stop()?;
        }
        Ok(measured)
    }

    /// An empty root, a quiet disk, cold caches but for what the registry serves.
    fn fresh(&self) -> Result<()> {
        cache::remove(&self.store)?;
        fs::create_dir_all(&self.store).map_err(|e| doing("creating", &self.store, &e))?;
        sync(&self.store)?;
        // Also forgets the inodes just deleted, which ext4 avoids for minutes at a high price.
        let path = Path::new("/proc/sys/vm/drop_caches");
        fs::write(path, "3").map_err(|e| doing("writing", path, &e))?;
        self.set.warm()
    }

    /// Clock and group around something that ends with a sync of the store's file system.
    fn measure(&self, work: impl FnOnce(&Group) -> Result<()>) -> Result<Measured> {
        let group = Group::new()?;
        self.measure_in(&group, work)
    }

    fn measure_in(
        &self,
        group: &Group,
        work: impl FnOnce(&Group) -> Result<()>,
    ) -> Result<Measured> {
        let before = group.cpu()?;
        let clock = Instant::now();
        let (done, peak) = group.watch(|| {
            work(group)?;
            sync(&self.store)?;
            Ok::<_, String>(clock.elapsed())
        });
        Ok(Measured {
            wall: done?,
            cpu: group.cpu()?.saturating_sub(before),
            peak,
            start: None,
        })
    }

    fn options(&self, through: Through) -> Options {
        Options {
            root: Some(self.store.clone()),
            path: self.igzip.iter().cloned().collect(),
            config: if through == Through::Tuned { KNOBS } else { "" }.to_owned(),
            cri: false,
        }
    }

    /// The daemon runs before the clock starts, and is stopped after it ended.
    fn ctr(&self, through: Through, at_once: usize, check: bool) -> Result<Measured> {
        let group = Group::new()?;
        let clock = Instant::now();
        let daemon = Daemon::start_with(self.generation, &self.options(through))?;
        let start = clock.elapsed();
        group.take(daemon.id())?;
        let pull = |group: &Group| self.pull(group, &daemon, through, at_once);
        let measured = self.measure_in(&group, pull)?;
        if check {
            self.check(&daemon)?;
        }
        daemon.stop()?;
        Ok(Measured {
            start: Some(start),
            ..measured
        })
    }

    fn pull(&self, group: &Group, daemon: &Daemon, through: Through, at_once: usize) -> Result<()> {
        let ctr = self.generation.programs()?.ctr;
        self.each(at_once, |reference| {
            let mut command = group.command(&ctr);
            command
                .arg("-a")
                .arg(daemon.socket())
                .args(["-n", "k8s.io", "images", "pull"]);
            if through == Through::Client && self.generation == Generation::V2 {
                command.arg("--local");
            }
            self.link.tell_ctr(&mut command);
            end(command.arg(reference))
        })
    }

    fn skopeo(&self, group: &Group) -> Result<()> {
        self.each(1, |reference| {
            let mut command = group.command(Path::new("/usr/bin/skopeo"));
            // It refuses without a policy file, which a minimal host has none of.
            command.args(["--insecure-policy", "copy", "--quiet"]);
            self.link.tell_skopeo(&mut command);
            let tag = reference.rsplit(['/', ':']).next().unwrap_or_default();
            let to = format!("oci:{}:{tag}", self.store.display());
            end(command.arg(format!("docker://{reference}")).arg(to))
        })
    }

    /// So many references at once, until none is left or one failed.
    fn each(&self, at_once: usize, work: impl Fn(&str) -> Result<()> + Sync) -> Result<()> {
        let next = Mutex::new(self.link.references.iter());
        let worker = || -> Result<()> {
            loop {
                let Some(reference) = next.lock().map_err(|e| e.to_string())?.next() else {
                    return Ok(());
                };
                work(reference)?;
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
            workers
                .into_iter()
                .try_for_each(|w| w.join().map_err(|_| "a worker panicked".to_owned())?)
        })
    }

    /// Start and stop of its daemon are inside the clock.
    fn ours(&self, group: &Group, ours: &Ours) -> Result<()> {
        let mut command = group.command(&ours.program);
        command
            .args(["image", "pull", "--list"])
            .arg(&self.link.list);
        command.arg("--store").arg(&self.store);
        command
            .arg("--containerd")
            .arg(self.generation.programs()?.containerd);
        self.link.tell_us(&mut command);
        end(&mut command)
    }

    fn online(&self, ours: &Ours) -> Result<Measured> {
        let daemon = Daemon::start_with(self.generation, &self.options(Through::Client))?;
        let measured = self.measure(|group| {
            let mut command = group.command(&ours.program);
            command
                .args(["image", "pull", "--list"])
                .arg(&self.link.list);
            command.arg("--address").arg(daemon.socket());
            self.link.tell_us(&mut command);
            end(&mut command)
        })?;
        daemon.stop()?;
        Ok(measured)
    }

    fn floor(&self) -> Result<Measured> {
        let list = self.store.with_extension("floor");
        let blobs = self
            .set
            .facts
            .layers
            .iter()
            .map(|l| self.set.blob(&l.digest).display().to_string() + "\n");
        fs::write(&list, blobs.collect::<String>()).map_err(|e| doing("writing", &list, &e))?;
        let me = std::env::current_exe().map_err(|e| format!("finding this program: {e}"))?;
        self.measure(|group| end(group.command(&me).arg("floor").arg(&list).arg(&self.store)))
    }

    /// Every image is there, complete and unpacked, as containerd itself sees it.
    fn check(&self, daemon: &Daemon) -> Result<()> {
        let said = daemon.ctr_ok(&["images", "check"])?;
        for reference in &self.link.references {
            let of = |line: &&str| line.split_whitespace().next() == Some(reference.as_str());
            let fine = |line: &str| {
                line.contains(" complete (") && line.split_whitespace().last() == Some("true")
            };
            if !said.lines().find(of).is_some_and(fine) {
                return Err(format!("{reference} is not complete and unpacked:\n{said}"));
            }
        }
        Ok(())
    }
}

fn sync(path: &Path) -> Result<()> {
    let file = File::open(path).map_err(|e| doing("opening", path, &e))?;
    nix::unistd::syncfs(&file).map_err(|e| doing("syncing", path, &e))
}

/// Runs a program that must succeed.
fn end(command: &mut Command) -> Result<()> {
    run::ok(command.stdin(Stdio::null()), LIMIT).map(|_| ())
}
