//! What most verbs begin with: the host, the policy, the lock, the scope.
//! It is separate so that every verb refuses the same things with the same words.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::apply::Outcome;
use crate::error::{Context as _, Error, Exit, Kind, Result};
use crate::host::root::{Attr, Lock};
use crate::host::{Host, Root};
use crate::observe::facts;
use crate::plan::Scope;
use crate::policy::Policy;
use crate::record::{Event, LOCK, POLICY, STATE_DIR, seal, stamp, summary};
use crate::resource::{Phase, Place};

/// Which policy.
#[derive(Debug, Clone, Args)]
pub struct PolicyChoice {
    /// The profile; without it the policy of the last bake of this machine or tree.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Add a fragment or a folder of fragments; may be repeated.
    #[arg(long, value_name = "FILE|DIR")]
    pub policy: Vec<PathBuf>,
    /// Set a declared variable; may be repeated. Secrets only as files.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// Which entries.
#[derive(Debug, Clone, Args)]
pub struct ScopeArgs {
    /// Only this phase; may be repeated.
    #[arg(long, value_name = "PHASE", value_parser = phase())]
    pub phase: Vec<Phase>,
    /// Leave out an entry by its id, or all of a kind; may be repeated.
    #[arg(long, value_name = "ID|KIND")]
    pub skip: Vec<String>,
}

/// Phases as words that help and completions show.
fn phase() -> impl TypedValueParser<Value = Phase> {
    let words = Phase::ALL.iter().map(|phase| phase.word());
    PossibleValuesParser::new(words).try_map(|word| {
        let mut phases = Phase::ALL.iter().copied();
        phases.find(|p| p.word() == word).ok_or("no such phase")
    })
}

impl ScopeArgs {
    /// The scope; a word of `--skip` that names nothing is an error.
    pub fn scope(&self, policy: &Policy) -> Result<Scope> {
        scope(&self.phase, &self.skip, policy)
    }
}

/// A scope of phases and skipped words; a word that names nothing is an error.
pub fn scope(phases: &[Phase], skip: &[String], policy: &Policy) -> Result<Scope> {
    let scope = Scope {
        phases: phases.to_vec(),
        skip: skip.to_vec(),
    };
    match scope.unknown_skips(policy).first() {
        None => Ok(scope),
        Some(word) => Err(Error::usage(format!(
            "--skip {word}: no entry and no kind has this name"
        ))
        .hint("`nodeagent policy show` and `--list` print the ids")),
    }
}

/// A place on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PlaceArg {
    /// The build machine.
    Build,
    /// The sealed image.
    Image,
    /// A node.
    Node,
}

impl From<PlaceArg> for Place {
    fn from(arg: PlaceArg) -> Self {
        match arg {
            PlaceArg::Build => Place::Build,
            PlaceArg::Image => Place::Image,
            PlaceArg::Node => Place::Node,
        }
    }
}

/// The root alone, for verbs that only read files.
pub fn root(root: Option<&Path>) -> Result<Root> {
    Root::open(root.unwrap_or(Path::new("/")))
}

/// The host: the tree in `--root`, or this machine.
pub fn host(root: Option<&Path>) -> Result<Host> {
    match root {
        Some(dir) => {
            not_this_machine(dir)?;
            Host::at_root(dir)
        }
        None => Host::live(),
    }
}

/// A tree needs no build marker and is closed at once, so this machine must never be taken for one.
fn not_this_machine(dir: &Path) -> Result<()> {
    let open = |path: &Path| {
        Root::open(path).map_err(|error| {
            Error::usage(format!("--root {}: it cannot be opened", path.display()))
                .because(error)
                .hint("name a directory that holds a tree, such as /mnt/image")
        })
    };
    let identity =
        |path: &Path| Ok::<_, Error>(open(path)?.meta("/")?.map(|m| (m.device, m.inode)));
    if identity(dir)? != identity(Path::new("/"))? {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--root {}: this is the root of the running system, not an unbooted tree",
        dir.display()
    ))
    .hint("leave --root out to work on this machine"))
}

