//! Changes, routes and rules as a person writes them, in the words of `ip`.
//! It is separate because logs, errors and `route show` all print the same words.

use std::fmt;

use super::{Action, Change, Route, Rule};

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::Unicast => {}
            Action::Unreachable => f.write_str("unreachable ")?,
            Action::Other(kind) => write!(f, "type {kind} ")?,
        }
        match self.to.is_any() {
            true => f.write_str("default")?,
            false => write!(f, "{}", self.to)?,
        }
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        if let Some(link) = self.link {
            write!(f, " dev #{link}")?;
        }
        write!(f, " table {}", self.table)?;
        if self.metric != 0 {
            write!(f, " metric {}", self.metric)?;
        }
        if self.onlink {
            f.write_str(" onlink")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.priority)?;
        match (self.from, self.to) {
            (None, None) => f.write_str(" from all")?,
            (from, to) => {
                for (word, prefix) in [("from", from), ("to", to)] {
                    if let Some(prefix) = prefix {
                        write!(f, " {word} {prefix}")?;
                    }
                }
            }
        }
        write!(f, " lookup {}", self.table)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::AddRoute(route) => write!(f, "add route {route}"),
            Change::ReplaceRoute(route) => write!(f, "replace route {route}"),
            Change::DeleteRoute(route) => write!(f, "delete route {route}"),
            Change::AddRule(rule) => write!(f, "add rule {rule}"),
            Change::DeleteRule(rule) => write!(f, "delete rule {rule}"),
            Change::LoosenReversePath { link } => {
                write!(
                    f,
                    "set the reverse path filter of interface #{link} to loose"
                )
            }
        }
    }
}
