//! dpkg's database as text: /var/lib/dpkg/status (deb822 stanzas) to installed packages.
//! It is separate because it is pure; a file that a killed dpkg tore must be read as far as it goes.

use std::collections::BTreeMap;

use super::Installed;

/// One stanza's fields that matter here.
#[derive(Default)]
struct Stanza<'a> {
    name: &'a str,
    status: &'a str,
    arch: &'a str,
    version: &'a str,
}

/// Packages that are at least partly on disk, by name; `name:arch` where it is not the native architecture.
pub(super) fn parse(text: &str) -> BTreeMap<String, Installed> {
    let stanzas: Vec<Stanza<'_>> = stanzas(text).collect();
    // dpkg itself always has the native architecture.
    let native = stanzas
        .iter()
        .find(|stanza| stanza.name == "dpkg")
        .map(|stanza| stanza.arch);
    stanzas
        .iter()
        .filter_map(|stanza| installed(stanza, native))
        .collect()
}

/// Packages that a killed dpkg left half on disk: only unpacking them again helps, configuring them is refused.
pub(super) fn to_reinstall(text: &str) -> Vec<String> {
    let torn = |stanza: &Stanza<'_>| {
        let mut words = stanza.status.split_ascii_whitespace().skip(1);
        let (flag, state) = (words.next(), words.next());
        flag == Some("reinstreq") || state == Some("half-installed")
    };
    let name = |stanza: Stanza<'_>| match stanza.arch {
        "all" | "" => stanza.name.to_owned(),
        arch => format!("{}:{arch}", stanza.name),
    };
    stanzas(text).filter(torn).map(name).collect()
}

fn installed(stanza: &Stanza<'_>, native: Option<&str>) -> Option<(String, Installed)> {
    let mut words = stanza.status.split_ascii_whitespace();
    let (want, flag, state) = (words.next()?, words.next()?, words.next()?);
    if stanza.name.is_empty() || matches!(state, "not-installed" | "config-files") {
        return None;
    }
    let own = stanza.arch == "all" || native.is_none_or(|native| native == stanza.arch);
    let name = if own {
        stanza.name.to_owned()
    } else {
        format!("{}:{}", stanza.name, stanza.arch)
    };
    let package = Installed {
        version: stanza.version.to_owned(),
        arch: stanza.arch.to_owned(),
        held: want == "hold",
        complete: state == "installed" && flag == "ok",
    };
    Some((name, package))
}

fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut stanza = Stanza::default();
        let mut any = false;
        for line in lines.by_ref() {
            if line.trim().is_empty() {
                if any {
                    return Some(stanza);
                }
                continue;
            }
            any = true;
            // A line that begins with a blank goes on with the field before it; no field here has such lines.
            if line.starts_with([' ', '\t']) {
                continue;
            }
            let Some((field, value)) = line.split_once(':') else {
                continue;
            };
            match field {
                "Package" => stanza.name = value.trim(),
                "Status" => stanza.status = value.trim(),
                "Architecture" => stanza.arch = value.trim(),
                "Version" => stanza.version = value.trim(),
                _ => {}
            }
        }
        any.then_some(stanza)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21\n
Package: a\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 1:2-3\nDescription: x\n Version: 9\n\tStatus: no\n

Package: a\nStatus: install ok installed\nArchitecture: i386\nVersion: 1:2-3\n
Package: doc\nStatus: install ok unpacked\nArchitecture: all\nVersion: 1\n
Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n
Package: held-gone\nStatus: hold ok not-installed\nArchitecture: amd64\n
Package: broken\nStatus: install reinstreq installed\nArchitecture: amd64\nVersion: 1\n
Package: pending\nStatus: install ok triggers-pending\nArchitecture: amd64\nVersion: 1\n
nonsense\nPackage: torn\nStatus: install";

    #[test]
    fn only_what_is_on_disk_counts() {
        let all = parse(STATUS);
        let names: Vec<_> = all.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "a:i386", "broken", "doc", "dpkg", "pending"]);
        assert_eq!((all["a"].version.as_str(), all["a"].held), ("1:2-3", true));
        let complete: Vec<_> = all
            .iter()
            .filter(|(_, p)| p.complete)
            .map(|(n, _)| n.as_str())
            .collect();
        assert_eq!(complete, ["a", "a:i386", "dpkg"]);
    }

    #[test]
    fn what_was_cut_off_amid_unpacking_is_to_be_unpacked_again() {
        assert_eq!(to_reinstall(STATUS), ["broken:amd64"]);
        let text = "Package: a\nStatus: install ok half-installed\nArchitecture: all\nVersion: 1\n";
        assert_eq!(to_reinstall(text), ["a"]);
    }

    #[test]
    fn without_dpkg_itself_every_architecture_is_own() {
        let text = "Package: a\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1\n";
        assert!(parse(text).contains_key("a"));
        assert!(parse("").is_empty());
    }
}
