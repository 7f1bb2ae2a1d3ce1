//! Any bytes as an archive of files and as one of images, with right checksums: no path leads outside, no blob is short.
#![no_main]

mod tar;

use std::io::Read as _;

use libfuzzer_sys::fuzz_target;
use nodeagent::host::Root;
use nodeagent::host::archive::{Limits, Tar, unpack};
use nodeagent::host::oci::{Document, Platform, Source as _};
use nodeagent::store::tarball::{Archive, Tarball};

/// Of an archive that is packed no more is read: a bomb is for the limits.
const MOST: u64 = 1 << 20;

fn files(bytes: &[u8]) {
    let Ok(plain) = unpack(bytes) else { return };
    let limits = Limits {
        entries: 10_000,
        bytes: MOST,
    };
    let mut tar = Tar::new(plain.take(2 * MOST), limits);
    while let Ok(Some(entry)) = tar.advance() {
        let leads_out = |part: &str| part == ".." || part == ".";
        assert!(!entry.path.starts_with('/') && !entry.path.split('/').any(leads_out));
        let mut content = Vec::new();
        if tar.read_to_end(&mut content).is_err() {
            return;
        }
        assert_eq!(content.len() as u64, entry.size);
    }
}

/// Reads everything that a fill would read.
fn images(root: &Root) {
    let archive = Archive {
        root,
        path: "/a.tar",
        scratch: root,
        scratch_dir: "/",
    };
    let Ok(tarball) = Tarball::open(&archive) else {
        return;
    };
    let platform = Platform::parse("linux/amd64").unwrap();
    let Ok(wanted) = tarball.wanted(&platform, &[]) else {
        return;
    };
    let mut session = tarball.session().unwrap();
    for wanted in wanted {
        let name = &wanted.name;
        let fetched = session.document(name, name.version()).unwrap();
        if let Document::Manifest(manifest) = Document::parse(&fetched.bytes).unwrap() {
            for blob in manifest.layers.iter().chain([&manifest.config]) {
                let mut bytes = Vec::new();
                let mut reader = session.blob(name, blob).unwrap();
                reader.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes.len() as u64, blob.size);
            }
        }
    }
}

thread_local! {
    static SCENE: (tempfile::TempDir, Root) = {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        (dir, root)
    };
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        bytes.chunks_mut(tar::BLOCK).for_each(tar::seal_header);
    }
    files(&bytes);
    SCENE.with(|(dir, root)| {
        std::fs::write(dir.path().join("a.tar"), &bytes).unwrap();
        images(root);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    });
});
