//! The version of RKE2: how it is written, what the program says, and whether the program's file names it.
//! It is separate because a release does not state its version anywhere else, and three places ask for it.

use std::io::{self, Read};

/// `vX.Y.Z+rke2rN`, also with `-rc1` and such.
pub(super) fn is_version(text: &str) -> bool {
    let Some((kubernetes, release)) = text.strip_prefix('v').and_then(|rest| rest.split_once('+'))
    else {
        return false;
    };
    let word = |text: &str| {
        let mut bytes = text.bytes();
        !text.is_empty()
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
    };
    word(kubernetes)
        && kubernetes.starts_with(|c: char| c.is_ascii_digit())
        && word(release)
        && release.starts_with("rke2")
}

/// The version in what `rke2 --version` prints: `rke2 version v1.34.2+rke2r1 (…)`.
pub(crate) fn stated(text: &str) -> Option<String> {
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix("rke2 version "))?;
    rest.split_whitespace().next().map(str::to_owned)
}

/// Whether a program holds its version as text, not followed by a further digit.
pub(super) fn holds(from: &mut impl Read, text: &[u8]) -> io::Result<bool> {
    let mut window: Vec<u8> = Vec::new();
    let mut found = false;
    loop {
        let keep = window.len().saturating_sub(text.len());
        window.drain(..keep);
        let read = from.take(1 << 20).read_to_end(&mut window)?;
        found |= window
            .windows(text.len() + 1)
            .any(|part| part.starts_with(text) && !part.last().is_some_and(u8::is_ascii_digit));
        if read == 0 {
            return Ok(found || window.ends_with(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_where_it_stands_alone() {
        let long = |at: usize| {
            let mut bytes = vec![b'x'; (1 << 20) + at];
            bytes.extend(b"v1.28.15+rke2r1 ");
            bytes
        };
        let table: [(&[u8], bool); 6] = [
            (b"..v1.28.15+rke2r1..", true),
            (b"v1.28.15+rke2r1", true),
            (b"..v1.28.15+rke2r12..", false),
            (b"v1.28.15+rke2r12 v1.28.15+rke2r1\0", true),
            (b"v1.28.1+rke2r1", false),
            (b"", false),
        ];
        for (bytes, want) in table {
            assert_eq!(holds(&mut &bytes[..], b"v1.28.15+rke2r1").unwrap(), want);
        }
        // At each place around the end of what is read at once.
        for at in 0..20 {
            let bytes = long(at);
            let bytes = bytes.get(16..).unwrap();
            assert!(holds(&mut &bytes[..], b"v1.28.15+rke2r1").unwrap(), "{at}");
        }
    }
}
