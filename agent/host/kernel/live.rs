//! The kernel that runs: values from /proc and /sys, programs for what has no file.
//! It is separate because it knows where we run, and so which of the kernel's facts are ours at all.

use std::io::ErrorKind;
use std::rc::Rc;

use super::{Kernel, ModuleState, sysctl};
use crate::error::{Context as _, Error, Result};
use crate::host::{Cmd, Context, Exec, Runtime, Where};

/// The running kernel, as far as it belongs to the system that is worked on (design, ruling 17).
pub struct LiveKernel {
    context: Context,
    exec: Rc<dyn Exec>,
}

impl std::fmt::Debug for LiveKernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveKernel")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl LiveKernel {
    /// The kernel seen from a context; `exec` runs modprobe and swapoff.
    pub fn new(context: Context, exec: Rc<dyn Exec>) -> Self {
        Self { context, exec }
    }

    /// The fact, unless the kernel is somebody else's.
    fn ours<T>(&self, look: impl FnOnce() -> Result<T>) -> Result<Runtime<T>> {
        match self.context.kernel_is_foreign(false) {
            Some(why) => Ok(Runtime::NotApplicable(why.to_owned())),
            None => look().map(Runtime::Seen),
        }
    }

    /// Runs a program that must end well.
    fn run(&self, argv: &[&str]) -> Result<()> {
        let cmd = Cmd::new(argv.iter().copied());
        let output = self.exec.run(&cmd)?;
        if output.code == 0 {
            return Ok(());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::host(format!(
            "run '{}': exit code {}: {stderr}",
            cmd.line(),
            output.code
        )))
    }
}

impl Kernel for LiveKernel {
    fn release(&self) -> Result<String> {
        let name = nix::sys::utsname::uname().context(|| "ask for the kernel's release")?;
        Ok(name.release().to_string_lossy().into_owned())
    }

    fn machine(&self) -> Result<String> {
        let name = nix::sys::utsname::uname().context(|| "ask for the machine's architecture")?;
        Ok(name.machine().to_string_lossy().into_owned())
    }

    fn sysctl(&self, key: &str) -> Result<Runtime<Option<String>>> {
        let net = sysctl::path(key).starts_with("net/");
        if let Some(why) = self.context.kernel_is_foreign(net) {
            return Ok(Runtime::NotApplicable(why.to_owned()));
        }
        let value = sysctl::get(key)?;
        // A network namespace shows some keys of the first one (nf_conntrack_max) that it may not set.
        if value.is_some()
            && self.context.place == Where::Container
            && let Some(why) = sysctl::locked(key)?
        {
            return Ok(Runtime::NotApplicable(why.to_owned()));
        }
        Ok(Runtime::Seen(value))
    }

    fn set_sysctl(&self, key: &str, value: &str) -> Result<()> {
        sysctl::set(key, value)
    }

    fn module(&self, name: &str) -> Result<Runtime<ModuleState>> {
        self.ours(|| {
            let name = name.replace('-', "_");
            if loaded(&read("/proc/modules")?.unwrap_or_default(), &name) {
                return Ok(ModuleState::Loaded);
            }
            let list = format!("/lib/modules/{}/modules.builtin", self.release()?);
            // A built-in module with parameters is in /sys even where no list was installed.
            let known = builtin(&read(&list)?.unwrap_or_default(), &name)
                || std::fs::exists(format!("/sys/module/{name}"))
                    .context(|| format!("look for /sys/module/{name}"))?;
            Ok(if known {
                ModuleState::Builtin
            } else {
                ModuleState::Absent
            })
        })
    }

    fn load_module(&self, name: &str) -> Result<()> {
        let release = self.release()?;
        self.run(&["modprobe", "--", name])
            .context(|| format!("load the module {name} into the running kernel {release}"))
            .map_err(|error| {
                error.hint(format!(
                    "kernel {release} must have the module in /lib/modules/{release}: install its \
                     extra-modules package, or boot the installed kernel and go on"
                ))
            })
    }

    fn swaps(&self) -> Result<Runtime<Vec<String>>> {
        self.ours(|| Ok(swaps(&read("/proc/swaps")?.unwrap_or_default())))
    }

    fn swap_off(&self, device: &str) -> Result<()> {
        self.run(&["swapoff", "--", device])
            .context(|| format!("stop swapping to {device}"))
            .map_err(|error| {
                error.hint(
                    "swapoff needs as much free memory as is swapped out: see `swapon --show`",
                )
            })
    }

    fn product_uuid(&self) -> Result<Option<String>> {
        let uuid = read("/sys/class/dmi/id/product_uuid")?;
        Ok(uuid.map(|text| text.trim().to_ascii_lowercase()))
    }

    fn command_line(&self) -> Result<String> {
        must("/proc/cmdline")
    }

