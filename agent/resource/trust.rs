//! Kind `trust`: a private CA's certificate in the system's store, pinned by its digest.
//! It is separate because programs trust the bundle that a tool makes of the store, not the file that is put there.

mod pem;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Error, Result};
use crate::host::root::Attr;
use crate::host::{Cmd, Host, Manager};
use crate::resource::schema::{Check, Field, Type};
use crate::resource::{Claim, Diff, ENTRY, Fault, Kind, Phase, Place, armor};
use pem::{digest, found, single};

const LABEL: &str = "CERTIFICATE";

/// A certificate that is trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// Name of its file.
    pub name: String,
    /// The certificate, as PEM text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// A PEM file in the tree that is built; empty: none, and nothing is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// `sha256:` and the digest of the certificate's DER form, as `openssl x509 -fingerprint` states it.
    pub sha256: String,
}

/// Certificates found in a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// There is no such file.
    Absent,
    /// One certificate, by its digest.
    One(String),
    /// Anything else, and why.
    Unusable(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Found::Absent => write!(f, "absent"),
            Found::One(digest) => write!(f, "{digest}"),
            Found::Unusable(why) => write!(f, "{why}"),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    /// Whose store it is.
    pub manager: Manager,
    /// The file in the store.
    pub anchor: Found,
    /// The certificate that the policy gives.
    pub given: Found,
    /// Whether the bundle holds the pinned certificate; none when there is no bundle.
    pub bundled: Option<bool>,
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Writes the certificate to the store.
    Write(Manager),
    /// Makes the bundle anew.
    Update(Manager),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Write(_) => write!(f, "write the pinned certificate"),
            Action::Update(manager) => write!(f, "run {}", store(*manager).update.join(" ")),
        }
    }
}

/// Where a family keeps what is trusted.
struct Store {
    anchors: &'static str,
    suffix: &'static str,
    bundle: &'static str,
    update: &'static [&'static str],
}

fn store(manager: Manager) -> Store {
    match manager {
        Manager::Apt => Store {
            anchors: "/usr/local/share/ca-certificates",
            // Its tool looks at no other suffix.
            suffix: "crt",
            bundle: "/etc/ssl/certs/ca-certificates.crt",
            update: &["update-ca-certificates"],
        },
        Manager::Dnf => Store {
            anchors: "/etc/pki/ca-trust/source/anchors",
            suffix: "pem",
            bundle: "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
            update: &["update-ca-trust", "extract"],
        },
    }
}

impl Kind for Trust {
    const NAME: &'static str = "trust";
    const PHASE: Phase = Phase::Trust;
    const DOC: &'static str = "A private CA's certificate in the system's store, pinned by digest.";
    const FIELDS: &'static [Field] = &[
        Field::required("name", Type::Str(Check::Word), "Name of its file."),
        Field::optional(
            "certificate",
            Type::Str(Check::NotEmpty),
            "The certificate, as PEM text.",
        ),
        Field::optional(
            "file",
            Type::Str(Check::AbsPathOrEmpty),
            "A PEM file in the tree that is built, needed until it is in the store. Empty: nothing is wanted.",
        ),
        Field::required(
            "sha256",
            Type::Str(Check::Any),
            "\"sha256:\" and the digest of the certificate (its DER form); empty with an empty `file`.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.certificate.is_some() == self.file.is_some() {
            faults.push(Fault::new(
                "certificate",
                "exactly one of `certificate` and `file` is needed",
                "give the PEM text, or the path of a PEM file in the tree",
            ));
        }
        if self.wanted()
            && let Err(advice) = Check::Digest.test(&self.sha256)
        {
            let message = format!("`sha256` cannot be {:?}", self.sha256);
            let help = format!("right is {advice}; a certificate that is not pinned is anybody's");
            faults.push(Fault::new("sha256", message, help));
        }
        faults
    }

    fn claims(&self) -> Vec<Claim> {
        [Manager::Apt, Manager::Dnf]
            .map(|manager| Claim {
                fact: format!("path:{}", self.path(manager)),
                value: "trust".to_owned(),
            })
            .to_vec()
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        let manager = host.packages.manager()?;
        let bundle = host.root.read(store(manager).bundle)?;
        let holds = |bytes: Vec<u8>| {
            let all = armor::pem(&String::from_utf8_lossy(&bytes), LABEL).unwrap_or_default();
            all.iter().any(|der| digest(der) == self.sha256)
        };
        Ok(Seen {
            manager,
            anchor: found(host.root.read(&self.path(manager))?.as_deref()),
            given: found(self.given(host)?.as_deref()),
            bundled: bundle.map(holds),
        })
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        if !self.wanted() {
            diff.skip(ENTRY, "no certificate is given");
            return diff;
        }
        let right = Found::One(self.sha256.clone());
        if seen.anchor != right {
            let path = self.path(seen.manager);
            diff.differs(path, seen.anchor.to_string(), self.sha256.as_str());
            if seen.given != right {
                let from = self.file.as_deref().unwrap_or("certificate");
                let what = format!("the certificate in {from}");
                diff.differs(what, seen.given.to_string(), self.sha256.as_str());
                return diff;
            }
            diff.actions.push(Action::Write(seen.manager));
        }
        if seen.bundled != Some(true) {
            let have = seen.bundled.map_or("there is no bundle", |_| "not in it");
            diff.differs(store(seen.manager).bundle, have, "holds the certificate");
            diff.actions.push(Action::Update(seen.manager));
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        for (trust, action) in batch {
            match action {
                Action::Write(manager) => trust.write(*manager, host)?,
                Action::Update(manager) => update(*manager, host)?,
            }
        }
        Ok(())
    }
}

impl Trust {
    /// An empty `file` switches the entry off.
    fn wanted(&self) -> bool {
        self.file.as_deref() != Some("")
    }

    fn path(&self, manager: Manager) -> String {
        let store = store(manager);
        format!("{}/{}.{}", store.anchors, self.name, store.suffix)
    }

    fn given(&self, host: &Host) -> Result<Option<Vec<u8>>> {
        match (&self.certificate, self.file.as_deref()) {
            (Some(text), _) => Ok(Some(text.clone().into_bytes())),
            (None, None | Some("")) => Ok(None),
            (None, Some(path)) => host.root.read(path),
        }
    }

    /// Writes the certificate alone: what stood around it in the file was not pinned.
    fn write(&self, manager: Manager, host: &Host) -> Result<()> {
        let path = self.path(manager);
        let given = self.given(host)?.unwrap_or_default();
        let der = single(&given).ok().filter(|der| digest(der) == self.sha256);
        let der = der.ok_or_else(|| {
            Error::host(format!(
                "write {path}: the certificate changed since it was judged"
            ))
            .hint("see who writes to it, and run this again")
        })?;
        let text = format!(
            "-----BEGIN {LABEL}-----\n{}\n-----END {LABEL}-----\n",
            armor::encode(&der)
        );
        host.root.make_parent(&path)?;
        host.root.write(&path, text.as_bytes(), Attr::root(0o644))
    }
}

fn update(manager: Manager, host: &Host) -> Result<()> {
    let cmd = Cmd::new(store(manager).update.iter().copied());
    let doing = || format!("make the bundle anew with {}", cmd.line());
    let brings = "the package ca-certificates brings this tool";
    let started = host.exec.run(&cmd).map_err(|error| error.hint(brings));
    let output = started.context(doing)?;
    if output.ok() {
        return Ok(());
    }
    let said = output.errors();
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(Error::host(format!(
        "it exited with {}: {}",
        output.code,
        last.unwrap_or("it said nothing")
    ))
    .hint(brings))
    .context(doing)
}
