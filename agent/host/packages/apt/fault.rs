//! What went wrong in apt's own words: whether trying again helps, and the line a person needs.
//! It is separate because it is pure, and its tables are texts that real failures printed.

use crate::host::Output;

/// Why apt failed, as far as it decides what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Somebody else has a lock: wait and try again.
    Lock,
    /// No candidate for a package or version: the indexes may be old.
    Candidate,
    /// The network or a mirror failed: wait and try again.
    Network,
    /// A transaction was interrupted before: finish it first.
    Interrupted,
    /// The disk is full.
    Space,
    /// All else; trying again does not help.
    Other,
}

const LOCK: &[&str] = &[
    "could not get lock",
    "unable to acquire the dpkg frontend lock",
    "unable to lock",
];

const INTERRUPTED: &[&str] = &["dpkg was interrupted", "run 'dpkg --configure -a'"];

const SPACE: &[&str] = &["no space left on device", "enough free space"];

const CANDIDATE: &[&str] = &[
    "unable to locate package",
    "has no installation candidate",
    "was not found",
    "404  not found",
    "couldn't find any package by",
];

const NETWORK: &[&str] = &[
    "temporary failure resolving",
    "could not resolve",
    "could not connect",
    "unable to connect",
    "connection failed",
    "connection timed out",
    "connection refused",
    "connection reset",
    "network is unreachable",
    "no route to host",
    "hash sum mismatch",
    "mirror sync in progress",
    "unexpected size",
    "undetermined error",
    "error reading from server",
    "429  too many requests",
    "500  internal",
    "502  bad gateway",
    "503  service unavailable",
    "504  gateway",
    "gnutls_handshake",
];

/// Classifies what a failed apt-get printed. A fetch that failed for want of a file may only need new indexes,
/// so that comes before the network; locks come first, because nothing was tried under them.
pub(super) fn classify(output: &Output) -> Fault {
    let said = said(output).to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
    // tar and package scripts say it in lines of their own.
    let errors = output.errors().to_lowercase();
    if any(LOCK) {
        Fault::Lock
    } else if SPACE.iter().any(|word| errors.contains(word)) {
        Fault::Space
    } else if any(INTERRUPTED) {
        Fault::Interrupted
    } else if any(NETWORK) {
        Fault::Network
    } else if any(CANDIDATE) {
        Fault::Candidate
    } else {
        Fault::Other
    }
}

