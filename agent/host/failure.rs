//! Why an image could not be had, by class: what the failures file and the exit of a bake tell.
//! It is separate because registry, layer writer and store all end in it, and people sort their work by it.

use std::fmt;

use serde::Serialize;

use crate::error::Error;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The registry has no such image or blob.
    NotFound,
    /// The registry wants another login.
    Auth,
    /// The TLS handshake failed.
    Tls,
    /// The registry's name has no address.
    Dns,
    /// No answer in time.
    Timeout,
    /// Nobody answered, or the connection broke, after all retries.
    Network,
    /// The registry answered with an error of its own, or not as the protocol says, after all retries.
    Registry,
    /// What came is not what the digest or size says.
    Digest,
    /// There is no room.
    DiskFull,
    /// The image is not for the wanted platform.
    Platform,
    /// The image's documents or layers are broken or hostile.
    Image,
    /// containerd or its store did not do what was asked.
    Store,
}

impl Class {
    /// The class as one word.
    pub fn word(self) -> &'static str {
        match self {
            Class::NotFound => "not-found",
            Class::Auth => "auth",
            Class::Tls => "tls",
            Class::Dns => "dns",
            Class::Timeout => "timeout",
            Class::Network => "network",
            Class::Registry => "registry",
            Class::Digest => "digest",
            Class::DiskFull => "disk-full",
            Class::Platform => "platform",
            Class::Image => "image",
            Class::Store => "store",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An error with its class. As an `io::Error`'s inner error it comes through readers unchanged.
#[derive(Debug)]
pub struct Failure {
    /// Its class.
    pub class: Class,
    /// What was being done, why it failed, what to do next.
    pub error: Error,
}

impl Failure {
    /// A failure of this class.
    pub fn new(class: Class, error: Error) -> Self {
        Self { class, error }
    }

    /// The failure that a reader or writer passed on, or one of its own: no room is told from the rest.
    pub fn of_io(error: std::io::Error, doing: impl Into<String>) -> Self {
        let full = matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        );
        match error.downcast::<Failure>() {
            Ok(failure) => failure,
            Err(error) if full => {
                let hint =
                    "make room, or give the disk more; what was fetched is kept for the next try";
                Self::new(
                    Class::DiskFull,
                    Error::host(doing).because(error).hint(hint),
                )
            }
            Err(error) => Self::new(Class::Store, Error::host(doing).because(error)),
        }
    }
}

impl From<Failure> for std::io::Error {
    fn from(failure: Failure) -> Self {
        std::io::Error::other(failure)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.error)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_comes_through_a_reader_and_a_full_disk_is_told() {
        let failure = Failure::new(Class::Digest, Error::host("x"));
        let through = Failure::of_io(std::io::Error::from(failure), "read");
        assert_eq!(through.class, Class::Digest);
        let full = std::io::Error::from_raw_os_error(28);
        assert_eq!(Failure::of_io(full, "write").class, Class::DiskFull);
        let io = std::io::Error::from_raw_os_error(5);
        assert_eq!(Failure::of_io(io, "write").class, Class::Store);
    }
}
