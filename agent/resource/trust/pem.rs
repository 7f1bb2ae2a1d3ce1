//! One certificate in PEM form: found, told from keys and bundles, and named by its digest.
//! It is separate because the text comes from outside and is judged without any host.

use super::{Found, LABEL};
use crate::host::root::sha256;
use crate::resource::armor;

/// What a file holds; none where it is absent.
pub(super) fn found(text: Option<&[u8]>) -> Found {
    match text.map(single) {
        None => Found::Absent,
        Some(Ok(der)) => Found::One(digest(&der)),
        Some(Err(why)) => Found::Unusable(why),
    }
}

/// The one certificate of a PEM file.
pub(super) fn single(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if bytes.len() > armor::LIMIT {
        return Err(format!("{} bytes are no certificate", bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "not PEM text".to_owned())?;
    if text.contains("PRIVATE KEY-----") {
        return Err("a private key is in it: only the certificate belongs here".to_owned());
    }
    let mut all = armor::pem(text, LABEL).ok_or("a PEM block that is torn")?;
    match (all.pop(), all.len()) {
        (Some(der), 0) if is_sequence(&der) => Ok(der),
        (Some(_), 0) => Err("a PEM block that holds no certificate".to_owned()),
        (None, _) => Err("no certificate in PEM form".to_owned()),
        (Some(_), more) => Err(format!("{} certificates, and one is pinned", more + 1)),
    }
}

/// Whether the bytes are one whole DER sequence, as a certificate is; the rest is for TLS libraries to judge.
fn is_sequence(der: &[u8]) -> bool {
    match der {
        [0x30, 0x82, high, low, body @ ..] => {
            usize::from(u16::from_be_bytes([*high, *low])) == body.len()
        }
        [0x30, 0x81, length, body @ ..] => usize::from(*length) == body.len(),
        _ => false,
    }
}

/// How the policy names a certificate.
pub(super) fn digest(der: &[u8]) -> String {
    format!("sha256:{}", sha256(der))
}
