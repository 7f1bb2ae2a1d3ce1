//! The build marker: a person's word that this very machine may be turned into an image.
//! It is separate because without it a typing error in a terminal would generalize a node of a cluster.

use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Error, Result};
use crate::host::root::Attr;
use crate::host::{Evidence, FileKind, Host, Root, Where, glob};

/// Where it lies.
pub const MARKER: &str = "/etc/nodeagent/build-machine";
const KIND: &str = "machine-id";
const DECLARE: &str =
    "if this machine is to become an image, type: nodeagent bake --build-machine --profile NAME";

/// State of a cluster member: turning it into an image would clone or destroy it.
/// Images and containerd's content are baked on purpose and are not named here.
const CLUSTER: [&str; 16] = [
    "/var/lib/rancher/rke2/server/db",
    "/var/lib/rancher/rke2/server/token",
    "/var/lib/rancher/rke2/server/node-token",
    "/var/lib/rancher/rke2/server/agent-token",
    "/var/lib/rancher/rke2/server/tls",
    "/var/lib/rancher/rke2/server/cred",
    "/var/lib/rancher/rke2/agent/*.kubeconfig",
    "/var/lib/rancher/rke2/agent/*.key",
    "/var/lib/kubelet/pki",
    "/var/lib/kubelet/pods",
    "/var/lib/kubelet/*_manager_state",
    "/etc/kubernetes/*.conf",
    "/var/lib/rancher/k3s/server/token",
    "/var/lib/kubelet/*kubeconfig",
    "/etc/rancher/node/password",
    "/etc/rancher/rke2/rke2.yaml",
];

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    schema: u32,
    /// Keyed digest of the machine-id on which it was declared.
    machine: String,
}

/// Whether bake or generalize may change this machine: refuses (4) on a cluster member, and on a machine
/// without a marker of its own. An unbooted tree cannot be the machine that somebody works on: no marker there.
pub fn admit(host: &Host) -> Result<()> {
    refuse_cluster(&host.root)?;
    if host.context.place == Where::Root {
        return Ok(());
    }
    check(&host.root, &host.evidence)
}

/// Refuses where RKE2 server or kubelet state exists.
pub fn refuse_cluster(root: &Root) -> Result<()> {
    let mut found = Vec::new();
    for path in glob::expand(root, &CLUSTER.map(str::to_owned))?.paths {
        let kind = root.meta(&path)?.map(|meta| meta.kind);
        if kind != Some(FileKind::Directory) || !root.list(&path)?.is_empty() {
            found.push(path);
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::refused(format!(
        "use this machine for an image: it is, or was, a member of a cluster: {}",
        found.join(", ")
    ))
    .hint("build images on a machine that never ran RKE2; rke2-uninstall.sh removes the state"))
}

/// Declares this machine a build machine.
pub fn declare(root: &Root, evidence: &Evidence) -> Result<()> {
    refuse_cluster(root)?;
    let marker = Marker {
        schema: 1,
        machine: digest(root, evidence)?,
    };
    let doing = || format!("write {MARKER}");
    let mut bytes = serde_json::to_vec(&marker).context(doing)?;
    bytes.push(b'\n');
    root.make_dir("/etc/nodeagent", Attr::root(0o755))
        .context(doing)?;
    root.write(MARKER, &bytes, Attr::root(0o600)).context(doing)
}

/// Whether the marker was declared on this very machine.
pub fn check(root: &Root, evidence: &Evidence) -> Result<()> {
    let Some(bytes) = root.read(MARKER)? else {
        return Err(Error::refused(format!(
            "use this machine for an image: nobody declared it a build machine ({MARKER} is missing)"
        ))
        .hint(DECLARE));
    };
    let marker: Marker = serde_json::from_slice(&bytes)
        .map_err(|e| Error::refused(format!("read {MARKER}: {e}")).hint(DECLARE))?;
    if marker.schema == 1 && bound(&marker, root, evidence)? {
        return Ok(());
    }
    Err(Error::refused(format!(
        "use this machine for an image: {MARKER} was declared on another machine, of which this is a copy, or the machine-id changed since"
    ))
    .hint(DECLARE))
}

/// Removes the marker: generalize's last step before the seal is pending.
pub fn remove(root: &Root) -> Result<()> {
    root.remove(MARKER)
}

fn bound(marker: &Marker, root: &Root, evidence: &Evidence) -> Result<bool> {
    if marker.machine == digest(root, evidence)? {
        return Ok(true);
    }
    // An interrupted generalize has emptied the machine-id already; its digest was recorded before.
    let emptied = machine_id(root)?.is_empty();
    let removed = evidence.of_kind(KIND);
    Ok(emptied && removed.iter().any(|stone| stone.digest == marker.machine))
}

fn digest(root: &Root, evidence: &Evidence) -> Result<String> {
    let id = machine_id(root)?;
    let stone = evidence.tombstone(KIND, id.as_bytes());
    stone.map(|stone| stone.digest).ok_or_else(|| {
        Error::refused("tell which machine this is: the record has no salt").hint(DECLARE)
    })
}

/// The identifier, empty where there is none yet.
fn machine_id(root: &Root) -> Result<String> {
    let bytes = root.read("/etc/machine-id")?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    Ok(if text == "uninitialized" {
        String::new()
    } else {
        text
    })
}
