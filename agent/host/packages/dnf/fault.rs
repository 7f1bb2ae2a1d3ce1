//! What went wrong in dnf's own words: whether trying again helps, and the line a person needs.
//! It is separate because it is pure, and its tables are texts that real failures printed.

use crate::host::Output;

/// Why dnf failed, as far as it decides what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Somebody else has a lock: wait and try again.
    Lock,
    /// A signature or key is missing or wrong; never tried again, never worked around.
    Key,
    /// The package is held back or excluded.
    Excluded,
    /// No candidate for a package, version or dependency: the metadata may be old.
    Candidate,
    /// The network or a mirror failed: wait and try again.
    Network,
    /// No repository is configured at all.
    Nowhere,
    /// All else; trying again does not help.
    Other,
}

/// The exit code of a dnf that would have to wait for another.
const LOCKED: i32 = 200;

const LOCK: &[&str] = &["already locked by", "can't create transaction lock"];

const KEY: &[&str] = &[
    "gpg check failed",
    "is not signed",
    "public key for",
    "gpg keys listed for the",
    "didn't install any keys",
    "key import failed",
    "do not have any gpg public keys installed",
    "bad gpg signature",
    "gpg verification is enabled, but gpg signature is not available",
];

const EXCLUDED: &[&str] = &["filtered out by exclude", "is filtered out by"];

const CANDIDATE: &[&str] = &[
    "unable to find a match",
    "no match for argument",
    "nothing provides",
    "status code: 404",
    "not available, cannot be reinstalled",
    "not available.",
];

const NOWHERE: &[&str] = &["there are no enabled repositories"];

const NETWORK: &[&str] = &[
    "curl error",
    "failed to download metadata",
    "all mirrors were",
    "no more mirrors",
    "could not resolve host",
    "cannot prepare internal mirrorlist",
    "status code: 5",
    "status code: 429",
    "checksum doesn't match",
    "downloading successful, but checksum",
];

/// Classifies what a failed dnf printed. Keys come first: a repository that cannot be trusted is no network fault.
pub(super) fn classify(output: &Output) -> Fault {
    let said = format!("{}\n{}", output.text(), output.errors()).to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let table = [
        (KEY, Fault::Key),
        (LOCK, Fault::Lock),
        (EXCLUDED, Fault::Excluded),
        (NOWHERE, Fault::Nowhere),
        (CANDIDATE, Fault::Candidate),
        (NETWORK, Fault::Network),
    ];
    if output.code == LOCKED {
        return Fault::Lock;
    }
    let found = table.into_iter().find(|(words, _)| any(words));
    found.map_or(Fault::Other, |(_, fault)| fault)
}

/// The lines that tell a person most: what stands behind dnf's last `Error:`, with the line that says why.
pub(super) fn meaning(output: &Output) -> String {
    let errors = output.errors();
    let lines: Vec<&str> = errors
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if let Some(failed) = scriptlets(output).into_iter().next() {
        return format!("{} of {} failed{}", failed.name, failed.package, failed.how);
    }
    let Some(at) = lines.iter().rposition(|line| line.starts_with("Error:")) else {
        // With no key at all dnf prints a page of advice and settings, and no error.
        let telling = lines.iter().find(|line| is_about_keys(line));
        return match telling.or(lines.last()) {
            Some(line) => (*line).to_owned(),
            None => format!("it exited with {} and said nothing", output.code),
        };
    };
    let behind = lines.iter().skip(at).take(5).copied();
    let mut text = behind.collect::<Vec<_>>().join(" ");
    // Why a signature or a download failed stands in the line before.
    let telling = |line: &&&str| {
        let lower = line.to_lowercase();
        is_about_keys(line)
            || ["curl error", "status code"]
                .iter()
                .any(|w| lower.contains(w))
    };
    if let Some(why) = lines.iter().take(at).rfind(telling) {
        text = format!("{text} ({})", why.trim_start_matches("- "));
    }
    text
}

fn is_about_keys(line: &str) -> bool {
    let line = line.to_lowercase();
    KEY.iter().any(|word| line.contains(word))
}

/// A scriptlet that failed: rpm goes on after some of them, and dnf then says that all is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scriptlet {
    /// `%post` and so on.
    pub(super) name: String,
    /// The package as name-version-release.arch.
    pub(super) package: String,
    /// How it ended, with a comma before it.
    pub(super) how: String,
}

/// The scriptlets that rpm reported as failed.
pub(super) fn scriptlets(output: &Output) -> Vec<Scriptlet> {
    let both = format!("{}\n{}", output.text(), output.errors());
    both.lines().filter_map(scriptlet).collect()
}

fn scriptlet(line: &str) -> Option<Scriptlet> {
    let rest = line
        .strip_prefix("warning: %")
        .or_else(|| line.strip_prefix("error: %"))?;
    let (name, rest) = rest.split_once('(')?;
    let (package, how) = rest.split_once(") scriptlet failed")?;
    Some(Scriptlet {
        name: format!("%{name}"),
        package: package.to_owned(),
        how: how.to_owned(),
    })
}

/// What a person can do next.
pub(super) fn next_step(fault: Fault) -> &'static str {
    match fault {
        Fault::Lock => "let the other package manager finish and run this again",
        Fault::Key => {
            "check gpgkey= and the key's fingerprint in /etc/yum.repos.d; an unsigned package is never installed"
        }
        Fault::Excluded => "check excludepkgs= in /etc/dnf/dnf.conf and dnf versionlock list",
        Fault::Candidate => {
            "check the name, the version and the repositories in /etc/yum.repos.d (dnf list --showduplicates NAME)"
        }
        Fault::Network => {
            "check the network, proxy= in /etc/dnf/dnf.conf and, in a tree, /etc/resolv.conf; or give an offline directory"
        }
        Fault::Nowhere => "put a repository into /etc/yum.repos.d, or give an offline directory",
        Fault::Other => "look at /var/log/dnf.log; then run this again, it goes on from there",
    }
}

#[cfg(test)]
mod tests;
