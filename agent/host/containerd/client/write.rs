//! Writing blobs: adopting a file that lies in the store already, or sending the bytes.
//! It is separate because both are one stream of messages, and what is left of a failed one must be dropped.
//!
//! Adopting is one message: commit, with the digest and the size, at the offset where the bytes would end. containerd sees
//! that its store has the blob, compares the size, and records it. At offset 0 it would make a copy of its own.

use std::collections::HashMap;
use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};

use containerd_client::services::v1::{WriteAction, WriteContentRequest, WriteContentResponse};
use containerd_client::tonic::{Code, Status, Streaming};
use tokio::sync::mpsc;

use super::Client;
use super::call::{RECORD, Refusal, WALK, signed};
use super::content::{abort, info, label};
use crate::error::{Error, Result};
use crate::host::containerd::Labels;
use crate::host::oci::Descriptor;

/// Bytes of a blob in one message; the daemon takes 16 MiB at most.
const PART: usize = 1 << 20;

/// Messages on their way to the daemon.
struct Messages(mpsc::Receiver<WriteContentRequest>);

impl futures_core::Stream for Messages {
    type Item = WriteContentRequest;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

pub(super) fn adopt(client: &Client, blob: &Descriptor, labels: &Labels) -> Result<()> {
    let name = format!("nodeagent-adopt-{}", blob.digest);
    let (sender, messages) = mpsc::channel(1);
    let message = WriteContentRequest {
        offset: signed(blob.size),
        ..last(&name, blob, labels)
    };
    let mut service = client.content_service();
    let exchange = async {
        hand_over(&sender, message).await?;
        drop(sender);
        let request = client.request(Messages(messages));
        let mut answers = service.write(request).await?.into_inner();
        while answers.message().await?.is_some() {}
        Ok(())
    };
    let ended = client.ask(RECORD, exchange);
    settle(client, &name, (blob, labels), ended, "record")
}

pub(super) fn send(
    client: &Client,
    blob: &Descriptor,
    labels: &Labels,
    from: &mut dyn Read,
) -> Result<()> {
    let name = format!("nodeagent-send-{}", blob.digest);
    // What an earlier try left: it may be of other bytes.
    abort(client, &name)?;
    let (sender, messages) = mpsc::channel(1);
    let begun = client.ask(RECORD, async {
        hand_over(&sender, first(&name, blob)).await?;
        let request = client.request(Messages(messages));
        let mut answers = client.content_service().write(request).await?.into_inner();
        answers.message().await?;
        Ok(answers)
    });
    let ended = match begun {
        Ok(answers) => parts(client, blob, labels, from, (&name, sender, answers))?,
        Err(status) => Err(status),
    };
    settle(client, &name, (blob, labels), ended, "send")
}

/// One end of a write: its name, where messages go in, where answers come out.
type Write<'n> = (
    &'n str,
    mpsc::Sender<WriteContentRequest>,
    Streaming<WriteContentResponse>,
);

/// Sends part after part, each answered before the next, then commits. What the reader says is an error of its own.
fn parts(
    client: &Client,
    blob: &Descriptor,
    labels: &Labels,
    from: &mut dyn Read,
    (name, sender, mut answers): Write<'_>,
) -> Result<Result<(), Refusal>> {
    let mut part = Vec::with_capacity(PART);
    let mut offset = 0_u64;
    loop {
        part.clear();
        if let Err(error) = from.take(PART as u64).read_to_end(&mut part) {
            give_up(client, (name, sender, answers));
            let doing = format!("read the blob {} to send it", blob.digest);
            return Err(Error::host(doing).because(error));
        }
        // More than was promised is told by the commit; there may be no end of it.
        if part.is_empty() || offset > blob.size {
            break;
        }
        let message = WriteContentRequest {
            action: WriteAction::Write.into(),
            offset: signed(offset),
            data: part.clone(),
            ..WriteContentRequest::default()
        };
        if let Err(status) = exchange(client, &sender, &mut answers, message) {
            return Ok(Err(status));
        }
        offset += part.len() as u64;
    }
    let message = WriteContentRequest {
        offset: signed(offset),
        ..last(name, blob, labels)
    };
    Ok(exchange(client, &sender, &mut answers, message))
}

