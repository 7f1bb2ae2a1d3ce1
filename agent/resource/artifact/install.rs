//! Puts the parts in place: binary and units, image tarballs, the runtime; then the receipt that lists them.
//! It is separate because it is the only part that writes, and only after everything was checked.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Duration;

use super::check::{BUNDLE, Checked, TEXT, check};
use super::receipt::{self, Installed, Receipt};
use super::version::{is_version, stated};
use super::{Artifact, Part, images, layout, source};
use crate::error::{Context as _, Error, Result};
use crate::host::archive::{Entry, Names, Packing, Tar};
use crate::host::root::Attr;
use crate::host::{Cmd, Host, Root};

/// Checks and installs all parts.
pub(super) fn install(artifact: &Artifact, host: &Host) -> Result<()> {
    let doing = || format!("install RKE2 {} from {}", artifact.version, artifact.dir);
    let root = &host.root;
    let listing = source::look(artifact, root)?.ok_or_else(|| {
        Error::host(doing())
            .because("it holds no file of an RKE2 release")
            .hint("put the release's files there, or name their directory with --set rke2_artifacts=DIR")
    })?;
    let checked = check(artifact, &listing, root).context(doing)?;
    remove_halves(root)?;
    let prefix = layout::prefix(root)?;
    let mut tree = Tree {
        root,
        files: BTreeMap::new(),
    };
    place(artifact, checked, prefix, &mut tree).context(doing)?;
    let files = tree.files;
    if artifact.cache && !root.present(layout::CACHE)? {
        root.write(layout::CACHE, b"", Attr::root(0o644))?;
    }
    version(artifact, prefix, host)?;
    remove_old(artifact, &files, root)?;
    let receipt = Receipt {
        schema: 1,
        version: artifact.version.clone(),
        prefix: prefix.to_owned(),
        parts: artifact.parts.clone(),
        sums_sha256: listing.sums_sha256.clone(),
        artifacts: listing.wanted(&artifact.parts),
        files,
    };
    receipt::write(root, &artifact.name, &receipt)?;
    if host.units.manager() {
        host.units.reload()?;
    }
    for ignored in &listing.ignored {
        host.notes.add(format!("left alone: {ignored}"));
    }
    if artifact.pin().is_none() {
        host.notes.add(format!(
            "{} is not pinned by the policy: not authenticated",
            artifact.sums_name()
        ));
    }
    Ok(())
}

/// The tree and what was placed in it.
struct Tree<'r> {
    root: &'r Root,
    files: BTreeMap<String, Installed>,
}

impl Tree<'_> {
    fn place(&mut self, path: &str, mode: u32, mtime: i64, from: &mut dyn Read) -> Result<String> {
        self.root.make_parent(path)?;
        let placed = self.root.place(path, Attr::root(mode), mtime, from)?;
        let sha256 = placed.sha256.clone();
        let installed = Installed {
            sha256: placed.sha256,
            size: placed.size,
            mode: format!("{mode:04o}"),
            mtime,
        };
        self.files.insert(path.to_owned(), installed);
        Ok(sha256)
    }
}

fn place(
    artifact: &Artifact,
    mut checked: Checked,
    prefix: &str,
    tree: &mut Tree<'_>,
) -> Result<()> {
    if let Some(tarball) = &mut checked.bundle {
        let again = || format!("read {} again", tarball.name);
        tarball.source.rewind().context(again)?;
        bundle(&mut tarball.source, prefix, tree)?;
        if tarball.source.digest().context(again)? != tarball.sha256 {
            return Err(changed(&tarball.name));
        }
    }
    if artifact.parts.contains(&Part::Images) {
        for tarball in &mut checked.images {
            tarball
                .source
                .rewind()
                .context(|| format!("read {} again", tarball.name))?;
            let path = format!("{}/{}", layout::IMAGES, tarball.name);
            let have = tree.place(&path, 0o644, tarball.mtime, &mut tarball.source)?;
            if have != tarball.sha256 {
                return Err(changed(&tarball.name));
            }
        }
    }
    if artifact.parts.contains(&Part::Runtime)
        && let Some((name, image)) = checked.runtime
        && let Some(tarball) = checked
            .images
            .iter_mut()
            .find(|tarball| tarball.name == name)
    {
        let source = &mut tarball.source;
        source.rewind().context(|| format!("read {name} again"))?;
        runtime(
            artifact,
            Packing::of_name(&name).unwrap_or(Packing::Plain),
            &image,
            (&mut *source, tree),
        )?;
        let have = source.digest().context(|| format!("read {name} again"))?;
        if have != tarball.sha256 {
            return Err(changed(&name));
        }
    }
    Ok(())
}

