//! Children of an unbooted tree: what they find there, and that neither tree nor machine is changed by it.
//! Separate because mounts in a hostile tree are the most dangerous thing that is done for a child.

use super::exec::sh;
use super::{PROGRAM, debian, inside};
use nodeagent::host::{Context, Exec as _, Host, Where};
use nodeagent::resource::script::Script;
use nodeagent::resource::{Kind as _, Place};
use std::path::Path;
use std::process::Command;

/// Every path of a tree with its kind, mode, size and time.
fn listing(root: &Path) -> String {
    let format = "%P %y %m %s %T@ %l\\n";
    let mut find = Command::new("find");
    find.arg(root).args(["-xdev", "-printf", format]);
    let out = find.output().unwrap();
    assert!(out.status.success());
    let mut lines: Vec<_> = String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn a_tree_has_what_programs_need_and_is_not_changed_by_it() {
    let tree = debian("exec-tree");
    let root = tree.path();
    std::fs::write(root.join("etc/resolv.conf"), "nameserver 192.0.2.1\n").unwrap();
    let before = listing(&root);
    // A plain `! …` would not end a `set -e` script; and a value is only ever replaced by itself.
    let script = "set -e
        no() { if \"$@\" 2>/dev/null; then echo \"$* succeeded\"; exit 9; fi }
        test -c /dev/null -a -c /dev/urandom -a ! -e /dev/vda -a ! -e /dev/sda
        echo x > /dev/null
        test -d /run/lock
        no grep -q 192.0.2.1 /etc/resolv.conf
        no sh -c 'value=$(cat /proc/sys/vm/swappiness) && echo $value > /proc/sys/vm/swappiness'
        no mkdir /sys/fs/cgroup/nodeagent
        test ! -e /sys/firmware/efi/efivars/x
        echo x > /run/left-in-run
        echo x > /dev/shm/left
        start-stop-daemon --start --exec /bin/true
        invoke-rc.d ssh start
        invoke-rc.d --query ssh start || test $? = 101
        systemctl start ssh.service 2>/dev/null
        for kind in uts ipc mnt pid; do readlink /proc/self/ns/$kind; done
        test \"$(ls -A /proc | grep -c '^[0-9]')\" -lt 6
        ls /proc/1/root/etc >/dev/null";
    let output = inside(&root).run(&sh(script)).unwrap();
    assert_eq!(
        (output.code, output.errors().as_str()),
        (0, ""),
        "{}",
        output.text()
    );
    for kind in ["uts", "ipc", "mnt", "pid"] {
        let ours = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        let (ours, theirs) = (ours.to_string_lossy(), output.text());
        assert!(
            theirs.contains(&format!("{kind}:[")) && !theirs.contains(&*ours),
            "{theirs}"
        );
    }
    assert_eq!(listing(&root), before);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let below = format!("{}/", root.display());
    assert!(
        !mounts
            .lines()
            .any(|l| l.contains(&below) && !l.contains("/var/lib/containerd"))
    );
}

#[test]
fn name_servers_reach_a_tree_whose_resolv_conf_points_into_run() {
    let tree = debian("exec-names");
    let root = tree.path();
    let link = root.join("etc/resolv.conf");
    std::os::unix::fs::symlink("../run/systemd/resolve/stub-resolv.conf", &link).unwrap();
    let output = inside(&root).run(&sh("cat /etc/resolv.conf")).unwrap();
    assert_eq!(
        output.text(),
        std::fs::read_to_string("/etc/resolv.conf").unwrap()
    );
    assert!(std::fs::read_link(&link).is_ok());
}

#[test]
fn a_mount_point_that_is_a_symlink_is_refused() {
    for name in ["proc", "sys", "dev", "run", "etc"] {
        let outside = tempfile::tempdir().unwrap();
        std::fs::create_dir(outside.path().join("fd")).unwrap();
        let tree = tempfile::tempdir().unwrap();
        for dir in ["proc", "sys", "dev", "run", "etc", "usr"] {
            std::fs::create_dir(tree.path().join(dir)).unwrap();
        }
        std::fs::remove_dir(tree.path().join(name)).unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join(name)).unwrap();
        let error = inside(tree.path()).run(&sh("true")).unwrap_err();
        let text = error.one_line();
        assert!(
            text.contains(&format!("/{name}")) && text.contains("symlink"),
            "{text}"
        );
        assert_eq!(
            std::fs::read_dir(outside.path()).unwrap().count(),
            1,
            "{name}"
        );
    }
}

#[test]
fn a_script_runs_in_the_tree_only_while_its_check_fails() {
    let tree = debian("exec-script");
    let context = Context {
        place: Where::Root,
        evidence: "test".to_owned(),
    };
    let host = Host::open(&tree.path(), context, Path::new(PROGRAM)).unwrap();
    let script = |run: &str| Script {
        name: "s".to_owned(),
        check: "test -e /made-by-script".to_owned(),
        run: run.to_owned(),
        timeout: 20,
    };
    let steps = |script: &Script| {
        script
            .diff(&script.observe(&host).unwrap(), Place::Build)
            .actions
    };
    let (good, bad) = (
        script("touch /made-by-script"),
        script("echo why >&2; exit 4"),
    );
    let action = &steps(&bad)[0];
    let error = Script::apply(&[(&bad, action)], &host)
        .unwrap_err()
        .one_line();
    assert!(
        error.contains("script s") && error.contains("exit 4: why"),
        "{error}"
    );
    Script::apply(&[(&good, &steps(&good)[0])], &host).unwrap();
    assert!(steps(&good).is_empty());
    assert!(tree.path().join("made-by-script").exists() && !Path::new("/made-by-script").exists());
}
