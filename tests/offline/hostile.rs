//! A tree full of symlinks that lead out of it: no verb may follow one.
//! It is separate because here the outside is watched and not the tree.

use super::sealed;
use crate::support::offline::{Mini, code, command};

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

/// Each file that the verbs read or write, as something that must neither hang them nor be believed.
#[test]
fn pipes_and_deep_or_huge_files_are_refused_in_time() {
    let deep = "[".repeat(100_000);
    let sealed_files = [
        "image-manifest.json",
        "policy.json",
        "bake-record.json",
        "seal.json",
    ];
    let mini = sealed();
    for name in sealed_files {
        let path = mini.path().join("etc/packer-build").join(name);
        let kept = std::fs::read(&path).unwrap();
        for kind in ["pipe", "deep", "huge", "directory", "missing"] {
            std::fs::remove_file(&path).unwrap();
            match kind {
                "pipe" => nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap(),
                "deep" => std::fs::write(&path, &deep).unwrap(),
                "huge" => std::fs::File::create(&path)
                    .unwrap()
                    .set_len(80 << 20)
                    .unwrap(),
                "directory" => std::fs::create_dir(&path).unwrap(),
                _ => {}
            }
            let exit = code(&mini.run(&["verify"]));
            assert!(matches!(exit, 1 | 3 | 4), "{name} as {kind}: {exit}");
            match kind {
                "directory" => std::fs::remove_dir(&path).unwrap(),
                "missing" => {}
                _ => std::fs::remove_file(&path).unwrap(),
            }
            std::fs::write(&path, &kept).unwrap();
        }
    }
    assert_eq!(code(&mini.run(&["verify"])), 0, "all is as it was");
    for name in ["journal.jsonl", "lock"] {
        let mini = Mini::new();
        let dir = mini.path().join("var/lib/nodeagent");
        std::fs::create_dir_all(&dir).unwrap();
        nix::unistd::mkfifo(&dir.join(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let output = mini.bake(&[]);
        assert_eq!(code(&output), 1, "{name}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("not a regular file"));
    }
}

#[test]
fn the_running_system_is_never_taken_for_a_tree() {
    for root in ["/", "//", "/proc/self/root", "/usr/.."] {
        for verb in [
            &["generalize"][..],
            &["bake", "--profile", "debian12-base"],
            &["verify"],
        ] {
            let mut args = vec!["--root", root];
            args.extend(verb);
            // --list keeps even a broken refusal harmless.
            if verb[0] != "verify" {
                args.push("--list");
            }
            let output = command(&args).output().unwrap();
            assert_eq!(code(&output), 2, "{root} {verb:?}");
            assert!(String::from_utf8_lossy(&output.stderr).contains("running system"));
        }
    }
}
