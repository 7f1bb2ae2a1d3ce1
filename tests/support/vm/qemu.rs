//! A running VM: QEMU on one disk, with its console, its control socket, and its end.
//! Separate because it owns a process, and must end it whatever a test does.

use super::{guest::Guest, qmp, tools};
use crate::support::machine::{Result, doing, run};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long anything in a VM may take: emulation on a busy machine is slow, and hardly ever stuck.
pub(crate) const LIMIT: Duration = Duration::from_mins(15);
/// No firmware menus, no devices but those named; the newest CPU that is emulated, without its slow page tables. One of it:
/// where two are emulated by threads of their own, QEMU 10 now and then aborts while the guest looks for its devices
/// (`iotlb_to_section: Assertion ... failed`), and what runs beside it takes the other processor anyway.
const MACHINE: &str = "-nodefaults -no-user-config -display none -machine pc,vmport=off,hpet=off,usb=off \
                       -accel tcg,thread=single,tb-size=512 -cpu max,la57=off -smp 1 -device virtio-rng-pci \
                       -device virtio-serial-pci";
/// The emulated CPU has no flaws to be mitigated, and its clock is good.
const KERNEL: &str =
    "console=ttyS0 root=/dev/vda rw net.ifnames=0 mitigations=off no_timer_check tsc=reliable";
/// The key by which the rig's VMs are reached, made anew for every run.
const SSH: [&str; 10] = [
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "LogLevel=ERROR",
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=10",
];

/// What a VM is started with.
#[derive(Debug)]
pub(crate) struct Hardware<'a> {
    /// Its name, for messages and files.
    pub(crate) name: &'a str,
    /// The identifier that the hypervisor gives it.
    pub(crate) uuid: &'a str,
    /// Its system disk, a qcow2.
    pub(crate) disk: &'a Path,
    /// Its `NoCloud` disk.
    pub(crate) seed: &'a Path,
    /// More of QEMU's arguments: NICs and disks.
    pub(crate) more: Vec<String>,
}

/// A running VM; dropped, its process is killed.
#[derive(Debug)]
pub(crate) struct Vm {
    name: String,
    child: Child,
    dir: PathBuf,
}

