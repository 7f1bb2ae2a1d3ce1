//! Combinations of fields that a scrub entry cannot have.
//! It is separate because policies are refused for them long before anything is scrubbed.

use super::{Scrub, boot};
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
    let with_content = ["write", "symlink", "drop-lines", "boot-entries"];
    excess("content", scrub.content.is_some(), &with_content);
    excess("lines", !scrub.lines.is_empty(), &["drop-lines"]);
    excess("create", scrub.create, &["write", "symlink"]);
    excess("mode", scrub.mode.is_some(), &["truncate", "write"]);
    let said = scrub.content.is_some() || !scrub.lines.is_empty();
    if with_content.contains(&action) && !said {
        let message = format!("the action `{action}` needs `content`");
        let help = "add content: what write leaves, where symlink leads, what drop-lines matches, the token of boot-entries";
        faults.push(Fault::new("action", message, help));
    }
    if action == "boot-entries" && !boot::is_token(scrub.content()) {
        let message = "`content` is not a token for boot entries";
        let help = "right is a capital letter and then letters, digits, `.` or `_`, such as \"Image\": it must sort before every machine-id";
        faults.push(Fault::new("content", message, help));
    }
    if scrub.paths.is_empty() {
        faults.push(empty("paths"));
    }
    faults
}
