//! `generalize`: removes what must not be cloned, writes the manifest, seals, and proves it in the same process.
//! It is separate because it is the one verb that ends a build.

use std::cell::Cell;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::seal::{Sealed, close, nothing_waits, pending};
use super::verify::line;
use super::{Io, output, setup};
use crate::apply::{Outcome, Run};
use crate::error::{Error, Exit, Result};
use crate::host::{Cmd, Host, Where, context};
use crate::plan::Scope;
use crate::policy::Policy;
use crate::record::seal::State;
use crate::record::{Journal, Record, marker, seal};
use crate::resource::Place;
use crate::verify::Finding;

/// Arguments of `generalize`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nodeagent generalize                    in the build machine, last; then power off\n  nodeagent generalize --list             what would be removed, by name\n  nodeagent --root /mnt/image generalize  an unbooted tree; closes the seal at once\n\nOn a running machine the seal stays `pending`: nodeagent-close.service removes the transport\n(leases, random seed, journal) at power off, after sshd and the network, and writes `closed`."
)]
pub struct GeneralizeArgs {
    /// Leave out an operation by its id, or all of a kind; may be repeated. The manifest and verify say so.
    #[arg(long, value_name = "ID|KIND")]
    skip: Vec<String>,
    /// Print the ids of the operations and stop.
    #[arg(long)]
    list: bool,
    /// Wait for another nodeagent instead of refusing.
    #[arg(long)]
    wait: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Called by nodeagent-close.service at power off.
    #[arg(long, hide = true)]
    close: bool,
    /// For the crash tests: end this process with SIGKILL after the N-th recorded step or stage of the seal.
    #[arg(long, hide = true, value_name = "N")]
    die_after: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    profile: &'a str,
    changes: usize,
    seconds: f64,
    state: &'static str,
    manifest: Option<&'a str>,
    findings: &'a [Finding],
    #[serde(flatten)]
    outcome: &'a Outcome,
}

/// Generalizes, or with `--close` finishes it.
pub fn run(args: &GeneralizeArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    let mut host = if args.close {
        Host::closing()?
    } else {
        setup::host(root)?
    };
    let policy = setup::baked_policy(&host.root)?.ok_or_else(|| {
        Error::refused("generalize: no bake has left its policy here")
            .hint("run `nodeagent bake` first")
    })?;
    let scope = setup::scope(&[], &args.skip, &policy)?;
    if args.list {
        return output::list(io, &policy, args.json, |entry| {
            entry.at(Place::Image) && scope.holds(entry)
        });
    }
    // Asked twice: before the lock, because a refusal must leave no trace in a sealed image, and under it.
    turn(args, &host)?;
    if args.close {
        shutting_down(&host)?;
    }
    let lock = setup::lock(&host, "generalize", args.wait, io.stop)?;
    setup::load_evidence(&mut host)?;
    let turn = turn(args, &host)?;
    match turn {
        Turn::Already => return already(args, &policy, &host, io),
        Turn::Generalize => {
            marker::admit(&host)?;
            nothing_waits(&host, &policy, &scope)?;
        }
        Turn::Close => {}
    }
    let mut journal = Journal::resume(&host.root)?;
    let scope = match turn {
        Turn::Close => left_out_before(scope, &policy, &host)?,
        _ => scope,
    };
    journal.add(&setup::begin(
        if turn == Turn::Close {
            "close"
        } else {
            "generalize"
        },
        &scope.skip,
        &policy,
        &host,
    )?)?;
    let (mut progress, _) = output::progress(io);
    let die = args.die_after;
    let after_step = |done: usize| setup::die_after(die, done);
    let mut work = Run {
        policy: &policy,
        place: Place::Image,
        scope: &scope,
        progress: progress.as_mut(),
        stop: io.stop,
        after_step: &after_step,
    };
    let outcome = work.go(&mut host, &mut journal)?;
    drop(progress);
    let exit = if outcome.failed.is_empty() {
        Exit::Ok
    } else {
        Exit::Failed
    };
    journal.add(&setup::end(&outcome, exit, &host))?;
    drop(journal);
    let stages = Cell::new(outcome.steps.len());
    let stage = || {
        stages.set(stages.get() + 1);
        setup::die_after(die, stages.get());
    };
    let sealed = if exit != Exit::Ok {
        Sealed::not(match turn {
            Turn::Close => State::Pending,
            _ => State::Building,
        })
    } else if turn == Turn::Close || !host.context.has_manager() {
        close(&host, &policy, &scope, lock, &stage)?
    } else {
        pending(&host, &policy, &scope, lock)?
    };
    let seconds = host.clock.elapsed().as_secs_f64();
    report(args, &policy, &outcome, (&sealed, seconds), io)?;
    Ok(match sealed.findings.is_empty() {
        true => exit,
        false => Exit::Failed,
    })
}

