//! Why a layer was not written: it is broken or hostile, the disk failed, or it needs containerd's own unpacker.
//! It is separate because the caller acts on that difference: what is merely unusual has another way in.

use std::fmt;

use rustix::io::Errno;

use crate::error::Error;
use crate::host::failure::{Class, Failure};

/// Why a layer was not written.
#[derive(Debug)]
pub enum LayerError {
    /// It holds something that is allowed and that this writer leaves to containerd's diff service; what, in words.
    Unusual(String),
    /// It is broken or hostile (`Class::Image`), or its files could not be written.
    Failed(Failure),
}

/// The result of everything here.
pub(super) type Result<T, E = LayerError> = std::result::Result<T, E>;

impl LayerError {
    /// A layer that is broken or hostile.
    pub(super) fn image(what: impl Into<String>) -> Self {
        let error = Error::host("unpack the layer").because(what.into());
        Self::Failed(Failure::new(Class::Image, error))
    }

    /// What the kernel said to something that was done to an entry. Names and links that it refuses are the layer's fault.
    pub(super) fn os(errno: Errno, doing: &str, path: &[u8]) -> Self {
        let doing = format!("{doing} {}", shown(path));
        let error = std::io::Error::from(errno);
        match errno {
            Errno::NAMETOOLONG
            | Errno::LOOP
            | Errno::NOTDIR
            | Errno::ISDIR
            | Errno::MLINK
            | Errno::NOENT
            | Errno::RANGE
            | Errno::TOOBIG => {
                let error = Error::host(doing).because(error);
                Self::Failed(Failure::new(Class::Image, error))
            }
            _ => Self::Failed(Failure::of_io(error, doing)),
        }
    }
}

/// A path of a layer as it may be printed: short, nothing but printable characters.
pub(super) fn shown(path: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text = path.get(..LONGEST).unwrap_or(path).escape_ascii();
    let dots = if path.len() > LONGEST { "…" } else { "" };
    format!("'{text}{dots}'")
}

impl fmt::Display for LayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerError::Unusual(what) => write!(f, "the layer is out of the ordinary: {what}"),
            LayerError::Failed(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for LayerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            LayerError::Unusual(_) => None,
            LayerError::Failed(failure) => failure.source(),
        }
    }
}

impl From<LayerError> for Failure {
    fn from(error: LayerError) -> Self {
        match error {
            LayerError::Failed(failure) => failure,
            unusual @ LayerError::Unusual(_) => {
                let error = Error::host("unpack the layer").because(unusual.to_string());
                Failure::new(Class::Image, error)
            }
        }
    }
}
