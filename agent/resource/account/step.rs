//! The steps that make an account what is wanted, by the account database's own tools.
//! It is separate because the tools lock and change several files as one, which no write of ours could.

use std::fmt;

use super::{Account, found};
use crate::error::{Error, Result};
use crate::host::{Cmd, Host};

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Adds the group.
    AddGroup,
    /// Gives the group another number.
    Renumber(u32),
    /// Adds the user, locked and without a home.
    AddUser,
    /// Changes the user with these arguments of usermod.
    Change(Vec<String>),
    /// Adds missing lines to /etc/shadow.
    Shadow,
    /// Locks the password.
    Lock,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::AddGroup => write!(f, "add the group"),
            Action::Renumber(gid) => write!(f, "give the group the number {gid}"),
            Action::AddUser => write!(f, "add the user, locked"),
            Action::Change(arguments) => write!(f, "change the user: {}", arguments.join(" ")),
            Action::Shadow => write!(f, "add the missing line to /etc/shadow"),
            Action::Lock => write!(f, "lock the password"),
        }
    }
}

impl Account {
    /// Performs one step; what a killed run has already added is not added twice.
    pub(super) fn step(&self, action: &Action, host: &Host) -> Result<()> {
        let now = || found::look(&host.root, &self.name, self.group());
        let argv = match action {
            Action::AddGroup if now()?.group.is_some() => return Ok(()),
            Action::AddUser if now()?.user.is_some() => return Ok(()),
            Action::AddGroup => self.groupadd(),
            Action::AddUser => self.useradd(),
            Action::Renumber(gid) => words(&["groupmod", "--gid", &gid.to_string(), self.group()]),
            Action::Change(arguments) => {
                let head = words(&["usermod"]).into_iter();
                head.chain(arguments.iter().cloned())
                    .chain([self.name.clone()])
                    .collect()
            }
            Action::Shadow => words(&["pwconv"]),
            Action::Lock => words(&["usermod", "--lock", &self.name]),
        };
        run(host, &Cmd::new(argv))
    }

    fn groupadd(&self) -> Vec<String> {
        let mut argv = words(&["groupadd", "--system"]);
        argv.extend(option("--gid", self.gid));
        argv.push(self.group().to_owned());
        argv
    }

    fn useradd(&self) -> Vec<String> {
        let mut argv = words(&["useradd", "--system", "--no-create-home"]);
        argv.extend(words(&["--no-user-group", "--gid", self.group()]));
        argv.extend(words(&["--home-dir", &self.home, "--shell", &self.shell]));
        argv.extend(option("--uid", self.uid));
        argv.extend(option("--comment", self.comment.as_ref()));
        argv.push(self.name.clone());
        argv
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

fn option(name: &str, value: Option<impl ToString>) -> Vec<String> {
    let value = value.map(|value| value.to_string());
    value.map_or_else(Vec::new, |value| vec![name.to_owned(), value])
}

fn run(host: &Host, cmd: &Cmd) -> Result<()> {
    let output = host.exec.run(cmd)?;
    if output.ok() {
        return Ok(());
    }
    let said = output.errors();
    let said = said.lines().rfind(|line| !line.trim().is_empty());
    Err(Error::host(format!("run '{}'", cmd.brief()))
        .because(format!(
            "exit {}: {}",
            output.code,
            said.unwrap_or("nothing on standard error")
        ))
        .hint("run it by hand; it comes with the package passwd or shadow-utils"))
}
