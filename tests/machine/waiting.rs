//! A bake that begins while the machine still boots: it waits for the real cloud-init, or says what that hangs on.
//! Separate because the bake is started by the machine's own systemd, long before a test could enter it.
#![expect(
    clippy::disallowed_methods,
    reason = "tests arrange a tree of the test host"
)]

use crate::support::machine::{cache, nspawn::Machine, rootfs, seed::Seed, tree::Tree};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    time::{Duration, Instant},
};

const UNIT: &str = "[Service]\nExecStart=/bin/sh -c '/opt/nodeagent bake --profile waits --policy /opt/policy \
    --build-machine >/opt/out 2>/opt/err; echo $? >/opt/code'\n";
const PROFILE: &str = "schema = 1\ndescription = \"d\"\nproven = true\nfragments = [\"10-waits.toml\"]\n\
    [requires]\nfamily = \"debian\"\nversion = \"12\"\narch = [\"x86_64\", \"aarch64\"]\n";

fn put(tree: &Path, path: &str, text: &[u8], mode: u32) {
    let path = tree.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Boots a machine whose systemd starts a bake at once, and gives the bake's exit code and what it said.
fn bake_at_boot(name: &str, deadline: u32, user_data: &str, cloud: &str) -> (String, String) {
    let stock = rootfs::stock().unwrap();
    let tree = Tree::of_stock(&stock.path, name).unwrap();
    let root = tree.path();
    let seed = Seed {
        instance_id: name,
        hostname: name,
        address: "192.0.2.41/24",
        user_data,
    };
    seed.write(&root).unwrap();
    let fragment = format!(
        "schema = 1\n[[cloud-init]]\ndeadline = {deadline}\nreason = \"r\"\n\
         [[file]]\npath = \"/etc/baked\"\ncontent = \"after\\n\"\nreason = \"r\"\n"
    );
    put(
        &root,
        "opt/policy/10-waits.toml",
        fragment.as_bytes(),
        0o644,
    );
    put(
        &root,
        "opt/policy/profiles/waits.toml",
        PROFILE.as_bytes(),
        0o644,
    );
    put(
        &root,
        "opt/nodeagent",
        &fs::read(env!("CARGO_BIN_EXE_nodeagent")).unwrap(),
        0o755,
    );
    put(
        &root,
        "etc/systemd/system/early.service",
        UNIT.as_bytes(),
        0o644,
    );
    put(
        &root,
        "etc/cloud/cloud.cfg.d/99-test.cfg",
        cloud.as_bytes(),
        0o644,
    );
    // As on EL: Debian has this stage end before basic.target, and so before sshd and any bake.
    let stage = fs::read_to_string(root.join("lib/systemd/system/cloud-init.service")).unwrap();
    assert!(stage.contains("Before=sysinit.target\n"));
    let stage = stage.replace("Before=sysinit.target\n", "");
    put(
        &root,
        "etc/systemd/system/cloud-init.service",
        stage.as_bytes(),
        0o644,
    );
    let wants = root.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    symlink("../early.service", wants.join("early.service")).unwrap();
    let machine = Machine::boot(&root, name, &cache::target_dir().join("machines/log")).unwrap();
    let begun = Instant::now();
    while machine.read("/opt/code").is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the bake does not end"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let read = |path: &str| machine.read(path).unwrap();
    let said = read("/opt/out") + &read("/opt/err");
    (read("/opt/code").trim().to_owned(), said)
}

#[test]
fn a_bake_during_boot_waits_and_then_goes_on() {
    let (code, said) = bake_at_boot(
        "waits",
        90,
        "runcmd:\n- [sleep, '4']\n- [touch, /etc/configured]\n",
        "",
    );
    assert_eq!(code, "0", "{said}");
    let waited = said.find("done cloud-init:finished");
    let wrote = said.find("done file:/etc/baked");
    assert!(waited.is_some() && waited < wrote, "{said}");
}

#[test]
fn a_data_source_that_hangs_is_named() {
    let cloud = "network: {config: disabled}\ndatasource_list: [MAAS]\ndatasource:\n  MAAS:\n    max_wait: 20\n    timeout: 2\n\
                 \x20   metadata_url: 'http://192.0.2.99/MAAS/metadata'\n";
    let (code, said) = bake_at_boot("hangs", 6, "", cloud);
    assert_eq!(code, "1", "{said}");
    for part in [
        "not finished after 6 s",
        "stage init",
        "still starting: cloud-init",
        "data source being tried: MAAS",
        "request error [HTTPConnectionPool(host='192.0.2.99'",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("/etc/baked"), "it went on: {said}");
}
