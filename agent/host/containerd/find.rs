//! Which containerd is started: the one that is named, RKE2's own where it is staged, or one of the machine's.
//! It is separate because a store's database only migrates forward: the choice is told and recorded.

use std::cmp::Ordering;

use crate::error::{Error, Result};
use crate::host::root::{FileKind, Root};

/// Where programs of the machine's own lie.
const USUAL: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/usr/sbin"];

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The program, as the root that is worked on sees it.
    pub program: String,
    /// Why it is this one, for the log and the record.
    pub why: String,
    /// It is one of RKE2's, found or given.
    pub rke2: bool,
}

/// Where it may be looked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The path that a person gave; nothing else is tried.
    pub given: Option<&'a str>,
    /// RKE2's directory of staged runtimes, such as `/var/lib/rancher/rke2/data`: the newest version's is taken.
    pub staged: &'a str,
    /// One of the machine's own will do where none is staged.
    pub any: bool,
}

/// Finds the program. It must be a regular file of root's that root alone may write to and that can be run.
pub fn find(root: &Root, wanted: &Wanted<'_>) -> Result<Found> {
    let staged = wanted.staged.trim_end_matches('/');
    if let Some(given) = wanted.given {
        usable(root, given)?;
        return Ok(found(given, "it was given", staged));
    }
    let mut versions = root.list(staged)?;
    versions.retain(|name| !name.starts_with('.'));
    versions.sort_by(|a, b| newer(b, a));
    for version in &versions {
        let program = format!("{staged}/{version}/bin/containerd");
        if root.present(&program)? {
            usable(root, &program)?;
            let why = format!("staged as {version}");
            return Ok(found(&program, &why, staged));
        }
    }
    for dir in USUAL.iter().filter(|_| wanted.any) {
        let program = format!("{dir}/containerd");
        if root.meta_followed(&program)?.is_some() {
            usable(root, &program)?;
            let why = "the machine's own: RKE2's is not staged";
            return Ok(found(&program, why, staged));
        }
    }
    let hint = "stage RKE2's runtime first, or name a containerd by its path";
    Err(Error::host("find a containerd")
        .because(format!("there is no {staged}/*/bin/containerd"))
        .hint(hint))
}

fn found(program: &str, why: &str, staged: &str) -> Found {
    let inside = program.strip_prefix(staged);
    Found {
        rke2: inside.is_some_and(|inside| inside.starts_with('/')),
        program: program.to_owned(),
        why: why.to_owned(),
    }
}

fn usable(root: &Root, program: &str) -> Result<()> {
    let doing = || Error::refused(format!("run {program} as containerd"));
    let Some(meta) = root.meta_followed(program)? else {
        return Err(doing().because("there is no such file"));
    };
    let why = match meta.kind {
        FileKind::File if meta.uid != 0 => format!("it belongs to user {}", meta.uid),
        FileKind::File if meta.mode & 0o022 != 0 => {
            format!(
                "others than root may write to it (mode {})",
                meta.mode_text()
            )
        }
        FileKind::File if meta.mode & 0o100 == 0 => {
            format!("it cannot be run (mode {})", meta.mode_text())
        }
        FileKind::File => return Ok(()),
        other => format!("it is a {other}"),
    };
    Err(doing()
        .because(why)
        .hint("install it anew, or name another containerd by its path"))
}

/// Compares names of versions such as `v1.34.1-rke2r1-0123456789ab`: numbers by value, the rest as text.
fn newer(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

/// Numbers come with the text before them.
fn parts(name: &str) -> Vec<(String, u64)> {
    let mut all = Vec::new();
    let (mut text, mut number) = (String::new(), String::new());
    for c in name.chars() {
        if c.is_ascii_digit() {
            number.push(c);
            continue;
        }
        if !number.is_empty() {
            all.push((
                std::mem::take(&mut text),
                number.parse().unwrap_or(u64::MAX),
            ));
            number.clear();
        }
        text.push(c);
    }
    all.push((text, number.parse().unwrap_or(0)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const STAGED: &str = "/data";

    fn wanted(given: Option<&str>, any: bool) -> Wanted<'_> {
        Wanted {
            given,
            staged: STAGED,
            any,
        }
    }

    fn place(dir: &std::path::Path, program: &str, mode: u32) {
        let path = dir.join(program);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_newest_that_is_staged_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let missing = find(&root, &wanted(None, false)).unwrap_err();
        assert!(missing.next_step().is_some());
        place(dir.path(), "usr/bin/containerd", 0o755);
        // One that is only being staged does not count.
        place(dir.path(), "data/.v9.nodeagent/bin/containerd", 0o755);
        assert!(find(&root, &wanted(None, false)).is_err());
        let own = find(&root, &wanted(None, true)).unwrap();
        assert_eq!(
            (own.program.as_str(), own.rke2),
            ("/usr/bin/containerd", false)
        );
        for version in [
            "v1.34.9-rke2r1-aa",
            "v1.34.10-rke2r1-aa",
            "v1.34.10-rke2r2-00",
        ] {
            place(dir.path(), &format!("data/{version}/bin/containerd"), 0o755);
            let program = find(&root, &wanted(None, true)).unwrap().program;
            assert_eq!(program, format!("/data/{version}/bin/containerd"));
        }
        // Staged only half, or without a containerd.
        place(dir.path(), "data/.v9.nodeagent/bin/containerd", 0o755);
        place(dir.path(), "data/v2.0.0-rke2r1-aa/bin/kubelet", 0o755);
        let newest = find(&root, &wanted(None, true)).unwrap();
        assert!(
            newest.why.contains("v1.34.10-rke2r2-00") && newest.rke2,
            "{newest:?}"
        );
        let staged = find(&root, &wanted(Some(&newest.program), false)).unwrap();
        assert!(staged.rke2, "{staged:?}");
        let given = find(&root, &wanted(Some("/usr/bin/containerd"), false)).unwrap();
        assert!(given.program == "/usr/bin/containerd" && !given.rke2);
    }

    #[test]
    fn only_a_program_of_roots_is_run() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let refused = |program: &str, why: &str| {
            let error = find(&root, &wanted(Some(program), true)).unwrap_err();
            let text = error.one_line();
            assert!(text.contains(why) && text.contains(program), "{text}");
        };
        refused("/absent", "no such file");
        place(dir.path(), "plain", 0o644);
        refused("/plain", "cannot be run");
        place(dir.path(), "open", 0o775);
        refused("/open", "others than root");
        std::fs::create_dir(dir.path().join("directory")).unwrap();
        refused("/directory", "it is a directory");
        place(dir.path(), "foreign", 0o755);
        if std::os::unix::fs::chown(dir.path().join("foreign"), Some(1), None).is_ok() {
            refused("/foreign", "user 1");
        }
        place(dir.path(), "data/v1/bin/containerd", 0o777);
        assert!(
            find(&root, &wanted(None, true)).is_err(),
            "no other is tried"
        );
    }
}
