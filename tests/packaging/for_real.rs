//! `packer build` of the QEMU template, from a stock Debian 12 to an image that is judged; `make test-packer` runs it.
//! It is separate because a machine without hardware virtualization is busy with it for many minutes.

mod site;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use self::site::{LIMIT, Site};
use super::source;
use crate::support::machine::run::{ok, run, tail};
use crate::support::machine::{cache, pool};
use crate::support::namespace::in_namespaces;
use crate::support::packages;
use crate::support::vm::disk;
use crate::support::vm::guest::{self, Guest};

/// The binary that is shipped: `make test-packer` names it.
fn shipped() -> PathBuf {
    let release = || cache::target_dir().join("x86_64-unknown-linux-gnu/release/nodeagent");
    let path = std::env::var_os("NODEAGENT_PROGRAM").map_or_else(release, PathBuf::from);
    assert!(path.exists(), "{}: `make static` builds it", path.display());
    path
}

/// Packages that the profile asks for, as a repository.
fn mirror(guest: &Guest, binary: &Path) -> PathBuf {
    let mut show = Command::new(binary);
    show.args(["policy", "show", "--profile", "rke2-debian12", "--json"]);
    let policy = serde_json::from_str(&ok(&mut show, LIMIT).unwrap()).unwrap();
    let wanted = pool::wanted(&policy);
    guest.pool(&wanted).unwrap()
}

/// How much each bake had to do, as Packer's log tells it.
fn changes(log: &str) -> Vec<u64> {
    let lines = log.lines().filter_map(|line| line.split_once(" bake: "));
    let counts = lines.filter_map(|(_, rest)| {
        let (before, _) = rest.split_once(" changes")?;
        before.rsplit(' ').next()?.parse().ok()
    });
    counts.collect()
}

/// The template's own judge, with what stands in for libguestfs.
fn judged(site: &Site, image: &str) -> i32 {
    let mut judge = Command::new(source("packaging/verify-image"));
    judge.arg(site.path(image)).arg(&site.binary);
    let path = std::env::var("PATH").unwrap();
    judge.env("PATH", format!("{}:{path}", site.path("bin")));
    judge.env("TMPDIR", site.path("tmp"));
    run(&mut judge, LIMIT).unwrap().code
}

/// The image from outside: sealed, conforming, with what the site asked for and nothing of the build.
fn look_at(site: &Site) {
    let raw = site.dir.join("node.raw");
    disk::flatten(&site.dir.join("output/node.qcow2"), &raw).unwrap();
    let disk = disk::Mounted::new(&raw, false).unwrap();
    let mut verify = Command::new(&site.binary);
    verify.args(["verify", "--json", "--root"]).arg(disk.root());
    let done = run(&mut verify, LIMIT).unwrap();
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let verdict: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(verdict["place"], "image");
    let read = |path: &str| disk.read(path).unwrap();
    let value = |path: &str| serde_json::from_str::<Value>(&read(path)).unwrap();
    assert_eq!(value("etc/packer-build/seal.json")["state"], "closed");
    assert_eq!(read("etc/site-image"), "from the site\n");
    assert!(read("var/lib/dpkg/info/nodeagent.list").contains("/usr/bin/nodeagent\n"));
    let brought = fs::read_to_string(site.dir.join("node.manifest.json")).unwrap();
    assert_eq!(brought, read("etc/packer-build/image-manifest.json"));
}

#[test]
#[ignore = "takes many minutes: make test-packer"]
fn packer_makes_a_sealed_image_of_a_stock_disk_and_brings_its_manifest() {
    let (guest, binary) = (guest::stock().unwrap(), shipped());
    let mirror = mirror(&guest, &binary);
    let site = Site::new(guest, binary);
    let package = packages::deb(&site.binary, &site.dir).unwrap();
    site.programs();
    site.seed();
    site.policy(&mirror);
    site.values(&package);
    let start = Instant::now();
    let (code, log) = site.build(&mirror);
    println!("{log}\npacker build: {} s", start.elapsed().as_secs());
    let console = fs::read(site.dir.join("console.log")).unwrap_or_default();
    assert_eq!(code, 0, "{}", tail(&String::from_utf8_lossy(&console), 40));
    let changes = changes(&log);
    assert!(changes[0] > 0, "{changes:?}");
    assert_eq!(changes[1..], [0, 0]);
    in_namespaces(|| {
        look_at(&site);
        // The judge does judge.
        assert_eq!(judged(&site, "output/node.qcow2"), 0);
        assert_ne!(judged(&site, "stock.qcow2"), 0);
    });
}
