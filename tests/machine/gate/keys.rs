//! Host keys where cloud-init does not make them: missing ones are made before sshd, baked ones are left and refused.
//! Separate because its question is who makes keys, and in what order, and not what else a node must prove.

use super::bench::{Node, Setting, image, node, put, start};
use crate::support::machine::tree::Tree;
use crate::units::want;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

const GUARD: &str = "nodeagent-hostkeys.service";
const KEYS: [&str; 3] = ["rsa", "ecdsa", "ed25519"];
/// Everything by which cloud-init would run.
const CLOUD_INIT: [&str; 3] = [
    "usr/bin/cloud-init",
    "usr/lib/systemd/system-generators/cloud-init-generator",
    "etc/systemd/system/cloud-init.target.wants",
];

fn key(kind: &str) -> String {
    format!("etc/ssh/ssh_host_{kind}_key")
}

/// A clone without cloud-init, which its owner gave a name.
fn plain(image: &Tree, label: &str, spoil: impl Fn(&Path)) -> Node {
    let tree = Tree::of_image(image, label).unwrap();
    let root = tree.path();
    for path in CLOUD_INIT {
        let at = root.join(path);
        if at.is_dir() {
            fs::remove_dir_all(at).unwrap();
        } else {
            fs::remove_file(at).unwrap();
        }
    }
    put(&root, "etc/hostname", &format!("{label}\n"));
    spoil(&root);
    start(tree, label)
}

impl Node {
    fn time(&self, unit: &str, property: &str) -> u64 {
        let property = format!("{property}TimestampMonotonic");
        self.machine.unit(unit, &property).unwrap().parse().unwrap()
    }

    /// The guard ran before this unit began, and every type of key is there.
    fn was_guarded_before(&self, unit: &str) {
        assert_eq!(self.machine.unit(GUARD, "Result").unwrap(), "success");
        let (made, began) = (
            self.time(GUARD, "ActiveEnter"),
            self.time(unit, "InactiveExit"),
        );
        assert!(
            made > 0 && made <= began,
            "{unit}: keys at {made}, sshd at {began}"
        );
        for kind in KEYS {
            let path = format!("/{}", key(kind));
            self.machine
                .ok(&["ssh-keygen", "-y", "-P", "", "-f", &path])
                .unwrap();
        }
        assert_eq!(self.machine.unit(unit, "ActiveState").unwrap(), "active");
    }
}

#[test]
fn without_cloud_init_keys_are_made_before_sshd_and_the_node_is_accepted() {
    let image = image(Setting::Required, "keys-none");
    let node = plain(&image, "keys-none-node", |_| ());
    node.was_guarded_before("ssh.service");
    assert!(node.rke2_runs(), "{}", node.result());
}

/// A first boot that was cut off leaves files without content: they are no keys.
#[test]
fn files_without_content_are_made_keys_before_sshd_s_socket() {
    let image = image(Setting::Required, "keys-empty");
    let node = plain(&image, "keys-empty-node", |root| {
        for kind in KEYS {
            put(root, &key(kind), "");
        }
        let wants = root.join("etc/systemd/system/multi-user.target.wants/ssh.service");
        fs::remove_file(wants).unwrap();
        want(root, "sockets.target", "ssh.socket");
    });
    node.was_guarded_before("ssh.socket");
    assert!(node.rke2_runs(), "{}", node.result());
}

#[test]
fn without_cloud_init_a_baked_key_is_left_as_it_is_and_the_node_refused() {
    let image = image(Setting::Required, "keys-baked");
    let baked = |root: &Path| {
        let at = root.join(key("ed25519"));
        fs::copy(root.join("srv/had").join(key("ed25519")), &at).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o600)).unwrap();
    };
    let node = plain(&image, "keys-baked-node", baked);
    assert_eq!(node.machine.unit(GUARD, "ConditionResult").unwrap(), "no");
    let had = node
        .machine
        .read("/srv/had/etc/ssh/ssh_host_ed25519_key")
        .unwrap();
    assert_eq!(
        node.machine.read("/etc/ssh/ssh_host_ed25519_key").unwrap(),
        had
    );
    node.is_refused(&["identity:ssh-host-keys"]);
}

#[test]
fn where_cloud_init_fails_before_it_made_keys_the_guard_does() {
    let image = image(Setting::Required, "keys-failed");
    let node = node(&image, "keys-failed-node", "", |root| {
        let fails = "[Service]\nExecStart=\nExecStart=/bin/false\n";
        put(
            root,
            "etc/systemd/system/cloud-init.service.d/fails.conf",
            fails,
        );
    });
    assert_eq!(
        node.machine.unit("cloud-init.service", "Result").unwrap(),
        "exit-code"
    );
    node.was_guarded_before("ssh.service");
}
