//! The registrar's half that concerns blobs: put in their place, recorded, labelled.
//! It is separate from snapshots because blobs depend on nothing below them.

use std::io::Write as _;

use super::desired;
use super::registrar::{Registrar, failed};
use super::resolved::Documents;
use super::staging::BLOB;
use crate::error::{Error, Result};
use crate::host::containerd::{Content, Labels};
use crate::host::failure::Failure;
use crate::host::oci::{Descriptor, Digest};

impl Registrar<'_> {
    /// What needs no layer: documents, labels of what is there, and what must go before anything comes.
    pub(super) fn prepare(&mut self, documents: &Documents) {
        let plan = self.office.shop.plan;
        for chain in &plan.uproot {
            if let (Err(error), Some(want)) = (
                self.office.containerd.remove_snapshot(chain.as_str()),
                self.office.desired.chains.get(chain),
            ) {
                self.fail(&want.images, failed(error));
            }
        }
        for digest in plan.documents.iter().chain(&plan.label).chain(&plan.forget) {
            let Some(want) = self.office.desired.blobs.get(digest) else {
                continue;
            };
            let done = match &want.descriptor {
                Some(blob) if plan.documents.contains(digest) => {
                    self.document(blob, want, documents)
                }
                _ if plan.label.contains(digest) => self.label(digest, want),
                _ => Ok(()),
            };
            if let Err(failure) = done {
                self.fail(&want.images, failure);
            }
        }
    }

    fn document(
        &mut self,
        blob: &Descriptor,
        want: &desired::Blob,
        documents: &Documents,
    ) -> Result<(), Failure> {
        let doing = || format!("write the document {}", blob.digest);
        if let Some(bytes) = documents.get(&blob.digest) {
            let blobs = &self.office.shop.staging.blobs;
            let write = || {
                let mut file = blobs.create(blob.digest.hex())?;
                file.write_all(bytes)?;
                file.finish(BLOB)
            };
            write().map_err(|error| Failure::of_io(error, doing()))?;
        }
        self.put(blob, Some(want))
    }

    fn label(&self, digest: &Digest, want: &desired::Blob) -> Result<(), Failure> {
        let lacks = want.lacks(
            &self
                .recorded(digest)
                .map(|c| c.labels.clone())
                .unwrap_or_default(),
        );
        self.office
            .containerd
            .label_content(digest, &lacks)
            .map_err(failed)
    }

    fn recorded(&self, digest: &Digest) -> Option<&Content> {
        (self.office.inventory.content.iter()).find(|content| content.digest == *digest)
    }

    /// Puts a blob in its place and records it; both may be done already. Without labels it lasts as long as the lease.
    pub(super) fn put(
        &mut self,
        blob: &Descriptor,
        want: Option<&desired::Blob>,
    ) -> Result<(), Failure> {
        if !self.placed.insert(blob.digest.clone()) {
            return Ok(());
        }
        let shares = self.office.facts.shares_content;
        let recorded = self.recorded(&blob.digest);
        if recorded.is_some_and(|content| content.size != blob.size || !shares) {
            self.office
                .containerd
                .forget_content(&blob.digest)
                .map_err(failed)?;
        }
        let labels = want.map_or_else(Labels::new, desired::Blob::all_labels);
        match shares {
            true => self.move_in(blob, &labels),
            false => self.send(blob, &labels),
        }
    }

    /// Moves the blob's file to where the daemon looks for it, and has it recorded.
    fn move_in(&self, blob: &Descriptor, labels: &Labels) -> Result<(), Failure> {
        let shop = self.office.shop;
        let name = blob.digest.hex();
        match shop.staging.blobs.rename(name, &shop.rooms.blobs, name) {
            // It lies in the store already.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.map_err(|error| Failure::of_io(error, doing(blob)))?,
        }
        self.office.containerd.adopt(blob, labels).map_err(failed)
    }

    /// Sends the blob's bytes to a daemon that adopts no files.
    fn send(&self, blob: &Descriptor, labels: &Labels) -> Result<(), Failure> {
        let io = |error| Failure::of_io(error, doing(blob));
        let shop = self.office.shop;
        let name = blob.digest.hex();
        let staged = shop.staging.blobs.reader(name).map_err(io)?;
        let file = match staged {
            None => shop.rooms.blobs.reader(name).map_err(io)?,
            staged => staged,
        };
        let mut file = file.ok_or_else(|| failed(Error::host(doing(blob))))?;
        let sent = self.office.containerd.send(blob, labels, &mut file);
        sent.map_err(failed)?;
        shop.staging.blobs.remove(name).map_err(io)
    }
}

fn doing(blob: &Descriptor) -> String {
    format!("put the blob {} in the store", blob.digest)
}
