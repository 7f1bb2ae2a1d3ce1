//! `image`: fills a container store from registries or tarballs, checks it, lists it.
//! It is separate from `bake` because people, and builds without a policy, need a store filled by hand too.

mod args;
mod check;
mod import;
mod list;
mod pull;
mod table;

use std::path::Path;

use clap::{Args, Subcommand};

use super::Io;
use crate::error::{Exit, Result};

/// Arguments of `image`.
#[derive(Debug, Args)]
pub struct ImageArgs {
    #[command(subcommand)]
    verb: ImageVerb,
}

/// What is done with images.
#[derive(Debug, Subcommand)]
enum ImageVerb {
    /// Fetch images from registries into a store.
    Pull(pull::PullArgs),
    /// Put the images of tarballs into a store.
    Import(import::ImportArgs),
    /// Check that a store holds images whole, unpacked and pinned.
    Check(check::CheckArgs),
    /// List the images of a store.
    List(list::ListArgs),
}

impl ImageArgs {
    /// Whether it works step by step.
    pub fn has_steps(&self) -> bool {
        matches!(self.verb, ImageVerb::Pull(_) | ImageVerb::Import(_))
    }
}

/// Runs the verb.
pub fn run(args: &ImageArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    match &args.verb {
        ImageVerb::Pull(args) => pull::run(args, root, io),
        ImageVerb::Import(args) => import::run(args, root, io),
        ImageVerb::Check(args) => check::run(args, root, io),
        ImageVerb::List(args) => list::run(args, root, io),
    }
}
