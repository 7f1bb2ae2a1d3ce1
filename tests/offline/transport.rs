//! The way in by which an image was built: its account leaves whole, and an image that still has it is not accepted.
//! It is separate because it is about one account among others, and about a seal that nobody closed.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::Value;

use super::drift;
use crate::support::offline::{Mini, code, json};

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nbuilder:x:1000:1000::/home/builder:/bin/bash\nweb:x:33:33::/srv/web:/bin/false\n";

/// A tree with everything that an account leaves, baked with its name.
fn built() -> Mini {
    let mini = Mini::new();
    mini.put("etc/passwd", PASSWD);
    mini.put(
        "etc/shadow",
        "root:*:1::::::\nbuilder:$6$x$y:1::::::\nweb:*:1::::::\n",
    );
    let shadow = mini.path().join("etc/shadow");
    std::fs::set_permissions(shadow, std::fs::Permissions::from_mode(0o640)).unwrap();
    mini.put(
        "etc/group",
        "root:x:0:\nsudo:x:27:builder,web\nbuilder:x:1000:\n",
    );
    mini.put(
        "etc/gshadow",
        "root:*::\nsudo:*::builder,web\nbuilder:!::\n",
    );
    mini.put("etc/subuid", "builder:100000:65536\n");
    mini.put("etc/subgid", "builder:100000:65536\n");
    mini.put(
        "etc/sudoers.d/builder",
        "# the build\nbuilder ALL=(ALL) NOPASSWD:ALL\n",
    );
    mini.put("etc/sudoers.d/web", "web ALL=(ALL) /bin/true\n");
    mini.put("home/builder/site/file", "x");
    mini.put("srv/kept/file", "x");
    symlink("/srv/kept", mini.path().join("home/builder/link")).unwrap();
    assert_eq!(code(&mini.bake(&["--set", "build_account=builder"])), 0);
    mini
}

#[test]
fn the_build_account_leaves_whole_and_nobody_else_does() {
    let mini = built();
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    assert!(!mini.path().join("home/builder").exists());
    assert!(
        mini.path().join("srv/kept/file").exists(),
        "a link is not followed"
    );
    assert_eq!(mini.text("etc/shadow"), "root:*:1::::::\nweb:*:1::::::\n");
    let mode = mini
        .path()
        .join("etc/shadow")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert_eq!(mini.text("etc/group"), "root:x:0:\nsudo:x:27:web\n");
    assert_eq!(mini.text("etc/gshadow"), "root:*::\nsudo:*::web\n");
    assert_eq!(mini.text("etc/subuid"), "");
    assert!(!mini.path().join("etc/sudoers.d/builder").exists());
    assert!(mini.path().join("etc/sudoers.d/web").exists());
    let manifest: Value =
        serde_json::from_str(&mini.text("etc/packer-build/image-manifest.json")).unwrap();
    let accounts = manifest["inventory"]["accounts"].to_string();
    assert!(
        accounts.contains("web:") && !accounts.contains("builder"),
        "{accounts}"
    );
    assert_eq!(code(&mini.run(&["verify"])), 0);
}

#[test]
fn each_trace_of_the_account_is_found_when_it_is_put_back() {
    let mini = built();
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    for (path, text) in [
        ("etc/passwd", PASSWD),
        ("etc/shadow", "builder:$6$x$y:1::::::\n"),
        ("etc/group", "sudo:x:27:builder\n"),
        ("etc/subuid", "builder:100000:65536\n"),
        ("etc/sudoers.d/90-x", "builder ALL=(ALL) NOPASSWD:ALL\n"),
        ("var/spool/cron/crontabs/builder", "* * * * * true\n"),
        ("var/lib/systemd/linger/builder", ""),
    ] {
        let old = std::fs::read(mini.path().join(path)).ok();
        mini.put(path, text);
        let verdict = mini.run(&["verify", "--json"]);
        assert_eq!(verdict.status.code(), Some(3), "{path}");
        let told = drift(&json(&verdict));
        assert!(
            told.contains(&"build-account:builder".to_owned()),
            "{path}: {told:?}"
        );
        match old {
            Some(bytes) => std::fs::write(mini.path().join(path), bytes).unwrap(),
            None => std::fs::remove_file(mini.path().join(path)).unwrap(),
        }
    }
}

#[test]
fn a_name_of_root_is_never_removed() {
    let mini = Mini::new();
    mini.put(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\n",
    );
    assert_eq!(code(&mini.bake(&["--set", "build_account=toor"])), 0);
    assert_eq!(code(&mini.run(&["generalize"])), 1);
    assert!(mini.text("etc/passwd").contains("toor"));
    assert_eq!(code(&mini.bake(&["--set", "build_account=root"])), 2);
}

#[test]
fn an_image_whose_seal_is_pending_is_not_accepted() {
    let mini = built();
    assert_eq!(code(&mini.run(&["generalize"])), 0);
    let closed = mini.text("etc/packer-build/seal.json");
    mini.put(
        "etc/packer-build/seal.json",
        &closed.replace("\"closed\"", "\"pending\""),
    );
    let verdict = mini.run(&["verify", "--json"]);
    assert_eq!(code(&verdict), 3);
    assert_eq!(drift(&json(&verdict)), ["seal:state"]);
    mini.put("etc/packer-build/seal.json", &closed);
    assert_eq!(code(&mini.run(&["verify"])), 0);
}
