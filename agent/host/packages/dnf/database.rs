//! rpm's answer to one question about all packages, as lines, to installed packages.
//! It is separate because it is pure; what rpm prints comes out of a tree that may be hostile.

use std::collections::BTreeMap;

use super::version;
use crate::error::{Error, Result};
use crate::host::packages::Installed;

/// The question: one line a package. `EPOCHNUM` is 0 where there is none.
pub(super) const FORMAT: &str = "%{NAME}\\t%{EPOCHNUM}\\t%{VERSION}-%{RELEASE}\\t%{ARCH}\\n";

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) version: String,
    pub(super) arch: &'a str,
}

impl<'a> Row<'a> {
    /// Reads `NAME EPOCH VERSION-RELEASE ARCH`, the first four fields of a line.
    pub(super) fn of(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (name, epoch) = (fields.next()?, fields.next()?);
        let (version, arch) = (fields.next()?, fields.next()?);
        let version = match epoch {
            "0" => version.to_owned(),
            epoch => format!("{epoch}:{version}"),
        };
        Some(Self {
            name,
            version,
            arch,
        })
    }
}

/// Packages by name; `name:arch` for a second architecture, `name=version` for an older one beside the newest.
/// Two versions of what is not made for that are half an upgrade: the older is not complete.
pub(super) fn parse(
    text: &str,
    own_arch: &str,
    held: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<String, Installed>> {
    let mut rows = Vec::new();
    for line in text.lines() {
        let row = Row::of(line);
        rows.push(row.ok_or_else(|| Error::host(format!("read rpm's answer {line:?}")))?);
    }
    // Public keys stand in the database as packages of a kind; they are none.
    rows.retain(|row| row.name != "gpg-pubkey");
    rows.sort_by(|a, b| version::compare(&b.version, &a.version));
    let mut all = BTreeMap::new();
    for row in rows {
        let own = matches!(row.arch, "noarch" | "(none)") || row.arch == own_arch;
        let name = match own {
            true => row.name.to_owned(),
            false => format!("{}:{}", row.name, row.arch),
        };
        let older = all.contains_key(&name);
        let key = match older {
            true => format!("{name}={}", row.version),
            false => name,
        };
        let package = Installed {
            held: held(row.name),
            complete: !older || many_versions(row.name),
            version: row.version,
            arch: row.arch.to_owned(),
        };
        all.insert(key, package);
    }
    Ok(all)
}

/// Packages of which several versions stand side by side: kernels and what belongs to one (dnf's `installonlypkgs`).
fn many_versions(name: &str) -> bool {
    name == "kernel" || ["kernel-", "kmod-"].iter().any(|p| name.starts_with(p))
}

/// The name in one of the keys that `parse` makes.
pub(super) fn name_of(key: &str) -> &str {
    key.split([':', '=']).next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "\
bash\t0\t5.1.8-9.el9\tx86_64
chrony\t0\t4.5-1.el9\tx86_64
glibc\t0\t2.34-100.el9\tx86_64
glibc\t0\t2.34-100.el9\ti686
kernel-core\t0\t5.14.0-427.el9\tx86_64
kernel-core\t0\t5.14.0-503.el9\tx86_64
gpg-pubkey\t0\t350d275d-6279464b\t(none)
shadow-utils\t2\t4.9-8.el9\tx86_64
torn\t0\t1.0-1.el9\tnoarch
torn\t0\t1.0-2.el9\tnoarch
";

    #[test]
    fn each_package_has_a_key_of_its_own_and_half_an_upgrade_is_seen() {
        let all = parse(ANSWER, "x86_64", &|name| name == "chrony").unwrap();
        let keys: Vec<_> = all.keys().map(String::as_str).collect();
        let want = [
            "bash",
            "chrony",
            "glibc",
            "glibc:i686",
            "kernel-core",
            "kernel-core=5.14.0-427.el9",
            "shadow-utils",
            "torn",
            "torn=1.0-1.el9",
        ];
        assert_eq!(keys, want);
        assert_eq!(all["kernel-core"].version, "5.14.0-503.el9");
        assert_eq!(all["shadow-utils"].version, "2:4.9-8.el9");
        let held: Vec<_> = all.iter().filter(|(_, p)| p.held).collect();
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].0, "chrony");
        let open: Vec<_> = all.iter().filter(|(_, p)| !p.complete).collect();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].0, "torn=1.0-1.el9");
        assert_eq!(name_of("torn=1.0-1.el9"), "torn");
        assert_eq!(name_of("glibc:i686"), "glibc");
    }

    #[test]
    fn a_line_that_is_no_answer_is_an_error() {
        let error = parse("error: rpmdb\n", "x86_64", &|_| false).unwrap_err();
        assert!(error.one_line().contains("rpmdb"));
    }
}
