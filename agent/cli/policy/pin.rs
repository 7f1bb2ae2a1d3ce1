//! `policy pin`: asks registries what the tags of a profile stand for now, and writes `images.lock`.
//! It is separate because it is the one verb of `policy` that speaks to the network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::{Io, output};
use crate::error::{Context as _, Error, Exit, Result};
use crate::host::Root;
use crate::host::registry::{Access, Registries};
use crate::host::root::Attr;
use crate::policy::lock::{parse, render};
use crate::policy::{Request, Sources, resolve};
use crate::resource::Resource;

/// Arguments of `policy pin`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nodeagent policy pin --profile rke2-ubuntu2204 --set registry=harbor.example/k8s \\
    --output /etc/nodeagent/policy.d/images.lock
  nodeagent policy pin --profile site --policy site-policy/ --output site-policy/images.lock
  nodeagent policy pin --profile site --ca harbor-ca.pem --auth-file ~/.docker/config.json

The file counts where it lies in a policy folder: an entry with a tag then has the tag's digest. It holds the images of
the named profiles and no others. Images that a policy names by digest are left alone. Every image is asked for; if one
fails all failures are told and nothing is written.

Exit codes: 0 all are pinned, 1 an image failed, 2 usage or policy error, 5 no image has a tag.")]
pub(super) struct PinArgs {
    /// A profile whose images are pinned; may be repeated, for one file that serves several.
    #[arg(long, value_name = "NAME", required = true)]
    profile: Vec<String>,
    /// Add a fragment or a folder of fragments; may be repeated.
    #[arg(long, value_name = "FILE|DIR")]
    policy: Vec<PathBuf>,
    /// Set a declared variable; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Write the lock file here instead of to stdout.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A registry, host or host:port, without TLS; may be repeated.
    #[arg(long, value_name = "HOST")]
    plain_http: Vec<String>,
    /// Trust this CA, a PEM file, beside the system's; may be repeated.
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Logins, in the format of docker's config.json; credential helpers are not asked.
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
}

/// Pins.
pub(super) fn run(args: &PinArgs, io: &mut Io<'_>) -> Result<Exit> {
    let mut sources = crate::policy::read::sources(&args.policy)?;
    sources.forget_locks();
    let mut images = BTreeSet::new();
    for profile in &args.profile {
        images.extend(tagged(&sources, profile, &args.set)?);
    }
    if images.is_empty() {
        tracing::warn!("no image of these profiles has a tag: nothing to pin");
        return Ok(Exit::Nothing);
    }
    let registries = Registries::new(&Access {
        plain_http: args.plain_http.clone(),
        ca: args.ca.clone(),
        auth_file: args.auth_file.clone(),
        ..Access::default()
    })?;
    let pinned = all(registries.digests(&images), images.len())?;
    match &args.output {
        None => output::text(io, &render(&pinned))?,
        Some(path) => write(path, &pinned)?,
    }
    Ok(Exit::Ok)
}

/// Images of a profile that are named by a tag.
fn tagged(sources: &Sources, profile: &str, sets: &[String]) -> Result<BTreeSet<String>> {
    let request = Request {
        profile,
        sets,
        // What the running binary is has no images.
        self_sha256: "",
        unset_is_fine: false,
    };
    let policy = resolve(sources, &request)?.policy;
    let images = policy.entries.into_iter().filter_map(|e| match e.resource {
        Resource::Image(image) if !image.reference.contains('@') => Some(image.reference),
        _ => None,
    });
    Ok(images.collect())
}

/// All digests, or an error after every failure was told.
fn all(
    answers: BTreeMap<String, Result<String>>,
    asked: usize,
) -> Result<BTreeMap<String, String>> {
    let mut pinned = BTreeMap::new();
    for (image, answer) in answers {
        match answer {
            Ok(digest) => {
                pinned.insert(image, digest);
            }
            Err(error) => {
                let next = error.next_step().unwrap_or_default();
                tracing::error!("{}; next: {next}", error.one_line());
            }
        }
    }
    let failed = asked - pinned.len();
    if failed == 0 {
        return Ok(pinned);
    }
    Err(Error::host(format!(
        "pin images: {failed} of {asked} failed; nothing was written"
    ))
    .hint("each is told above with what to do; then run the same command again"))
}

/// Replaces the file, and tells what changed in it.
fn write(path: &Path, pinned: &BTreeMap<String, String>) -> Result<()> {
    let root = Root::open(Path::new("/"))?;
    let full = std::path::absolute(path).context(|| format!("find {}", path.display()))?;
    let full = full.to_string_lossy();
    let before = parse(&root.read_text(&full)?.unwrap_or_default());
    root.write(&full, render(pinned).as_bytes(), Attr::mine(0o644))?;
    let mut same = 0;
    for (image, digest) in pinned {
        match before.get(image) {
            Some(old) if old == digest => same += 1,
            Some(old) => tracing::info!("{image}: {digest}, was {old}"),
            None => tracing::info!("{image}: {digest}"),
        }
    }
    for image in before.keys().filter(|image| !pinned.contains_key(*image)) {
        tracing::info!("{image}: no longer pinned");
    }
    tracing::info!(
        "{}: {} pinned, {same} as before",
        path.display(),
        pinned.len()
    );
    Ok(())
}
