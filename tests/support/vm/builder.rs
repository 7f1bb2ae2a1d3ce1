//! The build machine: a VM that is baked over SSH, generalized and powered off; copies of it have their plugs pulled.
//! Separate from the image it leaves because it is a machine that runs, and the image is what is kept.

use super::{
    disk,
    guest::Guest,
    qemu::{self, Hardware, LIMIT, Vm},
    seed::{self, Seed},
};
use crate::support::machine::{Result, doing, run};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// What the builder runs on its way, by step; each is an input of the image.
pub(crate) const SUPPLY: &str = include_str!("../guest/supply.sh");
pub(crate) const BUILDER: &str = include_str!("../guest/builder.sh");
/// The build machine's name, which no image may know.
pub(crate) const NAME: &str = "packer-builder-7a3e";
/// What its hypervisor gives it, and PID 1 makes its machine-id of.
pub(crate) const UUID: &str = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
/// Where the rig reaches the VM's sshd, inside a network of its own.
const PORT: u16 = 2222;
/// What a VM says on its console first when it powers off.
const STOPPING: &str = "Stopping";
/// What the closing unit says last.
const CLOSED: &str = "seal closed: the image is ready";

/// Exit codes, outputs and seconds, by name.
pub(crate) type Facts = BTreeMap<String, String>;

/// Runs a build on the disk `builder.qcow2`; `pending.qcow2` and `closed.qcow2` are disks of machines whose plug was pulled
/// while they powered off, before and after the closing unit.
///
/// Needs `supply.iso` and `key` in `dir`, and a thread with a network of its own.
pub(crate) fn run(guest: &Guest, dir: &Path) -> Result<Facts> {
    run::ok(Command::new("ip").args(["link", "set", "lo", "up"]), LIMIT)?;
    let mut facts = Facts::new();
    let disk = dir.join("builder.qcow2");
    disk::overlay(&guest.disk(), &disk)?;
    let seed = seed(dir)?;
    let port = format!(",hostfwd=tcp:127.0.0.1:{PORT}-:22");
    let mut builder = Builder {
        vm: start(guest, NAME, &disk, &seed, &port, &[])?,
        guest,
        seed,
        dir,
        facts: &mut facts,
    };
    builder.bake()?;
    builder.generalize(&disk)?;
    builder.power_off(&disk)?;
    drop(builder);
    Ok(facts)
}

/// The cloud's data for the build machine.
fn seed(dir: &Path) -> Result<PathBuf> {
    let key = dir.join("key.pub");
    let key = fs::read_to_string(&key).map_err(|e| doing("reading", &key, &e))?;
    let key = key.trim();
    Seed {
        name: NAME.to_owned(),
        network: seed::DHCP.to_owned(),
        user_data: format!(
            "#cloud-config\ndisable_root: false\nssh_authorized_keys: [\"{key}\"]\nusers:\n  - name: packer\n    \
             sudo: ALL=(ALL) NOPASSWD:ALL\n    shell: /bin/bash\n    ssh_authorized_keys: [\"{key}\"]\n"
        ),
    }
    .disk(dir)
}

/// Starts the build machine on a disk, which lies beside the supply; `more` are more of QEMU's arguments.
fn start(
    guest: &Guest,
    name: &str,
    disk: &Path,
    seed: &Path,
    port: &str,
    more: &[String],
) -> Result<Vm> {
    let dir = disk.parent().unwrap_or(Path::new("."));
    let supply = dir.join("supply.iso");
    let mut all = [
        "-netdev",
        &format!("user,id=n0,restrict=on{port}"),
        "-device",
        "virtio-net-pci,netdev=n0,romfile=",
        "-drive",
        &format!("file={},if=virtio,format=raw,readonly=on", supply.display()),
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend_from_slice(more);
    let hardware = Hardware {
        name,
        uuid: UUID,
        disk,
        seed,
        more: all,
    };
    Vm::start(guest, &hardware, dir)
}

/// The running build machine.
struct Builder<'a> {
    vm: Vm,
    guest: &'a Guest,
    seed: PathBuf,
    dir: &'a Path,
    facts: &'a mut Facts,
}

