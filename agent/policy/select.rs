//! Which fragments make up a profile, and what is said about those that do not.
//! It is separate because a fragment's fate is decided by names alone, before its entries are read.

use std::collections::BTreeSet;

use super::content::Shelf;
use super::diagnostic::Diagnostic;
use super::fragment::Fragment;
use super::image_name;
use super::layers::{Fate, Stack};
use super::nearest::{list, nearest};
use super::profile::Profile;
use super::variables::Env;
use crate::error::{Error, Kind};

/// The profile is not there; which are.
pub(crate) fn no_profile(name: &str, stack: &Stack) -> Error {
    let names = || stack.profiles.keys().map(String::as_str);
    let hint = nearest(name, names()).map_or_else(
        || format!("the profiles are: {}", list(names())),
        |near| {
            format!(
                "did you mean --profile {near}? The profiles are: {}",
                list(names())
            )
        },
    );
    Error::new(Kind::Policy, format!("there is no profile {name:?}")).hint(hint)
}

/// Names of the fragments that make up the profile: those it names, and a site's that no profile names.
pub(crate) fn choose<'a>(
    stack: &'a Stack,
    profile: &'a Profile,
    named: &BTreeSet<&str>,
    out: &mut Vec<Diagnostic>,
) -> BTreeSet<&'a str> {
    let live = || stack.fragments.iter().filter(|f| f.fate == Fate::Live);
    let mut chosen: BTreeSet<&str> = live()
        .filter(|f| f.layer > 0 && !named.contains(f.name.as_str()))
        .map(|f| f.name.as_str())
        .collect();
    for (name, at) in &profile.fragments {
        if stack.masked.contains_key(name) || stack.unread.contains(name) {
            continue;
        }
        if let Some(found) = live().find(|f| f.name == *name) {
            if !chosen.insert(&found.name) {
                let message = format!("the fragment {name} is named twice");
                out.push(Diagnostic::error(at.clone(), message).help("remove one of them"));
            }
            continue;
        }
        let live_names = || live().map(|f| f.name.as_str());
        let help = nearest(name, live_names()).map_or_else(
            || format!("the fragments are: {}", list(live_names())),
            |near| format!("did you mean \"{near}\"?"),
        );
        let message = format!("there is no fragment {name:?}");
        out.push(Diagnostic::error(at.clone(), message).help(help));
    }
    chosen
}

/// Warns of declared variables that no entry uses.
pub(crate) fn unused(env: &Env, used: &BTreeSet<String>) -> Vec<Diagnostic> {
    env.known
        .iter()
        .filter(|(name, _)| !used.contains(*name) && *name != image_name::VARIABLE)
        .map(|(name, known)| {
            let message = format!("the variable `{name}` is used by no entry");
            Diagnostic::warning(known.declared.clone(), message).help(format!(
                "remove its declaration, or write ${{{name}}} where it belongs"
            ))
        })
        .collect()
}

/// Checks a fragment that is not part of the profile, and notes the files that it names.
pub(crate) fn read_aside(
    fragment: &Fragment<'_>,
    all: &[(bool, Fragment<'_>)],
    shelf: &mut Shelf<'_>,
) -> Vec<Diagnostic> {
    let mut env = Env::default();
    let declared = all.iter().flat_map(|(_, f)| &f.declared);
    for (name, known) in declared.chain(&fragment.declared) {
        let mut known = known.clone();
        known.value = None;
        env.known.insert(name.clone(), known);
    }
    let content = fragment.content(&env);
    for draft in &content.entries {
        if draft.kind.is_some_and(|k| k.name == "file") {
            shelf.take(draft);
        }
    }
    content.out
}
