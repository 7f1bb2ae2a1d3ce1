//! `plan`: what would change, and why. Nothing is touched.
//! It is separate because it takes no lock and writes no record.

use std::path::Path;

use clap::Args;

use super::setup::{PolicyChoice, ScopeArgs};
use super::{Io, output, setup};
use crate::error::{Exit, Result};
use crate::observe::observe;
use crate::plan::{Ended, Item, Plan};
use crate::resource::Place;

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nodeagent plan --profile rke2-debian12\n  nodeagent plan --profile rke2-debian12 --phase kernel --json\n  nodeagent --root /mnt/image plan --profile rke2-debian12\n\nExit codes: 0 nothing to change, 1 a required entry could not be checked, 3 something would change,\n5 nothing was checked, 6 a reboot is needed, then go on."
)]
pub struct PlanArgs {
    #[command(flatten)]
    policy: PolicyChoice,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Judge for this place instead of `build`.
    #[arg(long, value_enum, default_value = "build")]
    place: setup::PlaceArg,
    /// Plan the upgrade of all packages anew, also where nothing changed since the last one.
    #[arg(long)]
    refresh: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Prints the plan.
pub fn run(args: &PlanArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let mut host = setup::host(root)?;
    let policy = setup::policy(&args.policy, &host.root)?;
    setup::requires(&policy, &host)?;
    setup::load_evidence(&mut host)?;
    host.refresh.set(args.refresh);
    let scope = args.scope.scope(&policy)?;
    let place: Place = args.place.into();
    let seen = observe(
        &policy.entries,
        |entry| entry.at(place) && scope.holds(entry),
        &host,
    );
    let plan = Plan::new(&policy, &seen, place);
    if args.json {
        output::json(
            io,
            &output::PlanView {
                plan: &plan,
                profile: &policy.profile,
                changes: plan.changes(),
                counts: plan.tally(),
            },
        )?;
    } else {
        output::text(io, &plan.to_string())?;
    }
    Ok(exit(&plan))
}

fn exit(plan: &Plan) -> Exit {
    let unknown = |item: &Item| item.enforce && item.ended() == Ended::Unknown;
    let tally = plan.tally();
    let mut exit = Exit::Ok;
    if plan.items.iter().any(|item| !item.differences.is_empty()) {
        exit = exit.and(Exit::Drift);
    }
    if plan.waiting().next().is_some() {
        exit = exit.and(Exit::Reboot);
    }
    if plan.items.iter().any(unknown) {
        exit = exit.and(Exit::Failed);
    }
    if tally.conforms + tally.differs + tally.reboot == 0 {
        exit = exit.and(Exit::Nothing);
    }
    exit
}
