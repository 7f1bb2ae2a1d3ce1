//! The command line: one file a verb, each with its arguments and its run.
//! It is separate because only here values become text: stdout is data, stderr is log.

pub mod bake;
pub mod completions;
pub mod firstboot;
pub mod generalize;
pub mod image;
pub mod image_name;
pub mod manifest;
pub mod meter;
pub mod output;
pub mod plan;
pub mod policy;
pub mod report;
pub mod route;
pub mod seal;
pub mod setup;
pub mod verify;

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::error::{Exit, Result};

/// Bakes, seals and proves Kubernetes (RKE2) node images: the policy that bakes is the audit.
#[derive(Debug, Parser)]
#[command(name = "nodeagent", version, max_term_width = 100, after_help = AFTER)]
pub struct Cli {
    /// Work on the unbooted tree in DIR instead of on this machine.
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Say more on stderr; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// The verb.
    #[command(subcommand)]
    pub verb: Verb,
}

const AFTER: &str = "\
Examples:
  nodeagent plan --profile rke2-debian12              what would change here, and why
  nodeagent bake --profile rke2-debian12 --build-machine
  nodeagent generalize                                remove what must not be cloned, seal
  nodeagent verify --root /mnt/image                  audit an unbooted tree

Exit codes: 0 conforms or done, 1 failed or a required entry could not be checked,
2 usage or policy error, 3 drift or pending change, 4 refused, 5 nothing was checked,
6 reboot needed, then go on, 128+n ended by signal n.";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Look at policies: check them, show one merged, print the schema.
    Policy(policy::PolicyArgs),
    /// Show what would change, and why; nothing is touched.
    Plan(plan::PlanArgs),
    /// Make it so: turn this machine or tree into what the policy describes.
    Bake(bake::BakeArgs),
    /// Remove what must not be cloned, write the manifest, seal.
    Generalize(generalize::GeneralizeArgs),
    /// Print the manifest of a sealed image.
    Manifest(manifest::ManifestArgs),
    /// Prove on a booted node that its identity is its own; run by the gate unit.
    Firstboot(firstboot::FirstbootArgs),
    /// Keep the traffic of second NICs on those NICs.
    Route(route::RouteArgs),
    /// Hand on what this node is and how its boot went: to journal, metrics, labels, login, console, a server.
    Report(report::ReportArgs),
    /// Audit: what was intended, what was baked, what is, and where they differ.
    Verify(verify::VerifyArgs),
    /// Fill containerd's store with images, check it, list it.
    Image(image::ImageArgs),
    /// Print shell completions, or write the man pages.
    Completions(completions::CompletionsArgs),
}

impl Verb {
    /// Whether it works step by step, so that a signal is to stop it between two of them.
    pub fn has_steps(&self) -> bool {
        match self {
            Verb::Bake(_) | Verb::Generalize(_) => true,
            Verb::Image(args) => args.has_steps(),
            _ => false,
        }
    }
}

/// Where a verb writes and how it learns that it shall stop.
pub struct Io<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// stderr is a terminal.
    pub terminal: bool,
    /// The number of a signal that asked to stop.
    pub stop: &'a dyn Fn() -> Option<i32>,
}

impl std::fmt::Debug for Io<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Io")
            .field("terminal", &self.terminal)
            .finish_non_exhaustive()
    }
}

impl Cli {
    /// Runs the verb.
    pub fn run(&self, io: &mut Io<'_>) -> Result<Exit> {
        let root = self.root.as_deref();
        match &self.verb {
            Verb::Policy(args) => policy::run(args, root, io),
            Verb::Plan(args) => plan::run(args, root, io),
            Verb::Bake(args) => bake::run(args, root, io),
            Verb::Generalize(args) => generalize::run(args, root, io),
            Verb::Manifest(args) => manifest::run(args, root, io),
            Verb::Firstboot(args) => firstboot::run(args, root, io),
            Verb::Route(args) => route::run(args, root, io),
            Verb::Report(args) => report::run(args, root, io),
            Verb::Verify(args) => verify::run(args, root, io),
            Verb::Image(args) => image::run(args, root, io),
            Verb::Completions(args) => completions::run(args, root, io),
        }
    }
}
