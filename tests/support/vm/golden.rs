//! The golden image: the disk of a VM that was baked, generalized and powered off, and what was found on the way.
//! Separate because it takes minutes, and every test of nodes begins with a clone of it.

use super::{
    builder::{self, Facts},
    disk,
    guest::{self, Guest},
    qemu::LIMIT,
};
use crate::support::{
    machine::{Result, cache, doing, pool, run},
    namespace::in_namespaces,
    packages, tarball,
};
use nodeagent::host::root::sha256;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a search for traces looks into.
const SEARCHED: [&str; 7] = ["etc", "home", "root", "srv", "tmp", "usr", "var"];

/// The image, and beside it what the build machine was.
#[derive(Debug)]
pub(crate) struct Golden {
    /// The directory of everything below.
    dir: PathBuf,
    /// The guest whose kernel boots it.
    pub(crate) guest: Guest,
    /// Exit codes, outputs and seconds, by name.
    pub(crate) facts: Facts,
}

/// What is brought to a machine on a disk of its own: nodeagent's package, a package repository, a release of RKE2.
pub(crate) struct Supply {
    package: PathBuf,
    packages: PathBuf,
    /// The directory in which the package was made.
    _made: tempfile::TempDir,
    /// A release of RKE2, in a directory that ends with this.
    release: tempfile::TempDir,
}

/// The image that `binary` makes; made once for each binary, as policy and units are in there.
///
/// Talks to no network but the fetching of packages, which are cached too.
pub(crate) fn image(binary: &Path) -> Result<Golden> {
    let guest = guest::stock()?;
    let supply = Supply::new(binary, &guest)?;
    let key = supply.key(&guest)?;
    let entry = cache::entry("golden", &key, |dir| {
        supply.pack(dir)?;
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
    /// A file of the image's directory: `golden.raw`, `pending.raw`, `key`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A fact by its name.
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts.get(name).map_or("", String::as_str)
    }
}

impl Supply {
    /// For a guest that lacks packages of the profile.
    pub(crate) fn new(binary: &Path, guest: &Guest) -> Result<Self> {
        let dir = || tempfile::tempdir().map_err(|e| format!("making a directory: {e}"));
        let (release, made) = (dir()?, dir()?);
        tarball::running_release(release.path(), tarball::VERSION);
        Ok(Self {
            package: packages::deb(binary, made.path())?,
            _made: made,
            packages: guest.pool(&wanted(binary)?)?,
            release,
        })
    }

    /// Changes with everything that gets into the image.
    fn key(&self, guest: &Guest) -> Result<String> {
        let sums = self.release.path().join("sha256sum-amd64.txt");
        let read = |path: &Path| fs::read(path).map_err(|e| doing("reading", path, &e));
        Ok(cache::key(&[
            "golden 8",
            &guest.key(),
            &self.packages.display().to_string(),
            builder::SUPPLY,
            builder::BUILDER,
            &sha256(&read(&self.package)?),
            &sha256(&read(&sums)?),
        ]))
    }

    /// Writes `supply.iso`, and the `key` by which the builder is entered.
    pub(crate) fn pack(&self, dir: &Path) -> Result<()> {
        let files = dir.join("supply");
        let script = "mkdir \"$4\"; cp \"$1\" \"$4/nodeagent.deb\"; cp -a \"$2\" \"$4/apt\"; \
                      cp -a \"$3\" \"$4/rke2-artifacts\"; \
                      ssh-keygen -q -t ed25519 -N '' -C packer-key -f \"$5/key\"";
        let mut copy = Command::new("sh");
        copy.args(["-ec", script, "sh"]);
        copy.arg(&self.package).arg(&self.packages);
        copy.args([self.release.path(), &files, dir]);
        run::ok(&mut copy, LIMIT)?;
        guest::iso(&files, "supply", &dir.join("supply.iso"))?;
        cache::remove(&files)
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

fn build(guest: &Guest, binary: &Path, dir: &Path) -> Result<()> {
    let mut facts = builder::run(guest, dir)?;
    for (from, name) in [
        ("pending", "pending"),
        ("closed", "closed"),
        ("builder", "golden"),
    ] {
        let overlay = dir.join(format!("{from}.qcow2"));
        if !overlay.exists() {
            continue;
        }
        let raw = dir.join(format!("{name}.raw"));
        disk::flatten(&overlay, &raw)?;
        remove(&overlay)?;
        // What a cut of the power leaves has a journal to be replayed.
        let disk = disk::Mounted::new(&raw, name != "golden")?;
        facts.insert(
            format!("{name}.seal"),
            disk.read("etc/packer-build/seal.json")?,
        );
        let done = audit(binary, &disk)?;
        facts.insert(format!("{name}.verify.exit"), done.code.to_string());
        facts.insert(format!("{name}.verify"), done.stdout + &done.stderr);
        if name == "golden" {
            look_at(&disk, &mut facts)?;
        }
    }
    // Only looked at: no node is made from it.
    fs::remove_file(dir.join("closed.raw")).unwrap_or_default();
    let path = dir.join("facts.json");
    let text = serde_json::to_vec_pretty(&facts).map_err(|e| format!("writing the facts: {e}"))?;
    fs::write(&path, text).map_err(|e| doing("writing", &path, &e))
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|e| doing("removing", path, &e))
}

/// Audits the image from outside.
fn audit(binary: &Path, disk: &disk::Mounted) -> Result<run::Done> {
    let mut verify = Command::new(binary);
    verify.args(["verify", "--json", "--root"]).arg(disk.root());
    run::run(&mut verify, LIMIT)
}

/// Looks for the build machine in the image.
fn look_at(disk: &disk::Mounted, facts: &mut Facts) -> Result<()> {
    let mut search = Command::new("grep");
    search
        .current_dir(disk.root())
        .args(["-rlaF", "--devices=skip"])
        .args(["-e", builder::NAME, "-e", "packer-key"])
        .args(SEARCHED);
    let found = [
        (
            "manifest",
            disk.read("etc/packer-build/image-manifest.json")?,
        ),
        ("traces", run::run(&mut search, LIMIT)?.stdout),
        ("package", disk.read("var/lib/dpkg/info/nodeagent.list")?),
    ];
    facts.extend(found.map(|(name, text)| (name.to_owned(), text)));
    Ok(())
}
