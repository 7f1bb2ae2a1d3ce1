//! A booted Debian: systemd-nspawn on a tree, with ways to run commands in it and to power it off.
//! Separate because it owns a running machine, and must end it whatever a test does.

use super::{Result, cgroup, doing, need_root, run};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a machine may take to boot, or to power off.
const LIMIT: Duration = Duration::from_mins(3);
/// How long a command in a machine may take unless said otherwise.
pub(crate) const COMMAND_LIMIT: Duration = Duration::from_mins(2);

/// Namespaces around nspawn. A killed test takes unshare along, and that the whole PID namespace.
const NAMESPACES: &str = "--pdeathsig KILL unshare --pid --kill-child --mount-proc --mount --net \
                          --propagation slave --";
/// What research found to boot without a systemd on the host; and no right to set the host's clock
/// or to load modules into the host's kernel.
const NSPAWN: &str = "--boot --register=no --keep-unit --console=pipe --link-journal=no \
                      --timezone=off --resolv-conf=off --capability=all \
                      --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE --private-network \
                      --network-veth-extra=ve-eth1:eth1";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A running machine; dropped, it is killed and its traces on the host are removed.
#[derive(Debug)]
pub(crate) struct Machine {
    name: String,
    child: Child,
    leader: u32,
    root: PathBuf,
    console: PathBuf,
}

impl Machine {
    /// Boots the tree and returns when systemd says `running` or `degraded`.
    ///
    /// The console goes to `LOGS/LABEL.console.log`.
    pub(crate) fn boot(root: &Path, label: &str, logs: &Path) -> Result<Self> {
        need_root()?;
        fs::create_dir_all(logs).map_err(|e| doing("creating", logs, &e))?;
        let console = logs.join(format!("{label}.console.log"));
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{label}-{}-{count}", std::process::id());
        cgroup::sweep();
        let child = start(root, &name, &console)?;
        let root = root.to_owned();
        let mut machine = Self {
            name,
            child,
            leader: 0,
            root,
            console,
        };
        machine
            .wait_for_init()
            .and_then(|()| machine.wait_for_boot())
            .map_err(|error| {
                let last = run::tail(&machine.console_text(), 30);
                format!(
                    "booting {}: {error}\nend of its console:\n{last}",
                    machine.name
                )
            })?;
        Ok(machine)
    }

    /// Runs a program in the machine as root, as a child of its PID 1.
    pub(crate) fn run(&self, argv: &[&str]) -> Result<run::Done> {
        run::run(&mut self.command(argv), COMMAND_LIMIT)
    }

    /// [`Machine::run`] that must exit 0; gives its standard output.
    pub(crate) fn ok(&self, argv: &[&str]) -> Result<String> {
        run::ok(&mut self.command(argv), COMMAND_LIMIT)
    }

    /// The command that runs `argv` in the machine, for callers with a limit or input of their own.
    ///
    /// The machine's own systemd starts it, so it has the machine's limits (capabilities, system
    /// call filter, control group). A process that merely entered the namespaces would have the
    /// host's, and could set the host's clock.
    pub(crate) fn command(&self, argv: &[&str]) -> Command {
        let mut command = self.enter(&["systemd-run", "--pipe", "--wait", "--quiet", "--collect"]);
        command
            .args(["--setenv=HOME=/root", "--setenv=LANG=C.UTF-8", "--"])
            .args(argv);
        command
    }

