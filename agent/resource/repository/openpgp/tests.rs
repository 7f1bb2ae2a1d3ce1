//! Key files that are no single public key, made of hand-written packets.
//! They are apart because real keys are for the tests with gpg; here stand the ones that gpg would never write.

use super::*;

/// A version 4 key packet with no material worth the name, and its fingerprint by sha1sum.
const BODY: &[u8] = &[4, 0, 0, 0, 1, 22, 1, 2, 3];
const FINGERPRINT: &str = "F3F8DFA8173C43FB0621678F04DF1B0BB1C0CDCA";

fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[0xc0 | tag, u8::try_from(body.len()).unwrap()], body].concat()
}

#[test]
fn a_key_is_read_armoured_or_binary_and_with_every_length_of_length() {
    let old = |width: u8, length: &[u8]| [&[0x80 | 6 << 2 | width], length, BODY].concat();
    let forms = [
        packet(6, BODY),
        [&[0xc6, 255, 0, 0, 0, 9], BODY].concat(),
        old(0, &[9]),
        old(1, &[0, 9]),
        old(2, &[0, 0, 0, 9]),
    ];
    for form in forms {
        let key = PublicKey::read(&form).unwrap();
        assert_eq!(key.fingerprint, FINGERPRINT, "{form:?}");
        let again = PublicKey::read(key.armoured().as_bytes()).unwrap();
        assert_eq!(again, key);
    }
    let long = [&[0xc6, 192 + 1, 0][..], &[4; 448]].concat();
    assert!(PublicKey::read(&long).is_ok());
    let windows = PublicKey::read(&packet(6, BODY)).unwrap().armoured();
    assert!(PublicKey::read(windows.replace('\n', "\r\n").as_bytes()).is_ok());
}

#[test]
fn newer_versions_have_longer_fingerprints() {
    for version in [5, 6] {
        let key = PublicKey::read(&packet(6, &[version, 0, 0])).unwrap();
        assert_eq!(key.fingerprint.len(), 64);
    }
}

#[test]
fn what_is_not_exactly_one_public_key_is_refused_with_the_reason() {
    let one = packet(6, BODY);
    let armoured = PublicKey::read(&one).unwrap().armoured();
    let table: [(Vec<u8>, &str); 13] = [
        (Vec::new(), "no key"),
        (b"<html>not found</html>".to_vec(), "no key"),
        (b"\xc3\x28".to_vec(), "torn"),
        ([one.clone(), packet(6, &[4, 9])].concat(), "2 keys"),
        (format!("{armoured}\n{armoured}").into_bytes(), "2 keys"),
        ([one.clone(), packet(5, BODY)].concat(), "secret key"),
        (packet(13, b"name"), "type 13"),
        ([one.clone(), packet(11, b"text")].concat(), "type 11"),
        (one[..5].to_vec(), "torn"),
        (vec![0xc6, 224, 1], "torn"),
        (packet(6, &[3, 0]), "version 3"),
        (
            armoured.replace("-----END", "-----FIN").into_bytes(),
            "torn",
        ),
        (armoured.replacen("\n=", "\n=A", 1).into_bytes(), "checksum"),
    ];
    for (file, want) in table {
        let why = PublicKey::read(&file).unwrap_err();
        assert!(why.contains(want), "{want}: {why}");
    }
    let big = vec![b'x'; armor::LIMIT + 1];
    assert!(PublicKey::read(&big).unwrap_err().contains("bytes"));
}
