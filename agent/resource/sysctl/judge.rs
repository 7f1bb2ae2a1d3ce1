//! The judgement of one key: its running value and the line that each loader takes for it.
//! It is separate from the kind's frame because comparing has rules of its own: blanks, numbers, foreign kernels.

use super::{Action, KeySeen, OnNode, Setting, Wanted};
use crate::error::Result;
use crate::host::{Host, Runtime};
use crate::resource::{Accept, Diff, Place};

/// The running value; a key that is missing where no module can be loaded is not applicable.
pub(super) fn runtime(host: &Host, key: &str) -> Result<Runtime<Option<String>>> {
    let found = host.kernel.sysctl(key)?;
    match (&found, host.context.kernel_is_foreign(false)) {
        (Runtime::Seen(None), Some(why)) => Ok(Runtime::NotApplicable(format!(
            "the kernel has no such key, and {why}"
        ))),
        _ => Ok(found),
    }
}

/// A value with its blanks as one space, as the kernel's tabs and a file's spaces mean the same.
pub(super) fn plain(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Wanted {
    /// Judges one key.
    pub(super) fn judge(&self, key: &str, found: &KeySeen, place: Place, diff: &mut Diff<Action>) {
        self.persisted(key, found, diff);
        let what = format!("{key} at runtime");
        match &found.runtime {
            _ if place == Place::Image => {}
            _ if place == Place::Node && self.node == OnNode::OwnedElsewhere => {
                diff.skip(what, "on a node kube-proxy or the CNI sets it");
            }
            Runtime::NotApplicable(why) => diff.skip(what, why),
            Runtime::Seen(Some(value)) if self.accepts(value) => {}
            Runtime::Seen(value) => {
                let have = value.clone().unwrap_or_else(|| missing(key));
                diff.differs(what, have, self.text());
                diff.actions.push(Action::Set {
                    key: key.to_owned(),
                    value: plain(&self.value),
                });
            }
        }
    }

    /// Notes for each loader a line that is not ours to win, naming the file that does.
    fn persisted(&self, key: &str, found: &KeySeen, diff: &mut Diff<Action>) {
        let wrong = |setting: &Option<Setting>| {
            let right = setting.as_ref().is_some_and(|s| self.accepts(&s.value));
            (!right).then(|| match setting {
                Some(setting) => setting.to_string(),
                None => "nothing sets it".to_owned(),
            })
        };
        let what = format!("{key} persisted");
        match (wrong(&found.systemd), wrong(&found.procps)) {
            (Some(a), Some(b)) if a == b => diff.differs(what, a, self.text()),
            (systemd, procps) => {
                let each = [("systemd-sysctl", systemd), ("sysctl --system", procps)];
                for (loader, have) in each {
                    if let Some(have) = have {
                        diff.differs(&what, format!("{have}, by {loader}"), self.text());
                    }
                }
            }
        }
    }

    fn accepts(&self, have: &str) -> bool {
        let have = plain(have);
        if have == plain(&self.value) || self.one_of.iter().any(|other| have == plain(other)) {
            return true;
        }
        match self.accept {
            Accept::Exact => false,
            Accept::AtLeast => each(&have, &self.value, |have, want| have >= want),
            Accept::AtMost => each(&have, &self.value, |have, want| have <= want),
        }
    }

    /// What is wanted, as a person reads it.
    fn text(&self) -> String {
        let mut text = plain(&self.value);
        match self.accept {
            Accept::Exact => {}
            Accept::AtLeast => text.push_str(" or more"),
            Accept::AtMost => text.push_str(" or less"),
        }
        for other in &self.one_of {
            text.push_str(" or ");
            text.push_str(&plain(other));
        }
        text
    }
}

/// Compares number by number; text and different counts never hold.
fn each(have: &str, want: &str, holds: impl Fn(i128, i128) -> bool) -> bool {
    let numbers = |text: &str| -> Option<Vec<i128>> {
        text.split_whitespace().map(|n| n.parse().ok()).collect()
    };
    match (numbers(have), numbers(want)) {
        (Some(have), Some(want)) => {
            have.len() == want.len() && have.into_iter().zip(want).all(|(h, w)| holds(h, w))
        }
        _ => false,
    }
}

fn missing(key: &str) -> String {
    if key.replace('/', ".").starts_with("net.bridge.") {
        "no such key; it comes with the module br_netfilter".to_owned()
    } else {
        "the kernel has no such key".to_owned()
    }
}
