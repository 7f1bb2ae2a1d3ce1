//! A tree full of symlinks that lead out of it: no verb may follow one.
//! It is separate because here the outside is watched and not the tree.

use crate::support::offline::Mini;

#[test]
fn a_tree_full_of_absolute_symlinks_never_reaches_outside() {
    let outside = tempfile::tempdir().unwrap();
    for dir in ["systemd", "log", "ssh", "tmp", "state", "build"] {
        std::fs::create_dir(outside.path().join(dir)).unwrap();
        std::fs::write(outside.path().join(dir).join("keep"), "outside").unwrap();
    }
    let mini = Mini::new();
    let link = |target: &str, at: &str| {
        let at = mini.path().join(at);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        if at.is_dir() {
            std::fs::remove_dir_all(&at).unwrap();
        } else if at.exists() {
            std::fs::remove_file(&at).unwrap();
        }
        std::os::unix::fs::symlink(outside.path().join(target), at).unwrap();
    };
    for (target, at) in [
        ("log", "var/log"),
        ("tmp", "tmp"),
        ("systemd", "etc/systemd/system/multi-user.target.wants"),
        ("ssh/keep", "root/.bash_history"),
        ("state", "var/lib/systemd"),
        ("ssh/keep", "etc/motd"),
        ("ssh/keep", "etc/machine-id"),
    ] {
        link(target, at);
    }
    mini.bake(&[]);
    mini.run(&["generalize"]);
    mini.run(&["verify"]);
    for dir in ["systemd", "log", "ssh", "tmp", "state", "build"] {
        let inside: Vec<_> = std::fs::read_dir(outside.path().join(dir))
            .unwrap()
            .collect();
        assert_eq!(inside.len(), 1, "{dir} was written to");
        assert_eq!(
            std::fs::read_to_string(outside.path().join(dir).join("keep")).unwrap(),
            "outside",
            "{dir}"
        );
    }
}
