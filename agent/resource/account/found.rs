//! What the tree's own passwd, group and shadow files say of one account.
//! It is separate because a hash is read here and must not leave this file.

use serde::Serialize;

use crate::error::{Context as _, Result};
use crate::host::{Root, accounts};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The user; none when /etc/passwd has no such line.
    pub user: Option<User>,
    /// Number of the wanted group; none when /etc/group has no such line.
    pub group: Option<u32>,
}

/// A user, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// User number.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// What a person reads about it.
    pub comment: String,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// What a password would open.
    pub password: Password,
    /// Lines of /etc/passwd that have the name; the first counts.
    pub lines: usize,
    /// Other users with the same number.
    pub shared: Vec<String>,
}

/// What the password field is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Password {
    /// No password fits.
    Locked,
    /// A hash, or something that could be one.
    Set,
    /// None is asked for.
    Empty,
    /// /etc/passwd points to /etc/shadow, which has no such line.
    NoLine,
}

/// Looks an account up.
pub(super) fn look(root: &Root, name: &str, group: &str) -> Result<Seen> {
    let doing = || format!("look up the account {name}");
    let read = |path: &str| -> Result<String> {
        let bytes = root.read(path).context(doing)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let shadow = read("/etc/shadow")?;
    Ok(Seen {
        user: user(&read("/etc/passwd")?, &shadow, name),
        group: accounts::find_gid(root, group).context(doing)?,
    })
}

fn user(passwd: &str, shadow: &str, name: &str) -> Option<User> {
    let lines: Vec<Vec<&str>> = passwd
        .lines()
        .map(|line| line.split(':').collect())
        .collect();
    let mine = || lines.iter().filter(|line| line.first() == Some(&name));
    let (uid, gid, line) = mine().find_map(|line| {
        let number = |at: usize| line.get(at)?.parse::<u32>().ok();
        Some((number(2)?, number(3)?, line))
    })?;
    let text = |at: usize| line.get(at).copied().unwrap_or_default();
    let shared = lines.iter().filter(|other| {
        let same = other.get(2).and_then(|n| n.parse().ok()) == Some(uid);
        same && other.first() != Some(&name)
    });
    Some(User {
        uid,
        gid,
        comment: text(4).to_owned(),
        home: text(5).to_owned(),
        shell: text(6).to_owned(),
        password: password(text(1), shadow, name),
        lines: mine().count(),
        shared: shared
            .filter_map(|other| other.first().map(|&name| name.to_owned()))
            .collect(),
    })
}

/// passwd(5): `x` leads to shadow(5); anything else stands for itself.
fn password(field: &str, shadow: &str, name: &str) -> Password {
    let worth = |field: &str| match field {
        "" => Password::Empty,
        _ if field.starts_with(['!', '*']) => Password::Locked,
        _ => Password::Set,
    };
    if field != "x" {
        return worth(field);
    }
    let line = shadow.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.next().unwrap_or_default())
    });
    line.map_or(Password::NoLine, worth)
}
