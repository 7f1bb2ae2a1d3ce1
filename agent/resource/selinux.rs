//! Kind `selinux`: the labels of what was placed are those that the tree's own SELinux policy gives these paths.
//! It is separate from the kinds that place something because labels come from a policy that a package brings, and are set last.
//!
//! `setfiles` and not `restorecon`: the latter does nothing where the running kernel has no SELinux, as beside an
//! unbooted tree. Labels are attributes of the files, so they can be read and set there as well.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::{Cmd, Host, Output};
use crate::resource::fault::empty;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, ENTRY, Fault, Kind, Phase, Place, program};

const CONFIG: &str = "/etc/selinux/config";
const PROGRAM: &str = "setfiles";
/// More differences than this are told as a number.
const SHOWN: usize = 15;

/// Paths whose labels must be the policy's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Selinux {
    /// A name for the id.
    pub name: String,
    /// Files, and directories with all they hold; one that is not there is passed over.
    pub paths: Vec<String>,
    /// Directories below these that somebody else labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// There are no labels to judge here, and why.
    Off(String),
    /// SELinux is on, but nothing can tell what the labels should be.
    Blind(String),
    /// Labels that differ, and how many they are in all.
    Labels {
        /// The first of them.
        wrong: Vec<Label>,
        /// All.
        count: usize,
    },
}

/// A label that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The path.
    pub path: String,
    /// Its label.
    pub have: String,
    /// The policy's.
    pub want: String,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Sets the labels of this many paths.
    Relabel(usize),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Relabel(1) => write!(f, "set the SELinux label of 1 path"),
            Action::Relabel(count) => write!(f, "set the SELinux labels of {count} paths"),
        }
    }
}

/// A value of /etc/selinux/config; the last line counts.
fn setting<'t>(config: &'t str, key: &str) -> Option<&'t str> {
    let lines = config.lines().rev().map(str::trim);
    let mut values =
        lines.filter_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
    values.next().map(str::trim)
}

/// Reads `Would relabel PATH from LABEL to LABEL`.
fn label(line: &str) -> Option<Label> {
    let rest = line.trim().strip_prefix("Would relabel ")?;
    let (rest, want) = rest.rsplit_once(" to ")?;
    let (path, have) = rest.rsplit_once(" from ")?;
    let have = if have == "(null)" { "none" } else { have };
    Some(Label {
        path: path.to_owned(),
        have: have.to_owned(),
        want: want.to_owned(),
    })
}

impl Selinux {
    /// Where the policy's table of labels lies, or why there is none.
    fn table(host: &Host) -> Result<std::result::Result<String, Seen>> {
        let bytes = host.root.read(CONFIG)?.unwrap_or_default();
        let config = String::from_utf8_lossy(&bytes);
        match setting(&config, "SELINUX") {
            Some("enforcing" | "permissive") => {}
            Some(other) => return Ok(Err(Seen::Off(format!("{CONFIG} says {other}")))),
            None => {
                return Ok(Err(Seen::Off(format!(
                    "no SELinux: {CONFIG} does not set it"
                ))));
            }
        }
        let kind = setting(&config, "SELINUXTYPE").unwrap_or("targeted");
        let table = format!("/etc/selinux/{kind}/contexts/files/file_contexts");
        let blind = |why: String| Ok(Err(Seen::Blind(why)));
        if kind.contains('/') || !host.root.present(&table)? {
            return blind(format!(
                "{CONFIG} names the policy {kind}, which is not installed"
            ));
        }
        if program::find(&host.root, PROGRAM)?.is_none() {
            return blind(format!("{PROGRAM} is missing: install policycoreutils"));
        }
        Ok(Ok(table))
    }

