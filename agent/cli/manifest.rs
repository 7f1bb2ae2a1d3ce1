//! `manifest`: prints the image manifest as it was sealed.
//! It is separate because it must work for readers that know nothing of policies.

use std::path::Path;

use clap::Args;

use super::{Io, image_name, output, setup};
use crate::error::{Context as _, Error, Exit, Result};
use crate::host::Root;
use crate::host::root::sha256;
use crate::manifest::Manifest;
use crate::record::{MANIFEST, seal};

/// Arguments of `manifest`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nodeagent manifest\n  nodeagent manifest --json | jq .kubernetes.version\n  nodeagent --root /mnt/image manifest\n  nodeagent --root /mnt/image manifest --image-name"
)]
pub struct ManifestArgs {
    /// Print the manifest's own bytes instead of a summary.
    #[arg(long)]
    pub json: bool,
    /// Print the image's name alone, made by the policy's pattern `image_name`.
    #[arg(long, conflicts_with = "json")]
    pub image_name: bool,
    /// The number for a pattern with {N}.
    #[arg(long, value_name = "N", requires = "image_name")]
    pub number: Option<u32>,
}

/// Prints it.
pub fn run(args: &ManifestArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let root = setup::root(root)?;
    let bytes = root.read(MANIFEST)?.ok_or_else(|| {
        Error::host(format!("read {MANIFEST}: there is none"))
            .hint("it is written by `nodeagent generalize`")
    })?;
    as_sealed(&root, &bytes)?;
    if args.json {
        io.out.write_all(&bytes).context(|| output::STDOUT)?;
        return Ok(Exit::Ok);
    }
    let manifest: Manifest =
        serde_json::from_slice(&bytes).context(|| format!("read {MANIFEST} as a manifest"))?;
    let text = match args.image_name {
        true => image_name::name(&root, &manifest, args.number)? + "\n",
        false => summary(&manifest),
    };
    output::text(io, &text)?;
    Ok(Exit::Ok)
}

/// Prints nothing that somebody edited since; one that was never sealed is printed with a warning.
fn as_sealed(root: &Root, bytes: &[u8]) -> Result<()> {
    let Some(digests) = seal::read(root)?.and_then(|seal| seal.digests) else {
        tracing::warn!("{MANIFEST} belongs to no seal: nothing says that it was not edited");
        return Ok(());
    };
    if digests.manifest == sha256(bytes) {
        return Ok(());
    }
    Err(Error::host(format!(
        "print {MANIFEST}: it is not the one that was sealed"
    ))
    .hint("something edited it; `nodeagent verify` tells what else changed"))
}

fn summary(m: &Manifest) -> String {
    let proven = if m.nodeagent.proven {
        ""
    } else {
        "  (profile not proven on its own OS)"
    };
    let count = |word: &str| {
        m.entries
            .values()
            .filter(|fact| fact.verdict == word)
            .count()
    };
    let mut lines = vec![
        format!("os          {}", m.os.pretty_name),
        format!("kernel      {}", m.os.kernel),
        format!(
            "kubernetes  {} {}",
            m.kubernetes.distribution, m.kubernetes.version
        ),
        format!(
            "fips        {}",
            if m.fips_enabled {
                "enabled"
            } else {
                "not enabled"
            }
        ),
        format!(
            "built       {} by {} {}",
            m.built_at, m.built_by, m.nodeagent.version
        ),
        format!("profile     {}{proven}", m.nodeagent.profile),
        format!("policy      sha256:{}", m.nodeagent.policy_digest),
        format!("packages    {}", m.inventory.packages.len()),
        format!("images      {}", m.prepulled_images.len()),
        format!(
            "entries     {}: {} conform, {} drift, {} could not be checked, {} of other places",
            m.entries.len(),
            count("conforms"),
            count("drift"),
            count("could-not-check"),
            count("other-place")
        ),
    ];
    for exception in &m.exceptions {
        lines.push(format!(
            "exception   {} until {} by {}: {}",
            exception.id, exception.expires, exception.owner, exception.reason
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}
