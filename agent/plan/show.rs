//! A plan as a person reads it: like a diff, grouped by phase, each entry with its reason.
//! It is separate because wording changes often and must not touch what is judged.

use std::fmt;

use super::{Item, Plan, Tally};
use crate::resource::{Difference, Phase};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for phase in Phase::ALL {
            let open = |item: &&Item| !item.diff.conforms() || !item.reboot.is_empty();
            let here = self.items.iter().filter(|item| item.phase == *phase);
            let open: Vec<&Item> = here.filter(open).collect();
            if open.is_empty() {
                continue;
            }
            writeln!(f, "{}", phase.word())?;
            for item in open {
                show(item, f)?;
            }
            writeln!(f)?;
        }
        let Tally {
            conforms,
            differs,
            reboot,
            could_not_check,
            not_applicable,
        } = self.tally();
        writeln!(
            f,
            "{} entries at place {}: {conforms} conform, {differs} differ, {reboot} wait for a reboot, \
             {could_not_check} could not be checked, {not_applicable} not applicable; {} changes to make",
            self.items.len(),
            self.place.word(),
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
    for remark in &item.reboot {
        writeln!(
            f,
            "      ~ {}: at the next boot: {}",
            remark.what, remark.why
        )?;
    }
    for remark in &item.could_not_check {
        writeln!(
            f,
            "      ? {}: could not check: {}",
            remark.what, remark.why
        )?;
    }
    for remark in &item.not_applicable {
        writeln!(f, "      . {}: not applicable: {}", remark.what, remark.why)?;
    }
    for step in &item.steps {
        writeln!(f, "      => {step}")?;
    }
    if !item.after.is_empty() {
        writeln!(f, "      after {}", item.after.join(", "))?;
    }
    Ok(())
}
