//! The records of a PAX extended header: `LENGTH KEY=VALUE`.
//! They are separate because they override what the header says, and two readers that disagree on that are an attack.

use std::io;

use super::bad;

/// What extended headers say of the next entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pax {
    /// Its path.
    pub(super) path: Option<Vec<u8>>,
    /// Where its link leads.
    pub(super) link: Option<Vec<u8>>,
    /// Its size; it counts, whatever the header says.
    pub(super) size: Option<u64>,
}

impl Pax {
    /// Adds the records of one extended header.
    pub(super) fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        for record in records(bytes) {
            let (key, value) = record?;
            self.add(key, value)?;
        }
        Ok(())
    }

    fn add(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => {
                let digits = std::str::from_utf8(value).ok();
                let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                let size = digits.and_then(|text| text.parse().ok());
                self.size = Some(size.ok_or_else(|| bad("a PAX size is no number"))?);
            }
            _ if key.starts_with(b"GNU.sparse.") => return Err(bad("it holds a sparse file")),
            // Times, owners, comments and attributes: what is placed has those that we give it.
            _ => {}
        }
        Ok(())
    }

    /// Whether it says anything of an entry.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The records of one extended header, as key and value; it ends with the first that cannot be read.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = io::Result<(&[u8], &[u8])>> {
    let mut left = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = left.take().filter(|bytes| !bytes.is_empty())?;
        let Some((record, rest)) = split(bytes) else {
            return Some(Err(bad("a PAX record has a wrong length")));
        };
        let at = record.iter().position(|byte| *byte == b'=');
        let pair = at.and_then(|at| Some((record.get(..at)?, record.get(at + 1..)?)));
        if pair.is_some() {
            left = Some(rest);
        }
        Some(pair.ok_or_else(|| bad("a PAX record has no value")))
    })
}

/// The first record without its length and line end, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(bytes.get(..blank)?)
        .ok()?
        .parse()
        .ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    Some((record.get(blank + 1..)?.strip_suffix(b"\n")?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_by_their_length() {
        let mut pax = Pax::default();
        pax.read(b"12 path=a=b\n13 size=12345\n19 mtime=1.5000000\n")
            .unwrap_err();
        let mut pax = Pax::default();
        pax.read(b"12 path=a=b\n14 size=12345\n18 mtime=1.500000\n")
            .unwrap();
        assert_eq!(
            (pax.path.as_deref(), pax.size),
            (Some(&b"a=b"[..]), Some(12345))
        );
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let table: [&[u8]; 8] = [
            b"x path=a\n",
            b"99 path=a\n",
            b"9 path=a",
            b"0 path=a\n",
            b"-9 path=a\n",
            b"8 pathaa\n",
            b"11 size=-1\n",
            b"22 GNU.sparse.major=1\n",
        ];
        for bytes in table {
            assert!(Pax::default().read(bytes).is_err(), "{bytes:?}");
        }
    }
}
