//! The steps that make a file what is wanted, in words.
//! It is separate because the kinds that generate files show the same steps as their own.

use std::fmt;

use crate::resource::access::Access;

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Replaces whatever is at the path, but for a directory, by the wanted content; missing parents are made.
    Write {
        /// Bytes to write; none for the running binary, whose size is known when it is read.
        size: Option<u64>,
        /// Mode and owner.
        access: Access,
    },
    /// Sets mode and owner; the content is right.
    SetAttr(Access),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Write {
                size: Some(size),
                access,
            } => write!(f, "write {size} bytes, {access}"),
            Action::Write { size: None, access } => {
                write!(f, "write the running binary, {access}")
            }
            Action::SetAttr(access) => write!(f, "set {access}"),
        }
    }
}
