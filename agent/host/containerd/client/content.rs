//! Blobs that are recorded: listing, labels, reading, forgetting; and writes that were not ended.
//! They are separate from writing because none of this moves a layer's bytes.

use containerd_client::services::v1::{
    AbortRequest, DeleteContentRequest, Info, InfoRequest, ListContentRequest, ListStatusesRequest,
    ReadContentRequest, UpdateRequest,
};
use containerd_client::tonic::{Code, Status};

use super::Client;
use super::call::{RECORD, Refusal, WALK, gather, unsigned};
use crate::error::{Error, Result};
use crate::host::containerd::{Content, Labels};
use crate::host::oci::Digest;

pub(super) fn all(client: &Client) -> Result<Vec<Content>> {
    let request = client.request(ListContentRequest::default());
    let mut service = client.content_service();
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
        .map_err(|status| client.failed("list the blobs", &status))
}

/// A record; one with a digest of another kind is none of an image's that we could check.
fn of(info: Info) -> Option<Content> {
    Some(Content {
        digest: Digest::parse(&info.digest).ok()?,
        size: unsigned(info.size),
        labels: info.labels.into_iter().collect(),
    })
}

/// The record of one blob.
pub(super) fn info(client: &Client, digest: &Digest) -> Result<Content> {
    let message = InfoRequest {
        digest: digest.as_str().to_owned(),
    };
    let doing = || format!("look at the blob {digest}");
    let answer = client
        .ask(
            RECORD,
            client.content_service().info(client.request(message)),
        )
        .map_err(|status| client.failed(doing(), &status))?;
    let found = answer.into_inner().info.and_then(of);
    found.ok_or_else(|| client.failed(doing(), &Status::internal("the answer is empty")))
}

pub(super) fn label(client: &Client, digest: &Digest, labels: &Labels) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    let info = Info {
        digest: digest.as_str().to_owned(),
        labels: labels.clone().into_iter().collect(),
        ..Info::default()
    };
    let mut message = UpdateRequest {
        info: Some(info),
        ..UpdateRequest::default()
    };
    // Only these: without a mask the others would be gone.
    let names = labels.keys().map(|name| format!("labels.{name}"));
    message.update_mask.get_or_insert_default().paths = names.collect();
    client
        .ask(
            RECORD,
            client.content_service().update(client.request(message)),
        )
        .map(|_| ())
        .map_err(|status| client.failed(format!("label the blob {digest}"), &status))
}

pub(super) fn forget(client: &Client, digest: &Digest) -> Result<()> {
    let message = DeleteContentRequest {
        digest: digest.as_str().to_owned(),
    };
    let request = client.request(message);
    or_gone(client.ask(RECORD, client.content_service().delete(request)))
        .map_err(|status| client.failed(format!("forget the blob {digest}"), &status))
}

pub(super) fn read(client: &Client, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
    let found = info(client, digest)?;
    let doing = || format!("read the blob {digest}");
    if found.size > limit {
        let size = found.size;
        return Err(Error::host(doing())
            .because(format!("it has {size} bytes, over the limit of {limit}"))
            .hint("it is no manifest or configuration; see what names it as one"));
    }
    let message = ReadContentRequest {
        digest: digest.as_str().to_owned(),
        ..ReadContentRequest::default()
    };
    let request = client.request(message);
    let mut service = client.content_service();
    let read = async {
        let mut bytes = Vec::new();
        let mut parts = service.read(request).await?.into_inner();
        while let Some(part) = parts.message().await? {
            bytes.extend_from_slice(&part.data);
            if bytes.len() as u64 > found.size {
                break;
            }
        }
        if bytes.len() as u64 == found.size {
            return Ok(bytes);
        }
        let (came, size) = (bytes.len(), found.size);
        Err(Status::data_loss(format!(
            "its file does not have the {size} bytes of its record, {came} were read"
        )))
    };
    client
        .ask(WALK, read)
        .map_err(|status| client.failed(doing(), &status))
}

pub(super) fn ingests(client: &Client) -> Result<Vec<String>> {
    let request = client.request(ListStatusesRequest::default());
    match client.ask(WALK, client.content_service().list_statuses(request)) {
        Ok(answer) => {
            let all = answer.into_inner().statuses.into_iter();
            Ok(all.map(|status| status.r#ref).collect())
        }
        Err(status) => Err(client.failed("list the writes that were begun", &status)),
    }
}

pub(super) fn abort(client: &Client, ingest: &str) -> Result<()> {
    let message = AbortRequest {
        r#ref: ingest.to_owned(),
    };
    let request = client.request(message);
    or_gone(client.ask(RECORD, client.content_service().abort(request)))
        .map_err(|status| client.failed(format!("drop the write {ingest}"), &status))
}

/// What is not there need not be removed.
pub(super) fn or_gone<T>(answer: Result<T, Refusal>) -> Result<(), Refusal> {
    match answer {
        Err(status) if status.code() != Code::NotFound => Err(status),
        _ => Ok(()),
    }
}
