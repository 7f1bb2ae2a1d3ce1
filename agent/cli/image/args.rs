//! Arguments that the verbs of `image` share: which store, and how registries are reached.
//! They are separate so that the same option means the same everywhere.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::error::{Context as _, Error, Result};
use crate::host::Root;
use crate::host::containerd::Snapshotter;
use crate::host::oci::{Name, Platform};
use crate::host::registry::{Access, Patience};
use crate::store::{Choice, Wanted};

/// Which store.
#[derive(Debug, Clone, Args)]
pub(super) struct StoreArgs {
    /// A store that no daemon runs on: containerd's root directory. A containerd of our own is started on it and
    /// stopped afterwards. Default: RKE2's, unless its containerd answers.
    #[arg(long, value_name = "DIR", conflicts_with = "address")]
    pub(super) store: Option<PathBuf>,
    /// The containerd to start on it. Default: the one that RKE2 has staged, else the system's.
    #[arg(long, value_name = "PATH", conflicts_with = "address")]
    pub(super) containerd: Option<String>,
    /// The socket of a containerd that runs.
    #[arg(long, value_name = "SOCK")]
    pub(super) address: Option<PathBuf>,
    /// The snapshotter that the node of that containerd uses. Layers go through containerd itself where it is another
    /// than overlayfs.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "overlayfs",
        requires = "address",
        value_parser = snapshotter
    )]
    snapshotter: Snapshotter,
    /// containerd's namespace; kubelet looks into k8s.io alone.
    #[arg(long, value_name = "NAME", default_value = "k8s.io")]
    pub(super) namespace: String,
}

impl StoreArgs {
    /// As the store takes it.
    pub(super) fn choice(&self) -> Choice {
        match (&self.address, &self.store) {
            (Some(socket), _) => Choice::Running {
                socket: socket.clone(),
                snapshotter: self.snapshotter.clone(),
            },
            (None, Some(store)) => Choice::Store {
                store: store.clone(),
                containerd: self.containerd.clone(),
            },
            (None, None) => Choice::Rke2 {
                containerd: self.containerd.clone(),
            },
        }
    }
}

/// How registries are reached.
#[derive(Debug, Clone, Args)]
pub(super) struct RegistryArgs {
    /// A registry, host or host:port, without TLS; may be repeated.
    #[arg(long, value_name = "HOST")]
    plain_http: Vec<String>,
    /// A registry whose certificate is not checked; may be repeated. A CA file is the better way.
    #[arg(long, value_name = "HOST")]
    insecure_tls: Vec<String>,
    /// Trust this CA, a PEM file, beside the system's; may be repeated.
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// Mirrors, rewrites, logins and TLS, as RKE2's /etc/rancher/rke2/registries.yaml has them.
    #[arg(long, value_name = "FILE")]
    registries: Option<PathBuf>,
    /// Never ask a registry itself that has mirrors in that file.
    #[arg(long, requires = "registries")]
    mirrors_only: bool,
    /// Logins, in the format of docker's config.json; credential helpers are not asked.
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
    /// Seconds without an answer, or without a byte of one, after which a connection is given up.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..))]
    timeout: u16,
    /// How often a blob or document is asked for again after a failure that may pass, with longer waits each time.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(..=100))]
    retries: u16,
}

impl RegistryArgs {
    /// As the client takes it.
    pub(super) fn access(&self, memory: u64) -> Access {
        Access {
            plain_http: self.plain_http.clone(),
            insecure_tls: self.insecure_tls.clone(),
            ca: self.ca.clone(),
            registries: self.registries.clone(),
            auth_file: self.auth_file.clone(),
            mirrors_only: self.mirrors_only,
            memory,
            patience: self.patience(),
            ..Access::default()
        }
    }

    fn patience(&self) -> Patience {
        let timeout = Duration::from_secs(self.timeout.into());
        Patience {
            answer: timeout,
            stall: timeout,
            tries: u32::from(self.retries) + 1,
            ..Patience::default()
        }
    }
}

/// Which images.
#[derive(Debug, Clone, Args)]
pub(super) struct NamesArgs {
    /// Images, each with its digest: registry/name:tag@sha256:DIGEST.
    #[arg(value_name = "REF")]
    names: Vec<String>,
    /// A file with an image a line; `REF as NAME` gives it a further name, `#` begins a comment.
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// The platform; an image that is not for it is an error. Default: this machine's.
    #[arg(long, value_name = "OS/ARCH", value_parser = platform)]
    platform: Option<Platform>,
}

fn snapshotter(text: &str) -> Result<Snapshotter, String> {
    Snapshotter::parse(text).map_err(|error| error.one_line())
}

pub(super) fn platform(text: &str) -> Result<Platform, String> {
    Platform::parse(text).map_err(|error| error.one_line())
}

impl NamesArgs {
    /// The wanted images; every wrong line of the file is told at once.
    pub(super) fn wanted(&self) -> Result<Vec<Wanted>> {
        let mut wanted = Vec::new();
        for name in &self.names {
            wanted.push(Wanted::new(Name::parse(name)?));
        }
        if let Some(path) = &self.list {
            wanted.extend(listed(path)?);
        }
        Ok(wanted)
    }

    /// Whether any are named.
    pub(super) fn any(&self) -> bool {
        !self.names.is_empty() || self.list.is_some()
    }

    /// The platform, where one is named.
    pub(super) fn platform(&self) -> Option<Platform> {
        self.platform.clone()
    }
}

fn listed(path: &std::path::Path) -> Result<Vec<Wanted>> {
    let root = Root::open(std::path::Path::new("/"))?;
    let full = std::path::absolute(path).context(|| format!("find {}", path.display()))?;
    let text = root.read_text(&full.to_string_lossy())?.ok_or_else(|| {
        Error::usage(format!("read {}: it does not exist", path.display()))
            .hint("name a file with an image a line")
    })?;
    lines(&text).map_err(|wrong| {
        Error::usage(format!("read {}: {}", path.display(), wrong.join("; ")))
            .hint("a line is REF, or REF as NAME; # begins a comment")
    })
}

/// The images of a list, or what is wrong with its lines.
fn lines(text: &str) -> Result<Vec<Wanted>, Vec<String>> {
    let (mut wanted, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match one(line) {
            Ok(image) => wanted.push(image),
            Err(error) => wrong.push(format!("line {}: {error}", number + 1)),
        }
    }
    if wrong.is_empty() {
        Ok(wanted)
    } else {
        Err(wrong)
    }
}

fn one(line: &str) -> Result<Wanted, String> {
    let parse = |text| Name::parse(text).map_err(|error| error.one_line());
    match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [name] => Ok(Wanted::new(parse(name)?)),
        [name, "as", also] => Ok(Wanted {
            name: parse(name)?,
            also: vec![parse(also)?],
        }),
        _ => Err(format!("{line:?} is not like REF, or REF as NAME")),
    }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_list_has_comments_further_names_and_all_its_mistakes_told() {
        let text =
            "# base\n\nr.example/a:1 # x\n r.example/b:2 as docker.io/rancher/mirrored-pause:3.6\n";
        let wanted = lines(text).unwrap();
        assert_eq!(wanted[0].name.to_string(), "r.example/a:1");
        assert_eq!(
            wanted[1].also[0].to_string(),
            "docker.io/rancher/mirrored-pause:3.6"
        );
        let wrong = lines("a b c\nr.example/A\nr.example/ok:1\n").unwrap_err();
        assert_eq!(wrong.len(), 2);
        assert!(wrong[1].starts_with("line 2: "), "{wrong:?}");
    }
}
