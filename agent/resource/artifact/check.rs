//! The check of everything before the first write: sums, archives to their end, versions, space.
//! It is separate because it tells all that is wrong at once and leaves the tree as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use super::images::{self, Image, Index};
use super::layout::{self, REQUIRED};
use super::source::{Found, Listing, Role, needed};
use super::version::holds;
use super::{Artifact, Part};
use crate::error::{Error, Result};
use crate::host::Root;
use crate::host::archive::{Limits, Names, Packing, Tar, bad};
use crate::host::root::Source;

/// The tarball of a release holds some ten files of together about 150 MB.
pub(super) const BUNDLE: Limits = Limits {
    entries: 1_000,
    bytes: 4 << 30,
};
/// Largest file whose text is rewritten: units and a script.
pub(super) const TEXT: u64 = 1 << 20;

/// Files that were found right, held open so that those and no others are installed.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// The tarball with binary and units.
    pub(super) bundle: Option<Tarball>,
    /// Image tarballs: the file, its name, its sum, and the time it is given.
    pub(super) images: Vec<Tarball>,
    /// The runtime image, by the name of its tarball.
    pub(super) runtime: Option<(String, Image)>,
    /// Bytes that the bundle unpacks to.
    bundle_bytes: u64,
    /// Bytes of the runtime.
    runtime_bytes: u64,
}

/// A tarball that was found right.
#[derive(Debug)]
pub(super) struct Tarball {
    pub(super) name: String,
    pub(super) sha256: String,
    pub(super) mtime: i64,
    pub(super) source: Source,
}

/// Reads all of it; the error names everything that is wrong.
pub(super) fn check(artifact: &Artifact, listing: &Listing, root: &Root) -> Result<Checked> {
    let mut checked = Checked::default();
    let mut faults = listing.faults.clone();
    for found in &listing.found {
        match one(artifact, found, root, &mut checked) {
            Ok(mut more) => faults.append(&mut more),
            Err(error) => faults.push(error.one_line()),
        }
    }
    if faults.is_empty() {
        faults.extend(runtime(artifact, &mut checked));
    }
    if faults.is_empty() {
        faults.extend(space(artifact, &checked, root)?);
    }
    if faults.is_empty() {
        return Ok(checked);
    }
    Err(Error::host("check all of it before anything is changed")
        .because(faults.join("; "))
        .hint(format!(
            "put the files of one release, {} and their {} in {} again, then run the same command",
            artifact.version,
            artifact.sums_name(),
            artifact.dir
        )))
}

/// Checks one file and says what is wrong with it. A wrong sum is told alone: what is in the file then means nothing.
fn one(
    artifact: &Artifact,
    found: &Found,
    root: &Root,
    checked: &mut Checked,
) -> Result<Vec<String>> {
    let name = &found.name;
    let path = format!("{}/{name}", artifact.dir);
    let Some(mut source) = root.source(&path)? else {
        return Ok(vec![format!("{name} is gone")]);
    };
    let have = source
        .digest()
        .map_err(|e| Error::host(format!("read {path}: {e}")))?;
    if have != found.sha256 {
        return Ok(vec![format!(
            "{name} has the sha256 {have} instead of {}",
            found.sha256
        )]);
    }
    let told = |error: io::Error| vec![format!("{name}: {error}")];
    if !needed(found.role, &artifact.parts) {
        return Ok(Vec::new());
    }
    let mut faults = Vec::new();
    let mut tarball = Tarball {
        name: name.clone(),
        sha256: found.sha256.clone(),
        mtime: 0,
        source,
    };
    if found.role == Role::Bundle {
        match bundle(&mut tarball.source, &artifact.version) {
            Ok(bytes) => checked.bundle_bytes = bytes,
            Err(error) => return Ok(told(error)),
        }
        checked.bundle = Some(tarball);
    } else {
        let packing = Packing::of_name(name).unwrap_or(Packing::Plain);
        match images::index(&mut tarball.source, packing) {
            Ok(index) => {
                faults = versions(artifact, name, &index, checked);
                tarball.mtime = index.newest;
            }
            Err(error) => return Ok(told(error)),
        }
        checked.images.push(tarball);
    }
    Ok(faults)
}

