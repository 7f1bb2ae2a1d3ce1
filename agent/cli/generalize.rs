//! `generalize`: removes what must not be cloned, writes the manifest, seals, and proves it in the same process.
//! It is separate because it is the one verb that ends a build.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::seal::{Sealed, close, pending};
use super::verify::line;
use super::{Io, output, setup};
use crate::apply::{Outcome, Run};
use crate::error::{Error, Exit, Result};
use crate::host::Host;
use crate::policy::Policy;
use crate::record::seal::State;
use crate::record::{JOURNAL, Journal, marker, seal};
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
    /// For the crash tests: end this process with SIGKILL after the N-th recorded step.
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
    let lock = setup::lock(&host, "generalize", args.wait)?;
    setup::load_evidence(&mut host)?;
    if !args.close && seal::read(&host.root)?.map(|seal| seal.state) == Some(State::Pending) {
        return already(args, &policy, &host, io);
    }
    refuse(args, &host)?;
    let mut journal = Journal::open(&host.root, JOURNAL)?;
    journal.add(&setup::begin(
        if args.close { "close" } else { "generalize" },
        &policy,
        &host,
    )?)?;
    let mut progress = output::progress(io);
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
    let sealed = if exit != Exit::Ok {
        Sealed::not(if args.close {
            State::Pending
        } else {
            State::Building
        })
    } else if args.close || !host.context.has_manager() {
        close(&host, &policy, &scope, lock)?
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

fn refuse(args: &GeneralizeArgs, host: &Host) -> Result<()> {
    if args.close {
        return seal::admit(&host.root, seal::Verb::Close).map(|_| ());
    }
    seal::admit(&host.root, seal::Verb::Generalize)?;
    marker::admit(host)
}

/// A second call on a pending machine only makes sure that the closing unit will run.
fn already(args: &GeneralizeArgs, policy: &Policy, host: &Host, io: &mut Io<'_>) -> Result<Exit> {
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
