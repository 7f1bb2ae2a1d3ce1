//! Swap lines of /etc/fstab.
//! It is separate because the file is a person's: every byte but those lines must stay.

use serde::Serialize;

use super::{FSTAB, comment_out, rewrite};
use crate::error::Result;
use crate::host::{Host, Root};

/// A line that systemd would make a swap unit of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FstabLine {
    /// The line's number.
    pub number: usize,
    /// The line, blanks as one space.
    pub text: String,
}

/// All swap lines.
pub(super) fn observe(root: &Root) -> Result<Vec<FstabLine>> {
    Ok(swap_lines(&root.read(FSTAB)?.unwrap_or_default()))
}

/// Comments them out.
pub(super) fn comment_swap_out(host: &Host) -> Result<()> {
    let bytes = host.root.read(FSTAB)?.unwrap_or_default();
    let swap = swap_lines(&bytes);
    let changed = comment_out(&bytes, |number| {
        swap.iter().any(|line| line.number == number)
    });
    rewrite(host, FSTAB, &changed)
}

fn swap_lines(bytes: &[u8]) -> Vec<FstabLine> {
    let lines = bytes.split(|byte| *byte == b'\n').zip(1usize..);
    lines
        .filter_map(|(line, number)| {
            let line = String::from_utf8_lossy(line);
            let fields: Vec<&str> = line.split_whitespace().collect();
            let swap = fields.get(2) == Some(&"swap") && !fields.concat().starts_with('#');
            swap.then(|| FstabLine {
                number,
                text: fields.join(" "),
            })
        })
        .collect()
}
