//! Mode and owner of a path: what a policy wants, what was found, and the judgement of both.
//! It is separate because files and directories are judged by the same rules.

use std::fmt;

use serde::Serialize;

use crate::error::{Context as _, Result};
use crate::host::root::Attr;
use crate::host::{FileKind, Meta, Root, accounts};
use crate::resource::{Accept, Diff};

/// Mode and owner to be set, as a policy names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Permission bits.
    pub mode: u32,
    /// User, name or number.
    pub owner: String,
    /// Group, name or number.
    pub group: String,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o} {}:{}", self.mode, self.owner, self.group)
    }
}

impl Access {
    /// The same in the numbers of a tree; an unknown name is an error.
    pub fn resolve(&self, root: &Root) -> Result<Attr> {
        Ok(Attr {
            mode: self.mode,
            uid: accounts::uid(root, &self.owner)?,
            gid: accounts::gid(root, &self.group)?,
        })
    }
}

/// What was found at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What it is.
    pub kind: FileKind,
    /// Mode, as four octal digits.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The mode as a number.
    #[serde(skip)]
    pub bits: u32,
}

impl From<&Meta> for Found {
    fn from(meta: &Meta) -> Self {
        Self {
            kind: meta.kind,
            mode: meta.mode_text(),
            uid: meta.uid,
            gid: meta.gid,
            bits: meta.mode,
        }
    }
}

/// The numbers that wanted names have in a tree; none for a name that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// Of the user.
    pub owner: Option<u32>,
    /// Of the group.
    pub group: Option<u32>,
}

impl Ids {
    /// Looks two names up.
    pub fn find(root: &Root, owner: &str, group: &str) -> Result<Self> {
        let doing = || format!("find the numbers of {owner}:{group}");
        Ok(Self {
            owner: accounts::find_uid(root, owner).context(doing)?,
            group: accounts::find_gid(root, group).context(doing)?,
        })
    }
}

/// What a policy wants of mode and owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Mode, as octal digits.
    pub(crate) mode: &'a str,
    /// User, name or number.
    pub(crate) owner: &'a str,
    /// Group, name or number.
    pub(crate) group: &'a str,
    /// How the mode compares.
    pub(crate) accept: Accept,
}

impl Wanted<'_> {
    /// The access to set: a found mode that is accepted stays. None, with a remark, for a mode that is no number.
    pub(crate) fn access<A>(&self, found: Option<&Found>, diff: &mut Diff<A>) -> Option<Access> {
        let Ok(mode) = u32::from_str_radix(self.mode, 8) else {
            diff.unknown("mode", format!("'{}' is not an octal number", self.mode));
            return None;
        };
        let kept = found.map(|f| f.bits).filter(|b| self.accepts(*b, mode));
        Some(Access {
            mode: kept.unwrap_or(mode),
            owner: self.owner.to_owned(),
            group: self.group.to_owned(),
        })
    }

    fn accepts(&self, have: u32, want: u32) -> bool {
        match self.accept {
            Accept::Exact => have == want,
            Accept::AtMost => have & !want == 0,
            Accept::AtLeast => want & !have == 0,
        }
    }

    /// Notes what differs in mode and owner of something that is there.
    pub(crate) fn judge<A>(&self, access: &Access, ids: Ids, found: &Found, diff: &mut Diff<A>) {
        if found.bits != access.mode {
            let than = match self.accept {
                Accept::Exact => "",
                Accept::AtMost => " or stricter",
                Accept::AtLeast => " or wider",
            };
            diff.differs("mode", &found.mode, format!("{:04o}{than}", access.mode));
        }
        one_owner("owner", self.owner, (ids.owner, found.uid), diff);
        one_owner("group", self.group, (ids.group, found.gid), diff);
    }
}

/// Notes names that the tree does not know, for a path that is not there yet.
pub(crate) fn unknown_names<A>(wanted: &Wanted<'_>, ids: Ids, diff: &mut Diff<A>) {
    if ids.owner.is_none() {
        diff.differs("owner", "no such user", wanted.owner);
    }
    if ids.group.is_none() {
        diff.differs("group", "no such group", wanted.group);
    }
}

fn one_owner<A>(what: &str, name: &str, (want, have): (Option<u32>, u32), diff: &mut Diff<A>) {
    match want {
        Some(number) if number == have => {}
        Some(_) => diff.differs(what, have.to_string(), name),
        None => diff.differs(what, format!("{have}, and no such {what}"), name),
    }
}
