//! Namespaces and leases: where records are made, and what keeps them until an image does.
//! They are separate because both come before all else and are gone or forgotten after it.

use std::time::{SystemTime, UNIX_EPOCH};

use containerd_client::services::v1::{
    CreateNamespaceRequest, CreateRequest, DeleteRequest, Lease, ListRequest, Namespace,
};
use containerd_client::tonic::Code;

use super::Client;
use super::call::{RECORD, WALK};
use crate::error::{Error, Result};
use crate::host::date::{rfc3339, seconds};

/// The label after whose time a lease keeps nothing any more (containerd's docs/garbage-collection.md).
const EXPIRE: &str = "containerd.io/gc.expire";

pub(super) fn make_namespace(client: &Client) -> Result<()> {
    let name = client.namespace.to_str().unwrap_or_default().to_owned();
    let doing = format!("make the namespace {name}");
    let namespace = Namespace {
        name,
        ..Namespace::default()
    };
    let message = CreateNamespaceRequest {
        namespace: Some(namespace),
    };
    let request = client.request(message);
    match client.ask(RECORD, client.namespace_service().create(request)) {
        Err(status) if status.code() != Code::AlreadyExists => Err(client.failed(doing, &status)),
        _ => Ok(()),
    }
}

/// Takes a lease. One that is there is kept if more than half of the time is left. An older one cannot be renewed: it is
/// ended, with a collection of what only it kept, so that nothing that is seen afterwards can vanish.
pub(super) fn take(client: &Client, id: &str, hours: u64) -> Result<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs());
    let time = hours.saturating_mul(3600);
    if create(client, id, now.saturating_add(time))? {
        return Ok(());
    }
    let found = all(client)?.into_iter().find(|lease| lease.id == id);
    let until = found.and_then(|lease| seconds(lease.labels.get(EXPIRE)?));
    if until.is_some_and(|until| until > now.saturating_add(time / 2)) {
        return Ok(());
    }
    end(client, id)?;
    if create(client, id, now.saturating_add(time))? {
        return Ok(());
    }
    Err(Error::host(format!(
        "take the lease {id} in containerd at {}: another process took it",
        client.socket.display()
    ))
    .hint("wait until the other process has ended"))
}

/// Whether the lease was made; if not, there is one.
fn create(client: &Client, id: &str, until: u64) -> Result<bool> {
    let message = CreateRequest {
        id: id.to_owned(),
        labels: [(EXPIRE.to_owned(), rfc3339(until))].into(),
    };
    match client.ask(
        RECORD,
        client.lease_service().create(client.request(message)),
    ) {
        Ok(_) => Ok(true),
        Err(status) if status.code() == Code::AlreadyExists => Ok(false),
        Err(status) => Err(client.failed(format!("take the lease {id}"), &status)),
    }
}

pub(super) fn end(client: &Client, id: &str) -> Result<()> {
    let message = DeleteRequest {
        id: id.to_owned(),
        sync: true,
    };
    match client.ask(WALK, client.lease_service().delete(client.request(message))) {
        Err(status) if status.code() != Code::NotFound => {
            Err(client.failed(format!("end the lease {id}"), &status))
        }
        _ => Ok(()),
    }
}

pub(super) fn all(client: &Client) -> Result<Vec<Lease>> {
    let request = client.request(ListRequest::default());
    match client.ask(WALK, client.lease_service().list(request)) {
        Ok(answer) => Ok(answer.into_inner().leases),
        Err(status) => Err(client.failed("list the leases", &status)),
    }
}
