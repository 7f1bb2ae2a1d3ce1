//! `image pull`: fetches images from registries into a store.
//! It is separate because it is the one verb of `image` that speaks to the network.

use std::path::Path;

use clap::Args;

use super::args::{NamesArgs, RegistryArgs, StoreArgs};
use super::table;
use crate::cli::{Io, meter, setup};
use crate::error::{Error, Exit, Result};
use crate::host::Host;
use crate::host::oci::Platform;
use crate::host::registry::Puller;
use crate::store::{Opened, Options, Watched};

/// Arguments of `image pull`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nodeagent image pull registry.example/k8s/pause:3.9@sha256:DIGEST
  nodeagent image pull --list images.txt --registries /etc/rancher/rke2/registries.yaml
  nodeagent image pull --store /var/lib/containerd --containerd /usr/bin/containerd --allow-tag registry.example/x:1

Each image is registered as name:tag, name@digest and id, pinned, and only when all of it is on the disk. What is there is
not fetched again. docs/images.md tells more.

Exit codes: 0 all are in the store, 1 an image failed (the others are there), 2 usage error, 4 refused.")]
pub(super) struct PullArgs {
    #[command(flatten)]
    names: NamesArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Accept names without a digest: what a tag names can change.
    #[arg(long)]
    allow_tag: bool,
    #[command(flatten)]
    fill: FillArgs,
}

/// How a store is filled.
#[derive(Debug, Clone, Args)]
pub(super) struct FillArgs {
    /// Layers that are worked on at the same time. Default: one a core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// Memory for buffers, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(16..=65536))]
    memory: u64,
    /// Do not keep compressed layers beside their files: saves a fifth, and the images cannot be exported or served.
    #[arg(long)]
    no_keep_layers: bool,
    /// Read again and compare everything that is there, and mend what differs.
    #[arg(long)]
    deep: bool,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

impl FillArgs {
    /// As the store takes it.
    pub(super) fn options(&self, platform: Option<Platform>, allow_tag: bool) -> Options {
        let mut options = Options::new(platform.unwrap_or_else(Platform::own));
        options.jobs = self.jobs.map(usize::from);
        options.memory = self.bytes();
        options.keep_layers = !self.no_keep_layers;
        options.allow_tag = allow_tag;
        options.deep = self.deep;
        options
    }

    /// Half for the store's own buffers, half for the source's.
    pub(super) fn bytes(&self) -> u64 {
        (self.memory << 20) / 2
    }
}

/// Pulls.
pub(super) fn run(args: &PullArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let host = setup::host(root)?;
    let wanted = args.names.wanted()?;
    if wanted.is_empty() {
        return Err(Error::usage("image pull: no image is named")
            .hint("name images, or give a file of them with --list"));
    }
    let source = Puller::new(&args.registry.access(args.fill.bytes()))?;
    let options = args.fill.options(args.names.platform(), args.allow_tag);
    let mut opened = Opened::open(&host, &args.store.choice(), &args.store.namespace)?;
    let meter = meter::meter(io, "images");
    let report = opened.fill(&source, &wanted, &options, &Watched(meter.as_ref()));
    meter.close();
    let ran = ran(&host, &opened);
    opened.close()?;
    table::print(io, &report?, &ran, args.fill.json)
}

/// Where it was done, and how long it took so far.
pub(super) fn ran(host: &Host, opened: &Opened<'_>) -> table::Ran {
    table::Ran {
        containerd: opened.filler().clone(),
        store: opened.store().to_owned(),
        seconds: host.clock.elapsed().as_secs_f64(),
    }
}
