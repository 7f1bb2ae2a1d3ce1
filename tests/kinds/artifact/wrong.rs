//! Releases that are not whole or not the right ones: all that is wrong is told, and nothing is changed.
//! It is separate because no archive in here is hostile.

use nodeagent::resource::Place;
use nodeagent::resource::artifact::Artifact;

use super::{Bench, DIR, Files, RECEIPT, lines, refused, wanted};
use crate::support::tarball::{self, VERSION};

#[test]
fn everything_wrong_is_told_at_once_and_nothing_is_changed() {
    let bench = Bench::with_release(&tarball::whole());
    let append = |name: &str, bytes: &[u8]| {
        let path = bench.at(&format!("{DIR}/{name}"));
        let all = [&std::fs::read(&path).unwrap(), bytes].concat();
        std::fs::write(path, all).unwrap();
    };
    append("rke2-images-cilium.linux-amd64.tar.gz", b"x");
    append("rke2-images.linux-amd64.txt", b"x");
    append("sha256sum-amd64.txt", b"oops\n");
    bench.put(&format!("{DIR}/rke2-images-canal.linux-amd64.tar.zst"), "x");
    bench.link(&format!("{DIR}/rke2.linux-amd64"), "/etc/passwd");
    let pinned = Artifact {
        sums_sha256: "0".repeat(64),
        ..wanted()
    };
    let said = refused(&bench, &pinned);
    for part in [
        "check all of it before anything is changed: ",
        "rke2-images-cilium.linux-amd64.tar.gz has the sha256 ",
        "rke2-images.linux-amd64.txt has the sha256 ",
        "sha256sum-amd64.txt: line 5 is not `SHA256  NAME`",
        "sha256sum-amd64.txt has the sha256 ",
        "rke2-images-canal.linux-amd64.tar.zst has no line in sha256sum-amd64.txt",
        "rke2.linux-amd64 is not a regular file",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let cheap = lines(&bench.diff(&pinned, Place::Build));
    assert_eq!(
        cheap.len(),
        5,
        "a plan tells what needs no reading: {cheap:?}"
    );
}

#[test]
fn what_the_parts_need_must_be_there() {
    type Change = fn(&mut Files);
    let table: &[(Change, &str)] = &[
        (|f| drop(f.remove(0)), "rke2.linux-amd64.tar.gz is missing"),
        (
            |f| f.retain(|(name, _)| !name.contains("images-c")),
            "rke2-images.linux-amd64.tar.zst (or",
        ),
        (
            |f| drop(f.remove(1)),
            "none of rke2-images-cilium.linux-amd64.tar.gz holds the image rancher/rke2-runtime:v1.28.15-rke2r1",
        ),
        (
            |f| f[1].1 = tarball::zstd(&tarball::core("v1.34.2-rke2r1", tarball::layer().end())),
            "holds RKE2 v1.34.2-rke2r1, the policy wants v1.28.15+rke2r1",
        ),
        (
            |f| f[0].1 = tarball::gzip(&tarball::bundle("v1.34.2+rke2r1").end()),
            "its bin/rke2 does not name the version v1.28.15+rke2r1",
        ),
        (
            |f| {
                f[0].1 = tarball::gzip(
                    &tarball::Tarball::default()
                        .file("bin/rke2", 0o755, VERSION.as_bytes())
                        .end(),
                );
            },
            "it holds no lib/systemd/system/rke2-agent.service",
        ),
    ];
    for (change, want) in table {
        let mut files = tarball::whole();
        change(&mut files);
        let said = refused(&Bench::with_release(&files), &wanted());
        assert!(said.contains(want), "{want}: {said}");
    }
}

#[test]
fn a_program_of_another_version_is_not_taken() {
    let bench = Bench::with_release(&tarball::whole());
    bench.fakes.exec.expect(
        "/usr/local/bin/rke2 --version",
        0,
        "rke2 version v1.28.1+rke2r1 (x)\n",
    );
    let said = bench.install(&wanted()).unwrap_err().one_line();
    assert!(
        said.contains("version v1.28.1+rke2r1; the policy wants v1.28.15+rke2r1"),
        "{said}"
    );
    assert!(!bench.at(RECEIPT).exists());
    bench.fakes.exec.expect(
        "/usr/local/bin/rke2 --version",
        0,
        "rke2 version v1.28.15+rke2r1 (x)\n",
    );
    bench.install(&wanted()).unwrap();
    assert!(bench.diff(&wanted(), Place::Build).conforms());
}
