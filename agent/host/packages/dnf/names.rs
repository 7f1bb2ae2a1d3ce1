//! How one package is named: in the mark of a transaction, for dnf and rpm, and in what rpm prints.
//! It is separate because the three differ by an epoch, and mixing them up would repair the wrong package.

use super::database;
use super::run::nevr;
use crate::host::Installed;

/// The package as the mark has it: `NAME VERSION ARCH`.
pub(super) fn line(key: &str, package: &Installed) -> String {
    let name = database::name_of(key);
    format!("{name} {} {}", package.version, package.arch)
}

/// The package as dnf and rpm take it: `name-[epoch:]version-release.arch`.
pub(super) fn spec(key: &str, package: &Installed) -> String {
    let name = database::name_of(key);
    format!("{}.{}", nevr(name, &package.version), package.arch)
}

/// A package as rpm prints it, without the epoch that stands there where the package states one, were it 0.
pub(super) fn without_epoch(printed: &str) -> String {
    let mut parts = printed.rsplitn(3, '-');
    let (release, version, name) = (parts.next(), parts.next(), parts.next());
    let version = version.unwrap_or_default();
    let version = version.split_once(':').map_or(version, |(_, v)| v);
    match (name, release) {
        (Some(name), Some(release)) => format!("{name}-{version}-{release}"),
        _ => printed.to_owned(),
    }
}

/// The package in the same way.
pub(super) fn full_name(key: &str, package: &Installed) -> String {
    let version = package
        .version
        .split_once(':')
        .map_or(package.version.as_str(), |(_, v)| v);
    format!("{}-{version}.{}", database::name_of(key), package.arch)
}

/// A line of the mark as rpm prints the package.
pub(super) fn spec_of(line: &str) -> String {
    let mut words = line.split(' ');
    let (name, version, arch) = (words.next(), words.next(), words.next());
    let version = version.unwrap_or_default();
    let version = version.split_once(':').map_or(version, |(_, v)| v);
    format!(
        "{}-{version}.{}",
        name.unwrap_or_default(),
        arch.unwrap_or_default()
    )
}

/// Some of the names.
pub(super) fn brief(names: &[String]) -> String {
    let first = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_as_each_program_wants_it() {
        let package = Installed {
            version: "2:4.9-8.el9".into(),
            arch: "x86_64".into(),
            held: false,
            complete: true,
        };
        assert_eq!(
            spec("shadow-utils", &package),
            "shadow-utils-2:4.9-8.el9.x86_64"
        );
        assert_eq!(
            full_name("shadow-utils", &package),
            "shadow-utils-4.9-8.el9.x86_64"
        );
        for printed in [
            "shadow-utils-2:4.9-8.el9.x86_64",
            "shadow-utils-4.9-8.el9.x86_64",
        ] {
            assert_eq!(without_epoch(printed), full_name("shadow-utils", &package));
        }
        let line = line("shadow-utils=2:4.9-8.el9", &package);
        assert_eq!(spec_of(&line), "shadow-utils-4.9-8.el9.x86_64");
    }
}
