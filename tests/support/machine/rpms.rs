//! Real RPMs, made, signed and indexed here: what Rocky's repositories have, as small as it can be, and what goes wrong.
//! Separate because making them takes a while, so they are cached, and several tests stand on the same ones.

use super::{Result, cache, doing, run};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const LIMIT: Duration = Duration::from_mins(2);

/// One package: its spec file's text is the key of the cache.
#[derive(Debug)]
pub(crate) struct Rpm {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// Further lines of the head, such as dependencies.
    pub(crate) head: &'static str,
    /// Units it installs below /usr/lib/systemd/system.
    pub(crate) units: &'static [&'static str],
    /// Programs it installs in /usr/sbin: stand-ins that read what they are given and are content.
    pub(crate) programs: &'static [&'static str],
    /// Scriptlets.
    pub(crate) scripts: &'static str,
}

/// A package without dependencies, units or scriptlets.
pub(crate) const fn plain(name: &'static str, version: &'static str) -> Rpm {
    Rpm {
        name,
        version,
        head: "",
        units: &[],
        programs: &[],
        scripts: "",
    }
}

impl Rpm {
    pub(crate) const fn head(mut self, head: &'static str) -> Self {
        self.head = head;
        self
    }

    pub(crate) const fn units(mut self, units: &'static [&'static str]) -> Self {
        self.units = units;
        self
    }

    pub(crate) const fn programs(mut self, programs: &'static [&'static str]) -> Self {
        self.programs = programs;
        self
    }

    pub(crate) const fn scripts(mut self, scripts: &'static str) -> Self {
        self.scripts = scripts;
        self
    }

    /// The spec file. `version` is `[epoch:]version-release`.
    fn spec(&self) -> String {
        let (epoch, rest) = self.version.split_once(':').unwrap_or(("0", self.version));
        let (version, release) = rest.split_once('-').unwrap_or((rest, "1.el9"));
        let dir = "%{buildroot}/usr/lib/systemd/system";
        let unit = "[Service]\\nExecStart=/bin/true\\n[Install]\\nWantedBy=multi-user.target\\n";
        let install = self
            .units
            .iter()
            .map(|name| format!("printf '{unit}' > {dir}/{name}\n"));
        let files = self
            .units
            .iter()
            .map(|name| format!("/usr/lib/systemd/system/{name}\n"));
        let (mut install, mut files): (String, String) = (install.collect(), files.collect());
        for name in self.programs {
            let path = format!("/usr/sbin/{name}");
            install += &[
                "install -D -m 0755 /dev/stdin %{buildroot}",
                &path,
                " <<'END'\n#!/bin/sh\ncat > /dev/null\nEND\n",
            ]
            .concat();
            files += &[&path, "\n"].concat();
        }
        let name = self.name;
        format!(
            "Name: {name}\nEpoch: {epoch}\nVersion: {version}\nRelease: {release}\nSummary: x\nLicense: x\nBuildArch: noarch\n{}\n\
             %description\nx\n%install\nmkdir -p %{{buildroot}}/usr/share/rig {dir}\n\
             echo {} > %{{buildroot}}/usr/share/rig/{name}\n{install}\n{}\n%files\n/usr/share/rig/{name}\n{files}",
            self.head, self.version, self.scripts
        )
    }
}

/// What a Rocky 9 cloud image has installed, as far as the double needs it.
const BASE: &[Rpm] = &[
    plain("rocky-release", "9.5-1.2.el9")
        .head("Provides: system-release = 9.5\nProvides: system-release(releasever) = 9"),
    plain("bash", "5.1.8-9.el9").head("Provides: /bin/sh\nProvides: /usr/bin/sh"),
    plain("systemd", "252-46.el9"),
    plain("openssh-server", "8.7p1-43.el9").units(&["sshd.service"]),
    plain("cloud-init", "23.4-19.el9"),
    plain("firewalld", "1.3.4-7.el9").units(&["firewalld.service"]),
];

/// The cached folder of unsigned base packages.
pub(crate) fn base() -> Result<cache::Entry> {
    folder("el9-base", BASE, |_| Ok(()))
}