/// Looks for the runtime image, and for one of another version.
fn versions(artifact: &Artifact, name: &str, index: &Index, checked: &mut Checked) -> Vec<String> {
    let want = layout::tag(&artifact.version);
    let mut faults = Vec::new();
    for image in &index.images {
        let names = image.names.iter().flatten();
        for tag in names.filter_map(|name| layout::runtime_tag(name)) {
            if tag == want {
                checked
                    .runtime
                    .get_or_insert_with(|| (name.to_owned(), image.clone()));
            } else {
                faults.push(format!(
                    "{name} holds RKE2 {tag}, the policy wants {}",
                    artifact.version
                ));
            }
        }
    }
    faults
}

/// Reads the tarball with the binary to its end and gives the bytes that it unpacks to.
fn bundle(source: &mut Source, version: &str) -> io::Result<u64> {
    let mut tar = Tar::new(Packing::Gzip.open(source)?, BUNDLE);
    let mut names = Names::default();
    let mut files = BTreeSet::new();
    let mut bytes = 0;
    let mut stated = false;
    while let Some(entry) = tar.advance()? {
        if !layout::of_bundle(&entry, &mut names)? {
            continue;
        }
        bytes += entry.size;
        if entry.path == "bin/rke2" {
            stated = holds(&mut tar, version.as_bytes())?;
        } else if !entry.path.starts_with("share/") && entry.size > TEXT {
            return Err(bad(format!(
                "{} is larger than any of an RKE2 release",
                entry.path
            )));
        }
        files.insert(entry.path);
    }
    if let Some(missing) = REQUIRED.iter().find(|path| !files.contains(**path)) {
        return Err(bad(format!("it holds no {missing}")));
    }
    if !stated {
        return Err(bad(format!(
            "its bin/rke2 does not name the version {version}, which the policy wants"
        )));
    }
    Ok(bytes)
}

/// Reads the layers of the runtime image.
fn runtime(artifact: &Artifact, checked: &mut Checked) -> Option<String> {
    if !artifact.parts.contains(&Part::Runtime) {
        return None;
    }
    let wanted = layout::runtime_image(&artifact.version);
    let Some((name, image)) = &checked.runtime else {
        let names: Vec<&str> = checked
            .images
            .iter()
            .map(|image| image.name.as_str())
            .collect();
        return Some(format!(
            "none of {} holds the image {wanted}",
            names.join(", ")
        ));
    };
    let mut images = checked.images.iter_mut();
    let tarball = images.find(|tarball| tarball.name == *name)?;
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    let packing = Packing::of_name(name).unwrap_or(Packing::Plain);
    let mut visit = |entry: &crate::host::archive::Entry, _: &mut dyn Read| {
        sizes.insert(entry.path.clone(), entry.size);
        Ok(())
    };
    let source = &mut tarball.source;
    let read = source
        .rewind()
        .and_then(|()| images::each_file(source, packing, image, &mut visit));
    if let Err(error) = read {
        return Some(format!("{name}: {wanted}: {error}"));
    }
    for part in ["bin/", "charts/"] {
        if !sizes.keys().any(|path| path.starts_with(part)) {
            return Some(format!("{name}: {wanted} holds no {part}"));
        }
    }
    checked.runtime_bytes = sizes.values().sum();
    None
}

/// Half an installation on a full disk helps nobody, so the space is asked for before.
fn space(artifact: &Artifact, checked: &Checked, root: &Root) -> Result<Vec<String>> {
    let images: u64 = match artifact.parts.contains(&Part::Images) {
        true => checked
            .images
            .iter()
            .map(|image| image.source.meta.size)
            .sum(),
        false => 0,
    };
    let mut faults = Vec::new();
    let needs = [
        (layout::HOME, images + checked.runtime_bytes),
        (layout::prefix(root)?, checked.bundle_bytes),
    ];
    for (path, need) in needs {
        let space = root.space(path)?;
        if need > 0 && space.read_only {
            faults.push(format!("{path} is on a file system that is read-only"));
        } else if need > space.free {
            faults.push(format!(
                "{path} needs {need} bytes, {} are free",
                space.free
            ));
        }
    }
    Ok(faults)
}
