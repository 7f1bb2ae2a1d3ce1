//! Where the parts of RKE2 lie: the vendor's layout, and the names that RKE2 itself looks for at its start.
//! It is separate because these are the vendor's facts and no choice of ours.

use std::io;

use crate::error::Result;
use crate::host::Root;
use crate::host::archive::{Entry, EntryKind, Names, bad};
use crate::host::root::sha256;

/// RKE2's data directory.
pub(super) const HOME: &str = "/var/lib/rancher/rke2";
/// Runtimes that were staged.
pub(super) const DATA: &str = "/var/lib/rancher/rke2/data";
/// Image archives that RKE2 imports before kubelet starts.
pub(super) const IMAGES: &str = "/var/lib/rancher/rke2/agent/images";
/// The file that makes RKE2 remember what it has imported.
pub(super) const CACHE: &str = "/var/lib/rancher/rke2/agent/images/.cache.json";
/// Where the vendor's script installs.
const USUAL: &str = "/usr/local";
/// Where it installs when `/usr/local` cannot be written to or is a file system of its own.
const OTHER: &str = "/opt/rke2";
/// The image that holds containerd, kubelet and the charts.
const RUNTIME: &str = "rancher/rke2-runtime";
/// Where units lie in the tarball, below the prefix.
const UNITS: &str = "lib/systemd/system/";

/// Files without which a tarball is no RKE2.
pub(super) const REQUIRED: [&str; 3] = [
    "bin/rke2",
    "lib/systemd/system/rke2-agent.service",
    "lib/systemd/system/rke2-server.service",
];

/// Whether a name is that of a file which is only half written.
pub(super) fn is_half(name: &str) -> bool {
    name.starts_with('.') && name.as_bytes().ends_with(b".nodeagent")
}

/// The prefix that the vendor's script would take here.
pub(super) fn prefix(root: &Root) -> Result<&'static str> {
    let mounted = root.present(USUAL)? && root.is_mount_point(USUAL)?;
    let other = mounted || root.space(USUAL)?.read_only;
    Ok(if other { OTHER } else { USUAL })
}

/// What becomes of a file of the tarball.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Its path in the tree.
    pub(super) path: String,
    /// Its mode.
    pub(super) mode: u32,
    /// Its text names the usual prefix, which is replaced.
    pub(super) rewritten: bool,
}

/// Where a file of the tarball goes. Below another prefix systemd finds no units, so they go to its own directory.
pub(super) fn target(entry: &Entry, prefix: &str) -> Target {
    let mode = if entry.mode & 0o111 == 0 {
        0o644
    } else {
        0o755
    };
    let moved = prefix != USUAL;
    let unit = entry
        .path
        .strip_prefix(UNITS)
        .filter(|name| name.as_bytes().ends_with(b".service"));
    let path = match unit.filter(|_| moved) {
        Some(name) => format!("/etc/systemd/system/{name}"),
        None => format!("{prefix}/{}", entry.path),
    };
    Target {
        path,
        mode,
        rewritten: moved && (unit.is_some() || entry.path == "bin/rke2-uninstall.sh"),
    }
}

/// A text with the prefix put in, in each line once, as the vendor's script does it.
pub(super) fn rewrite(text: &str, prefix: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.map(|line| line.replacen(USUAL, prefix, 1)).collect()
}

/// Whether an entry of the tarball is a file to be placed; anything that an RKE2 release does not hold is an error.
pub(super) fn of_bundle(entry: &Entry, names: &mut Names) -> io::Result<bool> {
    let file = plain(entry, names)?;
    let known = ["bin/rke2", "lib/systemd/system/rke2-", "share/rke2/"];
    if file && !known.iter().any(|start| entry.path.starts_with(start)) {
        return Err(bad(format!("{} is no part of an RKE2 release", entry.path)));
    }
    Ok(file)
}

