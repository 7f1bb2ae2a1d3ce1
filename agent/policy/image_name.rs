//! The pattern of the image's name: a variable of the policy whose placeholders the manifest fills.
//! It is separate because the pattern is checked with the policy and filled long after, from what was observed.

use super::diagnostic::Diagnostic;
use super::variables::{Env, Value};
use crate::error::{Error, Result};

/// The variable that holds the pattern; no entry uses it, `manifest --image-name` does.
pub const VARIABLE: &str = "image_name";

/// The placeholders and what each stands for.
pub const PLACEHOLDERS: &[(&str, &str)] = &[
    ("N", "the number that is given with --number"),
    ("date", "the day of the seal in UTC, YYYYMMDD"),
    (
        "version",
        "RKE2's version without its own suffix, such as v1.34.2",
    ),
    ("k8s", "the Kubernetes release, such as v1.28"),
];

/// A stretch of a pattern.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

fn pieces(pattern: &str) -> std::result::Result<Vec<Piece<'_>>, String> {
    let mut list = Vec::new();
    let mut rest = pattern;
    while let Some((text, tail)) = rest.split_once('{') {
        let Some((name, tail)) = tail.split_once('}') else {
            return Err(format!("`{{{tail}` has no end"));
        };
        if !PLACEHOLDERS.iter().any(|(known, _)| *known == name) {
            return Err(format!("there is no placeholder `{{{name}}}`"));
        }
        list.extend([Piece::Text(text), Piece::Placeholder(name)]);
        rest = tail;
    }
    list.push(Piece::Text(rest));
    let right = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    for piece in &list {
        if let Piece::Text(text) = piece
            && let Some(wrong) = text.chars().find(|c| !right(*c))
        {
            return Err(format!("{wrong:?} cannot be part of an image's name"));
        }
    }
    match pattern.is_empty() {
        true => Err("the pattern is empty".to_owned()),
        false => Ok(list),
    }
}

/// What is wrong with the pattern of a policy, if it has one.
pub(super) fn wrong(env: &Env) -> Option<Diagnostic> {
    let known = env.known.get(VARIABLE)?;
    let Value::Text(pattern) = known.value.as_ref()? else {
        return None;
    };
    let message = pieces(pattern).err()?;
    let at = known.set.as_ref().unwrap_or(&known.declared).clone();
    let names: Vec<String> = PLACEHOLDERS
        .iter()
        .map(|(n, what)| format!("{{{n}}} ({what})"))
        .collect();
    Some(
        Diagnostic::error(at, format!("`{VARIABLE}` = {pattern:?}: {message}")).help(format!(
            "letters, digits, `.`, `_`, `-` and: {}",
            names.join(", ")
        )),
    )
}

/// Fills a pattern; `value` gives what a placeholder stands for, or why it cannot.
pub fn fill(pattern: &str, value: impl Fn(&str) -> Result<String>) -> Result<String> {
    let doing = || format!("name the image by {pattern:?}");
    let list = pieces(pattern).map_err(|why| Error::usage(format!("{}: {why}", doing())))?;
    let parts = list.iter().map(|piece| match piece {
        Piece::Text(text) => Ok((*text).to_owned()),
        Piece::Placeholder(name) => value(name),
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_both_sources_are_filled_and_others_refused() {
        let value = |name: &str| {
            Ok(match name {
                "N" => "3",
                "date" => "20260407",
                "version" => "v1.34.2",
                _ => "v1.28",
            }
            .to_owned())
        };
        for (pattern, name) in [
            ("rke2-rocky9-golden-v{N}", "rke2-rocky9-golden-v3"),
            ("rke2-rocky9-golden-{date}", "rke2-rocky9-golden-20260407"),
            (
                "rke2-rocky9-golden-rke2{version}",
                "rke2-rocky9-golden-rke2v1.34.2",
            ),
            ("rke2-node-{k8s}-{date}", "rke2-node-v1.28-20260407"),
            ("fixed", "fixed"),
        ] {
            assert_eq!(fill(pattern, value).unwrap(), name);
        }
        for (pattern, why) in [
            ("a-{day}", "no placeholder `{day}`"),
            ("a-{date", "has no end"),
            ("a b", "' ' cannot be part"),
            ("a}", "'}' cannot be part"),
            ("", "empty"),
        ] {
            let error = fill(pattern, value).unwrap_err().one_line();
            assert!(error.contains(why), "{error}");
        }
    }
}
