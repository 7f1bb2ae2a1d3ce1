//! Kind `account`: a system account, user and group, that nobody can log in to.
//! It is separate because the account database is several files that only its own tools may change together.

mod found;
mod step;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::host::Host;
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, Fault, Kind, Phase, Place};
pub use found::{Password, Seen, User};
pub use step::Action;

/// A wanted system account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Name of the user.
    pub name: String,
    /// Its primary group; none: the group of its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Exactly this user number; none: the next free one of the system's range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Exactly this group number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// Home directory, which is not made.
    #[serde(default = "default_home")]
    pub home: String,
    /// Login shell.
    #[serde(default = "default_shell")]
    pub shell: String,
    /// What a person reads about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

fn default_home() -> String {
    "/nonexistent".to_owned()
}

fn default_shell() -> String {
    "/usr/sbin/nologin".to_owned()
}

impl Account {
    /// Its primary group.
    fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(&self.name)
    }

    /// Notes what differs in a user that is there, and the arguments of usermod that would end it.
    fn judge(&self, user: &User, group: Option<u32>, diff: &mut Diff<Action>) {
        let mut change: Vec<String> = Vec::new();
        let mut one = |what: &str, have: &str, want: &str, option: &str| {
            if have != want {
                diff.differs(what, have, want);
                change.extend([option.to_owned(), want.to_owned()]);
            }
        };
        if let Some(uid) = self.uid {
            one("uid", &user.uid.to_string(), &uid.to_string(), "--uid");
        }
        if group != Some(user.gid) {
            one("group", &user.gid.to_string(), self.group(), "--gid");
        }
        one("home", &user.home, &self.home, "--home");
        one("shell", &user.shell, &self.shell, "--shell");
        if let Some(comment) = &self.comment {
            one("comment", &user.comment, comment, "--comment");
        }
        if !change.is_empty() {
            diff.actions.push(Action::Change(change));
        }
        judge_password(user.password, diff);
        if user.lines > 1 {
            let have = format!("{} lines in /etc/passwd", user.lines);
            diff.differs("user", have, "one: remove the others by hand (pwck)");
        }
        if !user.shared.is_empty() {
            let have = format!("{} is also that of {}", user.uid, user.shared.join(", "));
            diff.differs("uid", have, "its own: what one of them may, the other may");
        }
    }
}

fn judge_password(password: Password, diff: &mut Diff<Action>) {
    let have = match password {
        Password::Locked => return,
        Password::NoLine => {
            diff.actions.push(Action::Shadow);
            "no line in /etc/shadow"
        }
        Password::Empty => "empty: anybody may log in",
        Password::Set => "set",
    };
    diff.differs("password", have, "locked");
    diff.actions.push(Action::Lock);
}

impl Kind for Account {
    const NAME: &'static str = "account";
    const PHASE: Phase = Phase::Accounts;
    const DOC: &'static str = "A system account, user and group, with a locked password.";
    const FIELDS: &'static [Field] = &[
        Field::required("name", Type::Str(Check::Owner), "Name of the user."),
        Field::optional(
            "group",
            Type::Str(Check::Owner),
            "Its primary group, made when missing. Default: the user's name.",
        ),
        Field::optional(
            "uid",
            Type::Int(1, 65533),
            "Exactly this user number. Default: a free one of the system's range.",
        ),
        Field::optional(
            "gid",
            Type::Int(1, 65533),
            "Exactly this group number. Default: a free one of the system's range.",
        ),
        Field::optional(
            "home",
            Type::Str(Check::AbsPath),
            "Home directory; it is not made. Default: \"/nonexistent\".",
        ),
        Field::optional(
            "shell",
            Type::Str(Check::AbsPath),
            "Login shell. Default: \"/usr/sbin/nologin\".",
        ),
        Field::optional(
            "comment",
            Type::Str(Check::NotEmpty),
            "What a person reads about it.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let number = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
        let mut faults = Vec::new();
        let group = self.group.as_deref().unwrap_or("root");
        for (field, name) in [("name", self.name.as_str()), ("group", group)] {
            if number(name) {
                let message = format!("`{field}` is a number");
                let help = "name it; a number goes into `uid` or `gid`";
                faults.push(Fault::new(field, message, help));
            }
        }
        if self.name == "root" {
            let help = "this kind is for accounts of services";
            faults.push(Fault::new("name", "root is no account to be made", help));
        }
        let comment = self.comment.as_deref().unwrap_or_default();
        if comment.contains([':', '\n']) {
            let help = "a colon or a line break would end the field in /etc/passwd";
            faults.push(Fault::new("comment", "`comment` breaks /etc/passwd", help));
        }
        faults
    }

    fn claims(&self) -> Vec<Claim> {
        let mut claims = vec![Claim {
            fact: format!("account:{}", self.name),
            value: format!("{} {} {}", self.group(), self.home, self.shell),
        }];
        claims.extend(self.uid.map(|uid| Claim {
            fact: format!("uid:{uid}"),
            value: self.name.clone(),
        }));
        claims.extend(self.gid.map(|gid| Claim {
            fact: format!("gid:{gid}"),
            value: self.group().to_owned(),
        }));
        claims
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        found::look(&host.root, &self.name, self.group())
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        match (seen.group, self.gid) {
            (None, _) => {
                diff.differs("group", "absent", self.group());
                diff.actions.push(Action::AddGroup);
            }
            (Some(have), Some(want)) if have != want => {
                diff.differs("gid", have.to_string(), want.to_string());
                diff.actions.push(Action::Renumber(want));
            }
            (Some(_), _) => {}
        }
        match &seen.user {
            None => {
                diff.differs("user", "absent", "a system account that nobody logs in to");
                diff.actions.push(Action::AddUser);
            }
            Some(user) => self.judge(user, self.gid.or(seen.group), &mut diff),
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (account, action) in batch {
            account.step(action, host)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
