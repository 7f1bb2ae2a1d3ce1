//! Packages held back: `excludepkgs` of dnf.conf, and the list of dnf's versionlock plugin where that is installed.
//! It is separate because it is pure text, and both ways must read the same whichever made the hold.
//!
//! Holds are written to dnf.conf, because every dnf obeys it; the plugin is an extra package.

use crate::host::glob;

/// dnf's configuration.
pub(super) const CONF: &str = "/etc/dnf/dnf.conf";
/// The plugin's list.
pub(super) const LOCKS: &str = "/etc/dnf/plugins/versionlock.list";

/// The two names of one option.
const KEYS: &[&str] = &["excludepkgs", "exclude"];

/// Patterns of packages that dnf does not touch, from the `[main]` section.
pub(super) fn excludes(conf: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut listing = false;
    for (line, main) in sections(conf) {
        // A value goes on in lines that begin with a blank.
        if line.starts_with([' ', '\t']) {
            if listing {
                found.extend(words(line));
            }
            continue;
        }
        listing = main && option(line).is_some();
        if let (true, Some(value)) = (listing, option(line)) {
            found.extend(words(value));
        }
    }
    found
}

/// Names that the plugin's list holds: `[epoch:]name-version-release.arch` in either spelling, `!` excludes one version only.
pub(super) fn locked(list: &str) -> Vec<String> {
    list.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with(['#', '!']))
        .filter_map(lock_name)
        .collect()
}

fn lock_name(line: &str) -> Option<String> {
    // The epoch may stand before the name or before the version; neither is part of the name.
    let name = line.rsplitn(3, '-').nth(2)?;
    let name = match name.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|c| c.is_ascii_digit()) => rest,
        _ => name,
    };
    Some(name.to_owned())
}

/// Whether a pattern among these names the package.
pub(super) fn names(patterns: &[String], package: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| glob::matches(pattern, package))
}

/// dnf.conf with these names among the excluded ones, or none of them. All else stays as it is.
pub(super) fn changed(conf: &str, packages: &[&str], held: bool) -> String {
    let mut keep = excludes(conf);
    keep.retain(|pattern| !packages.contains(&pattern.as_str()));
    if held {
        keep.extend(packages.iter().map(|name| (*name).to_owned()));
    }
    let line = format!("excludepkgs={}", keep.join(","));
    let mut put = keep.is_empty();
    let (mut out, mut in_value) = (Vec::new(), false);
    for (text, main) in sections(conf) {
        let goes_on = text.starts_with([' ', '\t']);
        in_value = main && (option(text).is_some() || (in_value && goes_on));
        if !in_value {
            out.push(text);
        }
        // The option comes first in its section: there is always a place for it.
        if main && is_header(text) && !put {
            out.push(&line);
            put = true;
        }
    }
    let mut text = out.join("\n");
    if !put {
        text = format!("[main]\n{line}\n{text}");
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The plugin's list without the lines that hold these packages.
pub(super) fn unlocked(list: &str, packages: &[&str]) -> String {
    let holds = |line: &&str| {
        locked(line)
            .iter()
            .any(|name| packages.contains(&name.as_str()))
    };
    let kept = list.lines().filter(|line| !holds(line));
    kept.map(|line| format!("{line}\n")).collect()
}

/// The value where a line sets the option.
fn option(line: &str) -> Option<&str> {
    let (key, value) = line.split_once('=')?;
    KEYS.contains(&key.trim()).then_some(value)
}

fn words(value: &str) -> impl Iterator<Item = String> {
    value
        .split([',', ' ', '\t'])
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
}

fn is_header(line: &str) -> bool {
    line.trim_end().starts_with('[')
}

/// Lines, each with whether it belongs to `[main]`.
fn sections(conf: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut main = false;
    conf.lines().map(move |line| {
        if is_header(line) {
            main = line.trim() == "[main]";
        }
        (line, main)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONF: &str = "[main]\ngpgcheck=1\nexclude = a b*,\n\tc\nbest=True\n[other]\nexclude=z\n";

    #[test]
    fn both_names_of_the_option_and_lines_that_go_on_are_read() {
        assert_eq!(excludes(CONF), ["a", "b*", "c"]);
        assert_eq!(excludes("gpgcheck=1\n"), Vec::<String>::new());
        let all = excludes(CONF);
        let table = [("a", true), ("b-x", true), ("c", true), ("z", false)];
        for (name, want) in table {
            assert_eq!(names(&all, name), want, "{name}");
        }
    }

    #[test]
    fn holding_and_releasing_leave_the_rest_alone() {
        let held = changed(CONF, &["n"], true);
        assert_eq!(
            held,
            "[main]\nexcludepkgs=a,b*,c,n\ngpgcheck=1\nbest=True\n[other]\nexclude=z\n"
        );
        assert_eq!(changed(&held, &["n"], true), held);
        let released = changed(&held, &["n", "a", "b*", "c"], false);
        assert_eq!(
            released,
            "[main]\ngpgcheck=1\nbest=True\n[other]\nexclude=z\n"
        );
        assert_eq!(changed("", &["n"], true), "[main]\nexcludepkgs=n\n");
    }

    #[test]
    fn the_plugins_list_is_read_in_both_spellings() {
        let list = "# comment\nrke2-selinux-0:0.18-1.el9.*\n0:chrony-4.5-1.el9.*\n!audit-0:3-1.*\nnonsense\n";
        assert_eq!(locked(list), ["rke2-selinux", "chrony"]);
        let left = unlocked(list, &["rke2-selinux"]);
        assert_eq!(locked(&left), ["chrony"]);
        assert!(left.starts_with("# comment\n") && left.contains("!audit"));
    }
}
