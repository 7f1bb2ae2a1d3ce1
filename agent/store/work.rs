//! The workers: each takes the next layer, fetches, checks and unpacks it, and says what came of it.
//! They are separate from the registrar because they never speak to the daemon, and it never touches a byte of a layer.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::attempt::Attempt;
use super::layer::Written;
use super::place::Rooms;
use super::plan::{Layer, Plan};
use super::staging::Staging;
use super::{Event, Options, Progress};
use crate::error::Error;
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Session, Source};
use crate::host::root::{Folder, Reading};

/// A tree that holds a layer's files, in the staging directory.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Its name there.
    pub(super) name: String,
    /// The snapshot that it becomes.
    pub(super) node: usize,
    /// What was written; shared by the trees of one layer.
    pub(super) written: Arc<Written>,
}

/// What a worker says of a layer.
pub(super) enum Told {
    /// Its blob is checked and lies in the staging directory or the store; these are its trees.
    Done {
        /// The layer.
        layer: usize,
        /// Its trees; none where the daemon is to unpack it.
        trees: Vec<Tree>,
        /// The daemon is to unpack it.
        by_daemon: bool,
    },
    /// It cannot be had.
    Failed {
        /// The layer.
        layer: usize,
        /// Why.
        failure: Failure,
    },
}

/// What all workers share.
pub(super) struct Shop<'s> {
    pub(super) plan: &'s Plan,
    pub(super) rooms: &'s Rooms,
    pub(super) staging: &'s Staging,
    pub(super) source: &'s dyn Source,
    pub(super) options: &'s Options,
    pub(super) progress: &'s dyn Progress,
    /// The daemon unpacks everything.
    pub(super) by_daemon: bool,
    /// Bytes that may still be written.
    pub(super) room: AtomicU64,
    /// Bytes that came from the source.
    pub(super) fetched: AtomicU64,
    /// Bytes that were written.
    pub(super) written: AtomicU64,
    /// Blobs that the source was asked for.
    pub(super) requests: AtomicU64,
    pub(super) state: Mutex<State>,
}

/// What is next, and what is in vain.
#[derive(Debug, Default)]
pub(super) struct State {
    next: usize,
    failed: BTreeSet<usize>,
    stopped: Option<i32>,
}

impl<'s> Shop<'s> {
    /// One worker's day: until nothing is left, or a signal asks to stop.
    pub(super) fn work(&'s self, told: &Sender<Told>) {
        let mut session = None;
        while let Some((number, layer)) = self.next() {
            let outcome = self.layer(number, layer, &mut session);
            let said = match outcome {
                Ok(said) => said,
                Err(failure) => Told::Failed {
                    layer: number,
                    failure: named(layer, failure),
                },
            };
            if told.send(said).is_err() {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next layer that an image still needs.
    fn next(&self) -> Option<(usize, &'s Layer)> {
        let mut state = self.state();
        if state.stopped.is_none() {
            state.stopped = (self.options.stop)();
        }
        loop {
            if state.stopped.is_some() {
                return None;
            }
            let number = state.next;
            let layer = self.plan.layers.get(number)?;
            state.next += 1;
            if !layer.images.is_subset(&state.failed) {
                return Some((number, layer));
            }
        }
    }

    /// These images cannot be had any more: their layers are in vain.
    pub(super) fn give_up(&self, images: &BTreeSet<usize>) {
        self.state().failed.extend(images);
    }

    /// The signal that stopped the work.
    pub(super) fn stopped(&self) -> Option<i32> {
        self.state().stopped
    }

    /// A layer from what is there already, else from the source; from there a second time if its digest was wrong.
    fn layer(
        &'s self,
        number: usize,
        layer: &'s Layer,
        session: &mut Option<Box<dyn Session + 's>>,
    ) -> Result<Told, Failure> {
        let mut attempt = Attempt::new(self, number, layer);
        if let Some((file, staged)) = self.local(layer) {
            self.begun(layer);
            match attempt.run(Some(file), session) {
                Err(failure) if failure.class == Class::Digest => {
                    self.again(&attempt, &failure);
                    if staged {
                        self.staging.blobs.remove(layer.blob.digest.hex()).ok();
                    }
                }
                other => return other,
            }
        }
        self.begun(layer);
        match attempt.run(None, session) {
            Err(failure) if failure.class == Class::Digest => {
                self.again(&attempt, &failure);
                self.begun(layer);
                attempt.run(None, session)
            }
            other => other,
        }
    }

    fn begun(&self, layer: &Layer) {
        self.progress.event(&Event::LayerBegun {
            layer: &layer.blob.digest,
            size: layer.blob.size,
            image: &layer.name,
        });
    }

    fn again(&self, attempt: &Attempt<'_>, failure: &Failure) {
        self.progress.event(&Event::LayerAgain {
            layer: &attempt.layer.blob.digest,
            bytes: attempt.seen.replace(0),
            failure,
        });
    }

    /// The blob's file of the right size, if there is one, and whether it lies in the staging directory.
    fn local(&self, layer: &Layer) -> Option<(Reading, bool)> {
        let name = layer.blob.digest.hex();
        let fits = |folder: &Folder| {
            let file = folder.reader(name).ok()??;
            (file.size == layer.blob.size).then_some(file)
        };
        fits(&self.staging.blobs)
            .map(|file| (file, true))
            .or_else(|| fits(&self.rooms.blobs).map(|file| (file, false)))
    }
}

/// Says which layer of which image it was.
fn named(layer: &Layer, failure: Failure) -> Failure {
    let doing = format!("fetch the layer {} of {}", layer.blob.digest, layer.name);
    let hint = failure.error.next_step().map(str::to_owned);
    let error = Error::host(doing).because(failure.error);
    let error = hint.into_iter().fold(error, Error::hint);
    Failure::new(failure.class, error)
}
