//! Combinations of fields that a scrub entry cannot have.
//! It is separate because policies are refused for them long before anything is scrubbed.

use super::Scrub;
use crate::resource::Fault;
use crate::resource::fault::empty;

/// What is wrong with an entry as a whole.
pub(super) fn faults(scrub: &Scrub) -> Vec<Fault> {
    let mut faults = Vec::new();
    let action = scrub.action.as_str();
    let mut excess = |field, given: bool, fits: &[&str]| {
        if given && !fits.contains(&action) {
            let message = format!("the action `{action}` takes no `{field}`");
            let help = format!("remove it; it belongs to: {}", fits.join(", "));
            faults.push(Fault::new(field, message, help));
        }
    };
    let with_content = ["write", "symlink", "drop-lines"];
    excess("content", scrub.content.is_some(), &with_content);
    excess("create", scrub.create, &["write", "symlink"]);
    excess("mode", scrub.mode.is_some(), &["truncate", "write"]);
    if with_content.contains(&action) && scrub.content.is_none() {
        let message = format!("the action `{action}` needs `content`");
        let help = "add content: what write leaves, where symlink leads, what drop-lines matches";
        faults.push(Fault::new("action", message, help));
    }
    if scrub.paths.is_empty() {
        faults.push(empty("paths"));
    }
    faults
}