/// Whether an entry of the runtime image is a file to be staged. RKE2 takes programs and charts and nothing else.
pub(super) fn of_runtime(entry: &Entry, names: &mut Names) -> io::Result<bool> {
    let wanted = ["bin", "charts"].iter().any(|part| {
        let rest = entry.path.strip_prefix(part);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if !wanted {
        return Ok(false);
    }
    plain(entry, names)
}

/// Whether an entry is a file; a directory is none, and anything else must not be there.
fn plain(entry: &Entry, names: &mut Names) -> io::Result<bool> {
    if entry.mode & 0o6000 != 0 {
        return Err(bad(format!("{} is setuid or setgid", entry.path)));
    }
    match &entry.kind {
        EntryKind::File if entry.path.is_empty() => Err(bad("a file has no name")),
        EntryKind::File => names.file(&entry.path).map(|()| true),
        EntryKind::Directory => names.dir(&entry.path).map(|()| false),
        other => Err(bad(format!("{} is {}", entry.path, other.word()))),
    }
}

/// The tag that images of a version have: `+` is no character of a tag.
pub(super) fn tag(version: &str) -> String {
    version.replace('+', "-")
}

/// The name of the runtime image of a version.
pub(super) fn runtime_image(version: &str) -> String {
    format!("{RUNTIME}:{}", tag(version))
}

/// The tag, where an image's name is that of a runtime image, with or without the registry that is the default.
pub(super) fn runtime_tag(image: &str) -> Option<&str> {
    let registries = ["index.docker.io/", "docker.io/", ""];
    let mut names = registries
        .iter()
        .filter_map(|registry| image.strip_prefix(registry));
    names.find_map(|name| name.strip_prefix(RUNTIME)?.strip_prefix(':'))
}

/// Where RKE2 looks for the staged runtime of a version: the tag, and the beginning of the digest of the image's name.
pub(super) fn runtime_dir(version: &str) -> String {
    let digest = sha256(runtime_image(version).as_bytes());
    let digest = digest.get(..12).unwrap_or_default();
    format!("{DATA}/{}-{digest}", tag(version))
}

/// What RKE2 writes in `.extracted` once all is there: the image's full name.
pub(super) fn runtime_mark(version: &str) -> String {
    format!("index.docker.io/{}", runtime_image(version))
}

/// The version of a runtime that is staged, the last by name where there are several.
pub(crate) fn staged_version(root: &Root) -> Result<Option<String>> {
    let mut found = None;
    for name in root.list(DATA)? {
        let tag = name.rsplit_once('-').map(|(tag, _)| tag);
        let version = tag.and_then(|tag| tag.rsplit_once("-rke2"));
        if let Some((kubernetes, release)) = version
            && root.present(&format!("{DATA}/{name}/bin"))?
        {
            found = Some(format!("{kubernetes}+rke2{release}"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories that were seen on nodes which RKE2 itself had staged (rancher/rke2 issues 3902 and 9977).
    #[test]
    fn the_runtime_lies_where_rke2_looks_for_it() {
        for (version, name) in [
            ("v1.21.5+rke2r2", "v1.21.5-rke2r2-92b1ca9704d2"),
            ("v1.24.9+rke2r2", "v1.24.9-rke2r2-154c18a3ccf5"),
            ("v1.30.7+rke2r1", "v1.30.7-rke2r1-c4bdf51261cc"),
            ("v1.34.7+rke2r1", "v1.34.7-rke2r1-db44f300fe21"),
        ] {
            assert_eq!(runtime_dir(version), format!("{DATA}/{name}"));
        }
    }

    #[test]
    fn a_runtime_image_is_known_by_its_name() {
        let table = [
            ("rancher/rke2-runtime:v1-rke2r1", Some("v1-rke2r1")),
            ("docker.io/rancher/rke2-runtime:v1", Some("v1")),
            ("index.docker.io/rancher/rke2-runtime:v1", Some("v1")),
            ("evil.example/rancher/rke2-runtime:v1", None),
            ("rancher/rke2-runtime-windows:v1", None),
            ("rancher/mirrored-pause:3.6", None),
        ];
        for (image, want) in table {
            assert_eq!(runtime_tag(image), want, "{image}");
        }
    }

    #[test]
    fn units_go_where_systemd_finds_them() {
        let entry = |path: &str, mode| Entry {
            path: path.to_owned(),
            kind: EntryKind::File,
            size: 0,
            mode,
            mtime: 0,
        };
        let table = [
            (
                "bin/rke2",
                0o700,
                "/usr/local",
                "/usr/local/bin/rke2",
                0o755,
                false,
            ),
            (
                "lib/systemd/system/rke2-server.service",
                0o664,
                "/usr/local",
                "/usr/local/lib/systemd/system/rke2-server.service",
                0o644,
                false,
            ),
            (
                "lib/systemd/system/rke2-server.service",
                0o644,
                "/opt/rke2",
                "/etc/systemd/system/rke2-server.service",
                0o644,
                true,
            ),
            (
                "lib/systemd/system/rke2-server.env",
                0o644,
                "/opt/rke2",
                "/opt/rke2/lib/systemd/system/rke2-server.env",
                0o644,
                false,
            ),
            (
                "bin/rke2-uninstall.sh",
                0o755,
                "/opt/rke2",
                "/opt/rke2/bin/rke2-uninstall.sh",
                0o755,
                true,
            ),
        ];
        for (path, bits, prefix, to, mode, rewritten) in table {
            let want = Target {
                path: to.to_owned(),
                mode,
                rewritten,
            };
            assert_eq!(target(&entry(path, bits), prefix), want);
        }
        let unit = "EnvironmentFile=-/usr/local/lib/systemd/system/%N.env\nExecStart=/usr/local/bin/rke2 server\n";
        let moved = rewrite(unit, "/opt/rke2");
        assert_eq!(moved, unit.replace("/usr/local", "/opt/rke2"));
    }
}
