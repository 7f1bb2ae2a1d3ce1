//! Image records: a name, what it resolves to, and labels.
//! They are separate because they come last: what they name must be complete before.

use containerd_client::services::v1::{
    CreateImageRequest, DeleteImageRequest, Image as Record, ListImagesRequest, UpdateImageRequest,
};
use containerd_client::tonic::Code;
use containerd_client::types::Descriptor;

use super::Client;
use super::call::{RECORD, Refusal, WALK, signed, unsigned};
use super::content::or_gone;
use crate::error::Result;
use crate::host::containerd::{Image, Target};
use crate::host::oci::Digest;

pub(super) fn all(client: &Client) -> Result<Vec<Image>> {
    let request = client.request(ListImagesRequest::default());
    match client.ask(WALK, client.image_service().list(request)) {
        Ok(answer) => Ok(answer
            .into_inner()
            .images
            .into_iter()
            .filter_map(of)
            .collect()),
        Err(status) => Err(client.failed("list the images", &status)),
    }
}

/// A record; one with a digest of another kind is none of those that we could check.
fn of(record: Record) -> Option<Image> {
    let target = record.target?;
    Some(Image {
        name: record.name,
        target: Target {
            media_type: target.media_type,
            digest: Digest::parse(&target.digest).ok()?,
            size: unsigned(target.size),
        },
        labels: record.labels.into_iter().collect(),
    })
}

fn record(image: &Image) -> Record {
    let Target {
        media_type,
        digest,
        size,
    } = &image.target;
    Record {
        name: image.name.clone(),
        labels: image.labels.clone().into_iter().collect(),
        target: Some(Descriptor {
            media_type: media_type.clone(),
            digest: digest.as_str().to_owned(),
            size: signed(*size),
            ..Descriptor::default()
        }),
        ..Record::default()
    }
}

pub(super) fn put(client: &Client, image: &Image) -> Result<()> {
    let failed =
        |status: Refusal| client.failed(format!("record the image {}", image.name), &status);
    let message = CreateImageRequest {
        image: Some(record(image)),
        ..CreateImageRequest::default()
    };
    let made = client.ask(
        RECORD,
        client.image_service().create(client.request(message)),
    );
    match made {
        Ok(_) => return Ok(()),
        Err(status) if status.code() == Code::AlreadyExists => {}
        Err(status) => return Err(failed(status)),
    }
    let mut message = UpdateImageRequest {
        image: Some(record(image)),
        ..UpdateImageRequest::default()
    };
    // The time it was made stays.
    let fields = ["target", "labels"].map(str::to_owned);
    message.update_mask.get_or_insert_default().paths = fields.into();
    let request = client.request(message);
    let updated = client.ask(RECORD, client.image_service().update(request));
    updated.map(|_| ()).map_err(failed)
}

pub(super) fn remove(client: &Client, name: &str) -> Result<()> {
    let message = DeleteImageRequest {
        name: name.to_owned(),
        sync: true,
        ..DeleteImageRequest::default()
    };
    let request = client.request(message);
    or_gone(client.ask(WALK, client.image_service().delete(request)))
        .map_err(|status| client.failed(format!("remove the image {name}"), &status))
}