    /// Runs setfiles on the paths that are there; none when there are none.
    fn run(&self, table: &str, more: &[&str], host: &Host) -> Result<Option<Output>> {
        let mut argv: Vec<String> = vec![PROGRAM.to_owned()];
        // -m: file systems of a kernel without SELinux count as well.
        argv.extend(["-m", "-v"].iter().chain(more).map(|&word| word.to_owned()));
        for path in &self.except {
            argv.extend(["-e".to_owned(), path.clone()]);
        }
        argv.push(table.to_owned());
        let before = argv.len();
        for path in &self.paths {
            if host.root.present(path)? {
                argv.push(path.clone());
            }
        }
        if argv.len() == before {
            return Ok(None);
        }
        let cmd = Cmd::new(argv);
        let output = host.exec.run(&cmd)?;
        if output.ok() {
            return Ok(Some(output));
        }
        let said = output.errors();
        let said = said.lines().next().unwrap_or("nothing on standard error");
        Err(Error::host(format!("run '{}'", cmd.brief()))
            .because(format!("exit {}: {said}", output.code))
            .hint("run it by hand; the file system must carry extended attributes"))
    }
}

impl Kind for Selinux {
    const NAME: &'static str = "selinux";
    const PHASE: Phase = Phase::Labels;
    const DOC: &'static str = "SELinux labels of what was placed, as the tree's own policy gives them; where SELinux is on.";
    const FIELDS: &'static [Field] = &[
        Field::required("name", Type::Str(Check::Word), "A name for the id."),
        Field::required(
            "paths",
            Type::List(&Type::Str(Check::AbsPath)),
            "Files, and directories with all they hold; one that is not there is passed over.",
        ),
        Field::optional(
            "except",
            Type::List(&Type::Str(Check::AbsPath)),
            "Directories below these that somebody else labels, such as a container store.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let none = self.paths.is_empty().then(|| empty("paths"));
        none.into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        Vec::new()
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let table = match Self::table(host)? {
            Ok(table) => table,
            Err(seen) => return Ok(seen),
        };
        let text = match self.run(&table, &["-n"], host)? {
            Some(output) => output.text() + &output.errors(),
            None => String::new(),
        };
        let mut wrong: Vec<Label> = text.lines().filter_map(label).collect();
        wrong.sort_by(|a, b| a.path.cmp(&b.path));
        let count = wrong.len();
        wrong.truncate(SHOWN);
        Ok(Seen::Labels { wrong, count })
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        match seen {
            Seen::Off(why) => diff.skip(ENTRY, why),
            Seen::Blind(why) => diff.unknown("labels", why),
            Seen::Labels { wrong, count } => {
                for label in wrong {
                    diff.differs(format!("label of {}", label.path), &label.have, &label.want);
                }
                if *count > wrong.len() {
                    let more = format!("{} more differ", count - wrong.len());
                    diff.differs("labels", more, "those of the policy");
                }
                if *count > 0 {
                    diff.actions.push(Action::Relabel(*count));
                }
            }
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (labels, _) in batch {
            if let Ok(table) = Self::table(host)? {
                labels.run(&table, &[], host)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_the_configuration_counts() {
        let config =
            "# SELINUX=disabled\nSELINUX=disabled\n SELINUX = permissive \nSELINUXTYPE=mls\n";
        assert_eq!(setting(config, "SELINUX"), Some("permissive"));
        assert_eq!(setting(config, "SELINUXTYPE"), Some("mls"));
        assert_eq!(setting("", "SELINUX"), None);
    }

    #[test]
    fn a_path_may_hold_the_words_between_which_it_stands() {
        let found = label("Would relabel /a from b to c from (null) to u:r:t:s0\n").unwrap();
        assert_eq!(
            (
                found.path.as_str(),
                found.have.as_str(),
                found.want.as_str()
            ),
            ("/a from b to c", "none", "u:r:t:s0")
        );
        assert_eq!(label("Relabeled /a from b to c"), None);
    }

    #[test]
    fn many_wrong_labels_are_one_step_and_a_number() {
        let one = Label {
            path: "/a".into(),
            have: "none".into(),
            want: "t".into(),
        };
        let entry = Selinux {
            name: "x".into(),
            paths: vec!["/a".into()],
            except: Vec::new(),
        };
        let seen = Seen::Labels {
            wrong: vec![one; SHOWN],
            count: SHOWN + 7,
        };
        let diff = entry.diff(&seen, Place::Image);
        assert_eq!(diff.differences[SHOWN].have, "7 more differ");
        assert_eq!(diff.actions, [Action::Relabel(SHOWN + 7)]);
    }
}