/// The scope of the run that is to be closed: what the last `generalize` left out is not held against its closing.
fn left_out_before(scope: Scope, policy: &Policy, host: &Host) -> Result<Scope> {
    let record = Record::from_journal(&host.root)?;
    let mut runs = record.runs.into_iter().rev();
    let before = runs.find(|run| run.verb == "generalize");
    let mut skip = scope.skip;
    skip.extend(before.map(|run| run.skip).unwrap_or_default());
    setup::scope(&scope.phases, &skip, policy)
}

/// What is left to be done, by the state of the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Generalize,
    Close,
    Already,
}

/// Refuses where nothing may be done. A tree that is `pending` was left so by a kill, here or at its power off:
/// it is worked through once more and closed, for no unit would ever do that.
fn turn(args: &GeneralizeArgs, host: &Host) -> Result<Turn> {
    let pending = seal::read(&host.root)?.is_some_and(|seal| seal.state == State::Pending);
    if args.close || (pending && host.context.place == Where::Root) {
        seal::admit(&host.root, seal::Verb::Close)?;
        marker::refuse_cluster(&host.root)?;
        return Ok(Turn::Close);
    }
    if pending {
        return Ok(Turn::Already);
    }
    seal::admit(&host.root, seal::Verb::Generalize)?;
    Ok(Turn::Generalize)
}

/// A seal that is closed while people are logged in and daemons write would vouch for what comes after it.
fn shutting_down(host: &Host) -> Result<()> {
    if !context::detect().has_manager() {
        return Ok(());
    }
    let asked = host
        .exec
        .run(&Cmd::new(["systemctl", "is-system-running"]))?;
    let state = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    if !in_use(&state) {
        return Ok(());
    }
    Err(
        Error::refused(format!("close the seal: this machine is in use ({state})"))
            .hint("power it off: nodeagent-close.service closes the seal at shutdown"),
    )
}

/// The states of a manager that is not shutting down (systemctl(1)); one that cannot be asked any more is.
fn in_use(state: &str) -> bool {
    matches!(
        state,
        "initializing" | "starting" | "running" | "degraded" | "maintenance"
    )
}

/// A second call on a pending machine only makes sure that the closing unit will run.
fn already(args: &GeneralizeArgs, policy: &Policy, host: &Host, io: &mut Io<'_>) -> Result<Exit> {
    marker::refuse_cluster(&host.root)?;
    super::seal::hand_over(host)?;
    let sealed = Sealed::not(State::Pending);
    let seconds = host.clock.elapsed().as_secs_f64();
    report(args, policy, &Outcome::default(), (&sealed, seconds), io)?;
    Ok(Exit::Ok)
}

fn report(
    args: &GeneralizeArgs,
    policy: &Policy,
    outcome: &Outcome,
    (sealed, seconds): (&Sealed, f64),
    io: &mut Io<'_>,
) -> Result<()> {
    if args.json {
        let report = Report {
            profile: &policy.profile,
            changes: outcome.steps.len(),
            seconds,
            state: sealed.state.word(),
            manifest: sealed.manifest.as_deref(),
            findings: &sealed.findings,
            outcome,
        };
        return output::json(io, &report);
    }
    let next = match sealed.state {
        _ if !outcome.failed.is_empty() => "it failed; run it again once that is solved",
        State::Pending => "power off now: nodeagent-close.service closes the seal",
        State::Closed => "the image is ready",
        State::Building => "not sealed, since what is listed above does not hold",
    };
    let mut text = String::new();
    for finding in &sealed.findings {
        line(&mut text, finding);
    }
    text.push_str(&output::summary("generalize", outcome, seconds));
    output::text(io, &format!("{text}seal {}: {next}\n", sealed.state.word()))
}

#[cfg(test)]
mod tests {
    use super::in_use;

    #[test]
    fn only_a_machine_that_shuts_down_is_closed() {
        for state in [
            "running",
            "degraded",
            "starting",
            "initializing",
            "maintenance",
        ] {
            assert!(in_use(state), "{state}");
        }
        for state in ["stopping", "offline", "unknown", ""] {
            assert!(!in_use(state), "{state}");
        }
    }
}
