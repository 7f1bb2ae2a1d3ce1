//! From layers, a profile and settings to one checked policy, or to every mistake there is.
//! It is separate because it only calls the steps in order; each step is a module of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::content::Shelf;
use super::diagnostic::{Diagnostic, Mistakes, Position, Severity};
use super::entry::{InventoryRules, Policy, Requires, Variable};
use super::fragment::{Content, Draft, Fragment};
use super::layers::{Fate, Sources, Stack};
use super::lock::Lock;
use super::merge::{Merge, exceptions, words};
use super::profile::Profile;
use super::select::{choose, no_profile, read_aside, unused};
use super::settle::{Settings, settle};
use super::variables::Env;
use crate::error::{Error, Kind, Result};
use crate::host::root::sha256;

/// What is to be loaded.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// Name of the profile.
    pub profile: &'a str,
    /// `NAME=VALUE` settings from the command line.
    pub sets: &'a [String],
    /// SHA-256 of the running binary, in hex: the content of `source = "self"`.
    pub self_sha256: &'a str,
    /// true for a mere check: variables without a value are fine, and entries that use them are left out.
    pub unset_is_fine: bool,
}

/// A policy without mistakes.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
    /// Variables without a value, when that is fine.
    pub unset: Vec<String>,
}

/// Names of all profiles.
pub fn profiles(sources: &Sources) -> Vec<String> {
    Stack::build(sources).profiles.into_keys().collect()
}

/// Resolves a profile. On a mistake the error's cause is a [`Mistakes`] with all of them.
pub fn resolve(sources: &Sources, request: &Request<'_>) -> Result<Loaded> {
    let mut stack = Stack::build(sources);
    let mut out = std::mem::take(&mut stack.out);
    let all: BTreeMap<&str, Profile> = stack
        .profiles
        .iter()
        .map(|(name, source)| (name.as_str(), Profile::parse(source)))
        .collect();
    let Some(profile) = all.get(request.profile) else {
        return Err(no_profile(request.profile, &stack));
    };
    for profile in all.values() {
        out.extend(profile.out.iter().cloned());
    }
    let named: BTreeSet<&str> = all
        .values()
        .flat_map(|p| p.fragments.iter().map(|(name, _)| name.as_str()))
        .collect();
    let chosen = choose(&stack, profile, &named, &mut out);
    let loader = Loader {
        sources,
        request,
        stack: &stack,
        profile,
        chosen,
    };
    loader.run(out)
}

struct Loader<'a> {
    sources: &'a Sources,
    request: &'a Request<'a>,
    stack: &'a Stack,
    profile: &'a Profile,
    chosen: BTreeSet<&'a str>,
}

/// Everything read from the fragments of the profile.
#[derive(Default)]
struct Gathered {
    merge: Merge,
    exceptions: Vec<Draft>,
    inventory: InventoryRules,
    used: BTreeSet<String>,
}

