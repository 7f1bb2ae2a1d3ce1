//! The seal: its state, and its digests of manifest, policy and record.
//! It is separate because verify on a node trusts these files for everything else.

use super::Finding;
use crate::error::Result;
use crate::host::Root;
use crate::record::seal::{self, Seal, State};
use crate::record::stamp::STAMP;
use crate::record::{MANIFEST, POLICY, RECORD};

/// Judges the seal of an image or a node.
pub fn check(root: &Root) -> Result<Vec<Finding>> {
    let seal = seal::read(root)?;
    let mut findings = vec![state(seal.as_ref())];
    let Some(seal) = seal else {
        return Ok(findings);
    };
    let changed = seal::changed(root, &seal)?;
    for (what, path) in [
        ("manifest", MANIFEST),
        ("policy", POLICY),
        ("record", RECORD),
    ] {
        let mut finding = Finding::check(
            format!("seal:{what}"),
            "evidence must be the bytes that were sealed",
        );
        if let Some(found) = changed.iter().find(|difference| difference.what == path) {
            finding = finding.differs("digest", found.have.clone(), found.want.clone());
        } else if seal.digests.is_none() {
            finding = finding.unknown("digest", "the seal states no digest for it");
        }
        findings.push(finding);
    }
    Ok(findings)
}

/// A machine that is judged as a build machine only because its seal is gone: nothing else stamps or writes a manifest.
pub fn lost_seal(root: &Root) -> Result<Vec<Finding>> {
    let sealed_once = root.present(STAMP)? || root.present(MANIFEST)?;
    if !sealed_once || seal::read(root)?.is_some() {
        return Ok(Vec::new());
    }
    Ok(vec![state(None)])
}

/// `pending` means that the build machine was never shut down in an orderly way.
fn state(seal: Option<&Seal>) -> Finding {
    let check = Finding::check(
        "seal:state",
        "an image whose seal is not closed was never finished",
    );
    match seal.map(|seal| seal.state) {
        Some(State::Closed) => check,
        Some(other) => check.differs("state", other.word(), "closed"),
        None => check.differs("state", "no seal", "closed"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use crate::host::root::Attr;

    fn own(mode: u32) -> Attr {
        Attr {
            mode,
            uid: nix::unistd::getuid().as_raw(),
            gid: nix::unistd::getgid().as_raw(),
        }
    }

    fn drift(root: &Root) -> Vec<String> {
        let findings = check(root).unwrap();
        findings
            .into_iter()
            .filter(|f| f.status == Status::Drift)
            .map(|f| f.id)
            .collect()
    }

    #[test]
    fn an_open_seal_and_each_edited_file_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(drift(&root), ["seal:state"]);
        root.make_dir("/etc/packer-build", own(0o755)).unwrap();
        for path in [MANIFEST, POLICY, RECORD] {
            root.write(path, b"sealed", own(0o644)).unwrap();
        }
        seal::begin_build(&root).unwrap();
        seal::to_pending(&root, seal::digests(&root).unwrap(), 1).unwrap();
        assert_eq!(drift(&root), ["seal:state"]);
        seal::to_closed(&root, seal::digests(&root).unwrap(), 2).unwrap();
        assert!(drift(&root).is_empty());
        for (path, id) in [
            (MANIFEST, "seal:manifest"),
            (POLICY, "seal:policy"),
            (RECORD, "seal:record"),
        ] {
            root.write(path, b"edited", own(0o644)).unwrap();
            assert_eq!(drift(&root), [id]);
            root.write(path, b"sealed", own(0o644)).unwrap();
        }
    }
}