/// Whoever writes to the directory while it is installed from is no source to trust.
fn changed(name: &str) -> Error {
    Error::host(format!("place {name}: it has changed since it was checked"))
        .hint("let nothing write to the directory, then run the same command again")
}

fn bundle(source: impl Read, prefix: &str, tree: &mut Tree<'_>) -> Result<()> {
    let doing = || "unpack the tarball";
    let mut tar = Tar::new(Packing::Gzip.open(source).context(doing)?, BUNDLE);
    let mut names = Names::default();
    while let Some(entry) = tar.advance().context(doing)? {
        if !layout::of_bundle(&entry, &mut names).context(doing)? {
            continue;
        }
        let target = layout::target(&entry, prefix);
        if target.rewritten {
            let mut text = String::new();
            tar.by_ref()
                .take(TEXT)
                .read_to_string(&mut text)
                .context(doing)?;
            let text = layout::rewrite(&text, prefix);
            tree.place(&target.path, target.mode, entry.mtime, &mut text.as_bytes())?;
        } else {
            tree.place(&target.path, target.mode, entry.mtime, &mut tar)?;
        }
    }
    Ok(())
}

/// Stages the runtime as RKE2 does; the mark that it is complete comes last.
fn runtime(
    artifact: &Artifact,
    packing: Packing,
    image: &images::Image,
    (source, tree): (impl Read, &mut Tree<'_>),
) -> Result<()> {
    let dir = layout::runtime_dir(&artifact.version);
    let newest = RefCell::new(0);
    let mut visit = |entry: &Entry, from: &mut dyn Read| -> io::Result<()> {
        let path = format!("{dir}/{}", entry.path);
        // RKE2 takes no more than these bits from the image.
        let mode = entry.mode & 0o755;
        newest.replace_with(|newest| entry.mtime.max(*newest));
        tree.place(&path, mode, entry.mtime, from)
            .map(|_| ())
            .map_err(|error| io::Error::other(error.one_line()))
    };
    images::each_file(source, packing, image, &mut visit).context(|| "stage the runtime image")?;
    let mark = layout::runtime_mark(&artifact.version);
    let newest = newest.into_inner();
    tree.place(
        &format!("{dir}/.extracted"),
        0o644,
        newest,
        &mut mark.as_bytes(),
    )?;
    Ok(())
}

/// Asks the program itself, where it can be run; a tree of another architecture cannot.
fn version(artifact: &Artifact, prefix: &str, host: &Host) -> Result<()> {
    if !artifact.parts.contains(&Part::Binary) {
        return Ok(());
    }
    let program = format!("{prefix}/bin/rke2");
    let cmd = Cmd::new([program.as_str(), "--version"]).timeout(Duration::from_secs(30));
    match host.exec.run(&cmd) {
        Err(error) => {
            let why = error.one_line();
            host.notes
                .add(format!("{program} was not asked for its version: {why}"));
            Ok(())
        }
        Ok(output) => match stated(&output.text()) {
            Some(have) if output.ok() && have == artifact.version => Ok(()),
            have => Err(Error::host(format!("ask {program} for its version"))
                .because(format!(
                    "exit {}, version {}; the policy wants {}",
                    output.code,
                    have.as_deref().unwrap_or("not stated"),
                    artifact.version
                ))
                .hint("put the files of the right release in place, or set rke2_version")),
        },
    }
}

/// Removes what a killed installation left of large files: the next one may have none of their names.
fn remove_halves(root: &Root) -> Result<()> {
    for name in root.list(layout::IMAGES)? {
        if layout::is_half(&name) {
            root.remove(&format!("{}/{name}", layout::IMAGES))?;
        }
    }
    Ok(())
}

/// Removes what an earlier installation placed and this one did not.
fn remove_old(artifact: &Artifact, files: &BTreeMap<String, Installed>, root: &Root) -> Result<()> {
    let Ok(Some(old)) = receipt::read(root, &artifact.name)? else {
        return Ok(());
    };
    // Of a runtime its directory goes too: RKE2 takes one that is there for complete.
    let runtime = layout::runtime_dir(&old.version);
    let kept = files.keys().any(|path| path.starts_with(&runtime));
    if old.parts.contains(&Part::Runtime) && is_version(&old.version) && !kept {
        root.remove(&runtime)?;
    }
    for path in old.files.keys().filter(|path| !files.contains_key(*path)) {
        if root.meta(path)?.is_some() {
            root.remove(path)?;
        }
    }
    Ok(())
}