impl Builder<'_> {
    /// Waits for sshd, brings in what is needed, and bakes twice.
    fn bake(&mut self) -> Result<()> {
        self.timed("boot", |this| {
            this.vm.wait_console("login:")?;
            Ok(())
        })?;
        self.ok("supply", SUPPLY)?;
        for name in ["bake", "bake_again"] {
            self.ok(name, &format!("{BUILDER}\nbake"))?;
        }
        for name in [
            "modules",
            "sysctls",
            "machine_id",
            "host_key",
            "host_key_pub",
            "iscsi",
        ] {
            self.ok(name, &format!("{BUILDER}\n{name}"))?;
        }
        Ok(())
    }

    /// Generalizes. Then two copies of the machine power off too, and have their plugs pulled.
    fn generalize(&mut self, disk: &Path) -> Result<()> {
        let before = disk::allocated(disk)?;
        self.ok("generalize", &format!("{BUILDER}\ngeneralize"))?;
        self.keep("bytes_before", &before);
        let state = self.dir.join("builder.state");
        self.vm.standing_still(&state, || {
            ["pending", "closed"].iter().try_for_each(|name| {
                let to = self.dir.join(format!("{name}.qcow2"));
                let copied = fs::copy(disk, &to).map(|_| ());
                copied.map_err(|e| doing("copying to", &to, &e))
            })
        })?;
        for (name, at) in [("pending", STOPPING), ("closed", CLOSED)] {
            self.timed(name, |this| this.unplugged(name, at, &state))?;
        }
        fs::remove_file(&state).map_err(|e| doing("removing", &state, &e))
    }

    /// A copy of the machine goes on from where it was saved, is told to power off, and loses its power when its console
    /// says something; where it never does, that is told.
    fn unplugged(&mut self, name: &str, at: &str, state: &Path) -> Result<()> {
        let disk = self.dir.join(format!("{name}.qcow2"));
        let from = ["-incoming".to_owned(), format!("file:{}", state.display())];
        let mut vm = start(self.guest, name, &disk, &self.seed, "", &from)?;
        vm.wait_running()?;
        vm.press_power()?;
        if let Err(error) = vm.wait_console(at) {
            self.keep("closing", &error);
        }
        vm.pull_the_plug()
    }

    /// Powers off.
    fn power_off(&mut self, disk: &Path) -> Result<()> {
        self.timed("power_off", |this| {
            // The connection ends with the machine, so that its answer says nothing.
            run::run(&mut this.shell("systemctl poweroff"), LIMIT)?;
            this.vm.wait_end()
        })?;
        // Unused blocks go when the machine closes.
        self.keep("bytes_after", &disk::allocated(disk)?);
        let console = self.vm.console();
        self.keep("console", &console);
        Ok(())
    }

    /// Runs a script in the builder, keeps what it said and how long it took; anything but exit 0 is an error.
    fn ok(&mut self, name: &str, script: &str) -> Result<()> {
        let said = self.timed(name, |this| {
            let done = run::run(&mut this.shell(script), LIMIT)?;
            if done.code == 0 {
                return Ok(done.stdout);
            }
            let said = format!(
                "{}\n{}",
                run::tail(&done.stdout, 30),
                run::tail(&done.stderr, 30)
            );
            Err(this
                .vm
                .told(&format!("{name}: exit {}\n{}", done.code, said.trim())))
        })?;
        self.keep(name, &said);
        Ok(())
    }

    fn shell(&self, script: &str) -> Command {
        qemu::shell(&self.dir.join("key"), "root@127.0.0.1", PORT, script)
    }

    fn timed<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = work(self);
        self.keep(
            &format!("seconds.{name}"),
            &format!("{:.1}", start.elapsed().as_secs_f64()),
        );
        result
    }

    fn keep(&mut self, name: &str, value: &impl ToString) {
        self.facts.insert(name.to_owned(), value.to_string());
    }
}