impl Loader<'_> {
    fn run(&self, mut out: Vec<Diagnostic>) -> Result<Loaded> {
        let fragments: Vec<(bool, Fragment<'_>)> = self
            .stack
            .fragments
            .iter()
            .map(|f| {
                let chosen = f.fate == Fate::Live && self.chosen.contains(f.name.as_str());
                (chosen, Fragment::parse(f.layer, &f.source))
            })
            .collect();
        for (_, fragment) in &fragments {
            out.extend(fragment.out.iter().cloned());
        }
        let chosen: Vec<&Fragment<'_>> = fragments
            .iter()
            .filter(|(c, _)| *c)
            .map(|(_, f)| f)
            .collect();
        let mut env = settle(&self.settings(&chosen), &mut out);
        let others = fragments.iter().filter(|(c, _)| !*c);
        for (_, fragment) in others.clone() {
            for name in fragment
                .declared
                .keys()
                .filter(|n| !env.known.contains_key(*n))
            {
                let file = fragment.document.source.shown.clone();
                env.elsewhere.insert(name.clone(), file);
            }
        }
        let mut files = Shelf::new(self.sources, self.request.self_sha256);
        for (_, fragment) in others {
            out.extend(read_aside(fragment, &fragments, &mut files));
        }
        // What is missing may stand in the part that was not understood.
        let whole = self.stack.unread.is_empty() && fragments.iter().all(|(_, f)| f.whole);
        let mut lock = Lock::read(self.stack.lock.as_ref());
        let mut gathered = gather(&chosen, &env, (&mut files, &mut lock), &mut out);
        out.append(&mut lock.out);
        gathered.merge.overrides();
        gathered.merge.disagreements();
        if whole {
            gathered.merge.dangling(&gathered.exceptions);
            out.extend(files.leftovers());
            out.extend(unused(&env, &gathered.used));
        }
        out.append(&mut gathered.merge.out);
        self.finish(gathered, env, out)
    }

    fn settings<'b>(&'b self, chosen: &'b [&'b Fragment<'b>]) -> Settings<'b> {
        Settings {
            chosen,
            profile: self.profile,
            name: self.request.profile,
            sets: self.request.sets,
            unset_is_fine: self.request.unset_is_fine,
        }
    }

    fn finish(&self, gathered: Gathered, env: Env, mut out: Vec<Diagnostic>) -> Result<Loaded> {
        let errors = |out: &[Diagnostic]| out.iter().any(|d| d.severity == Severity::Error);
        // Entries that wait for a variable's value are there, too.
        let none = gathered.merge.entries.is_empty() && gathered.merge.ghosts.is_empty();
        if none && !errors(&out) {
            out.push(self.empty());
        }
        let Mistakes(out) = Mistakes::sorted(out);
        let requires = match (&self.profile.requires, errors(&out)) {
            (Some(requires), false) => requires.clone(),
            _ => return Err(failed(self.request.profile, out)),
        };
        let unset = env.known.iter().filter(|(_, k)| k.value.is_none());
        let unset = unset.map(|(name, _)| name.clone()).collect();
        Ok(Loaded {
            policy: self.policy(requires, gathered, env),
            warnings: out,
            unset,
        })
    }

    fn empty(&self) -> Diagnostic {
        let source = self.stack.profiles.get(self.request.profile);
        let at = source.map_or_else(
            || Position::file(self.request.profile),
            |s| Position::file(&s.shown),
        );
        let message = format!("the profile {} has no entries", self.request.profile);
        Diagnostic::error(at, message)
            .help("name fragments that hold entries: fragments = [\"10-packages.toml\"]")
    }

    fn policy(&self, requires: Requires, gathered: Gathered, env: Env) -> Policy {
        let mut entries: Vec<_> = gathered
            .merge
            .entries
            .into_iter()
            .map(|p| p.entry)
            .collect();
        entries.sort_by_key(|e| e.resource.phase());
        let variables = env.known.into_iter().filter_map(|(name, known)| {
            let variable = Variable {
                kind: known.kind.word().to_owned(),
                value: known.value?.text(),
                from: known.from,
            };
            Some((name, variable))
        });
        Policy {
            schema: 1,
            profile: self.request.profile.to_owned(),
            description: self.profile.description.clone(),
            proven: self.profile.proven,
            requires,
            variables: variables.collect(),
            fragments: self.provenance(),
            entries,
            exceptions: exceptions(gathered.exceptions),
            inventory: gathered.inventory,
        }
    }

    /// Fragments in order with their digests; a masked one says so.
    fn provenance(&self) -> Vec<String> {
        let live = self.stack.fragments.iter().filter(|f| f.fate == Fate::Live);
        let named = self.profile.fragments.iter().map(|(name, _)| name);
        let masked = named.filter_map(|n| Some((n, self.stack.masked.get(n)?)));
        let mut lines: Vec<(&str, String)> = live
            .filter(|f| self.chosen.contains(f.name.as_str()))
            .map(|f| {
                let digest = sha256(f.source.text.as_bytes());
                (
                    f.name.as_str(),
                    format!("{} sha256:{digest}", f.source.shown),
                )
            })
            .chain(self.stack.lock_line().map(|line| ("", line)))
            .chain(masked.map(|(name, by)| (name.as_str(), format!("{name} masked by {by}"))))
            .collect();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

fn gather(
    chosen: &[&Fragment<'_>],
    env: &Env,
    (files, lock): (&mut Shelf<'_>, &mut Lock),
    out: &mut Vec<Diagnostic>,
) -> Gathered {
    let mut gathered = Gathered::default();
    for fragment in chosen {
        let Content {
            entries,
            exceptions,
            inventory,
            mut used,
            out: found,
        } = fragment.content(env);
        out.extend(found);
        gathered.used.append(&mut used);
        gathered.exceptions.extend(exceptions);
        add_rules(&mut gathered.inventory, &inventory);
        for mut draft in entries {
            match draft.kind.map(|k| k.name) {
                Some("file") => files.fill(&mut draft, env),
                Some("image") => lock.pin(&mut draft),
                _ => {}
            }
            gathered.merge.add(draft);
        }
    }
    out.append(&mut files.out);
    gathered.used.append(&mut files.used);
    gathered
}

fn add_rules(rules: &mut InventoryRules, found: &Map<String, Json>) {
    for word in words(found.get("may-add-accounts")) {
        if !rules.may_add_accounts.contains(&word) {
            rules.may_add_accounts.push(word);
        }
    }
    for word in words(found.get("may-enable-units")) {
        if !rules.may_enable_units.contains(&word) {
            rules.may_enable_units.push(word);
        }
    }
    for word in words(found.get("exclusive-units")) {
        if !rules.exclusive_units.contains(&word) {
            rules.exclusive_units.push(word);
        }
    }
}

fn failed(profile: &str, out: Vec<Diagnostic>) -> Error {
    let mistakes = Mistakes(out);
    let count = mistakes.errors();
    let plural = if count == 1 { "" } else { "s" };
    Error::new(
        Kind::Policy,
        format!("the policy of profile {profile} has {count} error{plural}; nothing was touched"),
    )
    .because(mistakes)
    .hint("correct them, then look again with: nodeagent policy check")
}
