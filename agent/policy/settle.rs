//! Gives every declared variable its value: default, then profile, then `--set`.
//! It is separate because three places may set one and each mistake must point at the right one.

use std::collections::BTreeSet;

use super::declare::typed;
use super::diagnostic::{Diagnostic, Position};
use super::fragment::Fragment;
use super::nearest::{list, nearest};
use super::profile::Profile;
use super::variables::{Env, Known, Value};

/// The fragments of a profile, the others, and what is set.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    /// Fragments of the profile.
    pub(crate) chosen: &'a [&'a Fragment<'a>],
    /// The profile.
    pub(crate) profile: &'a Profile,
    /// Its name.
    pub(crate) name: &'a str,
    /// `NAME=VALUE` from the command line.
    pub(crate) sets: &'a [String],
    /// Variables without a value are fine: the policy is only checked.
    pub(crate) unset_is_fine: bool,
}

/// Declared variables with their values.
pub(crate) fn settle(settings: &Settings<'_>, out: &mut Vec<Diagnostic>) -> Env {
    let mut env = Env::default();
    for fragment in settings.chosen {
        for (name, known) in &fragment.declared {
            match env.known.get(name) {
                Some(first) => out.push(
                    Diagnostic::error(
                        known.declared.clone(),
                        format!("the variable `{name}` is declared twice"),
                    )
                    .note(first.declared.clone(), "first here")
                    .help("declare it in one fragment; the others of the profile may use it"),
                ),
                None => {
                    env.known.insert(name.clone(), known.clone());
                }
            }
        }
    }
    from_profile(settings, &mut env, out);
    from_command_line(settings, &mut env, out);
    if !settings.unset_is_fine {
        for (name, known) in env
            .known
            .iter()
            .filter(|(_, k)| k.value.is_none() && k.set.is_none())
        {
            let at = known.declared.clone();
            out.push(
                Diagnostic::error(at, format!("the variable `{name}` has no value")).help(format!(
                    "give --set {name}=…, or set it in the profile: {}",
                    known.description
                )),
            );
        }
    }
    env
}

fn from_profile(settings: &Settings<'_>, env: &mut Env, out: &mut Vec<Diagnostic>) {
    for (name, (json, at)) in &settings.profile.set {
        let Some(known) = env.known.get_mut(name) else {
            out.push(unknown(name, at.clone(), env));
            continue;
        };
        match typed(known.kind, json) {
            Some(value) => put(known, value, at, format!("profile {}", settings.name)),
            None => out.push(mistyped(name, known, at.clone(), &json.to_string())),
        }
        known.set = Some(at.clone());
    }
}

fn from_command_line(settings: &Settings<'_>, env: &mut Env, out: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    for (index, text) in settings.sets.iter().enumerate() {
        let at = |column: usize, width: usize| Position {
            file: "--set".to_owned(),
            line: index + 1,
            column,
            width,
            text: text.clone(),
        };
        let Some((name, value)) = text.split_once('=') else {
            let mistake =
                Diagnostic::error(at(1, text.chars().count()), "`--set` needs NAME=VALUE");
            out.push(mistake.help(format!("write --set {text}=VALUE")));
            continue;
        };
        let width = name.chars().count();
        let Some(known) = env.known.get_mut(name) else {
            out.push(unknown(name, at(1, width), env));
            continue;
        };
        if !seen.insert(name) {
            let mistake = Diagnostic::error(at(1, width), format!("`{name}` is set twice"));
            out.push(mistake.help("give each variable one --set"));
        }
        let place = at(width + 2, value.chars().count());
        match known.kind.parse(value) {
            Some(value) => put(known, value, &place, "--set".to_owned()),
            None => out.push(mistyped(name, known, place.clone(), &format!("{value:?}"))),
        }
        known.set = Some(place);
    }
}

fn put(known: &mut Known, value: Value, at: &Position, from: String) {
    known.value = Some(value);
    known.from = from;
    known.set = Some(at.clone());
}

fn unknown(name: &str, at: Position, env: &Env) -> Diagnostic {
    let names = || env.known.keys().map(String::as_str);
    let help = match nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if env.known.is_empty() => "the profile's fragments declare no variables".to_owned(),
        None => format!("the profile has: {}", list(names())),
    };
    Diagnostic::error(at, format!("there is no variable `{name}`")).help(help)
}

fn mistyped(name: &str, known: &Known, at: Position, value: &str) -> Diagnostic {
    Diagnostic::error(
        at,
        format!(
            "`{name}` is of type {} and cannot be {value}",
            known.kind.word()
        ),
    )
    .note(known.declared.clone(), "declared here")
    .help(format!("right is {}", known.kind.wants()))
}
