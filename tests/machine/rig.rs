//! Proves the machine rig itself: boot, exec, power off, clones, and apt without a network.
//! Separate so that a broken rig is told apart from a broken agent.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at the host's own files"
)]

use crate::support::machine::{
    cache, nspawn::Machine, pool, rootfs, seed::Seed, sources, tree::Tree,
};
use std::{fs, path::PathBuf};

fn logs() -> PathBuf {
    cache::target_dir().join("machines/log")
}

#[test]
fn machine_boots_answers_and_powers_off() {
    let stock = rootfs::stock().unwrap();
    let tree = Tree::of_stock(&stock.path, "boots").unwrap();
    let machine = Machine::boot(&tree.path(), "boots", &logs()).unwrap();

    let answer = machine
        .run(&["sh", "-c", "echo out; echo err >&2; exit 7"])
        .unwrap();
    assert_eq!(
        (answer.code, answer.stdout.as_str(), answer.stderr.as_str()),
        (7, "out\n", "err\n")
    );
    assert_eq!(machine.ok(&["cat", "/proc/1/comm"]).unwrap(), "systemd\n");
    assert_eq!(
        machine.unit("dbus.service", "ActiveState").unwrap(),
        "active"
    );
    assert_eq!(
        machine.unit("containerd.service", "ActiveState").unwrap(),
        "active"
    );
    assert_eq!(
        machine
            .unit("NetworkManager.service", "ActiveState")
            .unwrap(),
        "active"
    );
    // What containerd's snapshotter needs.
    machine
        .ok(&[
            "sh",
            "-ec",
            "cd /var/lib/containerd; mkdir l u w m; \
               mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m; umount m",
        ])
        .unwrap();
    // The host's clock and kernel are out of reach: no CAP_SYS_TIME (25), no CAP_SYS_MODULE (16).
    let status = machine.read("/proc/self/status").unwrap();
    let bounding = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .unwrap();
    let bits = u64::from_str_radix(bounding.trim(), 16).unwrap();
    assert_eq!(bits & (1 << 25 | 1 << 16), 0, "{bounding}");

    machine.power_off().unwrap();
    assert!(tree.path().join("var/log/wtmp").metadata().unwrap().len() > 0);
}

#[test]
fn files_go_in_and_come_out() {
    let stock = rootfs::stock().unwrap();
    let tree = Tree::of_stock(&stock.path, "files").unwrap();
    let machine = Machine::boot(&tree.path(), "files", &logs()).unwrap();
    machine
        .copy_in(
            &tree.path().join("etc/os-release"),
            "/run/deep/er/file",
            "0640",
        )
        .unwrap();
    assert!(
        machine
            .read("/run/deep/er/file")
            .unwrap()
            .contains("VERSION_CODENAME=bookworm")
    );
    assert_eq!(
        machine
            .ok(&["stat", "-c", "%a", "/run/deep/er/file"])
            .unwrap(),
        "640\n"
    );
}

#[test]
fn killed_machine_leaves_nothing_behind() {
    let stock = rootfs::stock().unwrap();
    let tree = Tree::of_stock(&stock.path, "killed").unwrap();
    let mounts = || {
        let table = fs::read_to_string("/proc/self/mounts").unwrap();
        let ours = |line: &&str| line.contains(tree.path().to_str().unwrap());
        table
            .lines()
            .filter(ours)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let before = mounts();
    let machine = Machine::boot(&tree.path(), "killed", &logs()).unwrap();
    let group = machine.control_group();
    assert!(group.join("payload").exists());
    drop(machine);
    assert!(!group.exists(), "{} is still there", group.display());
    assert_eq!(mounts(), before);
    // The tree can be booted again at once: no lock of the dead machine is in the way.
    Machine::boot(&tree.path(), "killed", &logs())
        .unwrap()
        .power_off()
        .unwrap();
}

#[test]
fn boot_failure_says_what_the_console_said() {
    let empty = tempfile::tempdir().unwrap();
    let error = Machine::boot(empty.path(), "empty", &logs()).unwrap_err();
    assert!(error.contains("booting empty-"), "{error}");
    assert!(
        error.contains("doesn't look like an OS root directory"),
        "{error}"
    );
}

#[test]
fn two_clones_of_the_stock_root_get_their_own_identity() {
    let stock = rootfs::stock().unwrap();
    assert_eq!(fs::read(stock.path.join("etc/machine-id")).unwrap(), b"");
    let boot = |name: &str, address: &str| {
        let tree = Tree::of_stock(&stock.path, name).unwrap();
        let seed = Seed {
            instance_id: name,
            hostname: name,
            address,
            user_data: "",
        };
        seed.write(&tree.path()).unwrap();
        let machine = Machine::boot(&tree.path(), name, &logs()).unwrap();
        assert_eq!(machine.ok(&["hostname"]).unwrap().trim(), name);
        assert_eq!(
            machine.unit("ssh.service", "ActiveState").unwrap(),
            "active"
        );
        assert!(
            machine
                .ok(&["ip", "-br", "address", "show", "eth1"])
                .unwrap()
                .contains(address)
        );
        let id = machine.read("/etc/machine-id").unwrap();
        let key = machine.read("/etc/ssh/ssh_host_ed25519_key.pub").unwrap();
        machine.power_off().unwrap();
        (id, key)
    };
    let (first, second) = (
        boot("clone-a", "192.0.2.21/24"),
        boot("clone-b", "192.0.2.22/24"),
    );
    assert_eq!(first.0.trim().len(), 32);
    assert_ne!(first.0, second.0);
    assert_ne!(first.1, second.1);
}

#[test]
fn image_is_read_only_and_its_clones_are_independent() {
    let stock = rootfs::stock().unwrap();
    let mut image = Tree::of_stock(&stock.path, "image").unwrap();
    let file = |tree: &Tree, name: &str| tree.path().join(name);
    fs::write(file(&image, "etc/baked"), "baked").unwrap();
    fs::write(file(&image, "var/lib/containerd/blob"), "blob").unwrap();
    image.freeze().unwrap();
    let refused = fs::write(file(&image, "etc/baked"), "changed").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);

    let clones = ["left", "right"].map(|name| Tree::of_image(&image, name).unwrap());
    for clone in &clones {
        assert_eq!(
            fs::read_to_string(file(clone, "etc/baked")).unwrap(),
            "baked"
        );
        fs::write(file(clone, "etc/baked"), "mine").unwrap();
        assert_eq!(
            fs::read_to_string(file(clone, "var/lib/containerd/blob")).unwrap(),
            "blob"
        );
        fs::remove_file(file(clone, "var/lib/containerd/blob")).unwrap();
    }
    assert_eq!(
        fs::read_to_string(file(&image, "etc/baked")).unwrap(),
        "baked"
    );
    assert!(file(&image, "var/lib/containerd/blob").exists());
    assert!(!stock.path.join("etc/baked").exists());
}

