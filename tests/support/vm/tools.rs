//! Programs of Debian that this host does not have: a cached root per set of packages, and commands that run from it.
//! Separate because QEMU and its like must not be installed on the host, whose own versions of their tools differ.

use crate::support::machine::{Result, cache, doing, need_root, run, sources};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Fetching and unpacking are bounded by this, however slow the mirror.
const FETCH: Duration = Duration::from_mins(15);
/// Nobody reads these in a root that is only run from.
const LEFT_OUT: [&str; 4] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
];
/// Puts a root's programs and settings over the host's, in a mount namespace of the caller's own. /usr comes last: `mount` is in it.
const ENTER: &str = "set -eu; root=$1; shift; for d in etc usr; do mount --rbind \"$root/$d\" \"/$d\"; done; exec \"$@\"";

/// Where the programs of a root are found: not beside a wrapper, which has its program's name.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A root with the programs of some packages.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    root: PathBuf,
}

/// QEMU 10 from Debian 13, whose emulation is a good deal faster than Debian 12's, and what makes disks and seeds.
pub(crate) fn qemu() -> Result<Tools> {
    let packages = ["qemu-system-x86", "qemu-utils", "genisoimage"];
    Tools::of("qemu", "trixie", &packages)
}

impl Tools {
    /// The programs of `packages` and all they depend on, of one of Debian's suites, fetched once.
    ///
    /// `name` is a word for the cache's directory, another for every set of packages.
    pub(crate) fn of(name: &str, suite: &str, packages: &[&str]) -> Result<Self> {
        need_root()?;
        let mut inputs = vec!["tools 1", suite];
        inputs.extend(packages);
        let entry = cache::entry(&format!("tools-{name}"), &cache::key(&inputs), |dir| {
            bootstrap(suite, packages, dir)
        })?;
        Ok(Self { root: entry.path })
    }

    /// The command that runs one of the programs on the host's own files: only /usr and /etc are the root's.
    ///
    /// Every path below neither means what it means on the host. The process that is started becomes the program, so that
    /// its id is the program's; it dies with the thread that started it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .args(enter())
            .arg(&self.root)
            .arg(program)
            .env("PATH", PATH)
            .stdin(Stdio::null());
        command
    }

    /// Writes a program at `path` that runs one of the root's, for callers that want a program and not a [`Command`].
    pub(crate) fn wrapper(&self, program: &str, path: &Path) -> Result<()> {
        let quoted = |word: &str| format!("'{}'", word.replace('\'', "'\\''"));
        let words = enter().iter().map(|word| quoted(word)).collect::<Vec<_>>();
        let (words, root) = (words.join(" "), quoted(&self.root.display().to_string()));
        let text = format!(
            "#!/bin/sh\nPATH={PATH}\nexport PATH\nexec {words} {root} {} \"$@\"\n",
            quoted(program)
        );
        fs::write(path, text).map_err(|e| doing("writing", path, &e))?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(path, mode).map_err(|e| doing("writing", path, &e))
    }

    /// A file of the root.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }
}

/// The words in front of a root and a program; everything in them replaces itself by what comes next.
fn enter() -> [&'static str; 8] {
    let unshare = ["unshare", "--mount", "--propagation", "private"];
    let [a, b, c, d] = unshare;
    [a, b, c, d, "sh", "-c", ENTER, "enter"]
}

fn bootstrap(suite: &str, packages: &[&str], dir: &Path) -> Result<()> {
    let work = tempfile::tempdir().map_err(|e| format!("making a scratch directory: {e}"))?;
    sources::of_suite(suite, work.path())?;
    let mut command = Command::new("mmdebstrap");
    command
        .args([
            "--quiet",
            "--mode=root",
            "--variant=essential",
            "--skip=check/empty",
        ])
        .arg(format!("--include={}", packages.join(",")));
    for path in LEFT_OUT {
        command.arg(format!("--dpkgopt=path-exclude={path}"));
    }
    for setting in sources::transport_settings()? {
        command.arg(format!("--aptopt={setting}"));
    }
    command.arg(suite).arg(dir);
    for name in ["host.list", "host.sources"].map(|name| work.path().join(name)) {
        if name.exists() {
            command.arg(name);
        }
    }
    run::ok(&mut command, FETCH).map(|_| ())
}
