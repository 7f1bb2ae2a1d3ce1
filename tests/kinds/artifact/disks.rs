//! Disks that are not as usual: `/usr/local` of its own, too little space, nothing that can be written.
//! It is separate because it mounts, in a namespace of its own.

use nix::mount::{MsFlags, mount};
use nodeagent::resource::Place;

use super::{Bench, lines, refused, wanted};
use crate::support::namespace::in_namespaces;
use crate::support::tarball;

/// A file system in memory of this many bytes, below the tree.
fn small(bench: &Bench, path: &str, size: &str, flags: MsFlags) {
    std::fs::create_dir_all(bench.at(path)).unwrap();
    let options = format!("size={size}");
    mount(
        Some("none"),
        &bench.at(path),
        Some("tmpfs"),
        flags,
        Some(options.as_str()),
    )
    .unwrap();
}

#[test]
fn below_a_mount_of_its_own_it_goes_to_opt_and_its_units_to_etc() {
    in_namespaces(|| {
        let bench = Bench::with_release(&tarball::whole());
        small(&bench, "/usr/local", "1m", MsFlags::empty());
        bench.settle(&wanted(), Place::Build).unwrap();
        assert!(bench.at("/opt/rke2/bin/rke2").exists());
        assert_eq!(
            std::fs::read_dir(bench.at("/usr/local")).unwrap().count(),
            0
        );
        let unit = bench.text("/etc/systemd/system/rke2-server.service");
        assert!(
            unit.contains("ExecStart=/opt/rke2/bin/rke2 server\n"),
            "{unit}"
        );
        assert!(
            unit.contains("EnvironmentFile=-/opt/rke2/lib/systemd/system/%N.env\n"),
            "{unit}"
        );
        assert!(
            bench
                .at("/opt/rke2/lib/systemd/system/rke2-server.env")
                .exists()
        );
        assert!(
            !bench
                .at("/opt/rke2/lib/systemd/system/rke2-server.service")
                .exists()
        );
        assert!(
            bench
                .text("/opt/rke2/bin/rke2-uninstall.sh")
                .contains("\"/opt/rke2\"")
        );
        // Only linked, not enabled.
        assert_eq!(
            bench.host.root.list("/etc/systemd/system").unwrap().len(),
            2
        );
    });
}

#[test]
fn too_little_space_is_told_before_anything_is_written() {
    in_namespaces(|| {
        let mut files = tarball::whole();
        let layer = tarball::layer()
            .file("bin/large", 0o755, &vec![0; 3 << 20])
            .end();
        files[1].1 = tarball::zstd(&tarball::core(tarball::TAG, layer));
        let bench = Bench::with_release(&files);
        small(&bench, "/var/lib/rancher", "1m", MsFlags::empty());
        let said = refused(&bench, &wanted());
        assert!(said.contains("/var/lib/rancher/rke2 needs 31"), "{said}");
    });
}

#[test]
fn a_tree_that_cannot_be_written_is_told_before_anything_is_written() {
    in_namespaces(|| {
        let bench = Bench::with_release(&tarball::whole());
        small(&bench, "/var/lib/rancher", "1m", MsFlags::MS_RDONLY);
        let said = refused(&bench, &wanted());
        assert!(
            said.contains("/var/lib/rancher/rke2 is on a file system that is read-only"),
            "{said}"
        );
        let before = lines(&bench.diff(&wanted(), Place::Build));
        assert_eq!(before.len(), 1, "{before:?}");
    });
}
