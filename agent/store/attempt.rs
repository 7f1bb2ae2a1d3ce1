//! One attempt at a layer: its files are made, filled in one pass, and removed again if that fails.
//! It is separate because a failed attempt must leave nothing that the next one could take for its own.

use std::cell::Cell;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::layer::{Target, Written};
use super::pass::{Pass, Passed, differs};
use super::plan::Layer;
use super::staging::BLOB;
use super::work::{Shop, Told, Tree};
use crate::error::Error;
use crate::host::failure::{Class, Failure};
use crate::host::oci::Session;
use crate::host::root::{Folder, Reading, Writing};

/// Mode of a snapshot's directory; owner and mode are made those of the snapshot's own when it is moved there.
const TREE: u32 = 0o755;

/// Attempts at one layer.
pub(super) struct Attempt<'a> {
    shop: &'a Shop<'a>,
    number: usize,
    /// The layer.
    pub(super) layer: &'a Layer,
    /// Bytes of the blob that went through in this attempt.
    pub(super) seen: Cell<u64>,
    /// The daemon is to unpack it.
    by_daemon: bool,
}

impl<'a> Attempt<'a> {
    /// None was made yet.
    pub(super) fn new(shop: &'a Shop<'a>, number: usize, layer: &'a Layer) -> Self {
        Self {
            shop,
            number,
            layer,
            seen: Cell::new(0),
            by_daemon: shop.by_daemon && !layer.nodes.is_empty(),
        }
    }

    /// From a file that is there, else from the source. A layer that is unusual is tried once more without unpacking
    /// it, if its blob was not written: the daemon needs it.
    pub(super) fn run(
        &mut self,
        local: Option<Reading>,
        session: &mut Option<Box<dyn Session + 'a>>,
    ) -> Result<Told, Failure> {
        let stored = local.is_some() || self.layer.keep || self.by_daemon;
        let trees = self.trees().map_err(|error| staged(error, "make"))?;
        let outcome = self.once(local, session, &trees);
        let passed = match outcome {
            Ok(passed) => passed,
            Err(failure) => {
                self.clear(&trees);
                self.shop.staging.blobs.remove(self.part()).ok();
                return Err(failure);
            }
        };
        if let Some(why) = passed.unusual {
            tracing::info!("the daemon unpacks {}: {why}", self.layer.blob.digest);
            self.clear(&trees);
            self.by_daemon = true;
            if !stored {
                self.shop.progress.event(&super::Event::LayerBytes {
                    layer: &self.layer.blob.digest,
                    bytes: 0,
                });
                return self.run(None, session);
            }
        }
        Ok(self.told(passed.written))
    }

    fn told(&self, written: Option<Written>) -> Told {
        let trees = match written {
            None => Vec::new(),
            Some(written) => {
                let written = Arc::new(written);
                let tree = |node: &usize| Tree {
                    name: self.tree(*node),
                    node: *node,
                    written: Arc::clone(&written),
                };
                self.layer.nodes.iter().map(tree).collect()
            }
        };
        Told::Done {
            layer: self.number,
            trees,
            by_daemon: self.by_daemon,
        }
    }

    fn once(
        &self,
        local: Option<Reading>,
        session: &mut Option<Box<dyn Session + 'a>>,
        trees: &[(usize, Folder)],
    ) -> Result<Passed, Failure> {
        let layer = self.layer;
        let fresh = local.is_none();
        let file = match fresh && (layer.keep || self.by_daemon) {
            true => Some(self.file()?),
            false => None,
        };
        let from: Box<dyn Read + '_> = match local {
            Some(file) => Box::new(file),
            None => self.ask(session)?,
        };
        let told = |bytes| self.heard(bytes, fresh);
        let pass = Pass {
            from,
            size: layer.blob.size,
            file,
            targets: self.targets(trees)?,
            decode: !layer.nodes.is_empty(),
            plain: layer.blob.digest == layer.diff,
            room: &self.shop.room,
            told: &told,
        };
        let mut passed = pass.run(&layer.blob.digest)?;
        self.settle(&mut passed)?;
        Ok(passed)
    }

    /// Checks the tar's digest, and gives the blob its name.
    fn settle(&self, passed: &mut Passed) -> Result<(), Failure> {
        if let Some(tar) = &passed.tar
            && *tar != self.layer.diff
        {
            return Err(differs("unpacked layer", &self.layer.diff, tar));
        }
        let copies = self.layer.nodes.len() as u64;
        let files = passed.written.as_ref().map_or(0, |_| passed.decoded);
        let mut bytes = files.saturating_mul(copies);
        if let Some(file) = passed.file.take() {
            let done = file.finish(BLOB).and_then(|()| {
                let blobs = &self.shop.staging.blobs;
                blobs.rename(&self.part(), blobs, self.layer.blob.digest.hex())
            });
            done.map_err(|error| staged(error, "finish"))?;
            bytes = bytes.saturating_add(self.layer.blob.size);
        }
        self.shop.written.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn heard(&self, bytes: u64, fresh: bool) {
        self.seen.set(self.seen.get() + bytes);
        if fresh {
            self.shop.fetched.fetch_add(bytes, Ordering::Relaxed);
        }
        self.shop.progress.event(&super::Event::LayerBytes {
            layer: &self.layer.blob.digest,
            bytes,
        });
    }

    fn ask<'b>(
        &self,
        session: &'b mut Option<Box<dyn Session + 'a>>,
    ) -> Result<Box<dyn Read + 'b>, Failure> {
        if session.is_none() {
            *session = Some(self.shop.source.session()?);
        }
        self.shop.requests.fetch_add(1, Ordering::Relaxed);
        match session {
            Some(session) => session.blob(&self.layer.name, &self.layer.blob),
            None => Err(Failure::new(Class::Store, Error::host("open a session"))),
        }
    }

    /// The blob's name while it is written.
    fn part(&self) -> String {
        format!("{}.{}", self.layer.blob.digest.hex(), self.number)
    }

    fn file(&self) -> Result<Writing, Failure> {
        let file = self.shop.staging.blobs.create(&self.part());
        file.map_err(|error| staged(error, "write"))
    }

    fn tree(&self, node: usize) -> String {
        format!("{}.{node}", self.number)
    }

    /// Empty directories, one for each snapshot that the layer becomes.
    fn trees(&self) -> std::io::Result<Vec<(usize, Folder)>> {
        if self.by_daemon {
            return Ok(Vec::new());
        }
        let trees = &self.shop.staging.trees;
        let make = |node: &usize| {
            let name = self.tree(*node);
            trees.remove(&name)?;
            Ok((*node, trees.make(&name, TREE)?))
        };
        self.layer.nodes.iter().map(make).collect()
    }

    fn targets(&self, trees: &[(usize, Folder)]) -> Result<Vec<Target>, Failure> {
        let target = |(node, tree): &(usize, Folder)| {
            let node = self.shop.plan.nodes.get(*node);
            Ok(Target {
                dir: tree.descriptor()?,
                bottom: node.is_some_and(|node| node.parent.is_none()),
            })
        };
        let targets: std::io::Result<Vec<Target>> = trees.iter().map(target).collect();
        targets.map_err(|error| staged(error, "open"))
    }

    /// Removes the trees: what cannot be removed now goes with the staging directory.
    fn clear(&self, trees: &[(usize, Folder)]) {
        for (node, _) in trees {
            self.shop.staging.trees.remove(self.tree(*node)).ok();
        }
    }
}

fn staged(error: std::io::Error, doing: &str) -> Failure {
    Failure::of_io(
        error,
        format!("{doing} a layer's files in the staging directory"),
    )
}