    fn boot_id(&self) -> Result<String> {
        must("/proc/sys/kernel/random/boot_id")
    }
}

/// Content of a small kernel file; none where the kernel has none.
fn read(path: &str) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(|| format!("read {path}")),
    }
}

fn must(path: &str) -> Result<String> {
    let text = read(path)?.ok_or_else(|| Error::host(format!("read {path}: no such file")))?;
    Ok(text.trim().to_owned())
}

/// Whether /proc/modules lists a module; one that is being removed does not count.
fn loaded(list: &str, name: &str) -> bool {
    list.lines().any(|line| {
        let mut fields = line.split(' ');
        fields.next() == Some(name) && fields.nth(3) != Some("Unloading")
    })
}

/// Whether modules.builtin lists a module: lines are paths such as `kernel/fs/overlayfs/overlay.ko`.
fn builtin(list: &str, name: &str) -> bool {
    list.lines().any(|line| {
        let file = line.rsplit('/').next().unwrap_or_default();
        let stem = file.split('.').next().unwrap_or_default();
        stem.replace('-', "_") == name
    })
}

/// First column of /proc/swaps below its heading, with blanks and the like unescaped.
fn swaps(list: &str) -> Vec<String> {
    let lines = list.lines().skip(1);
    let devices = lines.filter_map(|line| line.split_ascii_whitespace().next());
    devices.map(unescape).collect()
}

/// The kernel writes blank, tab, newline and backslash as a backslash and three octal digits.
fn unescape(text: &str) -> String {
    let codes = [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ];
    codes.iter().fold(text.to_owned(), |text, (code, plain)| {
        text.replace(code, plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Output;

    /// A program runner whose every program ends with one code and message.
    struct Ends(i32, &'static str);

    impl Exec for Ends {
        fn run(&self, _cmd: &Cmd) -> Result<Output> {
            Ok(Output {
                code: self.0,
                stdout: Vec::new(),
                stderr: self.1.as_bytes().to_vec(),
            })
        }
    }

    fn kernel(place: Where, exec: Ends) -> LiveKernel {
        let evidence = "a test".to_owned();
        LiveKernel::new(Context { place, evidence }, Rc::new(exec))
    }

    #[test]
    fn lists_of_the_kernel_are_read_by_their_columns() {
        let modules = "overlay 163840 1 - Live 0x0\nbr_netfilter 32768 0 - Unloading 0x0\n";
        assert!(loaded(modules, "overlay"));
        assert!(!loaded(modules, "over"));
        assert!(!loaded(modules, "br_netfilter"));
        let built = "kernel/fs/ext4/ext4.ko\nkernel/net/nf-conntrack.ko.zst\n";
        assert!(builtin(built, "nf_conntrack"));
        assert!(!builtin(built, "ext"));
        let table = "Filename\t\tType\n/dev/sda2      partition 1 0 -2\n/a\\040b file 1 0 -3\n";
        assert_eq!(swaps(table), ["/dev/sda2", "/a b"]);
        assert!(swaps("").is_empty());
    }

    #[test]
    fn a_foreign_kernel_has_no_facts_of_ours() {
        for place in [
            Where::Chroot,
            Where::Root,
            Where::Appliance,
            Where::Container,
        ] {
            let kernel = kernel(place, Ends(0, ""));
            let foreign =
                |shown: String| assert!(shown.contains("NotApplicable"), "{place:?}: {shown}");
            foreign(format!("{:?}", kernel.module("overlay").unwrap()));
            foreign(format!("{:?}", kernel.swaps().unwrap()));
            foreign(format!("{:?}", kernel.sysctl("kernel.ostype").unwrap()));
            foreign(format!("{:?}", kernel.sysctl("vm/swappiness").unwrap()));
        }
        let own = kernel(Where::Booted, Ends(0, ""));
        let ostype = own.sysctl("kernel.ostype").unwrap();
        assert_eq!(ostype, Runtime::Seen(Some("Linux".to_owned())));
        assert_eq!(
            own.module("no-such-module").unwrap(),
            Runtime::Seen(ModuleState::Absent)
        );
        assert!(!own.release().unwrap().is_empty());
        assert!(!own.boot_id().unwrap().is_empty());
    }

    #[test]
    fn a_module_that_does_not_load_names_kernel_and_next_step() {
        let kernel = kernel(
            Where::Booted,
            Ends(1, "modprobe: FATAL: Module x not found"),
        );
        let release = kernel.release().unwrap();
        let error = kernel.load_module("x").unwrap_err();
        assert!(error.one_line().contains(&release), "{}", error.one_line());
        assert!(error.one_line().contains("FATAL: Module x not found"));
        assert!(error.next_step().unwrap().contains(&release));
        assert!(kernel.swap_off("/dev/x").is_err());
    }
}
