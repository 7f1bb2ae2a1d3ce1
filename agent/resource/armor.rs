//! Base64 and the text blocks `-----BEGIN X-----` … `-----END X-----` of certificates and keys.
//! It is separate because two kinds read them, and it is pure: what is read comes from outside and is bounded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Larger texts hold no key and no certificate that a person pinned.
pub(crate) const LIMIT: usize = 1 << 20;

/// Letters in a line of base64 (RFC 7468, section 2).
const LINE: usize = 64;

/// Decodes base64; white space is skipped. None for anything that is no whole, padded base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let letters: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(letters).ok()
}

/// Encodes base64 with padding, in lines of 64.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = STANDARD.encode(bytes);
    // From the end, so that places before are still right.
    for at in (LINE..text.len()).step_by(LINE).rev() {
        text.insert(at, '\n');
    }
    text
}

/// What stands between the first and last line of each block with this label, header lines and all.
/// None when a block is not closed.
pub(crate) fn blocks<'t>(text: &'t str, label: &str) -> Option<Vec<&'t str>> {
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(&begin) {
        let (body, next) = after.split_once(&end)?;
        if body.contains("-----BEGIN") {
            return None;
        }
        found.push(body);
        rest = next;
    }
    Some(found)
}

/// The bytes of each PEM block with this label; none when one is broken.
pub(crate) fn pem(text: &str, label: &str) -> Option<Vec<Vec<u8>>> {
    blocks(text, label)?.into_iter().map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_both_ways_and_refuses_what_is_torn() {
        // The table of RFC 4648, section 10.
        let table = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in table {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).as_deref(), Some(plain.as_bytes()), "{coded}");
        }
        assert_eq!(decode(" Zm9\nv ").as_deref(), Some(&b"foo"[..]));
        let long: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&long)), Some(long.clone()));
        assert!(encode(&long).lines().all(|line| line.len() <= 64));
        for wrong in ["Z", "Zg", "Zg=", "Zg=a", "====", "Z!==", "Zm9v="] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn blocks_are_found_and_must_be_closed() {
        let text = "x\n-----BEGIN A-----\nZm9v\n-----END A-----\n-----BEGIN B-----\n-----END B-----\n\
                    -----BEGIN A-----Zg==-----END A-----";
        assert_eq!(pem(text, "A").unwrap(), [b"foo".to_vec(), b"f".to_vec()]);
        assert_eq!(pem(text, "C").unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(pem("-----BEGIN A-----\nZm9v\n", "A"), None);
        let nested = "-----BEGIN A-----\n-----BEGIN A-----\nZg==\n-----END A-----";
        assert_eq!(pem(nested, "A"), None);
    }
}