/// The policy of `--profile`, or the one that the last bake left in the tree.
pub fn policy(choice: &PolicyChoice, root: &Root) -> Result<Policy> {
    if let Some(profile) = &choice.profile {
        return crate::policy::load(profile, &choice.policy, &choice.set);
    }
    if !choice.policy.is_empty() || !choice.set.is_empty() {
        return Err(Error::usage("--policy and --set need --profile")
            .hint("without --profile the policy of the last bake is used as it is"));
    }
    baked_policy(root)?.ok_or_else(|| {
        Error::usage("no profile given, and no bake has left its policy here")
            .hint("name one with --profile; `nodeagent policy check` lists them")
    })
}

/// The policy that the tree carries; where a seal states its digest it must be those bytes.
pub fn baked_policy(root: &Root) -> Result<Option<Policy>> {
    let sealed = seal::read(root)?
        .and_then(|seal| seal.digests)
        .map(|digests| digests.policy);
    let Some(bytes) = root.read(POLICY)? else {
        return match sealed {
            None => Ok(None),
            Some(_) => Err(
                Error::host(format!("use {POLICY}: it was sealed and is missing"))
                    .hint("this image can no longer audit itself; compare with --profile"),
            ),
        };
    };
    let digest = crate::host::root::sha256(&bytes);
    if sealed.is_some_and(|sealed| sealed != digest) {
        return Err(Error::host(format!("use {POLICY}: it is not the policy that was sealed"))
            .hint("someone or something edited it: this image can no longer be trusted to audit itself; compare with --profile"));
    }
    Policy::from_json(&bytes)
        .map(Some)
        .context(|| format!("use {POLICY}"))
}

/// Refuses a machine that the profile is not for.
pub fn requires(policy: &Policy, host: &Host) -> Result<()> {
    let text = facts::os_release_text(&host.root)?;
    policy.requires.check(&text, &host.kernel.machine()?)
}

/// Puts salt and tombstones of the tree in the host.
pub fn load_evidence(host: &mut Host) -> Result<()> {
    host.evidence = summary::evidence(&host.root)?;
    host.stamped = stamp::is_mine(host)?;
    Ok(())
}

/// Takes the lock of writing verbs, or refuses and says who has it; with `wait`, until a signal asks to stop.
pub fn lock(host: &Host, verb: &str, wait: bool, stop: &dyn Fn() -> Option<i32>) -> Result<Lock> {
    host.root.make_dir(STATE_DIR, Attr::root(0o700))?;
    let holder = format!(
        "{verb}, process {}, since {}",
        std::process::id(),
        crate::manifest::canonical::rfc3339(host.clock.now())
    );
    let mut told = String::new();
    loop {
        let who = match host.root.try_lock(LOCK, &holder)? {
            Ok(lock) => return Ok(lock),
            Err(who) => who,
        };
        if !wait {
            return Err(
                Error::refused(format!("{verb}: another nodeagent works here: {who}"))
                    .hint("wait for it, or give --wait"),
            );
        }
        if let Some(signal) = stop() {
            let what = format!("stopped by signal {signal} while waiting for {who}");
            return Err(Error::new(Kind::Interrupted(signal), what).hint("nothing was done"));
        }
        if who != told {
            tracing::info!("waiting for {who}");
            told = who;
        }
        host.clock.sleep(std::time::Duration::from_millis(200));
    }
}

/// The journal line that a verb begins with.
pub fn begin(verb: &str, skip: &[String], policy: &Policy, host: &Host) -> Result<Event> {
    Ok(Event::Begin {
        verb: verb.to_owned(),
        time: host.clock.now(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        policy: policy.digest()?,
        context: host.context.evidence.clone(),
        kernel: host.kernel.release()?,
        skip: skip.to_vec(),
    })
}

/// The journal line that a verb ends with.
pub fn end(outcome: &Outcome, exit: Exit, host: &Host) -> Event {
    Event::End {
        time: host.clock.now(),
        changes: outcome.steps.len(),
        exit: exit.code(),
    }
}

/// For the crash tests: ends this process as a power cut would, once `done` steps are recorded.
pub fn die_after(limit: Option<usize>, done: usize) {
    if limit.is_some_and(|limit| done >= limit) {
        crate::host::exec::kill_self();
    }
}
