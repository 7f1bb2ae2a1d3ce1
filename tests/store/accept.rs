//! Acceptance: what nodes, their tools and their kubelets see of a store that our program filled, on every containerd.
//! It is separate because nothing of ours judges here: containerd, runc, CRI and the registry do.

mod again;
mod cri;
mod durable;
mod keep;
mod lies;
mod run;
mod torn;
mod trees;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::generations::{Daemon, Generation, Options};
use crate::support::images::Image;
use crate::support::images::small::small;
use crate::support::machine::run::{Done, ok, run};
use crate::support::registry::{Registry, Storage};

/// What `/bin/hello` of the set ends with. Its output is no witness: ctr can lose that of a task which ends at once.
const CODE: i32 = 42;

/// A program that runs without a library, in any root.
fn program() -> &'static [u8] {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (source, made) = (dir.path().join("hello.c"), dir.path().join("hello"));
        let text = format!("int main(void) {{ return {CODE}; }}\n");
        std::fs::write(&source, text).unwrap();
        let mut compile = Command::new("cc");
        compile.arg("-static").arg("-o").args([&made, &source]);
        ok(&mut compile, Duration::from_secs(60)).unwrap();
        std::fs::read(made).unwrap()
    })
}

/// The small set on a registry, and a store that is to be filled from it.
struct Stage {
    generation: Generation,
    dir: TempDir,
    registry: Registry,
    images: Vec<Image>,
}

impl Stage {
    fn new(generation: Generation) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::plain(&Storage::new(dir.path()));
        let images = small(program());
        for image in &images {
            registry.push(image);
        }
        Self {
            generation,
            dir,
            registry,
            images,
        }
    }

    /// The set in a store that our program filled, with nothing running any more.
    fn filled(generation: Generation) -> Self {
        let stage = Self::new(generation);
        let done = stage.pull();
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        stage
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// One fill by our program, with a daemon of its own.
    fn pull(&self) -> Done {
        self.pull_with(&[])
    }

    fn pull_with(&self, more: &[&str]) -> Done {
        run(self.pulling().args(more), Duration::from_secs(120)).unwrap()
    }

    /// That fill, not yet begun.
    fn pulling(&self) -> Command {
        let host = self.registry.host();
        let pinned = self.images.iter().map(|image| image.pinned(host) + "\n");
        let list: String = pinned.collect();
        let mut command = pulling(self.generation, &self.store(), &list);
        command.args(["--plain-http", host]);
        command
    }

    /// A node's own daemon on the store.
    fn daemon(&self, cri: bool) -> Daemon {
        daemon(self.generation, &self.store(), cri)
    }

    /// The image of a repository.
    fn image(&self, repository: &str) -> &Image {
        let found = self
            .images
            .iter()
            .find(|image| image.repository == repository);
        found.unwrap()
    }

    /// All names under which a kubelet may ask for an image.
    fn names(&self, image: &Image) -> [String; 3] {
        names(image, self.registry.host())
    }
}

/// All names under which a kubelet may ask for an image of this registry.
fn names(image: &Image, host: &str) -> [String; 3] {
    let digest = &image.top.digest;
    [
        image.tagged(host),
        format!("{host}/{}@{digest}", image.repository),
        image.variant("linux/amd64").config.digest.clone(),
    ]
}

/// One fill by our program, with a daemon of its own.
fn pull(generation: Generation, store: &Path, list: &str, more: &[&str]) -> Done {
    let mut command = pulling(generation, store, list);
    run(command.args(more), Duration::from_secs(120)).unwrap()
}

/// That fill, not yet begun.
fn pulling(generation: Generation, store: &Path, list: &str) -> Command {
    std::fs::create_dir_all(store).unwrap();
    let file = store.with_extension("list");
    std::fs::write(&file, list).unwrap();
    // A /run of its own: two fills on one machine wait for each other, and tests run side by side.
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs none /run && exec \"$0\" \"$@\"";
    command.args(["--mount", "sh", "-c", script]);
    command.arg(env!("CARGO_BIN_EXE_nodeagent"));
    command.args(["image", "pull", "--list"]).arg(file);
    command.arg("--store").arg(store);
    command
        .arg("--containerd")
        .arg(generation.programs().unwrap().containerd);
    command
}

/// A node's own daemon on a store.
fn daemon(generation: Generation, store: &Path, cri: bool) -> Daemon {
    let options = Options {
        root: Some(store.to_owned()),
        cri,
        ..Options::default()
    };
    Daemon::start_with(generation, &options).unwrap()
}
