//! `image list`: the images of a store, with what kubelet will make of them.
//! It is separate because it answers no question of right or wrong.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::args::StoreArgs;
use crate::cli::meter::size;
use crate::cli::{Io, output, setup};
use crate::error::{Exit, Result};
use crate::host::containerd::Image;
use crate::store::look;
use crate::store::{MANAGED, PINNED};

/// Arguments of `image list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nodeagent image list
  nodeagent --root /mnt/image image list --json

Where no containerd runs on the store its databases are read as they lie there.

Exit codes: 0 there are images, 1 the store cannot be read, 5 there are none.")]
pub(super) struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// List the records too by which images are known by digest and by id.
    #[arg(long)]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    image: &'a str,
    digest: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    managed: bool,
    pinned: bool,
}

/// Lists.
pub(super) fn run(args: &ListArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let host = setup::host(root)?;
    let look = look::look(&host, &args.store.choice(), &args.store.namespace)?;
    let images = look.inventory().images.iter();
    // Names with a tag are those that people write.
    let images: Vec<Image> = images
        .filter(|image| {
            args.all || !(image.name.contains('@') || image.name.starts_with("sha256:"))
        })
        .cloned()
        .collect();
    let mut rows = Vec::with_capacity(images.len());
    for image in &images {
        rows.push(row(image, look.size_of(image)?));
    }
    if args.json {
        output::json(io, &rows)?;
    } else {
        output::text(io, &text(&rows))?;
    }
    Ok(match rows.is_empty() {
        true => Exit::Nothing,
        false => Exit::Ok,
    })
}

fn row(image: &Image, size: Option<u64>) -> Row<'_> {
    let has = |label: (&str, &str)| image.labels.get(label.0).is_some_and(|v| v == label.1);
    Row {
        image: &image.name,
        digest: image.target.digest.as_str(),
        size,
        managed: has(MANAGED),
        pinned: has(PINNED),
    }
}

fn text(rows: &[Row<'_>]) -> String {
    let width = rows.iter().map(|r| r.image.len()).max().unwrap_or(0).max(5);
    let head = format!(
        "{:<width$}  {:<19}  {:>8}  PINNED\n",
        "IMAGE", "DIGEST", "SIZE"
    );
    let line = |row: &Row<'_>| {
        let digest = row.digest.get(..19).unwrap_or(row.digest);
        let size = row.size.map_or_else(|| "?".to_owned(), size);
        let pinned = if row.pinned { "yes" } else { "no" };
        format!("{:<width$}  {digest:<19}  {size:>8}  {pinned}\n", row.image)
    };
    head + &rows.iter().map(line).collect::<String>()
}
