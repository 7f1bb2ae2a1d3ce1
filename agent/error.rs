//! The one error type and the exit codes: what was being done to which object, the cause, the next step.
//! It is separate and lowest in rank because every layer returns it and `main` alone turns it into a code.

use std::fmt;

use nix::errno::Errno;

/// What went wrong, in the terms that decide the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong (exit 2).
    Usage,
    /// The policy is wrong; nothing was touched (exit 2).
    Policy,
    /// Doing it would be unsafe here: not a build machine, sealed, locked, wrong OS (exit 4).
    Refused,
    /// It goes on after a reboot (exit 6).
    Reboot,
    /// The host did not do what was asked of it (exit 1).
    Host,
    /// Stopped between two steps by this signal number (exit 128+n).
    Interrupted(i32),
}

/// Exit codes of every verb; when several hold, the first in `PRECEDENCE` wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Conforms, or done.
    Ok,
    /// Failed, or a required entry could not be checked.
    Failed,
    /// Usage or policy error.
    Usage,
    /// Drift, or a change is pending.
    Drift,
    /// Refused.
    Refused,
    /// Nothing was checked.
    Nothing,
    /// A reboot is needed, then go on.
    Reboot,
    /// Stopped by this signal.
    Signal(i32),
}

/// Order in which exit codes win over each other (design: 2, 4, 1, 6, 3, 5, 0).
const PRECEDENCE: [Exit; 7] = [
    Exit::Usage,
    Exit::Refused,
    Exit::Failed,
    Exit::Reboot,
    Exit::Drift,
    Exit::Nothing,
    Exit::Ok,
];

impl Exit {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Drift => 3,
            Exit::Refused => 4,
            Exit::Nothing => 5,
            Exit::Reboot => 6,
            Exit::Signal(n) => 128u8.wrapping_add(u8::try_from(n).unwrap_or(0)),
        }
    }

    /// The one of two codes that is reported when both hold; a signal beats all.
    #[must_use]
    pub fn and(self, other: Exit) -> Exit {
        if let Exit::Signal(_) = self {
            return self;
        }
        if let Exit::Signal(_) = other {
            return other;
        }
        PRECEDENCE
            .into_iter()
            .find(|e| *e == self || *e == other)
            .unwrap_or(self)
    }
}

/// An error: what was being done, why it failed, and what a person can do next.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    doing: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    hint: Option<String>,
}

/// What is said of something and of each of its causes, on one line.
pub(crate) fn with_causes(said: &str, cause: Option<&(dyn std::error::Error + 'static)>) -> String {
    let mut text = said.to_owned();
    let mut next = cause;
    while let Some(cause) = next {
        let said = cause.to_string();
        // Some libraries' errors say their cause's words themselves.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// The result type of every fallible function here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A host error without a further cause.
    pub fn host(doing: impl Into<String>) -> Self {
        Self::new(Kind::Host, doing)
    }

    /// A refusal (exit 4).
    pub fn refused(doing: impl Into<String>) -> Self {
        Self::new(Kind::Refused, doing)
    }

    /// A usage error (exit 2).
    pub fn usage(doing: impl Into<String>) -> Self {
        Self::new(Kind::Usage, doing)
    }

    /// An error of any kind without a further cause.
    pub fn new(kind: Kind, doing: impl Into<String>) -> Self {
        Self {
            kind,
            doing: doing.into(),
            cause: None,
            hint: None,
        }
    }

    /// Adds the next step a person can take, printed last.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the underlying cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What kind of error this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The exit code of a process that ends with this error.
    pub fn exit(&self) -> Exit {
        match self.kind {
            Kind::Usage | Kind::Policy => Exit::Usage,
            Kind::Refused => Exit::Refused,
            Kind::Reboot => Exit::Reboot,
            Kind::Host => Exit::Failed,
            Kind::Interrupted(n) => Exit::Signal(n),
        }
    }

    /// The chain on one line, for records and findings.
    pub fn one_line(&self) -> String {
        with_causes(&self.doing, std::error::Error::source(self))
    }

    /// The hint of this error or of the nearest cause that has one, else what usually helps against the last cause.
    pub fn next_step(&self) -> Option<&str> {
        let cause = || self.cause.as_ref();
        self.hint
            .as_deref()
            .or_else(|| match cause()?.downcast_ref::<Error>() {
                Some(inner) => inner.next_step(),
                None => usual(&**cause()?),
            })
    }
}

/// What usually helps against an error of the kernel.
fn usual(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<&'static str> {
    let io = cause.downcast_ref::<std::io::Error>();
    let errno = match io {
        Some(io) => Errno::from_raw(io.raw_os_error()?),
        None => *cause.downcast_ref::<Errno>()?,
    };
    match errno {
        Errno::ENOSPC | Errno::EDQUOT => {
            Some("free some space, then run the same command again: it does what is still missing")
        }
        Errno::EROFS => Some("mount it for writing, then run the same command again"),
        Errno::EACCES | Errno::EPERM => Some("run it as root"),
        _ => None,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.doing)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
            .as_ref()
            .map(|c| &**c as &(dyn std::error::Error + 'static))
    }
}

/// Adds to a failed result what was being done to which object.
pub trait Context<T> {
    /// Wraps the error; an inner `Error` keeps its kind and its hint.
    fn context<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T>
    for std::result::Result<T, E>
{
    fn context<S: Into<String>>(self, doing: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| {
            let cause = e.into();
            let kind = cause
                .downcast_ref::<Error>()
                .map_or(Kind::Host, Error::kind);
            Error {
                kind,
                doing: doing().into(),
                cause: Some(cause),
                hint: None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_is_the_fixed_one() {
        let table = [
            (Exit::Ok, Exit::Nothing, Exit::Nothing),
            (Exit::Drift, Exit::Nothing, Exit::Drift),
            (Exit::Drift, Exit::Reboot, Exit::Reboot),
            (Exit::Failed, Exit::Reboot, Exit::Failed),
            (Exit::Failed, Exit::Refused, Exit::Refused),
            (Exit::Refused, Exit::Usage, Exit::Usage),
            (Exit::Usage, Exit::Signal(15), Exit::Signal(15)),
        ];
        for (a, b, want) in table {
            assert_eq!(a.and(b), want);
            assert_eq!(b.and(a), want);
        }
        assert_eq!(Exit::Signal(15).code(), 143);
    }

    #[test]
    fn a_chain_keeps_kind_and_hint() {
        let inner: Result<()> = Err(Error::refused("write /x").hint("remount it"));
        let outer = inner.context(|| "bake").unwrap_err();
        assert_eq!(outer.exit(), Exit::Refused);
        assert_eq!(outer.one_line(), "bake: write /x");
        assert_eq!(outer.next_step(), Some("remount it"));
        let said = Error::host("no such file");
        let twice = Error::host("connect: no such file").because(said);
        assert_eq!(twice.one_line(), "connect: no such file");
    }
}
