//! What real failures of dnf printed, and how they are understood.
//! It is separate because the texts are longer than what judges them.

use super::*;

fn failed(code: i32, stderr: &str) -> Output {
    Output {
        code,
        stdout: Vec::new(),
        stderr: stderr.as_bytes().to_vec(),
    }
}

const UNSIGNED: &str = "Package a-1-1.noarch.rpm is not signed\nError: GPG check FAILED\n";
const NO_KEY: &str = "You have enabled checking of packages via GPG keys. This is a good thing.\nHowever, you do not have any \
GPG public keys installed.\nusername:\n";
const GONE: &str = "Errors during downloading metadata for repository 'r':\n  - Curl error (7): Couldn't connect to server for \
http://127.0.0.1:9/x/repodata/repomd.xml [Failed to connect]\nError: Failed to download metadata for repo 'r': \
Cannot download repomd.xml: All mirrors were tried\n";
const LACKING: &str = "Error: \n Problem: conflicting requests\n  - nothing provides nowhere needed by a-1-1.noarch\n";

#[test]
fn faults_are_told_apart() {
    let wrong_key = "The GPG keys listed for the \"r\" repository are already installed but they are not correct for this \
                     package.\nError: GPG check FAILED\n";
    let excluded = "All matches were filtered out by exclude filtering for argument: a\nError: Unable to find a match: a";
    let table = [
        (200, "metadata already locked by 10411\n", Fault::Lock),
        (
            1,
            "Error: Can't create transaction lock on /var/lib/rpm/.rpm.lock",
            Fault::Lock,
        ),
        (1, UNSIGNED, Fault::Key),
        (1, wrong_key, Fault::Key),
        (1, NO_KEY, Fault::Key),
        (1, excluded, Fault::Excluded),
        (1, "Error: Unable to find a match: a", Fault::Candidate),
        (1, LACKING, Fault::Candidate),
        (
            1,
            "[MIRROR] a.rpm: Status code: 404 for http://m/a.rpm\nError: Error downloading packages:\n  a: Cannot \
             download, all mirrors were already tried",
            Fault::Candidate,
        ),
        (1, GONE, Fault::Network),
        (
            1,
            "Error: There are no enabled repositories in \"/etc/yum.repos.d\".",
            Fault::Nowhere,
        ),
        (
            1,
            "Error: Transaction test error:\n  installing package a needs 3MB more space",
            Fault::Other,
        ),
    ];
    for (code, said, want) in table {
        assert_eq!(classify(&failed(code, said)), want, "{said}");
    }
}

#[test]
fn the_telling_lines_are_found() {
    let table = [
        (
            UNSIGNED,
            "Error: GPG check FAILED (Package a-1-1.noarch.rpm is not signed)",
        ),
        (
            LACKING,
            "Error: Problem: conflicting requests - nothing provides nowhere needed by a-1-1.noarch",
        ),
        (
            "no good\nerror: %prein(a-1-1.noarch) scriptlet failed, exit status 3\n",
            "%prein of a-1-1.noarch failed, exit status 3",
        ),
        (
            NO_KEY,
            "However, you do not have any GPG public keys installed.",
        ),
        ("no prefix\n\n", "no prefix"),
        ("", "it exited with 1 and said nothing"),
    ];
    for (said, want) in table {
        assert_eq!(meaning(&failed(1, said)), want);
    }
    let gone = meaning(&failed(1, GONE));
    assert!(
        gone.contains("repo 'r'") && gone.contains("127.0.0.1"),
        "{gone}"
    );
}

#[test]
fn scriptlets_that_failed_are_seen_although_dnf_was_content() {
    let said = "warning: %post(a-1-1.el9.noarch) scriptlet failed, exit status 3\nError in POSTIN scriptlet in rpm package a\n";
    let found = scriptlets(&failed(0, said));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].name.as_str(), found[0].package.as_str()),
        ("%post", "a-1-1.el9.noarch")
    );
}
