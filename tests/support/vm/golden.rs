//! The golden image: a VM that was baked, generalized and powered off, and what was found on the way.
//! Separate because it takes minutes, and every test of nodes begins with a clone of it.

use super::{
    disk,
    guest::{self, Guest},
    qemu::{Hardware, LIMIT, Vm},
    seed::{self, Seed},
};
use crate::support::{
    machine::{Result, cache, doing, pool, run},
    namespace::in_namespaces,
    tarball,
};
use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// What the builder runs on its way, by step; each is an input of the image.
const SUPPLY: &str = include_str!("../guest/supply.sh");
const BUILDER: &str = include_str!("../guest/builder.sh");
/// The build machine's name, which no image may know.
pub(crate) const NAME: &str = "packer-builder-7a3e";
/// What its hypervisor gives it, and PID 1 makes its machine-id of.
pub(crate) const UUID: &str = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
/// Where the rig reaches the VM's sshd, inside a network of its own.
const PORT: u16 = 2222;
/// What the closing unit says last.
const CLOSED: &str = "seal closed: the image is ready";

/// The image, and beside it what the build machine was.
#[derive(Debug)]
pub(crate) struct Golden {
    /// The directory of everything below.
    dir: PathBuf,
    /// The guest whose kernel boots it.
    pub(crate) guest: Guest,
    /// Exit codes, outputs and seconds, by name.
    pub(crate) facts: BTreeMap<String, String>,
}

/// The image that `binary` makes; made once for each binary, as all it installs is in there.
///
/// Talks to no network but the fetching of packages, which are cached too.
pub(crate) fn image(binary: &Path) -> Result<Golden> {
    let guest = guest::stock()?;
    let packages = guest.pool(&wanted(binary)?)?;
    let key = cache::key(&[
        "golden 1",
        &guest.key(),
        &packages.display().to_string(),
        SUPPLY,
        BUILDER,
        &digest(binary)?,
    ]);
    let entry = cache::entry("golden", &key, |dir| {
        supply(binary, &packages, dir)?;
        in_namespaces(|| build(&guest, binary, dir))
    })?;
    let path = entry.path.join("facts.json");
    let text = fs::read(&path).map_err(|e| doing("reading", &path, &e))?;
    let facts = serde_json::from_slice(&text).map_err(|e| doing("reading", &path, &e))?;
    Ok(Golden {
        dir: entry.path,
        guest,
        facts,
    })
}

impl Golden {
    /// A file of the image's directory: `golden.raw`, `pending.raw`, `closed.raw`, `key`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A fact by its name.
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts.get(name).map_or("", String::as_str)
    }
}

/// The packages of the profile.
fn wanted(binary: &Path) -> Result<Vec<String>> {
    let mut show = Command::new(binary);
    show.args(["policy", "show", "--profile", "rke2-debian12", "--json"]);
    let text = run::ok(&mut show, LIMIT)?;
    Ok(pool::wanted(
        &serde_json::from_str(&text).map_err(|e| format!("reading the policy: {e}"))?,
    ))
}

fn digest(binary: &Path) -> Result<String> {
    let bytes = fs::read(binary).map_err(|e| doing("reading", binary, &e))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

/// The disk that is brought to the builder: the binary, a package repository, a release of RKE2; and the key to get in.
fn supply(binary: &Path, packages: &Path, dir: &Path) -> Result<()> {
    let files = dir.join("supply");
    tarball::running_release(&files.join("rke2-artifacts"), tarball::VERSION);
    let mut copy = Command::new("sh");
    copy.args(["-ec", "cp \"$1\" \"$3/nodeagent\"; cp -a \"$2\" \"$3/apt\"; ssh-keygen -q -t ed25519 -N '' -C packer-key -f \"$4/key\"", "sh"])
        .args([binary, packages, &files, dir]);
    run::ok(&mut copy, LIMIT)?;
    guest::iso(&files, "supply", &dir.join("supply.iso"))?;
    cache::remove(&files)
}

fn build(guest: &Guest, binary: &Path, dir: &Path) -> Result<()> {
    run::ok(Command::new("ip").args(["link", "set", "lo", "up"]), LIMIT)?;
    let mut facts = BTreeMap::new();
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
    for name in ["pending", "closed", "builder"] {
        let raw = dir.join(if name == "builder" {
            "golden.raw".to_owned()
        } else {
            format!("{name}.raw")
        });
        let overlay = dir.join(format!("{name}.qcow2"));
        disk::flatten(&overlay, &raw)?;
        fs::remove_file(&overlay).map_err(|e| doing("removing", &overlay, &e))?;
    }
    look_at(binary, dir, &mut facts)?;
    let path = dir.join("facts.json");
    let text = serde_json::to_vec_pretty(&facts).map_err(|e| format!("writing the facts: {e}"))?;
    fs::write(&path, text).map_err(|e| doing("writing", &path, &e))
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
    facts: &'a mut BTreeMap<String, String>,
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
        self.keep("bytes_before", before);
        self.keep("bytes_after", disk::allocated(disk)?);
        self.copy(disk, "pending")
    }

    /// Powers off. The disk as it is when the closing unit has spoken is kept too.
    fn power_off(&mut self, disk: &Path) -> Result<()> {
        self.timed("power_off", |this| {
            // The connection ends with the machine, so that its answer says nothing.
            run::run(&mut this.shell("systemctl poweroff"), LIMIT)?;
            this.vm.wait_console(CLOSED)?;
            this.copy(disk, "closed")?;
            this.vm.wait_end()
        })
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
        self.keep(name, said);
        Ok(())
    }

    fn shell(&self, script: &str) -> Command {
        self.vm.shell(&self.dir.join("key"), "127.0.0.1", PORT, script)
    }

    fn timed<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let result = work(self);
        self.keep(
            &format!("seconds.{name}"),
            format!("{:.1}", start.elapsed().as_secs_f64()),
        );
        result
    }

    fn keep(&mut self, name: &str, value: impl ToString) {
        self.facts.insert(name.to_owned(), value.to_string());
    }
}

/// Looks at the disks from outside.
fn look_at(binary: &Path, dir: &Path, facts: &mut BTreeMap<String, String>) -> Result<()> {
    for (name, recover) in [("pending", true), ("closed", true), ("golden", false)] {
        let disk = disk::Mounted::new(&dir.join(format!("{name}.raw")), recover)?;
        facts.insert(
            format!("{name}.seal"),
            disk.read("etc/packer-build/seal.json")?,
        );
        if name == "golden" {
            let mut verify = Command::new(binary);
            verify.args(["verify", "--json", "--root"]).arg(disk.root());
            let done = run::run(&mut verify, LIMIT)?;
            facts.insert("verify.exit".to_owned(), done.code.to_string());
            facts.insert(
                "verify".to_owned(),
                format!("{}\n{}", done.stdout, done.stderr),
            );
            facts.insert(
                "manifest".to_owned(),
                disk.read("etc/packer-build/image-manifest.json")?,
            );
            let mut search = Command::new("grep");
            search.current_dir(disk.root()).args([
                "-rlaF",
                "--devices=skip",
                "-e",
                NAME,
                "-e",
                "packer-key",
                "etc",
                "home",
                "root",
                "srv",
                "tmp",
                "usr",
                "var",
            ]);
            facts.insert("traces".to_owned(), run::run(&mut search, LIMIT)?.stdout);
        }
    }
    Ok(())
}
