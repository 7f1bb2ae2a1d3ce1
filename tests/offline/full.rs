//! Trees without room and trees that cannot be written to: told clearly, nothing half-written, and mended by the next run.
//! It is separate because each needs a mount of its own, and is worked through page by page.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::mount::{MsFlags, mount};
use nix::sys::statvfs::statvfs;

use super::sealed;
use crate::support::namespace::in_namespaces;
use crate::support::offline::{Mini, code, command, json, policy};

const SEAL: &str = "etc/packer-build/seal.json";
const MANIFEST: &str = "etc/packer-build/image-manifest.json";

const READ_ONLY: &str = "Read-only file system";
const WRITABLE: &str = "next: mount it for writing";

/// A miniature tree on a file system of its own, gone with the namespace.
struct Small {
    dir: tempfile::TempDir,
}

impl Small {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (none, room) = (MsFlags::empty(), Some("size=160m,mode=755"));
        mount(Some("none"), dir.path(), Some("tmpfs"), none, room).unwrap();
        let mut copy = Command::new("cp");
        let from = Mini::new();
        copy.arg("-a").arg(from.path().join(".")).arg(dir.path());
        assert!(copy.status().unwrap().success());
        Self { dir }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn run(&self, args: &[&str]) -> Output {
        let root = ["--root", self.dir.path().to_str().unwrap()];
        command(&root).args(args).output().unwrap()
    }

    fn bake(&self) -> Output {
        let policy = policy();
        let policy = policy.to_str().unwrap();
        self.run(&["bake", "--profile", "mini", "--policy", policy])
    }

    fn verb(&self, verb: &str) -> Output {
        match verb {
            "bake" => self.bake(),
            _ => self.run(&[verb]),
        }
    }

    /// Fills the file system but for some pages.
    fn leave(&self, pages: u64) {
        self.free();
        let room = statvfs(self.dir.path()).unwrap();
        let rest = room.blocks_available() - pages;
        let ballast = File::create(self.at("ballast")).unwrap();
        let size = i64::try_from(rest * room.fragment_size()).unwrap();
        nix::fcntl::posix_fallocate(&ballast, 0, size).unwrap();
    }

    fn free(&self) {
        let ballast = self.at("ballast");
        if ballast.exists() {
            std::fs::remove_file(ballast).unwrap();
        }
    }

    /// Makes a directory of the tree read-only, or writable again.
    fn read_only(&self, path: &str, read_only: bool) {
        let at = self.at(path);
        let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
        if path.is_empty() {
            let flag = if read_only {
                MsFlags::MS_RDONLY
            } else {
                MsFlags::empty()
            };
            return mount(none, &at, none, MsFlags::MS_REMOUNT | flag, none).unwrap();
        }
        if !read_only {
            return nix::mount::umount(&at).unwrap();
        }
        mount(Some(&at), &at, none, bind, none).unwrap();
        let flags = bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, &at, none, flags, none).unwrap();
    }
}

/// Names that a write that failed would leave.
fn halves(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') && name.ends_with(".nodeagent") {
            found.push(path.clone());
        }
        if path.is_dir() && !path.is_symlink() {
            halves(&path, found);
        }
    }
}

/// The failure names a path of the tree, the cause and what helps.
fn told(output: &Output, cause: &str, next: &str) -> String {
    assert_eq!(code(output), 1);
    let text = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(text.contains(cause), "{text}");
    assert!(text.contains(next), "{text}");
    text
}

/// What could not be done, without the cause.
fn object(text: &str) -> String {
    let failed = |line: &str| {
        let (_, rest) = line.split_once("failed  ")?;
        let (_, rest) = rest.split_once(": ")?;
        Some(rest.split(": No space").next()?.to_owned())
    };
    let error = |line: &str| Some(line.strip_prefix("error: ")?.to_owned());
    let mut lines = text.lines();
    lines
        .find_map(|line| error(line).or_else(|| failed(line)))
        .unwrap()
}

fn nothing_half_written(small: &Small) {
    let mut left = Vec::new();
    halves(small.dir.path(), &mut left);
    assert!(left.is_empty(), "half-written: {left:?}");
    if let Ok(seal) = std::fs::read(small.at(SEAL)) {
        let seal: serde_json::Value = serde_json::from_slice(&seal).unwrap();
        assert_ne!(seal["state"], "closed");
    }
}

#[test]
fn without_room_each_write_fails_clearly_and_a_later_run_goes_on() {
    let whole = sealed();
    in_namespaces(|| {
        let small = Small::new();
        for verb in ["bake", "generalize"] {
            let (mut failed, mut pages) = (Vec::new(), 0);
            loop {
                small.leave(pages);
                let output = small.verb(verb);
                if output.status.success() {
                    break;
                }
                let text = told(&output, "No space left on device", "next: free some space");
                nothing_half_written(&small);
                // The next object is met within some pages; a large one is not filled page by page.
                let object = object(&text);
                let again = failed.last() == Some(&object);
                pages += if again { pages / 2 + 1 } else { 1 };
                failed.push(object);
            }
            failed.dedup();
            println!("{verb} had no room to {}", failed.join(", "));
            assert!(failed.len() >= 2, "{verb}: {failed:?}");
            small.free();
        }
        assert_eq!(code(&small.run(&["verify"])), 0);
        let manifest = std::fs::read_to_string(small.at(MANIFEST)).unwrap();
        assert_eq!(manifest, whole.text(MANIFEST));
    });
}

#[test]
fn what_cannot_be_written_is_named_and_audits_go_on() {
    in_namespaces(|| {
        let small = Small::new();
        // The whole tree: refused at its first file.
        small.read_only("", true);
        let text = told(&small.bake(), READ_ONLY, WRITABLE);
        assert!(text.contains("/var/lib/nodeagent"), "{text}");
        small.read_only("", false);
        assert!(!small.at("var/lib/nodeagent").exists());
        // Directories of it that are mounts of their own.
        for (dir, object) in [
            (
                "usr/lib/systemd/system",
                "write /usr/lib/systemd/system/nodeagent",
            ),
            ("etc", "/etc/"),
        ] {
            small.read_only(dir, true);
            let text = told(&small.bake(), READ_ONLY, WRITABLE);
            assert!(text.contains(object), "{text}");
            small.read_only(dir, false);
        }
        assert_eq!(code(&small.bake()), 0);
        small.read_only("root", true);
        let text = told(
            &small.verb("generalize"),
            "Read-only file system",
            "next: mount it for writing",
        );
        assert!(text.contains("/root/.bash_history"), "{text}");
        small.read_only("root", false);
        assert_eq!(code(&small.verb("generalize")), 0);
        // Whoever only looks needs no right to write.
        small.read_only("", true);
        for verb in ["verify", "manifest"] {
            assert_eq!(code(&small.verb(verb)), 0, "{verb}");
        }
        let verdict = json(&small.run(&["verify", "--json"]));
        assert_eq!(verdict["place"], "image");
    });
}
