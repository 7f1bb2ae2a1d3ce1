//! The running binary itself: its bytes and its digest.
//! It is separate because it belongs to this process and never to the root that is worked on.

use std::sync::OnceLock;

use crate::error::{Context as _, Error, Result};
use crate::host::root::sha256;

/// The kernel's own name for the program of this process; it stays right when the file is replaced meanwhile.
const SELF: &str = "/proc/self/exe";

/// The bytes of the running binary.
pub fn self_binary() -> Result<Vec<u8>> {
    std::fs::read(SELF)
        .context(|| format!("read the running binary through {SELF}"))
        .map_err(|error: Error| error.hint("mount /proc where this runs"))
}

/// SHA-256 of the running binary, in hex; computed once.
pub fn self_digest() -> Result<String> {
    static DIGEST: OnceLock<String> = OnceLock::new();
    if let Some(digest) = DIGEST.get() {
        return Ok(digest.clone());
    }
    let digest = sha256(&self_binary()?);
    Ok(DIGEST.get_or_init(|| digest).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_file_that_runs() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(self_digest().unwrap(), sha256(&file));
        assert_eq!(self_binary().unwrap().len(), file.len());
    }
}
