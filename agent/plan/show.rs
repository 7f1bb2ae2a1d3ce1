//! A plan as a person reads it: like a diff, grouped by phase, each entry with its reason.
//! It is separate because wording changes often and must not touch what is judged.

use std::fmt;

use super::{Item, Plan};
use crate::resource::{Difference, Phase};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for phase in Phase::ALL {
            let open: Vec<&Item> = self.open().filter(|item| item.phase == *phase).collect();
            if open.is_empty() {
                continue;
            }
            writeln!(f, "{}", phase.word())?;
            for item in open {
                show(item, f)?;
            }
            writeln!(f)?;
        }
        let items = self.items.len();
        let conform = items - self.open().count();
        writeln!(
            f,
            "{} entries at place {}: {conform} conform, {} differ; {} changes to make",
            items,
            self.place.word(),
            items - conform,
            self.changes()
        )
    }
}

fn show(item: &Item, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(
        f,
        "  {}{}",
        item.id,
        if item.enforce { "" } else { "  (audit only)" }
    )?;
    writeln!(f, "      # {}", item.reason)?;
    for Difference { what, have, want } in &item.differences {
        writeln!(f, "      {what}")?;
        writeln!(f, "        - {have}")?;
        writeln!(f, "        + {want}")?;
    }
    for remark in &item.could_not_check {
        writeln!(f, "      ? {}: {}", remark.what, remark.why)?;
    }
    for step in &item.steps {
        writeln!(f, "      => {step}")?;
    }
    if !item.after.is_empty() {
        writeln!(f, "      after {}", item.after.join(", "))?;
    }
    Ok(())
}
