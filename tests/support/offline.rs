//! A miniature unbooted tree and the real binary that works on it.
//! It is separate because the command line, the seal and the hostile trees are all tested on it.

use nodeagent::policy::{Policy, Request, Sources, resolve};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The policy folder of the offline tests.
pub(crate) fn policy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/offline")
}

/// A tree as a stock image has it, small enough to be made for each test.
pub(crate) struct Mini {
    dir: tempfile::TempDir,
}

impl Mini {
    pub(crate) fn new() -> Self {
        let mini = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        mini.put(
            "etc/os-release",
            "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
        );
        mini.put(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\nbuilder:x:1000:1000::/home/builder:/bin/bash\n",
        );
        mini.put("etc/group", "root:x:0:\nbuilder:x:1000:\n");
        mini.put("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        mini.put(
            "etc/fstab",
            "/dev/vda1 / ext4 defaults 0 1\n/swapfile none swap sw 0 0\n",
        );
        mini.put("etc/leftover", "x");
        mini.put("etc/hostname", "builder-7\n");
        mini.put("etc/ssh/ssh_host_ed25519_key", "PRIVATE");
        mini.put(
            "etc/ssh/ssh_host_ed25519_key.pub",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB builder\n",
        );
        mini.put(
            "home/builder/.ssh/authorized_keys",
            "ssh-ed25519 AAAA packer\n",
        );
        mini.put("root/.bash_history", "secret\n");
        mini.put("var/log/syslog", "builder-7 booted\n");
        mini.put("var/lib/systemd/random-seed", "seed");
        mini.put("var/lib/dpkg/status", "Package: base-files\nStatus: install ok installed\nArchitecture: amd64\nVersion: 12.4\n\n");
        mini.put(
            "usr/lib/systemd/system/demo.service",
            "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
        );
        mini.put(
            "usr/lib/systemd/system/noise.service",
            "[Service]\nExecStart=/bin/true\n",
        );
        mini.put("usr/lib/systemd/system/multi-user.target", "[Unit]\n");
        mini
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Runs the binary with `--root` on this tree.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        command(&["--root", self.path().to_str().unwrap()])
            .args(args)
            .output()
            .unwrap()
    }

    /// Bakes with the offline profile and further arguments.
    pub(crate) fn bake(&self, more: &[&str]) -> Output {
        self.bake_profile("mini", more)
    }

    /// Bakes with another profile of the offline tests.
    pub(crate) fn bake_profile(&self, profile: &str, more: &[&str]) -> Output {
        let policy = policy();
        let mut args = vec![
            "bake",
            "--profile",
            profile,
            "--policy",
            policy.to_str().unwrap(),
        ];
        args.extend(more);
        self.run(&args)
    }
}

/// A shipped profile as `policy check` reads it: what waits for a variable's value is left out.
pub(crate) fn shipped(profile: &str, sets: &[&str]) -> Policy {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    let request = Request {
        profile,
        sets: &sets,
        self_sha256: &"0".repeat(64),
        unset_is_fine: true,
    };
    resolve(&Sources::shipped(), &request).unwrap().policy
}

/// The binary, with nothing of the test's environment but a fixed build time.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodeagent"));
    command
        .env_clear()
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .args(args);
    command
}

/// Exit code, after printing what the program said, so that a failed test shows it.
pub(crate) fn code(output: &Output) -> i32 {
    println!("{}", String::from_utf8_lossy(&output.stdout));
    println!("{}", String::from_utf8_lossy(&output.stderr));
    output.status.code().unwrap()
}

/// stdout as one JSON value.
pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}
