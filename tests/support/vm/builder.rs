//! The build machine: a VM that is baked over SSH, generalized and powered off, with copies of its disk on the way.
//! Separate from the image it leaves because it is a machine that runs, and the image is what is kept.

use super::{
    disk,
    guest::Guest,
    qemu::{self, Hardware, LIMIT, Vm},
    seed::{self, Seed},
};
use crate::support::machine::{Result, doing, run};
use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Instant};

/// What the builder runs on its way, by step; each is an input of the image.
pub(crate) const SUPPLY: &str = include_str!("../guest/supply.sh");
pub(crate) const BUILDER: &str = include_str!("../guest/builder.sh");
/// The build machine's name, which no image may know.
pub(crate) const NAME: &str = "packer-builder-7a3e";
/// What its hypervisor gives it, and PID 1 makes its machine-id of.
pub(crate) const UUID: &str = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
/// Where the rig reaches the VM's sshd, inside a network of its own.
const PORT: u16 = 2222;
/// What the closing unit says last.
const CLOSED: &str = "seal closed: the image is ready";

/// Exit codes, outputs and seconds, by name.
pub(crate) type Facts = BTreeMap<String, String>;

/// Runs a build on the disk `builder.qcow2`; `pending.qcow2` and `closed.qcow2` are what it was on the way.
///
/// Needs `supply.iso` and `key` in `dir`, and a thread with a network of its own.
pub(crate) fn run(guest: &Guest, dir: &Path) -> Result<Facts> {
    run::ok(Command::new("ip").args(["link", "set", "lo", "up"]), LIMIT)?;
    let mut facts = Facts::new();
    let disk = dir.join("builder.qcow2");
    disk::overlay(&guest.disk(), &disk)?;
    let mut builder = Builder {
        vm: start(guest, &disk, dir)?,
        dir,
        facts: &mut facts,
    };
    builder.bake()?;
    builder.generalize(&disk)?;
    builder.power_off(&disk)?;
    drop(builder);
    Ok(facts)
}

fn start(guest: &Guest, disk: &Path, dir: &Path) -> Result<Vm> {
    let key = dir.join("key.pub");
    let key = fs::read_to_string(&key).map_err(|e| doing("reading", &key, &e))?;
    let key = key.trim();
    let seed = Seed {
        name: NAME.to_owned(),
        network: seed::DHCP.to_owned(),
        user_data: format!(
            "#cloud-config\ndisable_root: false\nssh_authorized_keys: [\"{key}\"]\nusers:\n  - name: packer\n    \
             sudo: ALL=(ALL) NOPASSWD:ALL\n    shell: /bin/bash\n    ssh_authorized_keys: [\"{key}\"]\n"
        ),
    }
    .disk(dir)?;
    let hardware = Hardware {
        name: NAME,
        uuid: UUID,
        disk,
        seed: &seed,
        more: [
            "-netdev",
            &format!("user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{PORT}-:22"),
            "-device",
            "virtio-net-pci,netdev=n0,romfile=",
            "-drive",
            &format!(
                "file={},if=virtio,format=raw,readonly=on",
                dir.join("supply.iso").display()
            ),
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    Vm::start(guest, &hardware, dir)
}

/// The running build machine.
struct Builder<'a> {
    vm: Vm,
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
            self.ok(name, &format!("{BUILDER}\nbake {name}"))?;
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

    /// Generalizes. The disk as it is then, with a seal that is not closed, becomes an image of its own.
    fn generalize(&mut self, disk: &Path) -> Result<()> {
        let before = disk::allocated(disk)?;
        self.ok("generalize", &format!("{BUILDER}\ngeneralize"))?;
        self.keep("bytes_before", &before);
        self.copy(disk, "pending")
    }

    /// Powers off. The disk as it is when the closing unit has spoken is kept too; where it never speaks, that is told.
    fn power_off(&mut self, disk: &Path) -> Result<()> {
        self.timed("power_off", |this| {
            // The connection ends with the machine, so that its answer says nothing.
            run::run(&mut this.shell("systemctl poweroff"), LIMIT)?;
            match this.vm.wait_console(CLOSED) {
                Ok(()) => this.copy(disk, "closed")?,
                Err(error) => this.keep("closing", &error),
            }
            this.vm.wait_end()
        })?;
        // Unused blocks go when the machine closes.
        self.keep("bytes_after", &disk::allocated(disk)?);
        let console = self.vm.console();
        self.keep("console", &console);
        Ok(())
    }

    fn copy(&self, disk: &Path, name: &str) -> Result<()> {
        let to = self.dir.join(format!("{name}.qcow2"));
        self.vm.standing_still(|| {
            fs::copy(disk, &to)
                .map(|_| ())
                .map_err(|e| doing("copying to", &to, &e))
        })
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
