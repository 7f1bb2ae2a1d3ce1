//! `image check`: whether a store holds images whole, unpacked and pinned; nothing of it is changed.
//! It is separate because it works with or without a daemon, and its findings are an exit code.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::args::{NamesArgs, StoreArgs};
use crate::cli::{Io, output, setup};
use crate::error::{Exit, Result};
use crate::host::oci::Platform;
use crate::store::{Fault, look};

/// Arguments of `image check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nodeagent image check                                  every image that the store has
  nodeagent image check --list images.txt                these and no others
  nodeagent --root /mnt/image image check --deep         an unbooted tree, every byte
  nodeagent image check --address /run/containerd/containerd.sock

Without names every image of the store is checked. Where no containerd runs on the store its databases are read as they lie
there. Without --deep sizes and records are compared; with it every blob is read, and every file compared with its layer.
A containerd that runs tells where files lie only of a new snapshot: one is begun for that, and removed.

Exit codes: 0 whole, 1 could not be checked, 3 something is missing or broken, 5 nothing was checked.")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    names: NamesArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Read every blob and compare every unpacked file with its layer.
    #[arg(long)]
    deep: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Page {
    store: String,
    images: usize,
    faults: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    fault: String,
}

/// Checks.
pub(super) fn run(args: &CheckArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let host = setup::host(root)?;
    let look = look::look(&host, &args.store.choice(), &args.store.namespace)?;
    let platform = args.names.platform().unwrap_or_else(Platform::own);
    let mut wanted = args.names.wanted()?;
    let named = args.names.any();
    if !named {
        wanted = look.all();
    }
    let mut faults = look.faults(&wanted, &platform, args.deep)?;
    if named {
        // What an earlier fill left concerns the store; with names given only these are asked for.
        faults.retain(|fault| fault.image.is_some());
    }
    let page = Page {
        store: look.store().to_owned(),
        images: wanted.len(),
        faults: faults.iter().map(row).collect(),
    };
    print(io, &page, args.json)?;
    Ok(match (page.images, page.faults.len()) {
        (_, 1..) => Exit::Drift,
        (0, _) => Exit::Nothing,
        _ => Exit::Ok,
    })
}

fn row(fault: &Fault) -> Row {
    Row {
        image: fault.image.as_ref().map(ToString::to_string),
        fault: fault.flaw.to_string(),
    }
}

/// What a person can do about faults.
const NEXT: &str = "        next: `nodeagent image pull` with the same images fetches what is missing and mends the rest";

fn line(row: &Row) -> String {
    let of = row.image.as_deref().unwrap_or("the store");
    format!("broken  {of}: {}", row.fault)
}

fn print(io: &mut Io<'_>, page: &Page, json: bool) -> Result<()> {
    if json {
        return output::json(io, page);
    }
    let mut lines: Vec<String> = page.faults.iter().map(line).collect();
    if !lines.is_empty() {
        lines.push(NEXT.to_owned());
    }
    lines.push(format!(
        "{} images, {} faults; {}\n",
        page.images,
        page.faults.len(),
        page.store
    ));
    output::text(io, &lines.join("\n"))
}
