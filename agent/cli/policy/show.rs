//! A merged policy as text: by phase, each entry with its reason, its values and where it comes from.
//! It is separate because it is what people read before they trust a profile.

use serde_json::Value as Json;

use crate::error::{Context as _, Result};
use crate::policy::{Entry, Policy};
use crate::resource::{Phase, Place};

/// The whole text.
pub(super) fn text(policy: &Policy) -> Result<String> {
    let mut text = head(policy)?;
    for phase in Phase::ALL {
        let mut entries = policy
            .entries
            .iter()
            .filter(|e| e.resource.phase() == *phase)
            .peekable();
        if entries.peek().is_some() {
            line(&mut text, &format!("\n{}", phase.word()));
        }
        for entry in entries {
            show(entry, &mut text)?;
        }
    }
    for exception in &policy.exceptions {
        let (id, owner, until) = (&exception.id, &exception.owner, &exception.expires);
        line(
            &mut text,
            &format!(
                "\nexception {id} until {until}, {owner}: {}",
                exception.reason
            ),
        );
    }
    Ok(text)
}

fn head(policy: &Policy) -> Result<String> {
    let mut text = String::new();
    let proven = if policy.proven {
        ""
    } else {
        " (unproven: never booted on its own OS)"
    };
    line(
        &mut text,
        &format!("profile {}: {}{proven}", policy.profile, policy.description),
    );
    let wants = &policy.requires;
    let arch = wants.arch.join(" or ");
    line(
        &mut text,
        &format!("requires {} {} on {arch}", wants.family, wants.version),
    );
    line(&mut text, &format!("digest sha256:{}", policy.digest()?));
    for fragment in &policy.fragments {
        line(&mut text, &format!("fragment {fragment}"));
    }
    for (name, variable) in &policy.variables {
        let (kind, value, from) = (&variable.kind, &variable.value, &variable.from);
        line(
            &mut text,
            &format!("variable {name} = {value:?} ({kind}, {from})"),
        );
    }
    Ok(text)
}

fn show(entry: &Entry, text: &mut String) -> Result<()> {
    let places = if entry.places == Place::ALL {
        String::new()
    } else {
        let words: Vec<&str> = entry.places.iter().map(|p| p.word()).collect();
        format!("  at {}", words.join(", "))
    };
    let audit = if entry.enforce { "" } else { "  audit only" };
    line(text, &format!("  {}{places}{audit}", entry.id));
    line(text, &format!("    why: {}", entry.reason));
    let json = serde_json::to_value(&entry.resource).context(|| "show the policy")?;
    for (key, value) in json.as_object().into_iter().flatten() {
        if key != "kind" && !entry.id.ends_with(&format!(":{}", plain(value))) {
            field(text, key, value);
        }
    }
    if !entry.after.is_empty() {
        line(text, &format!("    after: {}", entry.after.join(", ")));
    }
    let over = entry.overrides.as_ref();
    let over = over.map_or_else(String::new, |o| format!(", instead of {o}"));
    line(text, &format!("    from: {}{over}", entry.origin));
    Ok(())
}

fn field(text: &mut String, key: &str, value: &Json) {
    match value {
        Json::Object(map) => {
            line(text, &format!("    {key}:"));
            for (name, value) in map {
                line(text, &format!("      {name}: {}", plain(value)));
            }
        }
        Json::String(content) if content.contains('\n') => {
            line(text, &format!("    {key}:"));
            for part in content.lines() {
                line(text, &format!("      | {part}"));
            }
        }
        value => line(text, &format!("    {key}: {}", plain(value))),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Json::Object(map) => {
            let parts = map.iter().map(|(k, v)| format!("{k} {}", plain(v)));
            parts.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