#[test]
fn apt_installs_from_the_pool_without_a_network() {
    let stock = rootfs::stock().unwrap();
    let pool = pool::for_packages(&["socat".to_owned()]).unwrap();
    let tree = Tree::of_stock(&stock.path, "apt").unwrap();
    pool::install(&pool.path, &tree.path()).unwrap();
    let machine = Machine::boot(&tree.path(), "apt", &logs()).unwrap();
    let links = machine.ok(&["ip", "-br", "link"]).unwrap();
    assert_eq!(links.lines().count(), 2, "only lo and eth1: {links}");
    machine
        .ok(&["apt-get", "update", "--error-on=any"])
        .unwrap();
    machine
        .ok(&["apt-get", "install", "--yes", "socat"])
        .unwrap();
    assert!(
        machine
            .ok(&["socat", "-V"])
            .unwrap()
            .contains("socat version")
    );
    // The signature counts: an index that was changed afterwards is refused.
    machine
        .ok(&[
            "sh",
            "-c",
            "sed -i s/socat/taocs/ /srv/apt/Packages /srv/apt/Release",
        ])
        .unwrap();
    machine
        .ok(&["sh", "-c", "sed -i s/Suite/Suit/ /srv/apt/InRelease"])
        .unwrap();
    let refused = machine
        .run(&["apt-get", "update", "--error-on=any"])
        .unwrap();
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("signature"), "{}", refused.stderr);
}

#[test]
fn only_debian_12_main_is_taken_from_the_hosts_sources() {
    let lines = "deb [arch=amd64] http://a.example/debian bookworm main\n\
                 # deb http://b.example/debian bookworm main\n\
                 deb http://c.example/debian trixie main\n\
                 deb http://d.example/tool bookworm stable\n\
                 deb-src http://a.example/debian bookworm main\n";
    assert_eq!(
        sources::pick_lines(lines),
        "deb [arch=amd64] http://a.example/debian bookworm main\n"
    );
    let stanzas = "Types: deb\n# a comment\nURIs: http://a.example/debian\n\
                   Suites: bookworm bookworm-updates\nComponents: main\n\n\
                   Types: deb\nURIs: http://b.example/x\nSuites: nodistro\nComponents: main\n\n\
                   Enabled: no\nTypes: deb\nURIs: http://c.example/x\nSuites: bookworm\n\
                   Components: main\n";
    let picked = sources::pick_stanzas(stanzas);
    assert!(
        picked.contains("a.example") && !picked.contains('#'),
        "{picked}"
    );
    assert!(
        !picked.contains("b.example") && !picked.contains("c.example"),
        "{picked}"
    );
}

#[test]
fn cache_builds_once_and_throws_interrupted_builds_away() {
    let cache = tempfile::tempdir().unwrap();
    let get = |key: &str, text: &str, fails: bool| {
        cache::entry_in(cache.path(), "thing", &cache::key(&[key]), |dir| {
            fs::write(dir.join("file"), text).map_err(|e| e.to_string())?;
            if fails {
                Err("cut off".to_owned())
            } else {
                Ok(())
            }
        })
    };
    // Of another kind, whose name begins alike.
    let others =
        ["thing-else.lock", "thing-else-0123456789abcdef"].map(|name| cache.path().join(name));
    fs::write(&others[0], "").unwrap();
    fs::create_dir(&others[1]).unwrap();
    assert_eq!(get("1", "bad", true).unwrap_err(), "cut off");
    let first = get("1", "good", false).unwrap();
    assert!(first.built);
    let again = get("1", "other", false).unwrap();
    assert!(!again.built);
    assert_eq!(fs::read_to_string(again.path.join("file")).unwrap(), "good");
    for key in ["2", "3", "4"] {
        assert!(get(key, "new", false).unwrap().built);
    }
    assert!(first.path.exists(), "tests side by side use several");
    assert!(get("5", "new", false).unwrap().built);
    assert!(!first.path.exists(), "the oldest entry is removed");
    assert!(others.iter().all(|other| other.exists()));
}
