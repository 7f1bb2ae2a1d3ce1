//! What was installed, judged later: with the release gone, damaged, touched, or with a new file of the release.
//! It is separate because then the receipt is all that is known.

use nodeagent::resource::Place;

use super::{Bench, DATA, DIR, Files, IMAGES, RECEIPT, lines, steps, wanted};
use crate::support::tarball;
use std::os::unix::fs::PermissionsExt as _;

/// A name, what is done to the tree, and what then tells it.
type Violation<'c> = (&'c str, &'c dyn Fn(&Bench), &'c str);

#[test]
fn the_image_answers_for_itself_when_the_release_is_gone() {
    let mut bench = Bench::with_release(&tarball::whole());
    bench.install(&wanted()).unwrap();
    std::fs::remove_dir_all(bench.at(DIR)).unwrap();
    for place in [Place::Build, Place::Image, Place::Node] {
        assert_eq!(lines(&bench.diff(&wanted(), place)), Vec::<String>::new());
    }
    // Each violation with what tells it; the release is gone, so that no step can help.
    let gone = format!("{DIR}: no file of an RKE2 release -> the release's files, to install from");
    let kubelet = format!("{DATA}/bin/kubelet");
    let violations: &[Violation<'_>] = &[
        (
            "changed",
            &|b| b.put("/usr/local/bin/rke2", "evil"),
            "/usr/local/bin/rke2: sha256 ",
        ),
        (
            "removed",
            &|b| std::fs::remove_file(b.at(&kubelet)).unwrap(),
            "bin/kubelet: absent -> present",
        ),
        (
            "mode",
            &|b| {
                let all = std::fs::Permissions::from_mode(0o777);
                std::fs::set_permissions(b.at(&kubelet), all).unwrap();
            },
            "bin/kubelet: 0777 0:0 -> 0755 0:0",
        ),
        (
            "receipt",
            &|b| b.put(RECEIPT, "{"),
            "RKE2: its receipt is unreadable",
        ),
        (
            "another archive",
            &|b| b.put(&format!("{IMAGES}/evil.tar.gz"), "x"),
            "evil.tar.gz: present -> not there",
        ),
        (
            "another program",
            &|b| b.put(&format!("{DATA}/bin/runc"), "x"),
            "bin/runc: present -> not there",
        ),
        (
            "another runtime",
            &|b| b.put("/var/lib/rancher/rke2/data/v1/bin/runc", "x"),
            "data/v1: present -> not there",
        ),
    ];
    for (name, violate, want) in violations {
        let copy = Bench::with_release(&tarball::whole());
        copy.install(&wanted()).unwrap();
        std::fs::remove_dir_all(copy.at(DIR)).unwrap();
        violate(&copy);
        let diff = copy.diff(&wanted(), Place::Image);
        let told = lines(&diff);
        assert!(told[0].contains(want), "{name}: {told:?}");
        assert!(
            want.contains("not there") || told[1] == gone,
            "{name}: {told:?}"
        );
        assert!(diff.actions.is_empty(), "{name}");
    }
    // Same size and same time of change: only reading it tells.
    let path = bench.at("/usr/local/bin/rke2-killall.sh");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, "#!/bin/xx\n").unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(time).unwrap();
    assert!(bench.diff(&wanted(), Place::Image).conforms());
    bench.host.deep = true;
    assert!(lines(&bench.diff(&wanted(), Place::Image))[0].contains("killall.sh: sha256"));
}

#[test]
fn a_file_that_was_only_touched_is_read_and_conforms() {
    let bench = Bench::with_release(&tarball::whole());
    bench.install(&wanted()).unwrap();
    let file = std::fs::File::options()
        .write(true)
        .open(bench.at("/usr/local/bin/rke2"))
        .unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    assert!(bench.diff(&wanted(), Place::Build).conforms());
}

#[test]
fn damage_is_mended_from_the_release() {
    let bench = Bench::with_release(&tarball::whole());
    bench.install(&wanted()).unwrap();
    bench.put("/usr/local/bin/rke2", "evil");
    std::fs::remove_dir_all(bench.at(DATA)).unwrap();
    assert_eq!(steps(&bench.diff(&wanted(), Place::Build)).len(), 1);
    bench.settle(&wanted(), Place::Build).unwrap();
}

#[test]
fn new_files_of_the_release_are_taken_while_the_image_is_built() {
    let files = tarball::whole();
    let bench = Bench::with_release(&files);
    std::fs::remove_dir_all(bench.at(DIR)).unwrap();
    let without: Files = files
        .iter()
        .filter(|(name, _)| !name.contains("cilium"))
        .cloned()
        .collect();
    tarball::release(&bench.at(DIR), &without);
    bench.install(&wanted()).unwrap();
    tarball::release(&bench.at(DIR), &files);
    assert!(bench.diff(&wanted(), Place::Image).conforms());
    assert_eq!(
        lines(&bench.diff(&wanted(), Place::Build)),
        [format!(
            "{DIR}: other files than those installed -> the same"
        )]
    );
    bench.settle(&wanted(), Place::Build).unwrap();
    assert_eq!(bench.host.root.list(IMAGES).unwrap().len(), 2);
}

#[test]
fn a_killed_installation_goes_on() {
    let bench = Bench::with_release(&tarball::whole());
    // As a kill leaves it: half a file beside, a part of the runtime, a program, and no receipt.
    let half = format!("{IMAGES}/.rke2-images-old.linux-amd64.tar.zst.nodeagent");
    bench.put(&half, "half");
    bench.put(&format!("{DATA}/bin/containerd"), "half");
    bench.put("/usr/local/bin/rke2", "half");
    bench.settle(&wanted(), Place::Build).unwrap();
    assert!(!bench.at(&half).exists());
    bench.put(&half, "half");
    let told = lines(&bench.diff(&wanted(), Place::Image));
    assert!(told[0].contains(&half), "{told:?}");
}

#[test]
fn a_node_has_settings_and_runtimes_of_its_own() {
    let bench = Bench::with_release(&tarball::whole());
    bench.install(&wanted()).unwrap();
    bench.put(
        "/usr/local/lib/systemd/system/rke2-agent.env",
        "HTTP_PROXY=x\n",
    );
    bench.put(
        "/var/lib/rancher/rke2/data/v1.29.1-rke2r1-0123456789ab/bin/kubelet",
        "x",
    );
    assert_eq!(lines(&bench.diff(&wanted(), Place::Image)).len(), 2);
    assert!(bench.diff(&wanted(), Place::Node).conforms());
    bench.put(&format!("{DATA}/bin/evil"), "x");
    bench.put("/usr/local/lib/systemd/system/rke2-agent.service", "x");
    assert_eq!(lines(&bench.diff(&wanted(), Place::Node)).len(), 2);
}