/// Lines of apt and dpkg that state errors and warnings; package names and descriptions elsewhere must not match.
fn said(output: &Output) -> String {
    let both = format!("{}\n{}", output.text(), output.errors());
    let lines = both.lines().filter(|line| {
        ["E:", "W:", "Err:", "dpkg: ", "  "]
            .iter()
            .any(|start| line.starts_with(start))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The line that tells a person most: dpkg's own words on a package, then apt's last error.
pub(super) fn meaning(output: &Output) -> String {
    if let Some(unmet) = unmet(output) {
        return unmet;
    }
    let errors = output.errors();
    let lines: Vec<&str> = errors.lines().map(str::trim).collect();
    let dpkg = lines
        .iter()
        .position(|line| line.starts_with("dpkg: error processing"));
    if let Some(at) = dpkg {
        let pair = lines.iter().skip(at).take(2).copied().collect::<Vec<_>>();
        return pair.join(" ");
    }
    // After a wrong signature apt ends with the plain claim that there is none.
    let signature = |line: &&&str| {
        line.contains("signatures couldn't be verified") || line.contains("signatures were invalid")
    };
    if let Some(line) = lines.iter().find(signature) {
        return (*line).to_owned();
    }
    let errors = lines.iter().filter(|line| line.starts_with("E: "));
    let telling =
        |line: &&&str| !line.contains("Sub-process") && !line.contains("Some index files");
    let last = errors
        .clone()
        .rfind(telling)
        .or_else(|| errors.clone().next_back());
    let last = last.or_else(|| lines.iter().rfind(|line| !line.is_empty()));
    match last {
        Some(line) => (*line).to_owned(),
        None => format!("it exited with {} and said nothing", output.code),
    }
}

/// What apt lists of packages that are missing for others; its last error only says that there are some.
fn unmet(output: &Output) -> Option<String> {
    let text = output.text();
    let mut lines = text.lines();
    lines.find(|line| line.ends_with("have unmet dependencies:"))?;
    let missing: Vec<&str> = lines
        .take_while(|line| line.starts_with(' '))
        .map(str::trim)
        .take(4)
        .collect();
    (!missing.is_empty()).then(|| format!("unmet dependencies: {}", missing.join("; ")))
}

/// What a person can do next.
pub(super) fn next_step(fault: Fault) -> &'static str {
    match fault {
        Fault::Lock => "let the other package manager finish and run this again",
        Fault::Candidate => {
            "check the name, the version and the repositories in /etc/apt (apt-cache policy NAME)"
        }
        Fault::Network => {
            "check the network, the proxy in /etc/apt/apt.conf.d and, in a tree, /etc/resolv.conf"
        }
        Fault::Interrupted => "run dpkg --configure -a and look at what fails",
        Fault::Space => "free some space, then run this again: it goes on from there",
        Fault::Other => "look at /var/log/apt/term.log; then run this again, it goes on from there",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(stderr: &str) -> Output {
        Output {
            code: 100,
            stdout: Vec::new(),
            stderr: stderr.as_bytes().to_vec(),
        }
    }

    #[test]
    fn faults_are_told_apart() {
        let table = [
            (
                "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)",
                Fault::Lock,
            ),
            ("E: Unable to locate package nix", Fault::Candidate),
            ("E: Version '9' for 'a' was not found", Fault::Candidate),
            (
                "E: Package 'a' has no installation candidate",
                Fault::Candidate,
            ),
            (
                "E: Failed to fetch http://m/a.deb  404  Not Found [IP: 192.0.2.1 80]",
                Fault::Candidate,
            ),
            (
                "E: Failed to fetch http://m/a.deb  Temporary failure resolving 'm'",
                Fault::Network,
            ),
            (
                "E: Failed to fetch http://m/a.deb  503  Service Unavailable",
                Fault::Network,
            ),
            (
                "E: dpkg was interrupted, you must manually run 'dpkg --configure -a'",
                Fault::Interrupted,
            ),
            (
                "E: You don't have enough free space in /var/cache/apt/archives/.",
                Fault::Space,
            ),
            (
                "dpkg: error processing archive /a.deb (--unpack):\n unable to create '/usr/a.dpkg-new': No space left on device",
                Fault::Space,
            ),
            (
                "E: Sub-process /usr/bin/dpkg returned an error code (1)",
                Fault::Other,
            ),
            ("Unpacking connection-refused-tool (1)", Fault::Other),
        ];
        for (said, want) in table {
            assert_eq!(classify(&failed(said)), want, "{said}");
        }
    }

    #[test]
    fn the_telling_line_is_found() {
        let dpkg = "dpkg: error processing package bad (--configure):\n installed bad package post-installation script \
                    subprocess returned error exit status 3\nErrors were encountered while processing:\n bad\n\
                    E: Sub-process /usr/bin/dpkg returned an error code (1)\n";
        assert!(meaning(&failed(dpkg)).starts_with("dpkg: error processing package bad"));
        assert!(meaning(&failed(dpkg)).ends_with("exit status 3"));
        assert_eq!(meaning(&failed("E: first\nE: Sub-process x\n")), "E: first");
        assert_eq!(meaning(&failed("E: Sub-process x\n")), "E: Sub-process x");
        assert_eq!(meaning(&failed("no prefix\n\n")), "no prefix");
        assert!(meaning(&failed("")).contains("100"));
        let wrong = "W: GPG error: x InRelease: The following signatures couldn't be verified: NO_PUBKEY 1\nE: The \
                     repository 'x InRelease' is not signed.\n";
        assert!(meaning(&failed(wrong)).ends_with("NO_PUBKEY 1"));
        let mut unmet = failed("E: Unable to correct problems, you have held broken packages.\n");
        unmet.stdout = b"Reading...\nThe following packages have unmet dependencies:\n a : Depends: b (>= 2) but it is \
                         not installable\n     Depends: c\nx\n".to_vec();
        let want =
            "unmet dependencies: a : Depends: b (>= 2) but it is not installable; Depends: c";
        assert_eq!(meaning(&unmet), want);
    }
}
