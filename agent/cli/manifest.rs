//! `manifest`: prints the image manifest as it was sealed.
//! It is separate because it must work for readers that know nothing of policies.

use std::path::Path;

use clap::Args;

use super::{Io, setup};
use crate::error::{Context as _, Error, Exit, Result};
use crate::manifest::Manifest;
use crate::record::MANIFEST;

/// Arguments of `manifest`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nodeagent manifest\n  nodeagent manifest --json | jq .kubernetes.version\n  nodeagent --root /mnt/image manifest"
)]
pub struct ManifestArgs {
    /// Print the manifest's own bytes instead of a summary.
    #[arg(long)]
    pub json: bool,
}

/// Prints it.
pub fn run(args: &ManifestArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let root = setup::root(root)?;
    let bytes = root.read(MANIFEST)?.ok_or_else(|| {
        Error::host(format!("read {MANIFEST}: there is none"))
            .hint("it is written by `nodeagent generalize`")
    })?;
    let text = if args.json {
        bytes
    } else {
        let manifest: Manifest =
            serde_json::from_slice(&bytes).context(|| format!("read {MANIFEST} as a manifest"))?;
        summary(&manifest).into_bytes()
    };
    io.out.write_all(&text).context(|| "write to stdout")?;
    Ok(Exit::Ok)
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
