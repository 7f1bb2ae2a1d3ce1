//! What a program that reads a file in the end says of its content, before the file is put in place.
//! It is separate because any file can have such a judge: firewall rules, sudoers, a daemon's configuration.

use serde::{Deserialize, Serialize};

use super::schema::{Check, Field, Type};
use super::{Diff, Fault, program};
use crate::error::Result;
use crate::host::{Cmd, Host, Output};

/// The program that must accept a content. It gets it on standard input, so nothing is written that it could refuse.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validate {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Content that is right for certain: where the program refuses even this, it cannot judge.
    #[serde(default)]
    pub control: String,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// Right.
    Accepted,
    /// Wrong, with its words.
    Refused(String),
    /// It cannot judge here, and why.
    NotHere(String),
}

impl Validate {
    /// The fields of its policy table.
    pub(crate) const FIELDS: &'static [Field] = &[
        Field::required(
            "command",
            Type::List(&Type::Str(Check::NotEmpty)),
            "Program and arguments; it gets the content on standard input. Write /dev/stdin where it wants a path.",
        ),
        Field::optional(
            "control",
            Type::Str(Check::Any),
            "Content that is right for certain; a program that refuses even this cannot judge here. Default: nothing.",
        ),
    ];

    /// What is wrong with it as a whole.
    pub(crate) fn faults(&self) -> Option<Fault> {
        let help = "name the program first: command = [\"iptables-restore\", \"--test\"]";
        self.command
            .is_empty()
            .then(|| Fault::new("validate", "`command` is empty", help))
    }

    /// Asks the program; without it, or where it cannot judge, that is the answer.
    pub(crate) fn ask(&self, content: &str, host: &Host) -> Result<Validity> {
        let name = self.command.first().map_or("", String::as_str);
        if program::find(&host.root, name)?.is_none() {
            return Ok(Validity::NotHere(format!("{name} is not installed here")));
        }
        let output = self.run(content, host)?;
        if output.ok() {
            return Ok(Validity::Accepted);
        }
        let control = self.run(&self.control, host)?;
        Ok(if control.ok() {
            Validity::Refused(format!("{name}: {}", said(&output)))
        } else {
            Validity::NotHere(format!("{name} cannot judge here: {}", said(&control)))
        })
    }

    fn run(&self, content: &str, host: &Host) -> Result<Output> {
        let mut cmd = Cmd::new(self.command.iter().cloned());
        cmd.stdin = content.as_bytes().to_vec();
        host.exec.run(&cmd)
    }
}

impl Validity {
    /// Notes it in a diff; false when the content must not be put in place.
    pub(crate) fn judge<A>(&self, diff: &mut Diff<A>) -> bool {
        match self {
            Validity::Accepted => true,
            Validity::NotHere(why) => {
                diff.skip("validity", why);
                true
            }
            Validity::Refused(why) => {
                let want = "content that it accepts: mend it in the policy, nothing was written";
                diff.differs("validity", why, want);
                false
            }
        }
    }
}

/// The first lines of what a program complained about.
fn said(output: &Output) -> String {
    let text = [output.errors(), output.text()].concat();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let told = lines.iter().filter(|line| !line.is_empty()).take(2);
    let told: Vec<&str> = told.copied().collect();
    if told.is_empty() {
        return format!("exit {}", output.code);
    }
    told.join("; ")
}
