//! Which host keys sshd would load: HostKey of its configuration and everything it includes, or its defaults.
//! It is separate because a check of one well-known file would miss the key that a site configured.

use crate::error::Result;
use crate::host::Root;
use crate::resource::sshd::config;

/// Loaded when the configuration names none (`sshd_config(5)`).
const DEFAULTS: [&str; 3] = [
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
];

/// The host keys of a tree's sshd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostKeys {
    /// Paths, in the order of the configuration.
    pub(crate) paths: Vec<String>,
    /// Named by the configuration: each must exist. Of the defaults, sshd loads those that do.
    pub(crate) configured: bool,
}

/// Reads the configuration as sshd would, as far as host keys go.
/// Match blocks are not told apart: HostKey is not allowed in one, and an Include in one only adds keys to check.
pub(crate) fn host_keys(root: &Root) -> Result<HostKeys> {
    let mut keys: Vec<String> = Vec::new();
    for line in config::lines(root)? {
        let path = line.values.first().filter(|path| path.starts_with('/'));
        let new = path.filter(|path| line.keyword == "hostkey" && !keys.contains(path));
        keys.extend(new.cloned());
    }
    let configured = !keys.is_empty();
    if !configured {
        keys = DEFAULTS.map(str::to_owned).to_vec();
    }
    Ok(HostKeys {
        paths: keys,
        configured,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_of(files: &[(&str, &str)]) -> HostKeys {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc/ssh/sshd_config.d")).unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join("etc/ssh").join(name), text).unwrap();
        }
        host_keys(&Root::open(dir.path()).unwrap()).unwrap()
    }

    #[test]
    fn without_a_word_about_it_the_defaults_hold() {
        for text in [
            "",
            "# HostKey /x\nPort 22\n",
            "HostKeyAlgorithms rsa\nHostKey relative\n",
        ] {
            let keys = keys_of(&[("sshd_config", text)]);
            assert_eq!(keys.paths, DEFAULTS, "{text}");
            assert!(!keys.configured);
        }
    }

    #[test]
    fn every_spelling_and_every_included_file_counts() {
        let keys = keys_of(&[
            (
                "sshd_config",
                "Include sshd_config.d/*.conf /etc/ssh/more\nHOSTKEY=/k/main # why\nHostKey /k/one\n",
            ),
            ("sshd_config.d/10-a.conf", "hostkey \"/k/with blank\"\n"),
            (
                "sshd_config.d/20-b.conf",
                "\tHostKey\t/k/one\nInclude /etc/ssh/sshd_config\n",
            ),
            ("more", "HostKey = /k/more"),
        ]);
        assert_eq!(
            keys.paths,
            ["/k/with blank", "/k/one", "/k/more", "/k/main"]
        );
        assert!(keys.configured);
    }
}
