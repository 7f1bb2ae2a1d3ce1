//! The image's name: the policy's pattern, filled with what the manifest states.
//! It is separate from the manifest verb because it reads the policy too, which that one must not need.

use super::setup;
use crate::error::{Error, Result};
use crate::host::Root;
use crate::manifest::Manifest;
use crate::policy::image_name::{VARIABLE, fill};

/// The name of the image whose manifest this is.
pub(super) fn name(root: &Root, manifest: &Manifest, number: Option<u32>) -> Result<String> {
    let policy = setup::baked_policy(root)?.ok_or_else(|| {
        Error::host("name the image: it carries no policy, which holds the pattern")
            .hint("a bake leaves it in /etc/packer-build/policy.json")
    })?;
    let pattern = policy.variables.get(VARIABLE).ok_or_else(|| {
        Error::usage(format!(
            "name the image: its policy has no variable {VARIABLE}"
        ))
        .hint(format!(
            "declare it in a fragment of the profile {}, or set it with bake --set",
            policy.profile
        ))
    })?;
    fill(&pattern.value, |placeholder| {
        value(placeholder, manifest, number)
    })
}

fn value(placeholder: &str, manifest: &Manifest, number: Option<u32>) -> Result<String> {
    match placeholder {
        "N" => number.map(|n| n.to_string()).ok_or_else(|| {
            Error::usage("name the image: its pattern has {N}").hint("say which with --number N")
        }),
        "date" => Ok(manifest
            .built_at
            .chars()
            .filter(char::is_ascii_digit)
            .take(8)
            .collect()),
        "version" => rke2(manifest).map(str::to_owned),
        _ => {
            let version = rke2(manifest)?;
            let parts: Vec<&str> = version.splitn(3, '.').take(2).collect();
            Ok(parts.join("."))
        }
    }
}

/// RKE2's version without what comes after the Kubernetes release.
fn rke2(manifest: &Manifest) -> Result<&str> {
    let stated = manifest.kubernetes.version.as_str();
    let version = stated.split('+').next().unwrap_or(stated);
    let numbers = version.strip_prefix('v').unwrap_or_default();
    let right =
        numbers.split('.').count() == 3 && numbers.split('.').all(|n| n.parse::<u32>().is_ok());
    if right {
        return Ok(version);
    }
    Err(Error::host(format!(
        "name the image: its pattern asks for RKE2's version, and the manifest states {stated:?}"
    ))
    .hint("bake RKE2, or choose a pattern without {version} and {k8s}"))
}