/// A cached folder of packages: `make` turns it into what is asked for.
pub(crate) fn folder(
    kind: &str,
    all: &[Rpm],
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<cache::Entry> {
    super::need_root()?;
    let specs: Vec<String> = all.iter().map(Rpm::spec).collect();
    let mut inputs = vec!["rpms 1"];
    inputs.extend(specs.iter().map(String::as_str));
    cache::entry(kind, &cache::key(&inputs), |dir| {
        specs.iter().try_for_each(|spec| build(spec, dir))?;
        make(dir)
    })
}

fn build(spec: &str, into: &Path) -> Result<()> {
    let work = tempfile::tempdir().map_err(|e| format!("making a scratch directory: {e}"))?;
    let file = work.path().join("x.spec");
    fs::write(&file, spec).map_err(|e| doing("writing", &file, &e))?;
    let mut command = Command::new("rpmbuild");
    command.args([
        "--quiet",
        "-bb",
        "--define",
        "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    ]);
    command
        .arg("--define")
        .arg(format!("_topdir {}", work.path().display()));
    command
        .arg("--define")
        .arg(format!("_rpmdir {}", into.display()));
    run::ok(command.arg(&file), LIMIT).map(|_| ())
}

/// A key to sign packages with; it is gone when dropped, its public half is where it was exported to.
pub(crate) struct Key {
    home: tempfile::TempDir,
}

impl Key {
    /// Makes a key and exports its public half.
    pub(crate) fn new(name: &str, public: &Path) -> Result<Self> {
        // In /tmp, because the key agent's socket has a short path limit.
        let home =
            tempfile::tempdir_in("/tmp").map_err(|e| format!("making a key directory: {e}"))?;
        let key = Self { home };
        key.gpg(&["--quick-generate-key", name, "rsa2048", "sign", "never"])?;
        let public = public.display().to_string();
        key.gpg(&["--armor", "--output", &public, "--export"])?;
        Ok(key)
    }

    fn gpg(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", self.home.path());
        command.args([
            "--batch",
            "--yes",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
        ]);
        run::ok(command.args(args), LIMIT)
    }

    /// The key's fingerprint.
    pub(crate) fn fingerprint(&self) -> Result<String> {
        let text = self.gpg(&["--with-colons", "--list-keys"])?;
        let line = text.lines().find_map(|line| line.strip_prefix("fpr:"));
        let fingerprint = line.map(|line| line.trim_matches(':').to_owned());
        fingerprint.ok_or_else(|| format!("gpg lists no fingerprint:\n{text}"))
    }

    /// Signs package files.
    pub(crate) fn sign(&self, files: &[PathBuf]) -> Result<()> {
        let home = self.home.path();
        let mut command = Command::new("rpmsign");
        command.env("GNUPGHOME", home).env("GPG_TTY", "none");
        let name = self.fingerprint()?;
        for define in [
            "__gpg /usr/bin/gpg".to_owned(),
            format!("_gpg_name {name}"),
            format!("_gpg_path {}", home.display()),
        ] {
            command.args(["--define", &define]);
        }
        run::ok(command.arg("--addsign").args(files), LIMIT).map(|_| ())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // The agent was started for this key only, and dies with it.
        let mut stop = Command::new("gpgconf");
        stop.env("GNUPGHOME", self.home.path())
            .args(["--kill", "gpg-agent"]);
        let _done = run::run(&mut stop, LIMIT);
    }
}

/// Writes the repository's metadata.
pub(crate) fn index(dir: &Path) -> Result<()> {
    run::ok(
        Command::new("createrepo_c")
            .args(["--quiet", "--update"])
            .arg(dir),
        LIMIT,
    )
    .map(|_| ())
}

/// The package files in a folder, but for those whose name begins with one of these.
pub(crate) fn files(dir: &Path, but: &[&str]) -> Result<Vec<PathBuf>> {
    let names = fs::read_dir(dir).map_err(|e| doing("listing", dir, &e))?;
    let mut all = Vec::new();
    for name in names {
        let path = name.map_err(|e| doing("listing", dir, &e))?.path();
        let text = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        if text.ends_with(".rpm") && !but.iter().any(|start| text.starts_with(start)) {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}
