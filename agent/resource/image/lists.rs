//! `prepulled-images.txt` and `prepull-failures.txt`: what was pulled, and what could not be, a line each.
//! They are separate because people and scripts read them, as they did with the script that this replaces.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::host::Root;
use crate::host::failure::Failure;
use crate::host::root::Attr;

/// Images that are whole in the store, a reference a line.
pub(super) const PULLED: &str = "/etc/packer-build/prepulled-images.txt";
/// Images that could not be had: reference, class and reason, apart by tabs.
pub(super) const FAILURES: &str = "/etc/packer-build/prepull-failures.txt";

/// Lines by their first word.
type Lines = BTreeMap<String, String>;

fn read(root: &Root, path: &str) -> Result<Lines> {
    let text = root.read_text(path)?.unwrap_or_default();
    let line = |line: &str| Some((line.split('\t').next()?.to_owned(), line.to_owned()));
    Ok(text.lines().filter_map(line).collect())
}

fn write(root: &Root, path: &str, lines: &Lines) -> Result<()> {
    let text: String = lines.values().map(|line| format!("{line}\n")).collect();
    root.make_dir("/etc/packer-build", Attr::root(0o755))?;
    root.write(path, text.as_bytes(), Attr::root(0o644))
}

/// Why the last try to have an image failed: its class and the reason.
pub(super) fn failure(root: &Root, reference: &str) -> Result<Option<String>> {
    let lines = read(root, FAILURES)?;
    let line = lines.get(reference);
    Ok(line.and_then(|line| Some(line.split_once('\t')?.1.replace('\t', ": "))))
}

/// One line of the failures.
fn told(reference: &str, failure: &Failure) -> String {
    let reason = failure.error.one_line();
    let reason: String = reason
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("{reference}\t{}\t{reason}", failure.class)
}

/// Notes what became of some images; what the lists say of others stays. Both files are there afterwards.
pub(super) fn note(
    root: &Root,
    results: &BTreeMap<String, std::result::Result<(), Failure>>,
) -> Result<()> {
    let mut pulled = read(root, PULLED)?;
    let mut failures = read(root, FAILURES)?;
    for (reference, result) in results {
        pulled.remove(reference);
        failures.remove(reference);
        match result {
            Ok(()) => pulled.insert(reference.clone(), reference.clone()),
            Err(failure) => failures.insert(reference.clone(), told(reference, failure)),
        };
    }
    write(root, PULLED, &pulled)?;
    write(root, FAILURES, &failures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::host::failure::Class;

    #[test]
    fn a_later_try_takes_the_line_of_an_earlier_one() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let fail = || Failure::new(Class::Tls, Error::host("fetch r/b:1\nfrom\tthere"));
        let (a, b) = ("r/a:1".to_owned(), "r/b:1".to_owned());
        note(
            &root,
            &BTreeMap::from([(a, Ok(())), (b.clone(), Err(fail()))]),
        )
        .unwrap();
        let text = |path| root.read_text(path).unwrap().unwrap();
        assert_eq!(text(PULLED), "r/a:1\n");
        assert_eq!(text(FAILURES), "r/b:1\ttls\tfetch r/b:1 from there\n");
        let why = failure(&root, &b).unwrap();
        assert_eq!(why.as_deref(), Some("tls: fetch r/b:1 from there"));
        note(&root, &BTreeMap::from([(b.clone(), Ok(()))])).unwrap();
        assert_eq!(text(PULLED), "r/a:1\nr/b:1\n");
        assert_eq!(text(FAILURES), "");
        assert_eq!(failure(&root, &b).unwrap(), None);
    }
}
