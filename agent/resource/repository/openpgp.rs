//! OpenPGP public keys as far as pinning needs: the packets of a key file and the fingerprint of its primary key.
//! It is separate because it is pure and reads what comes from outside; signatures are for apt and rpm to verify.

use sha1::Digest as _;

use crate::host::root::hex;
use crate::resource::armor;

const LABEL: &str = "PGP PUBLIC KEY BLOCK";
/// Packet types (RFC 9580, section 5).
const SIGNATURE: u8 = 2;
const PUBLIC_KEY: u8 = 6;
const TRUST: u8 = 12;
const USER_ID: u8 = 13;
const SUBKEY: u8 = 14;
const USER_ATTRIBUTE: u8 = 17;
const SECRET: &[u8] = &[5, 7];

/// One public key with its subkeys and signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// Of the primary key, in upper-case hex.
    pub(super) fingerprint: String,
    packets: Vec<u8>,
}

impl PublicKey {
    /// Reads a key file, armoured or binary. More than one primary key is refused: whoever can add a key to a file
    /// could sign with it, and only one fingerprint is pinned.
    pub(super) fn read(file: &[u8]) -> Result<Self, String> {
        if file.len() > armor::LIMIT {
            return Err(format!("{} bytes are no key file", file.len()));
        }
        let packets = binary(file)?;
        let mut rest = packets.as_slice();
        let mut primary = Vec::new();
        while !rest.is_empty() {
            let packet = Packet::take(&mut rest)?;
            match packet.tag {
                PUBLIC_KEY => primary.push(fingerprint(packet.body)?),
                tag if SECRET.contains(&tag) => {
                    return Err("a secret key: only its public half belongs here".to_owned());
                }
                SIGNATURE | TRUST | USER_ID | SUBKEY | USER_ATTRIBUTE if !primary.is_empty() => {}
                tag => return Err(format!("a packet of type {tag}, which is no part of a key")),
            }
        }
        match primary.as_slice() {
            [fingerprint] => Ok(Self {
                fingerprint: fingerprint.clone(),
                packets,
            }),
            [] => Err("no key".to_owned()),
            all => Err(format!("{} keys: {}", all.len(), all.join(", "))),
        }
    }

    /// The key as armoured text: only what was read and counted, nothing that stood around it.
    pub(super) fn armoured(&self) -> String {
        let [_, sum @ ..] = crc24(&self.packets).to_be_bytes();
        format!(
            "-----BEGIN {LABEL}-----\n\n{}\n={}\n-----END {LABEL}-----\n",
            armor::encode(&self.packets),
            armor::encode(&sum)
        )
    }
}

/// The packets of a file: as they are, or from all its armoured blocks.
fn binary(file: &[u8]) -> Result<Vec<u8>, String> {
    if file.first().is_some_and(|byte| byte & 0x80 != 0) {
        return Ok(file.to_vec());
    }
    let text = std::str::from_utf8(file).map_err(|_| "neither text nor a key".to_owned())?;
    let torn = || "an armoured block that is torn".to_owned();
    let blocks = armor::blocks(text, LABEL).ok_or_else(torn)?;
    let mut all = Vec::new();
    for block in blocks {
        let unix = block.replace('\r', "");
        // Headers end at the first empty line.
        let (_, body) = unix.split_once("\n\n").ok_or_else(torn)?;
        let (body, sum) = match body.trim_end().rsplit_once("\n=") {
            Some((body, sum)) => (body, Some(sum)),
            None => (body, None),
        };
        let bytes = armor::decode(body).ok_or_else(torn)?;
        let stated = sum.map(|sum| armor::decode(sum).unwrap_or_default());
        let [_, found @ ..] = crc24(&bytes).to_be_bytes();
        if stated.is_some_and(|stated| stated != found) {
            return Err("an armoured block whose checksum is wrong".to_owned());
        }
        all.extend(bytes);
    }
    Ok(all)
}

struct Packet<'p> {
    tag: u8,
    body: &'p [u8],
}

impl<'p> Packet<'p> {
    /// Cuts the first packet off; lengths that are not stated whole are refused, no key uses them.
    fn take(rest: &mut &'p [u8]) -> Result<Self, String> {
        let torn = || "a packet that is torn".to_owned();
        let (&head, after) = rest.split_first().ok_or_else(torn)?;
        let (tag, length, after) = match (head & 0xc0, head & 3) {
            (0xc0, _) => {
                let (length, after) = new_length(after).ok_or_else(torn)?;
                (head & 0x3f, length, after)
            }
            (0x80, 3) | (0x00 | 0x40, _) => return Err(torn()),
            (_, size) => {
                let (length, after) = number(after, 1 << size).ok_or_else(torn)?;
                (head >> 2 & 0x0f, length, after)
            }
        };
        let (body, next) = after.split_at_checked(length).ok_or_else(torn)?;
        *rest = next;
        Ok(Self { tag, body })
    }
}

fn new_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    match first {
        0..192 => Some((usize::from(first), rest)),
        192..224 => {
            let (&second, rest) = rest.split_first()?;
            let length = (usize::from(first) - 192) << 8;
            Some((length + usize::from(second) + 192, rest))
        }
        255 => number(rest, 4),
        _ => None,
    }
}

/// A big-endian number of so many bytes.
fn number(bytes: &[u8], width: usize) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_at_checked(width)?;
    let value = head
        .iter()
        .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    Some((usize::try_from(value).ok()?, rest))
}

/// The fingerprint of a key packet (RFC 9580, section 5.5.4).
fn fingerprint(body: &[u8]) -> Result<String, String> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    let [_, _, short @ ..] = length;
    let digest = match body.first() {
        Some(4) => hex(&sha1::Sha1::digest([&[0x99][..], &short, body].concat())),
        Some(5) => hex(&sha2::Sha256::digest([&[0x9a][..], &length, body].concat())),
        Some(6) => hex(&sha2::Sha256::digest([&[0x9b][..], &length, body].concat())),
        Some(version) => {
            return Err(format!(
                "a key of version {version}, which is not supported"
            ));
        }
        None => return Err("an empty key".to_owned()),
    };
    Ok(digest.to_ascii_uppercase())
}

/// The checksum of armour (RFC 9580, section 6.1); rpm insists on it.
fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x00b7_04ce, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte) << 16, |sum, _| {
            let next = sum << 1;
            if next & 0x0100_0000 == 0 {
                next
            } else {
                next ^ 0x0186_4cfb
            }
        })
    })
}

#[cfg(test)]
mod tests;
