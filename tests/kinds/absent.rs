//! Kind `absent`: what is removed, what never is, and what a mount protects.
//! It is separate because a mistake here loses data.

use nodeagent::host::FileKind;
use nodeagent::resource::absent::{Absent, Action};
use nodeagent::resource::{Kind as _, Place};

use super::{Bench, lines, steps};
use crate::support::namespace::{bind, in_namespaces};

fn wanted(path: &str) -> Absent {
    Absent {
        path: path.to_owned(),
    }
}

#[test]
fn files_links_and_trees_are_removed() {
    let bench = Bench::new();
    bench.put("/etc/theirs", "kept");
    bench.put("/opt/a/file", "");
    bench.link("/opt/a/link", "/etc/theirs");
    bench.link("/opt/dirlink", "/etc");
    let cases = [
        ("/opt/missing/too", None, None),
        (
            "/opt/a/file",
            Some("path: file -> absent"),
            Some("remove the file"),
        ),
        (
            "/opt/a/link",
            Some("path: symlink -> absent"),
            Some("remove the symlink"),
        ),
        (
            "/opt/dirlink",
            Some("path: symlink -> absent"),
            Some("remove the symlink"),
        ),
        (
            "/opt/a",
            Some("path: directory -> absent"),
            Some("remove it with all it holds"),
        ),
    ];
    for (path, difference, step) in cases {
        let diff = bench.diff(&wanted(path), Place::Build);
        assert_eq!(lines(&diff), Vec::from_iter(difference), "{path}");
        assert_eq!(steps(&diff), Vec::from_iter(step), "{path}");
        bench.settle(&wanted(path), Place::Build).unwrap();
        assert!(std::fs::symlink_metadata(bench.at(path)).is_err(), "{path}");
    }
    assert_eq!(bench.text("/etc/theirs"), "kept");
}

#[test]
fn what_the_system_needs_is_never_removed() {
    let bench = Bench::new();
    for path in ["/", "/etc", "/usr", "/home", "/boot", "/lib64"] {
        std::fs::create_dir_all(bench.at(path)).unwrap();
        let diff = bench.diff(&wanted(path), Place::Build);
        assert!(lines(&diff)[0].contains("never removed"), "{path}");
        assert!(diff.actions.is_empty(), "{path}");
    }
    // A file or a link by such a name is no such directory.
    bench.link("/lib32", "usr/lib32");
    bench.settle(&wanted("/lib32"), Place::Build).unwrap();
}

#[test]
fn a_hostile_parent_never_leads_outside() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("precious"), "kept").unwrap();
    let bench = Bench::new();
    bench.link("/opt/app", &outside.path().display().to_string());
    let there = wanted("/opt/app/precious");
    assert!(bench.diff(&there, Place::Build).conforms());
    Absent::apply(&[(&there, &Action::Remove(FileKind::File))], &bench.host).unwrap();
    assert!(outside.path().join("precious").exists());
}

#[test]
fn a_mount_is_refused_and_what_it_holds_stays() {
    in_namespaces(|| {
        let bench = Bench::new();
        bench.put("/srv/data/precious", "kept");
        for dir in ["/opt/mounted", "/opt/deep/down/mounted"] {
            std::fs::create_dir_all(bench.at(dir)).unwrap();
            // The same file system: its device number tells nothing.
            bind(&bench.at("/srv/data"), bench.at(dir).to_str().unwrap());
        }
        let diff = bench.diff(&wanted("/opt/mounted"), Place::Build);
        assert!(
            lines(&diff)[0].contains("unmount it first"),
            "{:?}",
            lines(&diff)
        );
        assert!(diff.actions.is_empty());
        let error = bench
            .settle(&wanted("/opt/deep"), Place::Build)
            .unwrap_err();
        assert!(
            error.one_line().contains("/opt/deep"),
            "{}",
            error.one_line()
        );
        assert_eq!(bench.text("/srv/data/precious"), "kept");
    });
}
