//! Snapshots, and the slow way to fill one.
//! They are separate because a name is taken twice here: by the one that is written and by the committed one.

use containerd_client::services::v1::ApplyRequest;
use containerd_client::services::v1::snapshots::{
    CommitSnapshotRequest, Info, Kind, ListSnapshotsRequest, PrepareSnapshotRequest,
    RemoveSnapshotRequest,
};
use containerd_client::tonic::{Code, Status};
use containerd_client::types;

use super::Client;
use super::call::{RECORD, UNPACK, WALK, gather, signed};
use super::content::or_gone;
use crate::error::{Context as _, Result};
use crate::host::containerd::{Labels, Mount, Prepared, Snapshot, SnapshotKind};
use crate::host::oci::{Descriptor, Digest};

pub(super) fn prepare(
    client: &Client,
    key: &str,
    parent: Option<&str>,
    labels: &Labels,
) -> Result<Prepared> {
    let message = PrepareSnapshotRequest {
        snapshotter: client.snapshotter.to_string(),
        key: key.to_owned(),
        parent: parent.unwrap_or_default().to_owned(),
        labels: labels.clone().into_iter().collect(),
    };
    let request = client.request(message);
    match client.ask(RECORD, client.snapshot_service().prepare(request)) {
        Ok(answer) => {
            let mounts = answer.into_inner().mounts.into_iter();
            Ok(Prepared::New(mounts.map(mount).collect()))
        }
        Err(status) if status.code() == Code::AlreadyExists => Ok(Prepared::Exists),
        Err(status) => Err(client.failed(format!("begin the snapshot {key}"), &status)),
    }
}

fn mount(mount: types::Mount) -> Mount {
    Mount {
        kind: mount.r#type,
        source: mount.source,
        options: mount.options,
    }
}

/// Commits. If the name is taken, be it by an earlier try whose answer was lost, what was written is not needed.
pub(super) fn commit(client: &Client, name: &str, key: &str, labels: &Labels) -> Result<()> {
    let message = CommitSnapshotRequest {
        snapshotter: client.snapshotter.to_string(),
        name: name.to_owned(),
        key: key.to_owned(),
        labels: labels.clone().into_iter().collect(),
    };
    let request = client.request(message);
    // It counts what the snapshot holds: a walk over all its files.
    match client.ask(WALK, client.snapshot_service().commit(request)) {
        Ok(_) => Ok(()),
        Err(status) if status.code() == Code::AlreadyExists => remove(client, key),
        Err(status) => Err(client.failed(format!("commit the snapshot {name}"), &status)),
    }
}

pub(super) fn remove(client: &Client, name: &str) -> Result<()> {
    let message = RemoveSnapshotRequest {
        snapshotter: client.snapshotter.to_string(),
        key: name.to_owned(),
    };
    let request = client.request(message);
    or_gone(client.ask(WALK, client.snapshot_service().remove(request)))
        .map_err(|status| client.failed(format!("remove the snapshot {name}"), &status))
}

pub(super) fn all(client: &Client) -> Result<Vec<Snapshot>> {
    let message = ListSnapshotsRequest {
        snapshotter: client.snapshotter.to_string(),
        ..ListSnapshotsRequest::default()
    };
    let request = client.request(message);
    let mut service = client.snapshot_service();
    let list = async {
        let mut all = Vec::new();
        let mut parts = service.list(request).await?.into_inner();
        while let Some(part) = parts.message().await? {
            gather(&mut all, part.info.into_iter().filter_map(of))?;
        }
        Ok(all)
    };
    client
        .ask(WALK, list)
        .map_err(|status| client.failed("list the snapshots", &status))
}

fn of(info: Info) -> Option<Snapshot> {
    let kind = match info.kind() {
        Kind::Committed => SnapshotKind::Committed,
        Kind::Active => SnapshotKind::Active,
        Kind::View => SnapshotKind::View,
        Kind::Unknown => return None,
    };
    Some(Snapshot {
        name: info.name,
        parent: Some(info.parent).filter(|parent| !parent.is_empty()),
        kind,
        labels: info.labels.into_iter().collect(),
    })
}

pub(super) fn unpack(client: &Client, layer: &Descriptor, mounts: &[Mount]) -> Result<Digest> {
    let doing = || format!("unpack the layer {}", layer.digest);
    let mounts = mounts.iter().map(|mount| types::Mount {
        r#type: mount.kind.clone(),
        source: mount.source.clone(),
        options: mount.options.clone(),
        ..types::Mount::default()
    });
    let message = ApplyRequest {
        diff: Some(types::Descriptor {
            media_type: layer.media_type.clone(),
            digest: layer.digest.as_str().to_owned(),
            size: signed(layer.size),
            ..types::Descriptor::default()
        }),
        mounts: mounts.collect(),
        ..ApplyRequest::default()
    };
    let request = client.request(message);
    let answer = client
        .ask(UNPACK, client.diff_service().apply(request))
        .map_err(|status| client.failed(doing(), &status))?;
    let Some(applied) = answer.into_inner().applied else {
        return Err(client.failed(doing(), &Status::internal("the answer is empty")));
    };
    Digest::parse(&applied.digest).context(doing)
}
