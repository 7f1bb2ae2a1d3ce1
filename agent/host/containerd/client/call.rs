//! One call: its headers, its time limit, its largest answer, and what a person reads when it fails.
//! It is separate because every call is bounded and fails in the same way.

use std::io;
use std::time::Duration;

use containerd_client::services::v1::content_client::ContentClient;
use containerd_client::services::v1::diff_client::DiffClient;
use containerd_client::services::v1::images_client::ImagesClient;
use containerd_client::services::v1::introspection_client::IntrospectionClient;
use containerd_client::services::v1::leases_client::LeasesClient;
use containerd_client::services::v1::namespaces_client::NamespacesClient;
use containerd_client::services::v1::snapshots::snapshots_client::SnapshotsClient;
use containerd_client::services::v1::version_client::VersionClient;
use containerd_client::tonic::transport::Channel;
use containerd_client::tonic::{Code, Request, Status};

use super::Client;
use crate::error::{Error, Result};

/// A call that reads or writes a record.
pub(super) const RECORD: Duration = Duration::from_secs(60);
/// A call that walks a directory, collects garbage, or lists all there is.
pub(super) const WALK: Duration = Duration::from_secs(600);
/// A call that unpacks a layer.
pub(super) const UNPACK: Duration = Duration::from_secs(3600);

/// Largest answer: four times what containerd sends unless it is configured to send more.
const ANSWER: usize = 64 << 20;

/// Most records of a kind; a node has thousands.
const RECORDS: usize = 1 << 20;

/// Why a call failed. Boxed, because it is large and rare.
pub(super) type Refusal = Box<Status>;

impl Client {
    /// A message with the headers of our namespace and lease.
    pub(super) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let headers = request.metadata_mut();
        headers.insert("containerd-namespace", self.namespace.clone());
        if let Some(lease) = &self.lease {
            headers.insert("containerd-lease", lease.clone());
        }
        request
    }

    /// Runs one exchange within its limit.
    pub(super) fn ask<T>(
        &self,
        limit: Duration,
        exchange: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Refusal> {
        let limit = limit.min(self.patience);
        let limited = async { tokio::time::timeout(limit, exchange).await };
        let Ok(answer) = self.runtime.block_on(limited) else {
            let waited = format!("no answer within {} s", limit.as_secs());
            return Err(Box::new(Status::deadline_exceeded(waited)));
        };
        answer.map_err(Box::new)
    }

    /// The error of a call: what was being done, where, what the daemon said, and the next step.
    pub(super) fn failed(&self, doing: impl AsRef<str>, status: &Status) -> Error {
        let socket = self.socket.display();
        let doing = format!("{} in containerd at {socket}", doing.as_ref());
        let said = said(status);
        let full = said.contains("no space left on device") || said.contains("quota exceeded");
        let hint = hint(status.code(), full);
        let kind = if full {
            io::ErrorKind::StorageFull
        } else {
            io::ErrorKind::Other
        };
        Error::host(doing)
            .because(io::Error::new(kind, said))
            .hint(hint)
    }

    pub(super) fn content_service(&self) -> ContentClient<Channel> {
        ContentClient::new(self.channel.clone()).max_decoding_message_size(ANSWER)
    }

    pub(super) fn diff_service(&self) -> DiffClient<Channel> {
        DiffClient::new(self.channel.clone()).max_decoding_message_size(ANSWER)
    }

    pub(super) fn image_service(&self) -> ImagesClient<Channel> {
        ImagesClient::new(self.channel.clone()).max_decoding_message_size(ANSWER)
    }

    pub(super) fn introspection(&self) -> IntrospectionClient<Channel> {
        IntrospectionClient::new(self.channel.clone()).max_decoding_message_size(ANSWER)
    }

    pub(super) fn lease_service(&self) -> LeasesClient<Channel> {
        LeasesClient::new(self.channel.clone()).max_decoding_message_size(ANSWER)
    }

    pub(super) fn namespace_service(&self) -> NamespacesClient<Channel> {
        NamespacesClient::new(self.channel.clone()).max_decoding_message_size(ANSWER)
    }

    pub(super) fn snapshot_service(&self) -> SnapshotsClient<Channel> {
        SnapshotsClient::new(self.channel.clone()).max_decoding_message_size(ANSWER)
    }

    pub(super) fn version_service(&self) -> VersionClient<Channel> {
        VersionClient::new(self.channel.clone()).max_decoding_message_size(ANSWER)
    }
}

/// Adds records to those that came before, as long as they are not too many to be true.
pub(super) fn gather<T>(all: &mut Vec<T>, more: impl IntoIterator<Item = T>) -> Result<(), Status> {
    all.extend(more.into_iter().take(RECORDS + 1));
    if all.len() > RECORDS {
        let many = format!("more than {RECORDS} records");
        return Err(Status::resource_exhausted(many));
    }
    Ok(())
}

/// A size as messages have it.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// A size from a message; one below zero, which none has, is none.
pub(super) fn unsigned(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}

/// What the daemon said, or what the connection did.
fn said(status: &Status) -> String {
    let mut text = status.message().to_owned();
    let mut next = std::error::Error::source(status);
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    if text.is_empty() {
        return format!("{:?}", status.code());
    }
    text
}

fn hint(code: Code, full: bool) -> &'static str {
    match code {
        _ if full => "make room, or give the disk more, then run the same command again",
        Code::Unavailable | Code::Cancelled | Code::Unknown => {
            "see in its log whether it ended, then run the same command again"
        }
        Code::DeadlineExceeded => "see in its log and in the kernel's what it waits for",
        Code::PermissionDenied | Code::Unauthenticated => "run it as root",
        Code::Unimplemented => "see in its log which of its plugins it could not load",
        Code::ResourceExhausted => "remove what is not needed from the store, then try again",
        _ => "run 'nodeagent image check' to see what its store holds, then try again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_told_once_and_never_empty() {
        assert_eq!(said(&Status::new(Code::NotFound, "no x")), "no x");
        assert_eq!(said(&Status::new(Code::Aborted, "")), "Aborted");
        assert!(hint(Code::Unknown, true).contains("room"));
    }

    #[test]
    fn too_many_records_are_an_error() {
        let mut all = Vec::new();
        assert!(gather(&mut all, std::iter::repeat_n((), RECORDS)).is_ok());
        assert!(gather(&mut all, [()]).is_err());
    }
}
