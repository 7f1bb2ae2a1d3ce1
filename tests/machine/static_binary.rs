//! Proves that the shipped binary is one static file.
//! Separate because it looks at what `make static` left, not at this build of the code.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test of a file on the host"
)]

use crate::support::machine::{cache, run};
use std::{fs, path::PathBuf, process::Command, time::Duration};

const LIMIT: Duration = Duration::from_secs(20);

/// Bytes that the binary may have: it is uploaded into every build, and stays in every image.
const SIZE: u64 = 12_000_000;

fn binary() -> PathBuf {
    let path = cache::target_dir().join("x86_64-unknown-linux-gnu/release/nodeagent");
    assert!(
        path.exists(),
        "{} is missing: `make static` builds it",
        path.display()
    );
    path
}

#[test]
fn static_binary_asks_for_no_loader_and_no_library() {
    let read = |option: &str| {
        run::ok(
            Command::new("readelf")
                .args(["--wide", option])
                .arg(binary()),
            LIMIT,
        )
        .unwrap()
    };
    assert!(!read("--program-headers").contains("INTERP"));
    assert!(!read("--dynamic").contains("(NEEDED)"));
    let file = run::ok(Command::new("file").arg("--brief").arg(binary()), LIMIT).unwrap();
    assert!(
        file.contains("static-pie linked") && file.contains("stripped"),
        "{file}"
    );
}

#[test]
fn the_static_binary_is_small() {
    let size = fs::metadata(binary()).unwrap().len();
    assert!(size <= SIZE, "{size} bytes");
}

#[test]
fn static_binary_runs_in_an_empty_root() {
    let root = tempfile::tempdir().unwrap();
    fs::copy(binary(), root.path().join("nodeagent")).unwrap();
    let mut command = Command::new("chroot");
    command.arg(root.path()).args(["/nodeagent", "--version"]);
    let said = run::ok(&mut command, LIMIT).unwrap();
    assert_eq!(
        said.trim(),
        concat!("nodeagent ", env!("CARGO_PKG_VERSION"))
    );
}
