//! One stock tree with the profile's packages at hand, and the agent's own binary working on it.
//! Separate because every crash test starts, ends and watches the same two verbs on a tree of its own.

use crate::{
    sandbox::PROGRAM,
    support::machine::{Result, cgroup, doing, pool, rootfs, run, tree::Tree},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    cell::Cell,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// The profile that is baked.
pub(super) const PROFILE: &str = "debian12-base";
/// What every manifest here is dated with.
const EPOCH: &str = "1700000000";
/// How long one run may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(5);
/// How long what a killed run started may live on.
const LAST_BREATH: Duration = Duration::from_secs(20);

/// The command line of a bake.
pub(super) const BAKE: [&str; 3] = ["bake", "--profile", PROFILE];
/// The command line that generalizes and seals.
pub(super) const GENERALIZE: [&str; 1] = ["generalize"];

/// A tree, and how many programs were started on it.
pub(super) struct Bench {
    tree: Tree,
    label: &'static str,
    runs: Cell<u32>,
}

/// A running agent in a control group of its own, which tells of everything below it.
pub(super) struct Running {
    child: Child,
    group: String,
    out: PathBuf,
}

impl Bench {
    /// A stock tree whose only apt source is the local pool.
    pub(super) fn new(label: &'static str) -> Self {
        let tree = Tree::of_stock(&rootfs::stock().unwrap().path, label).unwrap();
        let shown = run::ok(
            Command::new(PROGRAM).args(["policy", "show", "--profile", PROFILE, "--json"]),
            LIMIT,
        );
        let policy = serde_json::from_str(&shown.unwrap()).unwrap();
        let pool = pool::for_packages(&pool::wanted(&policy)).unwrap();
        pool::install(&pool.path, &tree.path()).unwrap();
        Self {
            tree,
            label,
            runs: Cell::new(0),
        }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.tree.path()
    }

    /// A file of the tree, as text; empty while it is missing.
    pub(super) fn read(&self, path: &str) -> String {
        let bytes = fs::read(self.root().join(path)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Starts the agent on the tree.
    pub(super) fn start(&self, args: &[&str]) -> Running {
        self.start_with(args, |command| command)
    }

    /// [`Bench::start`] with a hand on the command.
    pub(super) fn start_with(
        &self,
        args: &[&str],
        more: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Running {
        let number = self.runs.replace(self.runs.get() + 1);
        let group = format!("crash-{}-{}-{number}", self.label, std::process::id());
        fs::create_dir_all(cgroup::of(&group)).unwrap();
        let out = self.root().parent().unwrap().join(format!("run-{number}"));
        let file = |ending: &str| File::create(out.with_extension(ending)).unwrap();
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""])
            .arg(cgroup::of(&group))
            .arg(PROGRAM)
            .args(["--root", self.root().to_str().unwrap()])
            .args(args)
            .env("SOURCE_DATE_EPOCH", EPOCH)
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"));
        let child = more(&mut command).spawn().unwrap();
        Running { child, group, out }
    }

    /// Runs the agent to its end.
    pub(super) fn run(&self, args: &[&str]) -> run::Done {
        let done = self.start(args).wait();
        assert!(!done.stderr.contains("panicked"), "{args:?}: {done:?}");
        done
    }

    /// [`Bench::run`] that must exit 0; gives its standard output.
    pub(super) fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{args:?}\n{}\n{}", done.stdout, done.stderr);
        done.stdout
    }

    /// Fails when anything is mounted below the tree that the rig itself did not mount.
    pub(super) fn no_mounts(&self) {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let points = table.lines().filter_map(|line| line.split(' ').nth(4));
        let below: Vec<_> = points
            .filter(|point| Path::new(point).starts_with(self.root()))
            .filter_map(|point| Path::new(point).strip_prefix(self.root()).ok())
            .collect();
        assert_eq!(
            below,
            [Path::new(""), Path::new("var/lib/containerd")],
            "mounts in the tree"
        );
    }
}

impl Running {
    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until something holds; false when the agent ended before.
    pub(super) fn until(&mut self, mut holds: impl FnMut() -> bool) -> bool {
        let begun = Instant::now();
        while !holds() {
            if !self.runs() {
                return false;
            }
            assert!(begun.elapsed() < LIMIT, "waiting for a running agent");
            sleep(Duration::from_millis(1));
        }
        true
    }

    /// Sends the agent itself a signal, and nothing below it.
    pub(super) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits for its end, and for that of everything below it, which must come by itself.
    pub(super) fn wait(mut self) -> run::Done {
        let status = run::wait(&mut self.child, LIMIT).unwrap();
        let code = match status {
            Some(status) => run::code(status),
            None => panic!("no end within {LIMIT:?}: {}", self.said("err")),
        };
        self.alone().unwrap();
        run::Done {
            code,
            stdout: self.said("out"),
            stderr: self.said("err"),
        }
    }

    /// Kills the agent alone; what it started is to see that and to end. `wait` looks whether it did.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn said(&self, ending: &str) -> String {
        fs::read_to_string(self.out.with_extension(ending)).unwrap_or_default()
    }

    /// Waits until no process of its group is left; the group knows them whatever they did to hide.
    fn alone(&self) -> Result<()> {
        let group = cgroup::of(&self.group);
        let begun = Instant::now();
        loop {
            let path = group.join("cgroup.procs");
            let left = fs::read_to_string(&path).map_err(|e| doing("reading", &path, &e))?;
            if left.trim().is_empty() {
                return fs::remove_dir(&group).map_err(|e| doing("removing", &group, &e));
            }
            if begun.elapsed() > LAST_BREATH {
                return Err(format!("processes outlive the agent: {left:?}"));
            }
            sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        cgroup::clear(&self.group);
    }
}
