//! The identifiers that a file holds, by the kind of tombstone they leave.
//! It is separate because a digest must be of the identifier, not of the file: comments and blanks around it change.

use crate::resource::identity::{access, blob, names};

/// The identifiers in a file's content; empty when it holds none.
pub(crate) fn of(kind: &str, content: &[u8]) -> Vec<Vec<u8>> {
    match kind {
        "ssh-host-key" => blob::identifier(content).into_iter().collect(),
        "iscsi-name" => iscsi(content),
        "nm-secret-key" => whole(content),
        "authorized-key" => access::keys(content),
        "hostname" => names::spellings(content),
        _ => whole(content.trim_ascii()),
    }
}

fn whole(content: &[u8]) -> Vec<Vec<u8>> {
    if content.is_empty() || content == b"uninitialized" {
        return Vec::new();
    }
    vec![content.to_vec()]
}

fn iscsi(content: &[u8]) -> Vec<Vec<u8>> {
    String::from_utf8_lossy(content)
        .lines()
        .filter_map(|line| line.trim().strip_prefix("InitiatorName="))
        .map(|name| name.trim().as_bytes().to_vec())
        .filter(|name| !name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identifier_is_taken_without_what_surrounds_it() {
        let table: [(&str, &str, &[&str]); 12] = [
            ("machine-id", "abc\n", &["abc"]),
            ("machine-id", "\n", &[]),
            ("machine-id", "uninitialized\n", &[]),
            (
                "iscsi-name",
                "## comment\nInitiatorName=iqn.x:1 \n",
                &["iqn.x:1"],
            ),
            ("iscsi-name", "GenerateName=yes\n#InitiatorName=no\n", &[]),
            ("nvme-host", "nqn.2014-08.org\n", &["nqn.2014-08.org"]),
            ("nm-secret-key", "nm-v2:x\n", &["nm-v2:x\n"]),
            ("cattle-id", " ab ", &["ab"]),
            ("ssh-host-key", "no key", &[]),
            (
                "hostname",
                "Builder.example\n",
                &["builder.example", "builder"],
            ),
            ("authorized-key", "# no key\nssh-ed25519 AAAA\n", &[]),
            ("cloud-instance", "i-1\n", &["i-1"]),
        ];
        for (kind, content, want) in table {
            let want: Vec<_> = want.iter().map(|w| w.as_bytes().to_vec()).collect();
            assert_eq!(of(kind, content.as_bytes()), want, "{kind} {content:?}");
        }
    }
}