impl Vm {
    /// Starts a VM. Its console goes to `NAME.console` in `dir`, what it proves of itself to `NAME.proof`.
    pub(crate) fn start(guest: &Guest, hardware: &Hardware<'_>, dir: &Path) -> Result<Self> {
        let name = hardware.name.to_owned();
        let file = |ending: &str| dir.join(format!("{name}.{ending}")).display().to_string();
        for ending in ["console", "proof"] {
            fs::write(file(ending), "")
                .map_err(|e| doing("emptying", Path::new(&file(ending)), &e))?;
        }
        let mut command = tools::qemu()?.command("qemu-system-x86_64");
        command
            .args(MACHINE.split_whitespace())
            .args(["-m", "1536", "-name", &name, "-uuid", hardware.uuid])
            .arg("-kernel")
            .arg(guest.kernel())
            .arg("-initrd")
            .arg(guest.initrd())
            .args(["-append", KERNEL])
            .args([
                "-drive",
                &format!(
                    "file={},if=virtio,discard=unmap,detect-zeroes=unmap",
                    hardware.disk.display()
                ),
            ])
            .args([
                "-drive",
                &format!(
                    "file={},if=virtio,format=raw,readonly=on",
                    hardware.seed.display()
                ),
            ])
            .args(["-serial", &format!("file:{}", file("console"))])
            .args(["-chardev", &format!("file,id=proof,path={}", file("proof"))])
            .args(["-device", "virtserialport,chardev=proof,name=proof"])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", file("qmp"))])
            .args(&hardware.more);
        let log = File::create(file("qemu.log"))
            .map_err(|e| doing("creating", Path::new(&file("qemu.log")), &e))?;
        let errors = log
            .try_clone()
            .map_err(|e| format!("sharing the log of {name}: {e}"))?;
        let child = command
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|e| format!("starting {name}: {e}"))?;
        Ok(Self {
            name,
            child,
            dir: dir.to_owned(),
        })
    }

    /// Waits until `seen` gives something.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        mut seen: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            // The process first, so that its last words are looked at once more.
            let ended = run::wait(&mut self.child, Duration::ZERO)?;
            if let Some(found) = seen(self) {
                return Ok(found);
            }
            match ended {
                Some(status) => {
                    return Err(self.told(&format!("ended with {status}, waiting for {what}")));
                }
                None if start.elapsed() > LIMIT => {
                    return Err(self.told(&format!("no {what} within {} s", LIMIT.as_secs())));
                }
                None => sleep(Duration::from_millis(100)),
            }
        }
    }

    /// Waits until the console shows a text.
    pub(crate) fn wait_console(&mut self, text: &str) -> Result<()> {
        self.wait(&format!("{text:?} on the console"), |vm| {
            vm.console().contains(text).then_some(())
        })
    }

    /// Waits until QEMU has ended by itself, which it does when the guest has powered off.
    pub(crate) fn wait_end(&mut self) -> Result<()> {
        match run::wait(&mut self.child, LIMIT)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.told(&format!("QEMU ended with {status}"))),
            None => Err(self.told(&format!("no end within {} s", LIMIT.as_secs()))),
        }
    }

    /// Waits until it runs: one that goes on from a saved state loads it first.
    pub(crate) fn wait_running(&mut self) -> Result<()> {
        let socket = self.file("qmp");
        self.wait("running", |_| {
            let answer = qmp::ask(&socket, "query-status", &json!({})).ok()?;
            let running = answer.get("running").and_then(Value::as_bool);
            running.filter(|running| *running).map(|_| ())
        })
    }

    /// Presses the power button.
    pub(crate) fn press_power(&self) -> Result<()> {
        qmp::tell(&self.file("qmp"), "system_powerdown")
    }

    /// Pulls the plug: the process is killed, and what the guest had not written is lost.
    pub(crate) fn pull_the_plug(mut self) -> Result<()> {
        self.child
            .kill()
            .and_then(|()| self.child.wait().map(|_| ()))
            .map_err(|e| format!("killing {}: {e}", self.name))
    }

    /// Does something while the VM stands still, with its memory in `state`: a VM of the same hardware on a copy of its disk
    /// goes on from there when it is started with `-incoming file:STATE`.
    pub(crate) fn standing_still<T>(
        &self,
        state: &Path,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let socket = self.file("qmp");
        let uri = format!("file:{}", state.display());
        qmp::ask(&socket, "migrate", &json!({ "uri": uri }))?;
        let start = Instant::now();
        loop {
            let answer = qmp::ask(&socket, "query-migrate", &json!({}))?;
            match answer.get("status").and_then(Value::as_str) {
                Some("completed") => break,
                Some("failed" | "cancelled") => {
                    return Err(self.told(&format!("saving its memory: {answer}")));
                }
                _ if start.elapsed() > LIMIT => {
                    return Err(self.told(&format!("its memory is not saved: {answer}")));
                }
                _ => sleep(Duration::from_millis(100)),
            }
        }
        let result = work();
        qmp::tell(&socket, "cont")?;
        result
    }

    /// Everything it wrote to its console.
    pub(crate) fn console(&self) -> String {
        self.text("console")
    }

    /// Everything it wrote to the port for its proofs.
    pub(crate) fn proof(&self) -> String {
        self.text("proof")
    }

    /// A failure with the end of the console.
    pub(crate) fn told(&self, what: &str) -> String {
        let (last, log) = (
            run::tail(&self.console(), 40),
            run::tail(&self.text("qemu.log"), 10),
        );
        format!(
            "{}: {what}\n{log}\nend of its console ({}):\n{last}",
            self.name,
            self.file("console").display()
        )
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.dir.join(format!("{}.{ending}", self.name))
    }

    fn text(&self, ending: &str) -> String {
        fs::read(self.file(ending))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

/// The command that runs a shell script in a VM over SSH; `at` is user and address.
pub(crate) fn shell(key: &Path, at: &str, port: u16, script: &str) -> Command {
    let mut command = Command::new("ssh");
    command.args(SSH).arg("-i").arg(key);
    command.args(["-p", &port.to_string(), at, script]);
    command
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.child
            .kill()
            .and_then(|()| self.child.wait().map(|_| ()))
            .unwrap_or_default();
    }
}
