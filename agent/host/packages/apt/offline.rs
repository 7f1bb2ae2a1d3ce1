//! A directory of .deb files in place of the network.
//! It is separate because apt then sees that directory alone, through an index of ours that states what was looked at.

use std::collections::BTreeSet;

use super::run::{self, apt_get};
use super::{Apt, INSTALL};
use crate::error::{Context as _, Error, Result};
use crate::host::environment::caller;
use crate::host::packages::PackageRequest;
use crate::host::root::Attr;
use crate::host::{Cmd, FileKind, Meta, Packages as _};

/// Our index and apt's lists of it; root's alone, and gone when the installation is over.
const PRIVATE: &str = "/var/cache/apt/nodeagent-offline";
/// More files than this are no offline directory.
const MOST: usize = 10_000;

/// One package file as it was looked at.
struct Deb {
    path: String,
    size: u64,
    sha256: String,
    control: String,
}

impl Apt {
    /// Installs from the directories that the requests name, and says why. Nothing else is a source, so that what is
    /// missing in them is told before anything is installed.
    pub(super) fn install_offline(&self, wanted: &[PackageRequest], why: &str) -> Result<()> {
        let dirs: BTreeSet<&str> = wanted.iter().filter_map(|p| p.offline.as_deref()).collect();
        let shown = dirs.iter().copied().collect::<Vec<_>>().join(", ");
        let all = || wanted.iter().all(|package| package.offline.is_some());
        if dirs.is_empty() || !all() {
            return Err(Error::host(why));
        }
        self.notes.warn(format!(
            "the network failed for good ({why}): installing from {shown}"
        ));
        let done = self.install_from(&dirs, wanted);
        let cleaned = self.clear_private();
        done.context(|| format!("install from {shown}, because of: {why}"))
            .and(cleaned)
    }

    fn install_from(&self, dirs: &BTreeSet<&str>, wanted: &[PackageRequest]) -> Result<()> {
        self.clear_private()?;
        let mut debs = Vec::new();
        for dir in dirs {
            debs.extend(self.debs(dir)?);
        }
        self.write_index(&debs)?;
        self.locked(&apt_get("update", &only_private(), INSTALL))?;
        let mut args = only_private();
        args.extend(run::install_args(wanted, &*self.installed()?));
        let hint = "put the missing packages there as well; `apt-get install --download-only` on a machine \
                    of the same release fetches a package with all it depends on";
        self.or_repair(|| self.tried(&apt_get("install", &args, INSTALL)))
            .map_err(|error| error.hint(hint))
    }

    /// Every .deb file of a directory. Whoever may write one may run anything as root, so who may is looked at first.
    fn debs(&self, dir: &str) -> Result<Vec<Deb>> {
        let meta = self.root.meta_followed(dir)?.ok_or_else(|| {
            Error::host(format!("read {dir}: there is no such directory"))
                .hint("upload the package files first, or set its variable to an empty text")
        })?;
        trusted(dir, &meta, FileKind::Directory)?;
        let names = self.root.list(dir)?;
        let mut debs = Vec::new();
        for name in names
            .iter()
            .filter(|name| name.ends_with(".deb"))
            .take(MOST)
        {
            let path = format!("{dir}/{name}");
            debs.push(self.deb(path)?);
        }
        if debs.is_empty() {
            return Err(Error::host(format!("read {dir}: it holds no .deb file"))
                .hint("upload the package files, with all they depend on"));
        }
        Ok(debs)
    }

    fn deb(&self, path: String) -> Result<Deb> {
        let gone = || Error::host(format!("read {path}: it is gone"));
        let meta = self.root.meta(&path)?.ok_or_else(gone)?;
        trusted(&path, &meta, FileKind::File)?;
        let sha256 = self.root.digest(&path)?.ok_or_else(gone)?;
        let output = self.exec.run(&Cmd::new(["dpkg-deb", "--field", &path]))?;
        run::finished(&output).context(|| format!("read the control fields of {path}"))?;
        let control = output.text().trim().to_owned();
        let stated = |field: &str| {
            let mut keys = control.lines().filter_map(|line| line.split_once(':'));
            keys.any(|(key, _)| key.eq_ignore_ascii_case(field))
        };
        // These would stand before ours in the index.
        let foreign = ["Filename", "Size", "SHA256"]
            .into_iter()
            .find(|f| stated(f));
        if foreign.is_some() || control.contains("\n\n") || !stated("Package") {
            return Err(Error::host(format!(
                "read {path}: its control fields are not a package's"
            )));
        }
        Ok(Deb {
            path,
            size: meta.size,
            sha256,
            control,
        })
    }

    /// Writes index and source; the packages are linked under names that no URL quoting can change.
    fn write_index(&self, debs: &[Deb]) -> Result<()> {
        for dir in ["lists/partial", "archives/partial"] {
            self.root.make_dir(PRIVATE, Attr::root(0o700))?;
            self.root
                .make_dir(&format!("{PRIVATE}/{dir}"), Attr::root(0o700))?;
        }
        let mut index = String::new();
        for (number, deb) in debs.iter().enumerate() {
            let name = format!("{number}.deb");
            self.root.symlink(&deb.path, &format!("{PRIVATE}/{name}"))?;
            let Deb {
                size,
                sha256,
                control,
                ..
            } = deb;
            let stanza =
                format!("{control}\nFilename: ./{name}\nSize: {size}\nSHA256: {sha256}\n\n");
            index.push_str(&stanza);
        }
        let source = format!("deb [trusted=yes] file:{PRIVATE} ./\n");
        let attr = Attr::root(0o600);
        self.root
            .write(&format!("{PRIVATE}/Packages"), index.as_bytes(), attr)?;
        self.root
            .write(&format!("{PRIVATE}/sources.list"), source.as_bytes(), attr)
    }

    fn clear_private(&self) -> Result<()> {
        if self.root.present(PRIVATE)? {
            self.root.remove(PRIVATE)?;
        }
        Ok(())
    }
}

/// Options with which apt knows no source but ours, and leaves its own lists and caches alone.
fn only_private() -> Vec<String> {
    [
        format!("-o=Dir::Etc::SourceList={PRIVATE}/sources.list"),
        "-o=Dir::Etc::SourceParts=/dev/null".to_owned(),
        format!("-o=Dir::State::Lists={PRIVATE}/lists"),
        format!("-o=Dir::Cache::Archives={PRIVATE}/archives"),
        "-o=Dir::Cache::pkgcache=".to_owned(),
        "-o=Dir::Cache::srcpkgcache=".to_owned(),
        "-o=Acquire::Languages=none".to_owned(),
        "-o=APT::Sandbox::User=root".to_owned(),
    ]
    .to_vec()
}

/// Only root or the caller may write it, and it is what it should be.
fn trusted(path: &str, meta: &Meta, kind: FileKind) -> Result<()> {
    let owned = meta.uid == 0 || Some(meta.uid) == caller();
    let why = if meta.kind != kind {
        format!("it is a {}, not a {kind}", meta.kind)
    } else if !owned {
        format!(
            "it belongs to user {}, neither to root nor to the caller",
            meta.uid
        )
    } else if meta.mode & 0o022 != 0 {
        format!("its mode {} lets others write it", meta.mode_text())
    } else {
        return Ok(());
    };
    Err(Error::host(format!("use {path}: {why}")).hint(format!(
        "chown root {path}; chmod go-w {path}; and see where it came from"
    )))
}
