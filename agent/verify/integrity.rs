//! The seal's digests: manifest, policy and record must be the bytes that were sealed.
//! It is separate because verify on a node trusts these files for everything else.

use super::Finding;
use crate::error::Result;
use crate::host::Root;
use crate::record::{MANIFEST, POLICY, RECORD, Seal};

/// Compares the digests that the seal states with the files.
pub fn check(root: &Root) -> Result<Vec<Finding>> {
    let Some(seal) = Seal::read(root)? else {
        return Ok(vec![finding("seal").unknown("seal", "seal.json is missing")]);
    };
    let files = [("manifest", MANIFEST, &seal.manifest), ("policy", POLICY, &seal.policy), ("record", RECORD, &seal.record)];
    let mut findings = Vec::new();
    for (what, path, sealed) in files {
        let now = root.digest(path)?;
        findings.push(compare(what, sealed.as_deref(), now.as_deref()));
    }
    Ok(findings)
}

fn finding(what: &str) -> Finding {
    Finding::check(format!("seal:{what}"), "evidence must be the bytes that were sealed")
}

fn compare(what: &str, sealed: Option<&str>, now: Option<&str>) -> Finding {
    match (sealed, now) {
        (Some(sealed), Some(now)) if sealed == now => finding(what),
        (Some(sealed), now) => finding(what).differs("digest", now.unwrap_or("absent"), sealed),
        (None, _) => finding(what).unknown("digest", "the seal states no digest for it"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn edited_missing_and_unsealed_files_are_told_apart() {
        assert_eq!(compare("policy", Some("a"), Some("a")).status, Status::Conforms);
        assert_eq!(compare("policy", Some("a"), Some("b")).status, Status::Drift);
        assert_eq!(compare("policy", Some("a"), None).status, Status::Drift);
        assert_eq!(compare("policy", None, Some("a")).status, Status::CouldNotCheck);
    }
}
