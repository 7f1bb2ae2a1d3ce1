//! Kind `kargs`: arguments of the kernel, in every boot entry and for the entries of kernels to come.
//! It is separate because what is configured and what the running kernel was started with are two facts, with a boot between.

mod entries;
mod text;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::{Host, Runtime};
use crate::resource::fault::empty;
use crate::resource::file::{self, File};
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, ENTRY, Fault, Kind, Phase, Place};
pub use entries::{Boot, Lacking};

/// Wanted arguments of the kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kargs {
    /// A name for the id and for GRUB's drop-in.
    pub name: String,
    /// The arguments, as they stand on the kernel's command line, and why each.
    pub args: BTreeMap<String, Why>,
}

/// The reason for one argument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// A sentence, an id or a URL.
    pub reason: String,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// What boots this tree.
    pub boot: Boot,
    /// GRUB's drop-in, on the Debian family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop_in: Option<file::Seen>,
    /// Entries and defaults that lack arguments.
    pub lacking: Vec<Lacking>,
    /// Arguments that the running kernel was started without.
    pub running: Runtime<Vec<String>>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Writes GRUB's drop-in.
    DropIn(file::Action),
    /// Makes GRUB's own file anew.
    UpdateGrub,
    /// Adds arguments to a file of the Boot Loader Specification, or to the default for kernels to come.
    Add(Lacking),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::DropIn(action) => action.fmt(f),
            Action::UpdateGrub => write!(f, "run update-grub"),
            Action::Add(lacking) => {
                write!(f, "add {} to {}", lacking.args.join(" "), lacking.path)
            }
        }
    }
}

impl Kargs {
    fn drop_in(&self) -> File {
        let path = format!("/etc/default/grub.d/90-{}.cfg", self.name);
        let mut text = format!(
            "# Written by nodeagent for the policy entry {}:{}; changes here are lost.\n",
            Self::NAME,
            self.name
        );
        for (arg, why) in &self.args {
            text += "\n";
            text += &file::comment(&why.reason);
            text += &["GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX ", arg, "\"\n"].concat();
        }
        File::generated(&path, text)
    }

    fn judge_boot(&self, seen: &Seen, place: Place, diff: &mut Diff<Action>) {
        if let Some(found) = &seen.drop_in {
            let file = self.drop_in();
            let written = file.diff(found, place).map(Action::DropIn);
            for d in written.differences {
                diff.differs(format!("{} {}", file.path, d.what), d.have, d.want);
            }
            diff.actions.extend(written.actions);
        }
        for lacking in &seen.lacking {
            let want = lacking.args.join(" ");
            diff.differs(&lacking.path, "without it", want);
            match seen.boot {
                Boot::Grub if diff.actions.contains(&Action::UpdateGrub) => {}
                Boot::Grub => diff.actions.push(Action::UpdateGrub),
                _ => diff.actions.push(Action::Add(lacking.clone())),
            }
        }
        // What GRUB reads is made of the drop-in: it follows it even where it holds the arguments by chance.
        if seen.boot == Boot::Grub && !diff.actions.is_empty() && seen.lacking.is_empty() {
            diff.actions.push(Action::UpdateGrub);
        }
    }
}

impl Kind for Kargs {
    const NAME: &'static str = "kargs";
    const PHASE: Phase = Phase::Kernel;
    const DOC: &'static str = "Arguments of the kernel in every boot entry; the running kernel takes them at the next boot.";
    const FIELDS: &'static [Field] = &[
        Field::required(
            "name",
            Type::Str(Check::Word),
            "A name for the id and for GRUB's drop-in.",
        ),
        Field::required(
            "args",
            Type::Map(
                Check::Karg,
                &Type::Table(&[Field::required(
                    "reason",
                    Type::Str(Check::NotEmpty),
                    "Why this argument.",
                )]),
            ),
            "The arguments as they stand on the kernel's command line, such as \"audit=1\", and why each.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let none = self.args.is_empty().then(|| empty("args"));
        none.into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        let args = self.args.keys().map(|arg| {
            let (key, value) = arg.split_once('=').unwrap_or((arg, ""));
            Claim {
                fact: format!("kernel argument {key}"),
                value: value.to_owned(),
            }
        });
        args.collect()
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let args: Vec<&str> = self.args.keys().map(String::as_str).collect();
        let boot = entries::boot(&host.root)?;
        Ok(Seen {
            drop_in: match boot {
                Boot::Grub => Some(self.drop_in().observe(host)?),
                _ => None,
            },
            lacking: entries::lacking(&host.root, &boot, &args)?,
            running: match host.context.kernel_is_foreign(false) {
                Some(why) => Runtime::NotApplicable(why.to_owned()),
                None => Runtime::Seen(text::missing(&host.kernel.command_line()?, &args)),
            },
            boot,
        })
    }

    fn diff(&self, seen: &Seen, place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        match &seen.boot {
            Boot::None => {
                let why =
                    "nothing here boots a kernel: no GRUB, no boot entry, no /etc/kernel/cmdline";
                diff.skip(ENTRY, why);
                return diff;
            }
            Boot::Unknown(why) => diff.unknown("boot entries", why),
            Boot::Grub | Boot::Entries => self.judge_boot(seen, place, &mut diff),
        }
        match &seen.running {
            _ if place == Place::Image => {
                diff.skip("running kernel", "an image that is not booted has none");
            }
            Runtime::NotApplicable(why) => diff.skip("running kernel", why),
            Runtime::Seen(missing) if missing.is_empty() => {}
            Runtime::Seen(missing) => {
                let why = format!("it was started without {}", missing.join(" "));
                diff.reboot("running kernel", why);
            }
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (kargs, action) in batch {
            match action {
                Action::DropIn(action) => File::apply(&[(&kargs.drop_in(), action)], host)?,
                Action::UpdateGrub => entries::update_grub(host)?,
                Action::Add(lacking) => entries::add(&host.root, lacking)?,
            }
        }
        Ok(())
    }
}
