//! A line on the system console, which clouds keep and show without a login.
//! It is separate because a serial line that nobody reads can block for ever, and must not.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::fcntl::OFlag;

use crate::error::{Context as _, Result};

/// The console that the kernel was told to use.
pub(super) const DEVICE: &str = "/dev/console";

/// Writes it, or fails at once where the line is full.
pub(super) fn write(device: &Path, line: &str) -> Result<()> {
    let doing = || format!("write a line to {}", device.display());
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(flags.bits())
        .open(device)
        .context(doing)?;
    file.write_all(line.as_bytes()).context(doing)
}