/// Sends a message and waits for its answer.
fn exchange(
    client: &Client,
    sender: &mpsc::Sender<WriteContentRequest>,
    answers: &mut Streaming<WriteContentResponse>,
    message: WriteContentRequest,
) -> Result<(), Refusal> {
    client.ask(WALK, async {
        let sent = hand_over(sender, message).await;
        // The daemon's own word says more than that it stopped listening.
        match answers.message().await? {
            Some(_) => sent,
            None => Err(Status::aborted("the daemon ended the write")),
        }
    })
}

/// Ends a write that will not be whole, and drops it as soon as the daemon has let go of it.
fn give_up(client: &Client, (name, sender, mut answers): Write<'_>) {
    drop(sender);
    let ended = client.ask(WALK, async {
        while answers.message().await?.is_some() {}
        Ok(())
    });
    if let Err(status) = ended {
        tracing::debug!(
            "{}",
            client
                .failed(format!("end the write {name}"), &status)
                .one_line()
        );
    }
    drop_left(client, name);
}

/// Drops what a failed write left. Its own failure is not the one that counts.
fn drop_left(client: &Client, name: &str) {
    if let Err(error) = abort(client, name) {
        tracing::debug!("{}", error.one_line());
    }
}

async fn hand_over(
    sender: &mpsc::Sender<WriteContentRequest>,
    message: WriteContentRequest,
) -> Result<(), Status> {
    let sent = sender.send(message).await;
    sent.map_err(|_| Status::aborted("the daemon ended the write"))
}

/// The message that opens a write.
fn first(name: &str, blob: &Descriptor) -> WriteContentRequest {
    WriteContentRequest {
        action: WriteAction::Stat.into(),
        r#ref: name.to_owned(),
        total: signed(blob.size),
        expected: blob.digest.as_str().to_owned(),
        ..WriteContentRequest::default()
    }
}

/// The message that commits one.
fn last(name: &str, blob: &Descriptor, labels: &Labels) -> WriteContentRequest {
    let labels: HashMap<String, String> = labels.clone().into_iter().collect();
    WriteContentRequest {
        action: WriteAction::Commit.into(),
        labels,
        ..first(name, blob)
    }
}

/// The end of a write. A blob that was there gets the labels; what a failed write left is dropped.
fn settle(
    client: &Client,
    name: &str,
    (blob, labels): (&Descriptor, &Labels),
    ended: Result<(), Refusal>,
    verb: &str,
) -> Result<()> {
    let doing = || format!("{verb} the blob {}", blob.digest);
    let status = match ended {
        Ok(()) => return Ok(()),
        Err(status) if status.code() == Code::AlreadyExists => {
            return agree(client, blob, labels, doing);
        }
        Err(status) => status,
    };
    drop_left(client, name);
    Err(client.failed(doing(), &status))
}

/// Makes what is recorded equal to what was wanted.
fn agree(
    client: &Client,
    blob: &Descriptor,
    labels: &Labels,
    doing: impl Fn() -> String,
) -> Result<()> {
    let found = info(client, &blob.digest)?;
    if found.size != blob.size {
        let why = format!(
            "it is recorded with {} bytes, not {}",
            found.size, blob.size
        );
        return Err(Error::host(doing())
            .because(why)
            .hint("the descriptor that names it is wrong; look at the image's manifest"));
    }
    let missing = labels
        .iter()
        .filter(|(name, value)| found.labels.get(*name) != Some(*value));
    let missing = missing.map(|(name, value)| (name.clone(), value.clone()));
    label(client, &blob.digest, &missing.collect())
}
