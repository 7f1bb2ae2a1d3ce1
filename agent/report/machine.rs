//! The digest of the machine-id that is told to others, as sd_id128_get_machine_app_specific(3) makes it.
//! It is separate because the identifier is a secret (machine-id(5)), and the digest must be the same function on
//! every image: only then do two clones of one machine show in a fleet.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::host::root::hex;

/// The application's identifier, for all images and versions: `systemd-id128 machine-id --app-specific=…` gives the
/// same digest.
pub const APPLICATION: [u8; 16] = [
    0x5c, 0x1f, 0x0e, 0x8a, 0x6b, 0x53, 0x4d, 0x0f, 0x9e, 0x27, 0x8d, 0x41, 0xb0, 0x66, 0x3a, 0xc9,
];

/// 32 hexadecimal digits for the text of /etc/machine-id; none where that holds no identifier.
pub fn digest(machine_id: &str) -> Option<String> {
    let id = parse(machine_id.trim())?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&id).ok()?;
    mac.update(&APPLICATION);
    let whole = mac.finalize().into_bytes();
    let mut digest: [u8; 16] = whole.get(..16)?.try_into().ok()?;
    // The form of a random UUID: version 4, variant DCE.
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut digest;
    *version = *version & 0x0f | 0x40;
    *variant = *variant & 0x3f | 0x80;
    Some(hex(&digest))
}

fn parse(text: &str) -> Option<[u8; 16]> {
    let right = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| right)?;
    (number != 0).then_some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_identifier_has_a_digest() {
        let right = "0123456789abcdef0123456789abcdef";
        let told = digest(&format!("{right}\n")).unwrap();
        assert_eq!(told.len(), 32);
        assert_ne!(told, right);
        assert_eq!(told.as_bytes()[12], b'4');
        for wrong in [
            "",
            "uninitialized",
            "00000000000000000000000000000000",
            "+123456789abcdef0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }
}
