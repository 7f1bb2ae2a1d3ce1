//! `bake`: makes the machine or tree what the policy describes, and says what changed.
//! It is separate because it is the one verb that may begin a build: marker, salt, seal `building`.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::seal::write_policy;
use super::setup::{PolicyChoice, ScopeArgs};
use super::{Io, output, setup};
use crate::apply::{Outcome, Run};
use crate::error::{Error, Exit, Result};
use crate::host::evidence::random_hex;
use crate::host::{Host, Where};
use crate::policy::Policy;
use crate::record::{Journal, NODE_JOURNAL, marker, seal, stamp};
use crate::resource::Place;

/// Arguments of `bake`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nodeagent bake --profile rke2-debian12 --build-machine    in Packer's shell provisioner\n  nodeagent bake --phase units --skip unit:chrony.service   a part of the last policy again\n  nodeagent bake --list --profile rke2-debian12             ids, nothing is done\n  nodeagent --root /mnt/image bake --profile rke2-debian12  an unbooted tree\n\nRun it again at any time: it observes first and does only what is missing. Exit 6: reboot, then the same bake again."
)]
pub struct BakeArgs {
    #[command(flatten)]
    policy: PolicyChoice,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Declare that this machine is a build machine and may be turned into an image. Needed once.
    #[arg(long)]
    build_machine: bool,
    /// `node`: apply the entries of place node on a node that has passed its first boot.
    #[arg(long, value_enum, default_value = "build")]
    place: BakePlace,
    /// Print the ids of the entries and stop.
    #[arg(long)]
    list: bool,
    /// Ask the repositories for upgrades anew, also where nothing changed since the last time.
    #[arg(long)]
    refresh: bool,
    /// Wait for another nodeagent instead of refusing.
    #[arg(long)]
    wait: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// For the crash tests: end this process with SIGKILL after the N-th recorded step.
    #[arg(long, hide = true, value_name = "N")]
    die_after: Option<usize>,
}

/// Places that bake works at; an image is made by `generalize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BakePlace {
    /// The build machine.
    Build,
    /// A node.
    Node,
}

impl BakeArgs {
    fn place(&self) -> Place {
        match self.place {
            BakePlace::Build => Place::Build,
            BakePlace::Node => Place::Node,
        }
    }
}

/// Result of a bake, as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    profile: &'a str,
    place: Place,
    context: &'a crate::host::Context,
    changes: usize,
    seconds: f64,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

/// Bakes.
pub fn run(args: &BakeArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let mut host = setup::host(root)?;
    host.refresh.set(args.refresh);
    let policy = setup::policy(&args.policy, &host.root)?;
    let scope = args.scope.scope(&policy)?;
    let place = args.place();
    if place == Place::Node && args.build_machine {
        return Err(
            Error::usage("bake: --build-machine and --place node exclude each other").hint(
                "a node has left the build behind; give --build-machine on the build machine alone",
            ),
        );
    }
    if args.list {
        return output::list(io, &policy, args.json, |entry| {
            entry.at(place) && scope.holds(entry)
        });
    }
    setup::requires(&policy, &host)?;
    tracing::info!("profile {} on {}", policy.profile, host.context.evidence);
    // Asked again under the lock; here, because a refusal must leave no trace in a sealed image.
    let verb = match place {
        Place::Node => seal::Verb::Node,
        _ => seal::Verb::Bake,
    };
    seal::admit(&host.root, verb)?;
    let lock = setup::lock(&host, "bake", args.wait, io.stop)?;
    let mut journal = match place {
        Place::Node => begin_node(&mut host)?,
        _ => begin_build(&mut host, &policy, args.build_machine)?,
    };
    journal.add(&setup::begin("bake", &scope.skip, &policy, &host)?)?;
    let (mut progress, meter) = output::progress(io);
    host.meter = meter;
    let die = args.die_after;
    let after_step = |done: usize| setup::die_after(die, done);
    let mut work = Run {
        policy: &policy,
        place,
        scope: &scope,
        progress: progress.as_mut(),
        stop: io.stop,
        after_step: &after_step,
    };
    let outcome = work.go(&mut host, &mut journal)?;
    drop(progress);
    let exit = exit(&outcome);
    journal.add(&setup::end(&outcome, exit, &host))?;
    drop(lock);
    report(args, &policy, &outcome, &host, io)?;
    Ok(exit)
}

/// Refuses what is no build machine, then leaves salt, marker, policy and seal in this order, each durable.
fn begin_build(host: &mut Host, policy: &Policy, declared: bool) -> Result<Journal> {
    seal::admit(&host.root, seal::Verb::Bake)?;
    marker::refuse_cluster(&host.root)?;
    if !declared {
        setup::load_evidence(host)?;
        marker::admit(host)?;
    }
    let journal = Journal::build(&host.root, &random_hex()?)?;
    setup::load_evidence(host)?;
    if declared && host.context.place != Where::Root {
        marker::declare(&host.root, &host.evidence)?;
    }
    write_policy(&host.root, policy)?;
    seal::begin_build(&host.root)?;
    Ok(journal)
}

/// A node bakes only after its gate has passed, with a journal of its own that holds no salt.
fn begin_node(host: &mut Host) -> Result<Journal> {
    setup::load_evidence(host)?;
    seal::admit(&host.root, seal::Verb::Node)?;
    if stamp::read(&host.root)?.is_none() {
        return Err(
            Error::refused("bake --place node: this node has not passed its first boot").hint(
                "the gate unit nodeagent-firstboot.service stamps it; see `nodeagent firstboot`",
            ),
        );
    }
    Journal::open(&host.root, NODE_JOURNAL)
}

fn exit(outcome: &Outcome) -> Exit {
    if !outcome.failed.is_empty() {
        Exit::Failed
    } else if !outcome.reboot.is_empty() {
        Exit::Reboot
    } else if outcome.entries == 0 {
        Exit::Nothing
    } else {
        Exit::Ok
    }
}

fn report(
    args: &BakeArgs,
    policy: &Policy,
    outcome: &Outcome,
    host: &Host,
    io: &mut Io<'_>,
) -> Result<()> {
    let seconds = host.clock.elapsed().as_secs_f64();
    let changes = outcome.steps.len();
    if args.json {
        let report = Report {
            profile: &policy.profile,
            place: args.place(),
            context: &host.context,
            changes,
            seconds,
            outcome,
        };
        return output::json(io, &report);
    }
    output::text(io, &output::summary("bake", outcome, seconds))
}
