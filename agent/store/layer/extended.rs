//! Extension records of an entry (PAX, GNU long names) and how they and its header make the entry.
//! It is separate because this is where two readers of one archive come to differ, which hides entries from one of them.

use super::entry::{Entry, Kind, PERMISSIONS, Time, clean};
use super::error::{LayerError, Result, shown};
use super::header::Header;
use crate::host::archive::header::text;
use crate::host::archive::pax::records;

/// Most extended attributes of one entry, far more than a file system takes.
const ATTRIBUTES: usize = 1024;

/// What precedes an entry and speaks of it.
#[derive(Debug, Default)]
pub(super) struct Extended {
    /// GNU's long name.
    name: Vec<u8>,
    /// GNU's long link.
    link: Vec<u8>,
    pax: Pax,
    /// Anything came.
    pub(super) any: bool,
}

/// The records of the last extended header.
#[derive(Debug, Default)]
struct Pax {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<i64>,
    uid: Option<i64>,
    gid: Option<i64>,
    mtime: Option<Time>,
    atime: Option<Time>,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    sparse: bool,
}

impl Extended {
    /// Adds one extension record of this type. A later extended header replaces an earlier one, as in Go.
    pub(super) fn add(&mut self, kind: u8, bytes: &[u8]) -> Result<()> {
        self.any = true;
        match kind {
            b'L' => self.name = text(bytes).to_vec(),
            b'K' => self.link = text(bytes).to_vec(),
            _ => self.pax = Pax::read(bytes)?,
        }
        Ok(())
    }

    /// The entry that a header and these records make.
    pub(super) fn entry(self, header: Header) -> Result<Entry> {
        let pax = self.pax;
        let first = |a: Vec<u8>, b: Option<Vec<u8>>, c: Vec<u8>| match (a.is_empty(), b) {
            (false, _) => a,
            (true, Some(b)) => b,
            (true, None) => c,
        };
        let name = first(self.name, pax.path, header.name);
        if pax.sparse || header.kind == b'S' {
            let what = format!("{} is a sparse file", shown(&name));
            return Err(LayerError::Unusual(what));
        }
        let kind = kind(header.kind, &name)?;
        let mtime = pax.mtime.unwrap_or_else(|| seconds(header.mtime));
        let atime = pax.atime.or(header.atime.map(seconds)).unwrap_or(mtime);
        Ok(Entry {
            path: clean(&name),
            kind,
            link: first(self.link, pax.link, header.link),
            size: size(kind, pax.size.unwrap_or(header.size), &name)?,
            mode: u32::try_from(header.mode & i64::from(PERMISSIONS)).unwrap_or_default(),
            uid: owner(pax.uid.unwrap_or(header.uid), &name)?,
            gid: owner(pax.gid.unwrap_or(header.gid), &name)?,
            mtime: mtime.bounded(),
            atime: atime.max(mtime).bounded(),
            device: device(kind, header.device, &name)?,
            xattrs: pax.xattrs,
        })
    }
}

impl Pax {
    fn read(bytes: &[u8]) -> Result<Self> {
        let mut pax = Self::default();
        for record in records(bytes) {
            let (key, value) = record.map_err(|error| LayerError::image(error.to_string()))?;
            let named = matches!(key, b"path" | b"linkpath" | b"uname" | b"gname");
            if key.is_empty() || (if named { value } else { key }).contains(&0) {
                return Err(LayerError::image("a PAX record has a zero byte in it"));
            }
            pax.add(key, value)?;
        }
        Ok(pax)
    }

    /// One record; one without a value takes back what an earlier one said.
    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let some = !value.is_empty();
        match key {
            b"path" => self.path = some.then(|| value.to_vec()),
            b"linkpath" => self.link = some.then(|| value.to_vec()),
            b"size" => self.size = some.then(|| integer(value)).transpose()?,
            b"uid" => self.uid = some.then(|| integer(value)).transpose()?,
            b"gid" => self.gid = some.then(|| integer(value)).transpose()?,
            b"mtime" => self.mtime = some.then(|| time(value)).transpose()?,
            b"atime" => self.atime = some.then(|| time(value)).transpose()?,
            // Not used, and yet an archive that Go would not read is not one.
            b"ctime" if some => _ = time(value)?,
            _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    return self.attribute(name, value);
                }
            }
        }
        Ok(())
    }

    fn attribute(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        self.xattrs.retain(|(other, _)| other != name);
        if self.xattrs.len() >= ATTRIBUTES {
            return Err(LayerError::image("an entry has too many attributes"));
        }
        self.xattrs.push((name.to_vec(), value.to_vec()));
        Ok(())
    }
}

fn kind(letter: u8, name: &[u8]) -> Result<Kind> {
    Ok(match letter {
        0 if name.ends_with(b"/") => Kind::Directory,
        0 | b'0' => Kind::File,
        b'1' => Kind::HardLink,
        b'2' => Kind::Symlink,
        b'3' => Kind::Character,
        b'4' => Kind::Block,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        b'g' => Kind::Global,
        other => {
            let letter = char::from(other).escape_default();
            return Err(LayerError::image(format!(
                "{} is of the unknown type '{letter}'",
                shown(name)
            )));
        }
    })
}

/// The size of the content that follows: only files have one, whatever the header of another entry states.
fn size(kind: Kind, stated: i64, name: &[u8]) -> Result<u64> {
    if kind != Kind::File {
        return Ok(0);
    }
    u64::try_from(stated)
        .map_err(|_| LayerError::image(format!("{} has a negative size", shown(name))))
}

/// An owner; the largest number means "leave it" to the kernel.
fn owner(id: i64, name: &[u8]) -> Result<u32> {
    let id = u32::try_from(id).ok().filter(|id| *id != u32::MAX);
    id.ok_or_else(|| LayerError::image(format!("{} has an impossible owner", shown(name))))
}

/// Device numbers that Linux has.
fn device(kind: Kind, numbers: (i64, i64), name: &[u8]) -> Result<(u32, u32)> {
    if !matches!(kind, Kind::Character | Kind::Block) {
        return Ok((0, 0));
    }
    let fits = |number: i64, bits: u32| u32::try_from(number).ok().filter(|n| n >> bits == 0);
    fits(numbers.0, 12)
        .zip(fits(numbers.1, 20))
        .ok_or_else(|| LayerError::image(format!("{} has impossible numbers", shown(name))))
}

fn seconds(seconds: i64) -> Time {
    Time {
        seconds,
        nanoseconds: 0,
    }
}

fn integer(value: &[u8]) -> Result<i64> {
    let number = std::str::from_utf8(value).ok();
    number
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| LayerError::image("a PAX record holds a number that cannot be read"))
}

/// Seconds with any number of decimals, of which nine count.
fn time(value: &[u8]) -> Result<Time> {
    let bad = || LayerError::image("a PAX record holds a time that cannot be read");
    let (whole, fraction) = match value.iter().position(|byte| *byte == b'.') {
        Some(at) => (value.get(..at), value.get(at + 1..).unwrap_or_default()),
        None => (Some(value), &[][..]),
    };
    let whole = whole.unwrap_or_default();
    let seconds = integer(whole).map_err(|_| bad())?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0'));
    let nanoseconds = digits
        .take(9)
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    // Before 1970 the decimals count backwards; all of that becomes 1970 anyhow.
    let before = whole.starts_with(b"-") && nanoseconds > 0;
    Ok(match before {
        true => self::seconds(seconds.saturating_sub(1)),
        false => Time {
            seconds,
            nanoseconds,
        },
    })
}
