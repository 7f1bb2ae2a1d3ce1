//! The reader of archives by itself: what tar(1) of each format writes is read as tar(1) means it.
//! It is separate because the kind never shows most of what the reader gives.

use std::io::Read as _;
use std::process::Command;

use nodeagent::host::archive::{Entry, EntryKind, Limits, Packing, Tar, unpack};

use crate::support::tarball;

const LIMITS: Limits = Limits {
    entries: 100,
    bytes: 1 << 30,
};

fn read(bytes: &[u8]) -> Vec<(Entry, Vec<u8>)> {
    let mut tar = Tar::new(bytes, LIMITS);
    let mut all = Vec::new();
    while let Some(entry) = tar.advance().unwrap() {
        let mut content = Vec::new();
        // Some are left unread, which must not matter.
        if entry.path != "left" {
            tar.read_to_end(&mut content).unwrap();
        }
        all.push((entry, content));
    }
    all
}

#[test]
fn every_format_of_tar_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(150));
    std::fs::create_dir(dir.path().join("d".repeat(120))).unwrap();
    for (name, bytes) in [
        ("a", b"content".to_vec()),
        ("left", vec![7; 1000]),
        (&long, vec![1; 512]),
    ] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
    for format in ["gnu", "pax", "ustar", "oldgnu"] {
        if format == "ustar" {
            // Its names are too short for that file.
            std::fs::remove_dir_all(dir.path().join("d".repeat(120))).unwrap();
        }
        let output = Command::new("tar")
            .args([
                "--sort=name",
                "--mtime=@1000",
                "-c",
                "--format",
                format,
                "-C",
            ])
            .arg(dir.path())
            .arg(".")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let all = read(&output.stdout);
        let find = |path: &str| all.iter().find(|(entry, _)| entry.path == path).unwrap();
        assert_eq!(all[0].0.kind, EntryKind::Directory, "{format}");
        assert_eq!(
            (find("a").1.as_slice(), find("a").0.mtime),
            (&b"content"[..], 1000),
            "{format}"
        );
        assert_eq!(find("left").0.size, 1000, "{format}");
        assert_eq!(
            find("link").0.kind,
            EntryKind::Symlink("a".to_owned()),
            "{format}"
        );
        if format == "gnu" || format == "pax" {
            assert_eq!(find(&long).1, vec![1; 512], "{format}");
        }
    }
}

#[test]
fn what_is_compressed_is_known_by_its_first_bytes() {
    let plain = vec![9u8; 100_000];
    for packed in [plain.clone(), tarball::gzip(&plain), tarball::zstd(&plain)] {
        let mut bytes = Vec::new();
        unpack(&packed[..])
            .unwrap()
            .read_to_end(&mut bytes)
            .unwrap();
        assert_eq!(bytes, plain);
    }
    for (name, want) in [
        ("x.tar.gz", Some(Packing::Gzip)),
        ("x.tgz", Some(Packing::Gzip)),
        ("x.tar.zst", Some(Packing::Zstd)),
        ("x.tar", Some(Packing::Plain)),
        ("x.txt", None),
    ] {
        assert_eq!(Packing::of_name(name), want, "{name}");
    }
}

#[test]
fn a_window_larger_than_rke2_would_take_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.long_distance_matching(true).unwrap();
    encoder.window_log(28).unwrap();
    std::io::Write::write_all(&mut encoder, &vec![0; 1 << 20]).unwrap();
    let packed = encoder.finish().unwrap();
    let mut bytes = Vec::new();
    let opened = Packing::Zstd.open(&packed[..]);
    assert!(opened.unwrap().read_to_end(&mut bytes).is_err());
}
