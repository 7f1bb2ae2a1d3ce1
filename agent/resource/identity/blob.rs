//! The public key of a host key file, from the public file or out of the private one.
//! It is separate because it parses untrusted bytes: a stale or missing .pub file must not hide a cloned private key.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Takes what sshd may take: another spelling of one key must not count as another key.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Key files are a few KiB; larger ones are not keys.
const LIMIT: usize = 64 << 10;
const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
const END: &str = "-----END OPENSSH PRIVATE KEY-----";
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// What a host key file identifies itself by: the public key blob, or for private keys in formats that do not
/// carry it in clear (PEM) the file's own bytes. None for a file that holds nothing of the kind.
pub(crate) fn identifier(file: &[u8]) -> Option<Vec<u8>> {
    if file.len() > LIMIT {
        return None;
    }
    public_blob(file).or_else(|| {
        let text = std::str::from_utf8(file).ok()?;
        text.contains("PRIVATE KEY-----").then(|| file.to_vec())
    })
}

/// The public key blob of a public key line, a certificate line or an OpenSSH private key.
pub(crate) fn public_blob(file: &[u8]) -> Option<Vec<u8>> {
    if file.len() > LIMIT {
        return None;
    }
    let text = std::str::from_utf8(file).ok()?;
    if let Some(start) = text.find(BEGIN) {
        return of_private(text.get(start + BEGIN.len()..)?);
    }
    let mut fields = text.split_whitespace();
    let name = fields.next()?;
    let blob = LENIENT.decode(fields.next()?).ok()?;
    // The blob repeats its type's name; anything else is not a key line.
    (string(&blob)?.0 == name.as_bytes()).then_some(blob)
}

/// openssh-key-v1 keeps the public key in clear, before the part that may be encrypted (PROTOCOL.key).
fn of_private(text: &str) -> Option<Vec<u8>> {
    let body: String = text.get(..text.find(END)?)?.split_whitespace().collect();
    let bytes = LENIENT.decode(body).ok()?;
    let rest = bytes.strip_prefix(MAGIC)?;
    let (_cipher, rest) = string(rest)?;
    let (_kdf, rest) = string(rest)?;
    let (_options, rest) = string(rest)?;
    let (count, rest) = number(rest)?;
    (count > 0).then_some(())?;
    Some(string(rest)?.0.to_vec())
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*head), rest))
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn field(bytes: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
        out.extend_from_slice(bytes);
        out
    }

    /// A pair in OpenSSH's own formats: private file, public file. The secret half is filler.
    pub(crate) fn pair(seed: u8) -> (String, String) {
        let blob = [field(b"ssh-ed25519"), field(&[seed; 32])].concat();
        let body = [
            MAGIC.to_vec(),
            field(b"none"),
            field(b"none"),
            field(b""),
            1u32.to_be_bytes().to_vec(),
            field(&blob),
            field(&[seed; 136]),
        ]
        .concat();
        let text = LENIENT.encode(&body);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(70)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        (
            format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")),
            format!("ssh-ed25519 {} root@builder\n", LENIENT.encode(&blob)),
        )
    }

    #[test]
    fn both_files_of_a_pair_name_the_same_key() {
        let (private, public) = pair(7);
        let blob = public_blob(public.as_bytes()).unwrap();
        assert!(blob.starts_with(&field(b"ssh-ed25519")));
        assert_eq!(public_blob(private.as_bytes()).unwrap(), blob);
        assert_ne!(public_blob(pair(8).0.as_bytes()).unwrap(), blob);
        assert_eq!(identifier(private.as_bytes()).unwrap(), blob);
    }

    #[test]
    fn another_spelling_of_a_key_is_the_same_key() {
        let (_, public) = pair(7);
        let blob = public_blob(public.as_bytes()).unwrap();
        let unpadded = public.replace('=', "");
        assert_eq!(public_blob(unpadded.as_bytes()).unwrap(), blob);
        let odd = [&blob[..], b"x"].concat();
        let line = format!("ssh-ed25519 {}", LENIENT.encode(&odd));
        // The last letter holds bits that belong to no byte.
        assert!(line.ends_with("eA=="), "{line}");
        let other = line.replace("eA==", "eB==");
        assert_eq!(public_blob(other.as_bytes()).unwrap(), odd);
    }

    #[test]
    fn other_formats_stand_for_themselves_and_rubbish_for_nothing() {
        let pem = b"-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----\n";
        assert_eq!(identifier(pem).as_deref(), Some(&pem[..]));
        let (private, public) = pair(7);
        let cut = &private[..private.len() / 2];
        assert_eq!(public_blob(cut.as_bytes()), None);
        assert_eq!(identifier(cut.as_bytes()).as_deref(), Some(cut.as_bytes()));
        let lied = public.replace("ssh-ed25519", "ssh-rsa");
        for bytes in [
            &b""[..],
            b"ssh-ed25519",
            b"ssh-ed25519 \xff\xfe",
            b"ssh-ed25519 !!!!",
            b"ssh-ed25519 AAAA/////w==",
            lied.as_bytes(),
        ] {
            assert_eq!(identifier(bytes), None, "{bytes:?}");
        }
        assert_eq!(identifier(&vec![b'a'; LIMIT + 1]), None);
    }
}