    /// A process of the host in the machine's namespaces: only for talking to the machine's PID 1.
    fn enter(&self, argv: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.leader.to_string()])
            .args([
                "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd",
            ])
            .arg("--")
            .args(argv)
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .stdin(Stdio::null());
        command
    }

    /// Copies a file of the host into the running machine, through the machine's own view.
    pub(crate) fn copy_in(&self, from: &Path, to: &str, mode: &str) -> Result<()> {
        let file = File::open(from).map_err(|e| doing("opening", from, &e))?;
        let mut install = self.command(&["install", "-D", "-m", mode, "/dev/stdin", to]);
        run::ok(install.stdin(file), COMMAND_LIMIT).map(|_| ())
    }

    /// The content of a file in the machine.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        self.ok(&["cat", path])
    }

    /// One property of a unit, as systemd has it now.
    pub(crate) fn unit(&self, unit: &str, property: &str) -> Result<String> {
        let out = self.ok(&["systemctl", "show", unit, "--value", "--property", property])?;
        Ok(out.trim().to_owned())
    }

    /// Asks systemd to power off and waits until the machine is gone.
    pub(crate) fn power_off(mut self) -> Result<()> {
        // The answer can be cut off by the power-off itself: nspawn's exit is what counts.
        run::run(&mut self.enter(&["systemctl", "poweroff"]), COMMAND_LIMIT)?;
        match run::wait(&mut self.child, LIMIT)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.failed(&format!("nspawn ended with {status}"))),
            None => Err(self.failed(&format!("no end within {} s", LIMIT.as_secs()))),
        }
    }

    /// Everything the machine wrote to its console.
    pub(crate) fn console_text(&self) -> String {
        fs::read(&self.console)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The running machine's root directory as this host sees it, its sockets included.
    pub(crate) fn view(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.leader))
    }

    /// The control group on the host that holds the whole machine.
    pub(crate) fn control_group(&self) -> PathBuf {
        cgroup::of(&self.name)
    }

    fn failed(&self, what: &str) -> String {
        let last = run::tail(&self.console_text(), 30);
        format!(
            "powering off {}: {what}\nend of its console:\n{last}",
            self.name
        )
    }

    /// Finds the machine's PID 1, as the host numbers it.
    fn wait_for_init(&mut self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < LIMIT {
            if let Some(status) = run::wait(&mut self.child, Duration::ZERO)? {
                return Err(format!("nspawn ended with {status}"));
            }
            if let Some(leader) = init_below(self.child.id()) {
                self.leader = leader;
                return Ok(());
            }
            sleep(run::TICK);
        }
        Err(format!("no process 1 within {} s", LIMIT.as_secs()))
    }

    fn wait_for_boot(&mut self) -> Result<()> {
        let start = Instant::now();
        let mut state = String::new();
        while start.elapsed() < LIMIT {
            let left = LIMIT.saturating_sub(start.elapsed());
            let mut ask = self.enter(&["systemctl", "is-system-running", "--wait"]);
            state = run::run(&mut ask, left)?.stdout;
            match state.trim() {
                "running" | "degraded" => return Ok(()),
                "maintenance" | "stopping" => break,
                // systemd does not answer yet.
                _ => sleep(Duration::from_millis(20)),
            }
            if let Some(status) = run::wait(&mut self.child, Duration::ZERO)? {
                return Err(format!("nspawn ended with {status}"));
            }
        }
        let jobs = run::run(&mut self.enter(&["systemctl", "list-jobs"]), COMMAND_LIMIT)?.stdout;
        Err(format!(
            "systemd is {state:?}, not running; its jobs:\n{jobs}"
        ))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Ending nspawn ends the PID namespace, and with it every process and mount in it.
        self.child
            .kill()
            .and_then(|()| self.child.wait().map(|_| ()))
            .unwrap_or_default();
        cgroup::clear(&self.name);
        if let (Some(parent), Some(name)) = (self.root.parent(), self.root.file_name()) {
            let lock = parent.join(format!(".#{}.lck", name.to_string_lossy()));
            fs::remove_file(lock).unwrap_or_default();
        }
    }
}

fn start(root: &Path, name: &str, console: &Path) -> Result<Child> {
    let output = File::create(console).map_err(|e| doing("creating", console, &e))?;
    let errors = output
        .try_clone()
        .map_err(|e| doing("sharing", console, &e))?;
    Command::new("setpriv")
        .args(NAMESPACES.split(' '))
        .args(["sh", "-c", include_str!("enter.sh"), "enter", name])
        .args(NSPAWN.split(' '))
        .arg(format!("--machine={name}"))
        .arg("--directory")
        .arg(root)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|e| format!("starting {name}: {e}"))
}

/// The process below `parent` that is process 1 of its PID namespace and has become systemd.
fn init_below(parent: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .find_map(|pid: u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
            let first = field("NSpid:")?.split_whitespace().next_back() == Some("1");
            if first && field("Name:")?.trim() == "systemd" {
                Some(pid)
            } else {
                init_below(pid)
            }
        })
}
