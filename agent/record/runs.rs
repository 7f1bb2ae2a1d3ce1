//! Runs of the verbs, folded from the journal and turned back into it.
//! It is separate because the journal is made again from the record where a run was cut off after removing it.

use serde::{Deserialize, Serialize};

use super::journal::Event;

/// One step as it was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The entry.
    pub id: String,
    /// What was done.
    pub action: String,
    /// How long it took.
    pub millis: u64,
    /// Retries and fallbacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// One run of a verb.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// `bake`, `generalize` or `close`.
    pub verb: String,
    /// When it began, seconds since 1970.
    pub began: u64,
    /// When it ended; none when it was killed.
    pub ended: Option<u64>,
    /// Version of the tool.
    pub tool: String,
    /// Digest of the policy.
    pub policy: String,
    /// Where it ran.
    pub context: String,
    /// Release of the kernel that ran.
    pub kernel: String,
    /// What `--skip` left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<String>,
    /// Its exit code; none when it was killed.
    pub exit: Option<u8>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Errors, with the entry's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<String>,
}

impl Run {
    /// The journal lines that fold to this run.
    pub(super) fn to_events(&self) -> Vec<Event> {
        let mut events = vec![Event::Begin {
            verb: self.verb.clone(),
            time: self.began,
            tool: self.tool.clone(),
            policy: self.policy.clone(),
            context: self.context.clone(),
            kernel: self.kernel.clone(),
            skip: self.skip.clone(),
        }];
        events.extend(self.steps.iter().cloned().map(|step| Event::Done {
            id: step.id,
            action: step.action,
            millis: step.millis,
            notes: step.notes,
        }));
        events.extend(self.failures.iter().map(|failure| {
            let (id, error) = failure.split_once(": ").unwrap_or((failure, ""));
            Event::Failed {
                id: id.to_owned(),
                error: error.to_owned(),
            }
        }));
        if let (Some(time), Some(exit)) = (self.ended, self.exit) {
            events.push(Event::End {
                time,
                changes: self.steps.len(),
                exit,
            });
        }
        events
    }
}

/// Folds a journal.
pub(super) fn runs(events: Vec<Event>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for event in events {
        match (event, runs.last_mut()) {
            (
                Event::Begin {
                    verb,
                    time,
                    tool,
                    policy,
                    context,
                    kernel,
                    skip,
                },
                _,
            ) => runs.push(Run {
                verb,
                began: time,
                ended: None,
                tool,
                policy,
                context,
                kernel,
                skip,
                exit: None,
                steps: Vec::new(),
                failures: Vec::new(),
            }),
            (
                Event::Done {
                    id,
                    action,
                    millis,
                    notes,
                },
                Some(run),
            ) => {
                run.steps.push(Step {
                    action: without_names(&id, action),
                    id,
                    millis,
                    notes,
                });
            }
            (Event::Failed { id, error }, Some(run)) => {
                let error = without_names(&id, error);
                run.failures.push(format!("{id}: {error}"));
            }
            (Event::End { time, exit, .. }, Some(run)) => {
                run.ended = Some(time);
                run.exit = Some(exit);
            }
            _ => {}
        }
    }
    runs
}

/// What was scrubbed may be named after the build machine (logs, journals, boot entries by machine-id); the record
/// stays in the image, so it tells what was done and by which entry, but not to which path.
fn without_names(id: &str, text: String) -> String {
    if !id.starts_with("scrub:") {
        return text;
    }
    match text.find('/') {
        Some(at) => format!("{}a path of it", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_run_has_no_end_and_no_scrubbed_path_is_kept() {
        let begin = |verb: &str| Event::Begin {
            verb: verb.into(),
            time: 1,
            tool: "0".into(),
            policy: "p".into(),
            context: "root".into(),
            kernel: "k".into(),
            skip: vec![],
        };
        let done = Event::Done {
            id: "file:/a".into(),
            action: "write".into(),
            millis: 2,
            notes: vec![],
        };
        let scrub = Event::Done {
            id: "scrub:logs".into(),
            action: "truncate /var/log/builder name.log".into(),
            millis: 2,
            notes: vec![],
        };
        let end = Event::End {
            time: 9,
            changes: 0,
            exit: 0,
        };
        let all = runs(vec![begin("bake"), done, scrub, begin("bake"), end]);
        assert_eq!((all[0].ended, all[0].steps.len()), (None, 2));
        let actions: Vec<&str> = all[0].steps.iter().map(|s| s.action.as_str()).collect();
        assert_eq!(actions, ["write", "truncate a path of it"]);
        assert_eq!((all[1].ended, all[1].exit), (Some(9), Some(0)));
    }
}
