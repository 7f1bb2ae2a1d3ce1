//! What a run costs: processor time and memory of its processes and all their children, by a control group of its own.
//! It is separate because a client's own figures leave out its daemon, and a daemon's those of its unpackers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::rig::{Result, cgroup, doing};

/// How often memory is looked at.
const EVERY: Duration = Duration::from_millis(25);

/// A group of processes.
#[derive(Debug)]
pub(crate) struct Group {
    dir: PathBuf,
}

impl Group {
    /// An empty group; the name ends with this process, so that no two benchmarks meet.
    pub(crate) fn new() -> Result<Self> {
        let dir = cgroup::of(&format!("bench-{}-0", std::process::id()));
        fs::create_dir_all(&dir).map_err(|e| doing("creating", &dir, &e))?;
        Ok(Self { dir })
    }

    /// Takes a running process in; its children follow from now on.
    pub(crate) fn take(&self, pid: u32) -> Result<()> {
        let path = self.dir.join("cgroup.procs");
        fs::write(&path, pid.to_string()).map_err(|e| doing("writing", &path, &e))
    }

    /// A command that runs in the group, without this process's environment.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo $$ >\"$0\" && exec \"$@\""])
            .arg(self.dir.join("cgroup.procs"))
            .arg(program)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// Processor time of everything that ever ran in it.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let path = self.dir.join("cpu.stat");
        let text = fs::read_to_string(&path).map_err(|e| doing("reading", &path, &e))?;
        let used = text
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec "));
        let used = used.and_then(|used| used.parse().ok());
        used.map(Duration::from_micros)
            .ok_or_else(|| format!("{}: no usage", path.display()))
    }

    /// Runs something and gives the most memory that the group's processes held meanwhile, in bytes.
    pub(crate) fn watch<T>(&self, work: impl FnOnce() -> T) -> (T, u64) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut most = 0;
                while !over.load(Ordering::Relaxed) {
                    most = most.max(self.resident());
                    std::thread::sleep(EVERY);
                }
                most
            });
            let done = work();
            over.store(true, Ordering::Relaxed);
            (done, watcher.join().unwrap_or_default())
        })
    }

    /// Resident memory of all processes, in bytes; pages that two share count twice.
    fn resident(&self) -> u64 {
        let pids = fs::read_to_string(self.dir.join("cgroup.procs")).unwrap_or_default();
        let of = |pid: &str| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        pids.lines().filter_map(of).sum::<u64>() * 1024
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::remove_dir(&self.dir).unwrap_or_default();
    }
}
