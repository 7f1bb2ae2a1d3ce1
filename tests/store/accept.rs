//! Acceptance: what nodes, their tools and their kubelets see of a store that our program filled, on every containerd.
//! It is separate because nothing of ours judges here: containerd, runc, CRI and the registry do.

mod again;
mod cri;
mod keep;
mod run;
mod trees;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::generations::{Daemon, Generation, Options};
use crate::support::images::Image;
use crate::support::images::small::small;
use crate::support::machine::run::{Done, ok, run};
use crate::support::registry::{Registry, Storage};

/// What `/bin/hello` of the set says.
const SAID: &str = "hello from the image\n";

/// A program that runs without a library, in any root.
fn program() -> &'static [u8] {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let (source, made) = (dir.path().join("hello.c"), dir.path().join("hello"));
        let text = format!(
            "#include <stdio.h>\nint main(void) {{ return fputs({SAID:?}, stdout) < 0; }}\n"
        );
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
        let list = self.dir.path().join("list");
        let pinned = self
            .images
            .iter()
            .map(|image| image.pinned(self.registry.host()) + "\n");
        std::fs::write(&list, pinned.collect::<String>()).unwrap();
        std::fs::create_dir_all(self.store()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodeagent"));
        command.args(["image", "pull", "--list"]).arg(list);
        command.arg("--store").arg(self.store());
        command
            .arg("--containerd")
            .arg(self.generation.programs().unwrap().containerd);
        command.args(["--plain-http", self.registry.host()]);
        run(&mut command, Duration::from_secs(120)).unwrap()
    }

    /// A node's own daemon on the store.
    fn daemon(&self, cri: bool) -> Daemon {
        let options = Options {
            root: Some(self.store()),
            cri,
            ..Options::default()
        };
        Daemon::start_with(self.generation, &options).unwrap()
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
        let host = self.registry.host();
        let digest = &image.top.digest;
        [
            image.tagged(host),
            format!("{host}/{}@{digest}", image.repository),
            image.variant("linux/amd64").config.digest.clone(),
        ]
    }
}
