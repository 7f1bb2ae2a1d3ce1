//! The host's own apt sources and apt transport settings, as inputs for a bootstrap of Debian 12.
//! Separate so that no mirror's name is ever written into the repository: it is read when needed.

use super::{Result, doing, run};
use std::{fs, path::Path, process::Command, time::Duration};

/// The suites a Debian 12 root is made of.
const SUITES: [&str; 3] = ["bookworm", "bookworm-updates", "bookworm-security"];

/// Writes the host's Debian 12 sources below `dir`, one file per format, and gives the files' paths.
pub(crate) fn copy_to(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
    let (mut lines, mut stanzas) = (String::new(), String::new());
    for path in host_files()? {
        let text = fs::read_to_string(&path).map_err(|e| doing("reading", &path, &e))?;
        if path.extension().is_some_and(|e| e == "sources") {
            stanzas.push_str(&pick_stanzas(&text));
        } else {
            lines.push_str(&pick_lines(&text));
        }
    }
    let mut files = Vec::new();
    for (name, text) in [("host.list", lines), ("host.sources", stanzas)] {
        if !text.is_empty() {
            let path = dir.join(name);
            fs::write(&path, text).map_err(|e| doing("writing", &path, &e))?;
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(
            "no Debian 12 (bookworm main) source in /etc/apt of this host: \
                    the rig takes its packages from where the host does"
                .to_owned(),
        );
    }
    Ok(files)
}

/// Writes the sources of another suite below `dir`: main, from the same archive as the host's Debian 12.
pub(crate) fn of_suite(suite: &str, dir: &Path) -> Result<()> {
    for path in copy_to(dir)? {
        let text = fs::read_to_string(&path).map_err(|e| doing("reading", &path, &e))?;
        let text = if path.extension().is_some_and(|e| e == "sources") {
            suite_of_stanzas(&text, suite)
        } else {
            suite_of_lines(&text, suite)
        };
        fs::write(&path, text).map_err(|e| doing("writing", &path, &e))?;
    }
    Ok(())
}

/// Lines of [`pick_lines`] with another suite; those of updates and security fixes are left out.
pub(crate) fn suite_of_lines(text: &str, suite: &str) -> String {
    let (old, new) = (format!(" {} ", SUITES[0]), format!(" {suite} "));
    let lines = text.lines().filter(|line| line.contains(&old));
    lines.fold(String::new(), |all, line| {
        all + &line.replacen(&old, &new, 1) + "\n"
    })
}

/// Stanzas of [`pick_stanzas`] with another suite; those without the main one are left out.
pub(crate) fn suite_of_stanzas(text: &str, suite: &str) -> String {
    let suites = |line: &str| {
        let (name, values) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("Suites");
        named.then(|| values.split_whitespace().any(|v| v == SUITES[0]))
    };
    let stanzas = text
        .split("\n\n")
        .filter(|s| s.lines().any(|l| suites(l) == Some(true)));
    let line = |line: &str| match suites(line) {
        Some(_) => format!("Suites: {suite}\n"),
        None => format!("{line}\n"),
    };
    let stanza = |stanza: &str| stanza.lines().map(line).collect::<String>() + "\n";
    stanzas.map(stanza).collect()
}

/// The host's proxy, TLS and date-check settings, as lines of an apt.conf.
pub(crate) fn transport_settings() -> Result<Vec<String>> {
    let dump = run::ok(
        Command::new("apt-config").arg("dump"),
        Duration::from_secs(20),
    )?;
    let wanted = [
        "Acquire::http::",
        "Acquire::https::",
        "Acquire::Check-",
        "Acquire::Retries ",
    ];
    Ok(dump
        .lines()
        .filter(|line| wanted.iter().any(|prefix| line.starts_with(prefix)))
        .map(str::to_owned)
        .collect())
}

fn host_files() -> Result<Vec<std::path::PathBuf>> {
    let single = Path::new("/etc/apt/sources.list");
    let mut files: Vec<_> = single
        .exists()
        .then(|| single.to_owned())
        .into_iter()
        .collect();
    let dir = Path::new("/etc/apt/sources.list.d");
    if dir.exists() {
        let names = fs::read_dir(dir).map_err(|e| doing("listing", dir, &e))?;
        for name in names {
            let path = name.map_err(|e| doing("listing", dir, &e))?.path();
            if path
                .extension()
                .is_some_and(|e| e == "list" || e == "sources")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The `deb` lines of a one-line-style file that give Debian 12's main component.
pub(crate) fn pick_lines(text: &str) -> String {
    let wanted = |line: &&str| {
        let after_options = line.split_once(']').map_or(*line, |(_, rest)| rest);
        let mut words = line.split_whitespace();
        words.next() == Some("deb")
            && after_options
                .split_whitespace()
                .any(|w| SUITES.contains(&w))
            && after_options.split_whitespace().any(|w| w == "main")
    };
    text.lines()
        .filter(wanted)
        .fold(String::new(), |all, line| all + line + "\n")
}

/// The stanzas of a deb822 file that give Debian 12's main component, without comments.
pub(crate) fn pick_stanzas(text: &str) -> String {
    let uncommented: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
    let has = |stanza: &str, field: &str, words: &[&str]| {
        stanza.lines().any(|line| {
            line.split_once(':').is_some_and(|(name, values)| {
                name.eq_ignore_ascii_case(field)
                    && values
                        .split_whitespace()
                        .any(|value| words.contains(&value))
            })
        })
    };
    uncommented
        .join("\n")
        .split("\n\n")
        .filter(|s| has(s, "Types", &["deb"]) && !has(s, "Enabled", &["no", "false"]))
        .filter(|s| has(s, "Suites", &SUITES) && has(s, "Components", &["main"]))
        .fold(String::new(), |all, stanza| all + stanza.trim() + "\n\n")
}
