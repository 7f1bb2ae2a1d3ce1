//! `route`: policy routing for second NICs, once, lastingly, to look at, to take away.
//! It is separate because it reads no policy: a file that the policy wrote, or a person's flags, say all it needs.

mod flags;
mod show;

use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};

use self::flags::Flags;
use super::{Io, output};
use crate::error::{Error, Exit, Result};
use crate::host::clock::SystemClock;
use crate::host::lease::Managers;
use crate::host::netlink::Live;
use crate::host::notify::Notify;
use crate::host::root::Root;
use crate::route::reconcile::{self, Outcome};
use crate::route::watch::{Times, Watcher};

/// Arguments of `route`.
#[derive(Debug, Args)]
pub struct RouteArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the tables and rules right, once.
    Apply(Once),
    /// Keep them right; what nodeagent-route.service runs.
    Watch(Lasting),
    /// Show what is there and what would be written; nothing is touched.
    Show(Once),
    /// Delete every route and rule of ours. Those of others are left alone.
    Flush(Flush),
}

/// Arguments of `route apply` and `route show`.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
struct Once {
    #[command(flatten)]
    flags: Flags,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Arguments of `route watch`.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
struct Lasting {
    #[command(flatten)]
    flags: Flags,
    /// Tell the service manager that all is ready at the latest after so many seconds, although an interface that is
    /// there has no address or router yet. An interface that is not there is not waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u32,
}

/// Arguments of `route flush`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeagent route flush
  systemctl stop nodeagent-route.service && nodeagent route flush   # a running watcher would write them again

Exit codes: 0 gone, also where there was nothing; 1 a deletion failed.")]
struct Flush {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  nodeagent route apply --interface eth1 --gateway 10.1.0.1 --main-cidr 10.42.0.0/16
  nodeagent route apply --interface second --vip 203.0.113.200/29
  nodeagent route show --json

Without flags the values are those of /etc/nodeagent/route.toml, which the policy writes; without it, those of eth1.
A running watcher keeps what the file says: flags of `apply` last until its next look.

Exit codes: 0 right, also where there is no such interface; 1 a write failed; 2 usage, or a mistake in the file;
3 no router is known, or (show) something is to be written; 4 a route of another stands where ours should be.";

/// Runs the verb.
pub fn run(args: &RouteArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    if root.is_some() {
        return Err(Error::usage("route: --root has no meaning here: a tree has no routes")
            .hint("the policy writes /etc/nodeagent/route.toml into it; the routes are made on the node"));
    }
    match &args.what {
        What::Apply(args) => apply(args, io),
        What::Show(args) => look(args, io),
        What::Watch(args) => watch(args, io),
        What::Flush(args) => flush(args, io),
    }
}

fn managers() -> Result<Managers> {
    Ok(Managers::new(Root::open(Path::new("/"))?))
}

fn apply(args: &Once, io: &mut Io<'_>) -> Result<Exit> {
    let config = args.flags.config()?;
    let outcome = reconcile::apply(&mut Live::open()?, &mut managers()?, &config)?;
    print(io, args.json, &outcome, &show::Tense::Done)?;
    Ok(exit(&outcome))
}

fn look(args: &Once, io: &mut Io<'_>) -> Result<Exit> {
    let config = args.flags.config()?;
    let (outcome, plan) = reconcile::look(&mut Live::open()?, &mut managers()?, &config)?;
    let pending = !plan.changes.is_empty();
    let outcome = Outcome {
        changes: plan.changes,
        ..outcome
    };
    print(io, args.json, &outcome, &show::Tense::Pending)?;
    Ok(match pending {
        true => exit(&outcome).and(Exit::Drift),
        false => exit(&outcome),
    })
}

fn watch(args: &Lasting, io: &mut Io<'_>) -> Result<Exit> {
    let config = args.flags.config()?;
    let notify = Notify::of_environment()?;
    let clock = SystemClock::start(None);
    let mut watcher = Watcher {
        network: &mut Live::open()?,
        leases: &mut managers()?,
        clock: &clock,
        notify: &notify,
        config: &config,
        times: Times {
            patience: Duration::from_secs(args.wait.into()),
            ..Times::default()
        },
    };
    let stop = io.stop;
    watcher.run(&|| stop().is_some(), &mut |_| {})?;
    Ok(Exit::Ok)
}

fn flush(args: &Flush, io: &mut Io<'_>) -> Result<Exit> {
    let outcome = reconcile::flush(&mut Live::open()?)?;
    print(io, args.json, &outcome, &show::Tense::Done)?;
    Ok(exit(&outcome))
}

fn print(io: &mut Io<'_>, json: bool, outcome: &Outcome, tense: &show::Tense) -> Result<()> {
    match json {
        true => output::json(io, outcome),
        false => output::text(io, &show::text(outcome, tense)),
    }
}

fn exit(outcome: &Outcome) -> Exit {
    let mut exit = Exit::Ok;
    if !outcome.is_right() {
        exit = exit.and(Exit::Drift);
    }
    if !outcome.failed.is_empty() {
        exit = exit.and(Exit::Failed);
    }
    if !outcome.blocked.is_empty() {
        exit = exit.and(Exit::Refused);
    }
    exit
}
