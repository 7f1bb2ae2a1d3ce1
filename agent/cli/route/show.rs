//! Routes and rules as text, in the words of `ip`.
//! It is separate because interfaces have numbers in the kernel and names for people.

use crate::host::netlink::{Change, Family, Route};
use crate::route::{Gateway, Nic, Origin, Outcome};

/// Whether writes were made or would be.
pub(super) enum Tense {
    Done,
    Pending,
}

/// What is there and what was or would be done.
pub(super) fn text(outcome: &Outcome, tense: &Tense) -> String {
    let mut lines: Vec<String> = outcome.nics.iter().map(nic).collect();
    lines.extend(
        outcome
            .rules
            .iter()
            .map(|rule| format!("rule     {} {rule}", family(rule.family))),
    );
    lines.extend(outcome.routes.iter().map(|route| {
        format!(
            "route    {} {}",
            family(route.family()),
            named(route, outcome)
        )
    }));
    let word = match tense {
        Tense::Done => "done    ",
        Tense::Pending => "pending ",
    };
    lines.extend(
        outcome
            .changes
            .iter()
            .map(|change| format!("{word} {}", named_change(change, outcome))),
    );
    for (word, list) in [
        ("failed  ", &outcome.failed),
        ("blocked ", &outcome.blocked),
        ("problem ", &outcome.problems),
        ("foreign ", &outcome.foreign),
    ] {
        lines.extend(list.iter().map(|line| format!("{word} {line}")));
    }
    if lines.is_empty() {
        lines.push("nothing is routed".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    }
}

fn nic(nic: &Nic) -> String {
    let name = nic.name.as_ref().filter(|name| **name != nic.interface);
    let name = name.map_or_else(String::new, |name| format!(" ({name})"));
    let mut parts = vec![format!(
        "nic      {}{name}: {}",
        nic.interface,
        nic.state.word()
    )];
    if nic.name.is_some() {
        parts.push(format!("table {}", nic.table));
    }
    parts.extend(nic.gateways.iter().map(gateway));
    parts.extend(
        nic.without_router
            .iter()
            .map(|f| format!("no router known for {}", family(*f))),
    );
    parts.join(", ")
}

fn gateway(gateway: &Gateway) -> String {
    let from = match gateway.origin {
        Origin::Given => "given",
        Origin::Route => "its own default route",
        Origin::Lease => "its lease",
    };
    match gateway.router {
        Some(router) => format!("router {router} ({from})"),
        None => format!("{} all on the link ({from})", family(gateway.family)),
    }
}

/// A route with its interface's name.
fn named(route: &Route, outcome: &Outcome) -> String {
    names(route.to_string(), route.link, outcome)
}

fn named_change(change: &Change, outcome: &Outcome) -> String {
    let link = match change {
        Change::AddRoute(route) | Change::ReplaceRoute(route) | Change::DeleteRoute(route) => {
            route.link
        }
        Change::AddRule(_) | Change::DeleteRule(_) => None,
        Change::LoosenReversePath { link } => Some(*link),
    };
    names(change.to_string(), link, outcome)
}

fn names(text: String, link: Option<u32>, outcome: &Outcome) -> String {
    let Some(link) = link else {
        return text;
    };
    let nic = outcome.nics.iter().find(|nic| nic.link == Some(link));
    match nic.and_then(|nic| nic.name.as_ref()) {
        Some(name) => text.replace(&format!("#{link}"), name),
        None => text,
    }
}
