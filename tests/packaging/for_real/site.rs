//! One site's build: stock disk, key, seed, files, policy and values, and Packer run on them in a network of its own.
//! It is separate because it is made of what a person brings to a build; the image that comes out is judged beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::packaging::{source, text};
use crate::support::machine::cache;
use crate::support::machine::run::{ok, run};
use crate::support::tarball;
use crate::support::vm::guest::Guest;
use crate::support::vm::tools;

pub(super) const LIMIT: Duration = Duration::from_mins(10);
/// Everything of one build, in emulation and on a busy machine.
const BUILD: Duration = Duration::from_mins(50);
/// What the build network has beside the build machine: a mirror of packages. $1 is its folder, the rest is Packer's.
const START: &str = "ip link set lo up; \
    python3 -m http.server --bind 127.0.0.1 8000 --directory \"$1\" > mirror.log 2>&1 & \
    shift; packer \"$@\" > build.log 2>&1";
/// The stock disk has no boot loader, and its kernel is given to QEMU. No flaws of the emulated CPU are mitigated.
const KERNEL: &str =
    "console=ttyS0 root=/dev/vda rw net.ifnames=0 mitigations=off no_timer_check tsc=reliable";
/// Stands in for libguestfs, whose own virtual machine is out of reach here: the same arguments, a loop device.
const GUESTMOUNT: &str = "#!/bin/sh\nset -eu\n[ \"$1 $3 $4\" = '--add --inspector --ro' ]\nraw=$(mktemp)\n\
    qemu-img convert -O raw \"$2\" \"$raw\"\nmount -o loop,ro \"$raw\" \"$5\"\nrm \"$raw\"\n";

/// The folder of a build, with what a site brings to it.
pub(super) struct Site {
    pub(super) dir: PathBuf,
    guest: Guest,
    pub(super) binary: PathBuf,
}

