//! Kind `build-account`: the account by which the image was built leaves with its home, rights and entries.
//! It is separate because it is the way in while the image is built, so it may only go when nobody is logged in any more.

mod files;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::accounts::{self, Account};
use crate::host::root::Attr;
use crate::host::{FileKind, Host, Root, glob};
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};

/// Files with lines of accounts, in the order of work: the account's own line goes last, because a run that was cut
/// off needs it to find the rest.
const DATABASES: [&str; 6] = [
    "/etc/subuid",
    "/etc/subgid",
    "/etc/gshadow",
    "/etc/group",
    "/etc/shadow",
    "/etc/passwd",
];

/// An account that must not be in the image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildAccount {
    /// Its login name; empty: there is none.
    pub name: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Left to the closing unit; nothing was looked at.
    pub deferred: bool,
    /// Why it may not be removed.
    pub refused: Option<String>,
    /// What is left of the account, in the order of work.
    pub left: Vec<Left>,
}

/// Something of the account that is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Path.
    pub path: String,
    /// Whether lines of the file go; else the whole path does.
    pub lines: bool,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Removes a path with all it holds.
    Remove(String),
    /// Takes the account's lines and memberships out of a file.
    Lines(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Remove(path) => write!(f, "remove {path}"),
            Action::Lines(path) => write!(f, "take the account out of {path}"),
        }
    }
}

impl Kind for BuildAccount {
    const NAME: &'static str = "build-account";
    const PHASE: Phase = Phase::Scrub;
    const DOC: &'static str = "The account by which the image was built: its entries, home, sudo rules, mail and jobs are removed when the machine closes.";
    const PLACES: &'static [Place] = &[Place::Image];
    const FIELDS: &'static [Field] = &[Field::required(
        "name",
        Type::Str(Check::Any),
        "Its login name; empty where the build used none of its own.",
    )];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        match self.name.as_str() {
            "" => "none".to_owned(),
            name => name.to_owned(),
        }
    }

    fn faults(&self) -> Vec<Fault> {
        let wrong = self.name == "root"
            || (!self.name.is_empty() && Check::Owner.test(&self.name).is_err())
            || self.name.starts_with(|c: char| c.is_ascii_digit());
        let help = "right is the login name of the account that Packer or a person uses, such as \"packer\"; never root";
        let fault = || Fault::new("name", "`name` is not an account that can be removed", help);
        wrong.then(fault).into_iter().collect()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("account:{}", self.name),
            value: "absent in the image".to_owned(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        if self.name.is_empty() {
            return Ok(Seen::default());
        }
        if host.context.has_manager() && !host.closing {
            return Ok(Seen {
                deferred: true,
                ..Seen::default()
            });
        }
        look(&self.name, &host.root)
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if self.name.is_empty() {
            diff.skip("account", "no build account is named: set build_account");
        }
        if seen.deferred {
            let why = "left to the closing unit, which runs at shutdown after sshd and the network";
            diff.skip("account", why);
        }
        if let Some(why) = &seen.refused {
            diff.unknown(format!("account {}", self.name), why);
        }
        for left in &seen.left {
            let (have, action) = match left.lines {
                true => (
                    "lines of the build account",
                    Action::Lines(left.path.clone()),
                ),
                false => ("the build account's", Action::Remove(left.path.clone())),
            };
            diff.differs(&left.path, have, "nothing of it");
            diff.actions.push(action);
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        batch.iter().try_for_each(|(account, action)| match action {
            Action::Remove(path) => host.root.remove(path),
            Action::Lines(path) => rewrite(&account.name, &host.root, path),
        })
    }
}

fn look(name: &str, root: &Root) -> Result<Seen> {
    let all = accounts::accounts(root)?;
    let own = all.iter().find(|account| account.name == name);
    if own.is_some_and(|account| account.uid == 0) {
        return Ok(Seen {
            refused: Some(
                "it is a name of root: log in by an account of the build's own".to_owned(),
            ),
            ..Seen::default()
        });
    }
    let mut left = Vec::new();
    for path in paths(name, own, &all) {
        if root.present(&path)? {
            left.push(Left { path, lines: false });
        }
    }
    for path in listed(root)? {
        if let Some(new) = without(name, root, &path)? {
            // A file of sudo rules that holds nothing more goes as a whole.
            let lines = !path.starts_with("/etc/sudoers.d/") || !files::is_void(&new);
            left.push(Left { path, lines });
        }
    }
    Ok(Seen {
        left,
        ..Seen::default()
    })
}

/// The account's own paths. A home that is the system's, or another account's too, stays.
fn paths(name: &str, own: Option<&Account>, all: &[Account]) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/var/mail",
        "/var/spool/mail",
        "/var/spool/cron",
        "/var/spool/cron/crontabs",
        "/var/lib/systemd/linger",
    ]
    .map(|dir| format!("{dir}/{name}"))
    .to_vec();
    let Some(own) = own else {
        return paths;
    };
    let home = own.home.trim_end_matches('/');
    let below = |other: &Account| {
        let theirs = other.home.trim_end_matches('/');
        other.name != own.name && (theirs == home || theirs.starts_with(&format!("{home}/")))
    };
    if home.starts_with('/') && !accounts::is_system_directory(home) && !all.iter().any(below) {
        paths.push(home.to_owned());
    }
    paths
}

/// Files that may name an account, in the order of work.
fn listed(root: &Root) -> Result<Vec<String>> {
    let mut paths = glob::expand(root, &["/etc/sudoers.d/*".to_owned()])?.paths;
    paths.push("/etc/sudoers".to_owned());
    paths.extend(DATABASES.map(str::to_owned));
    Ok(paths)
}

/// A file's content without the account; none where nothing changes.
fn without(name: &str, root: &Root, path: &str) -> Result<Option<Vec<u8>>> {
    if root
        .meta(path)?
        .is_none_or(|meta| meta.kind != FileKind::File)
    {
        return Ok(None);
    }
    let old = root.read(path)?.unwrap_or_default();
    let all = accounts::accounts(root)?;
    let new = files::without(path, &old, name, &all);
    Ok((new != old).then_some(new))
}

fn rewrite(name: &str, root: &Root, path: &str) -> Result<()> {
    let (Some(new), Some(meta)) = (without(name, root, path)?, root.meta(path)?) else {
        return Ok(());
    };
    let attr = Attr {
        mode: meta.mode,
        uid: meta.uid,
        gid: meta.gid,
    };
    root.write(path, &new, attr)
}
