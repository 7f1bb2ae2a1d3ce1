//! `policy`: checks policies, shows one merged, pins images, prints the JSON Schema. The host is never touched.
//! It is separate because it needs no machine that the policy is for: it runs on a laptop and in CI.

mod check;
mod pin;
mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::setup::PolicyChoice;
use super::{Io, output, setup};
use crate::error::{Error, Exit, Result};
use crate::host::Root;
use crate::policy::json_schema::{fragment_schema, profile_schema};

/// Arguments of `policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    /// Report every mistake at once, each with its place and what would be right.
    Check(CheckArgs),
    /// Show a profile as it is used: all fragments merged, every value resolved.
    Show(ShowArgs),
    /// Ask registries what the tags of images stand for now, and write images.lock.
    Pin(pin::PinArgs),
    /// Print the JSON Schema, for editors and for CI.
    Schema(SchemaArgs),
}

/// Arguments of `policy check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nodeagent policy check                              what is shipped and /etc/nodeagent/policy.d
  nodeagent policy check site-policy/                 a folder, laid over what is shipped
  nodeagent policy check --profile rke2-debian12 --set chrony_unit=ntp.service site-policy/

A folder holds fragments (NN-topic.toml), profiles/NAME.toml and rootfs/; a folder of such
folders is checked one after the other. With profiles of its own a folder is checked for
these, otherwise for every profile.

Exit codes: 0 no errors (there may be warnings), 2 errors.")]
pub struct CheckArgs {
    /// Folders or fragments to check, each laid over what is shipped.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Check this profile alone.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Add a fragment or a folder of fragments below those that are checked; may be repeated.
    #[arg(long, value_name = "FILE|DIR")]
    policy: Vec<PathBuf>,
    /// Set a declared variable; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", requires = "profile")]
    set: Vec<String>,
    /// Print the mistakes as JSON on stdout.
    #[arg(long)]
    json: bool,
}

/// Arguments of `policy show`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nodeagent policy show                               what the last bake of this machine used
  nodeagent policy show --profile rke2-debian12
  nodeagent policy show --profile rke2-debian12 --json | jq '.entries[].id'")]
pub struct ShowArgs {
    #[command(flatten)]
    choice: PolicyChoice,
    /// Print JSON: what bake writes to policy.json.
    #[arg(long)]
    json: bool,
}

/// Arguments of `policy schema`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  nodeagent policy schema > fragment.schema.json
  nodeagent policy schema profile > profile.schema.json")]
pub struct SchemaArgs {
    /// Of what.
    #[arg(value_enum, default_value = "fragment")]
    of: SchemaOf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SchemaOf {
    /// A fragment.
    Fragment,
    /// A profile.
    Profile,
}

/// Runs one of the verbs. `--root` has no meaning here: policies are files of this machine.
pub fn run(args: &PolicyArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    if root.is_some() {
        return Err(Error::usage("policy: --root has no meaning here").hint(
            "policies are files of the machine that runs nodeagent: name them with --policy",
        ));
    }
    match &args.verb {
        PolicyVerb::Check(args) => check::run(args, io),
        PolicyVerb::Show(args) => show(args, io),
        PolicyVerb::Pin(args) => pin::run(args, io),
        PolicyVerb::Schema(args) => {
            let schema = match args.of {
                SchemaOf::Fragment => fragment_schema(),
                SchemaOf::Profile => profile_schema(),
            };
            output::json(io, &schema)?;
            Ok(Exit::Ok)
        }
    }
}

fn show(args: &ShowArgs, io: &mut Io<'_>) -> Result<Exit> {
    let choice = &args.choice;
    let policy = setup::policy(choice, &Root::open(Path::new("/"))?)?;
    if args.json {
        output::json(io, &policy)?;
    } else {
        output::text(io, &show::text(&policy)?)?;
    }
    Ok(Exit::Ok)
}