impl Site {
    pub(super) fn new(guest: Guest, binary: PathBuf) -> Self {
        let dir = cache::target_dir().join("packer");
        cache::remove(&dir).unwrap();
        fs::create_dir_all(dir.join("bin")).unwrap();
        Self { dir, guest, binary }
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Programs that Packer calls and this machine does not have.
    pub(super) fn programs(&self) {
        let tools = tools::qemu().unwrap();
        for name in ["qemu-system-x86_64", "qemu-img", "mkisofs"] {
            tools
                .wrapper(name, &self.dir.join("bin").join(name))
                .unwrap();
        }
        self.write("bin/guestmount", GUESTMOUNT);
        self.write("bin/guestunmount", "#!/bin/sh\nexec umount \"$1\"\n");
        let mut chmod = Command::new("chmod");
        chmod.args([
            "+x",
            &self.path("bin/guestmount"),
            &self.path("bin/guestunmount"),
        ]);
        ok(&mut chmod, LIMIT).unwrap();
    }

    /// The stock image as a vendor gives it, and its checksum.
    fn stock(&self) -> String {
        let mut convert = tools::qemu().unwrap().command("qemu-img");
        convert
            .args(["convert", "-O", "qcow2"])
            .arg(self.guest.disk());
        ok(convert.arg(self.path("stock.qcow2")), LIMIT).unwrap();
        let mut sum = Command::new("sha256sum");
        let said = ok(sum.arg(self.path("stock.qcow2")), LIMIT).unwrap();
        format!("sha256:{}", said.split(' ').next().unwrap())
    }

    /// The key, the seed with its public half, and the release of RKE2.
    pub(super) fn seed(&self) {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "packer-key", "-f"]);
        ok(keygen.arg(self.path("key")), LIMIT).unwrap();
        let key = fs::read_to_string(self.dir.join("key.pub")).unwrap();
        let data = text("packaging/cloud-init/build.yaml").replace("${ssh_public_key}", key.trim());
        self.write("seed/user-data", &data);
        self.write("seed/meta-data", "");
        tarball::running_release(&self.dir.join("files/rke2"), tarball::VERSION);
    }

    /// The site's own fragment: where packages come from, and a file.
    pub(super) fn policy(&self, pool: &Path) {
        let key = pool.join("pool.asc");
        let home = tempfile::tempdir().unwrap();
        let mut show = Command::new("gpg");
        show.env("GNUPGHOME", home.path())
            .args(["--batch", "--with-colons", "--show-keys"]);
        let said = ok(show.arg(&key), LIMIT).unwrap();
        let line = said.lines().find(|line| line.starts_with("fpr:")).unwrap();
        let fingerprint = line.split(':').nth(9).unwrap();
        let key = fs::read_to_string(key).unwrap();
        self.write(
            "policy/16-site.toml",
            &format!(
                "schema = 1\n[[repository]]\nname = \"mirror\"\nuris = [\"http://10.0.2.2:8000/\"]\nsuites = [\"./\"]\n\
                 key = '''\n{key}'''\nfingerprint = \"{fingerprint}\"\nreason = \"the site's mirror\"\n\
                 [[file]]\npath = \"/etc/site-image\"\ncontent = \"from the site\\n\"\nreason = \"a fact of the site's own\"\n"
            ),
        );
    }

    /// The values of the template's variables that are this site's and this machine's.
    pub(super) fn values(&self, package: &Path) {
        let quoted = |value: &str| format!("\"{value}\"");
        let path = |name: &str| quoted(&self.path(name));
        let qemu = [
            ["-machine", "type=pc,vmport=off,hpet=off"],
            ["-accel", "tcg,thread=multi,tb-size=512"],
            ["-cpu", "max,la57=off"],
            ["-kernel", &self.guest.kernel().display().to_string()],
            ["-initrd", &self.guest.initrd().display().to_string()],
            ["-append", KERNEL],
            ["-serial", &format!("file:{}", self.path("console.log"))],
        ];
        let values = [
            ("source_image_url", path("stock.qcow2")),
            ("source_image_checksum", quoted(&self.stock())),
            ("seed_directory", path("seed")),
            ("ssh_private_key_file", path("key")),
            ("nodeagent", quoted(&self.binary.display().to_string())),
            ("package", quoted(&package.display().to_string())),
            ("files", path("files")),
            ("policy", path("policy")),
            ("rke2_version", quoted(tarball::VERSION)),
            ("image_name", quoted("node")),
            ("accelerator", quoted("tcg")),
            ("disk_size", quoted("4G")),
            ("qemuargs", format!("{qemu:?}")),
        ];
        let lines = values.map(|(name, value)| format!("{name} = {value}\n"));
        self.write("site.pkrvars.hcl", &lines.concat());
    }

    /// Runs Packer in a network and a process tree of its own; what is left of them ends with it.
    pub(super) fn build(&self, mirror: &Path) -> (i32, String) {
        let mut command = Command::new("setpriv");
        command.args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--net",
            "--mount",
            "--pid",
            "--fork",
        ]);
        command.args(["--kill-child", "--mount-proc", "sh", "-c", START, "start"]);
        command
            .arg(mirror)
            .args(["build", "-color=false", "-timestamp-ui"]);
        let shipped = source("packaging/packer/debian12.pkrvars.hcl");
        command.arg(format!("-var-file={}", shipped.display()));
        command.arg("-var-file=site.pkrvars.hcl");
        command.arg(source("packaging/packer/qemu.pkr.hcl"));
        let path = std::env::var("PATH").unwrap();
        command.current_dir(&self.dir).env_clear();
        command.env("PATH", format!("{}:{path}", self.path("bin")));
        for (name, value) in [
            ("HOME", "home"),
            ("TMPDIR", "tmp"),
            ("PACKER_CACHE_DIR", "tmp"),
        ] {
            fs::create_dir_all(self.dir.join(value)).unwrap();
            command.env(name, self.path(value));
        }
        let done = run(command.env("CHECKPOINT_DISABLE", "1"), BUILD).unwrap();
        (
            done.code,
            fs::read_to_string(self.dir.join("build.log")).unwrap(),
        )
    }
}

/// Removes the disks whatever became of the test; logs and manifest stay.
impl Drop for Site {
    fn drop(&mut self) {
        for name in [
            "stock.qcow2",
            "node.raw",
            "output",
            "tmp",
            "files",
            "packages",
            "deb",
        ] {
            let path = self.dir.join(name);
            fs::remove_file(&path)
                .or_else(|_| fs::remove_dir_all(&path))
                .unwrap_or_default();
        }
    }
}
