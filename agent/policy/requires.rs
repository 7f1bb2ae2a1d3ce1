//! Whether this machine is one that the profile is for.
//! It is separate from loading because a policy can be checked anywhere, and used only where it fits.

use super::entry::Requires;
use crate::error::{Error, Result};

/// What os-release says of the system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct System {
    id: String,
    like: Vec<String>,
    version: String,
}

impl Requires {
    /// Refuses (exit 4) a machine of another family, version or architecture; names what is found and what is wanted.
    pub fn check(&self, os_release: &str, arch: &str) -> Result<()> {
        let found = System::parse(os_release);
        let mut wrong = Vec::new();
        if found.id != self.family && !found.like.contains(&self.family) {
            let like = match found.like.as_slice() {
                [] => String::new(),
                words => format!(" (like {})", words.join(" ")),
            };
            let id = or_nothing(&found.id);
            wrong.push(format!("family is {id}{like}, wanted {}", self.family));
        }
        if !version_fits(&found.version, &self.version) {
            let version = or_nothing(&found.version);
            wrong.push(format!("version is {version}, wanted {}", self.version));
        }
        if !self.arch.iter().any(|a| a == arch) {
            let arch = or_nothing(arch);
            wrong.push(format!(
                "architecture is {arch}, wanted {}",
                self.arch.join(" or ")
            ));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        Err(Error::refused(format!(
            "this machine is not what the profile requires: {}",
            wrong.join("; ")
        ))
        .hint(
            "choose another --profile; `nodeagent policy check` lists them with what they require",
        ))
    }
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "not known" } else { text }
}

/// `9` accepts `9` and `9.4`, never `90`.
fn version_fits(found: &str, wanted: &str) -> bool {
    found
        .strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl System {
    fn parse(text: &str) -> Self {
        let mut system = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else {
                continue;
            };
            let value = value.trim().trim_matches(['"', '\'']);
            match key {
                "ID" => value.clone_into(&mut system.id),
                "ID_LIKE" => system.like = value.split_whitespace().map(str::to_owned).collect(),
                "VERSION_ID" => value.clone_into(&mut system.version),
                _ => {}
            }
        }
        system
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    const ROCKY: &str =
        "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n";
    const DEBIAN: &str = "ID=debian\nVERSION_ID='12'\n";
    const UBUNTU: &str = "# comment\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\n";

    fn wants(family: &str, version: &str) -> Requires {
        Requires {
            family: family.into(),
            version: version.into(),
            arch: vec!["x86_64".into()],
        }
    }

    #[test]
    fn a_machine_fits_or_is_refused_with_what_was_found() {
        let table = [
            (ROCKY, "rhel", "9", "x86_64", ""),
            (ROCKY, "rocky", "9.4", "x86_64", ""),
            (
                ROCKY,
                "rocky",
                "9.40",
                "x86_64",
                "version is 9.4, wanted 9.40",
            ),
            (ROCKY, "rocky", "8", "x86_64", "version is 9.4, wanted 8"),
            (
                ROCKY,
                "debian",
                "9",
                "x86_64",
                "family is rocky (like rhel centos fedora), wanted debian",
            ),
            (DEBIAN, "debian", "12", "x86_64", ""),
            (DEBIAN, "debian", "1", "x86_64", "version is 12, wanted 1"),
            (
                DEBIAN,
                "debian",
                "12",
                "aarch64",
                "architecture is aarch64, wanted x86_64",
            ),
            (UBUNTU, "debian", "22.04", "x86_64", ""),
            (
                "",
                "debian",
                "12",
                "x86_64",
                "family is not known, wanted debian",
            ),
        ];
        for (text, family, version, arch, want) in table {
            match wants(family, version).check(text, arch) {
                Ok(()) => assert_eq!(want, "", "{family} {version}"),
                Err(error) => {
                    assert!(
                        !want.is_empty() && error.to_string().contains(want),
                        "{error}"
                    );
                    assert_eq!(error.exit(), Exit::Refused);
                }
            }
        }
    }
}
