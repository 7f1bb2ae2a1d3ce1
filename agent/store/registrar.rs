//! The registrar: records blobs, and makes snapshots of trees as soon as everything below them is there.
//! It is separate because it alone speaks to the daemon, while workers are still busy with the next layers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::desired::Desired;
use super::place::Place;
use super::work::{Shop, Told, Tree};
use super::{Event, Inventory};
use crate::error::Error;
use crate::host::clock::{Clock as _, SystemClock};
use crate::host::containerd::{self, Containerd, Facts};
use crate::host::failure::Failure;
use crate::host::oci::Digest;

/// What becomes of an image.
#[derive(Debug, Default)]
pub(super) struct Fate {
    /// Layers and snapshots that are still to come.
    left: usize,
    /// Seconds after which nothing was left.
    pub(super) seconds: f64,
    /// Why it cannot be had; shared by images that need the same layer.
    pub(super) failure: Option<Arc<Failure>>,
}

/// How far a snapshot is.
pub(super) enum Stage {
    /// Its layer is still worked on.
    Waiting,
    /// Its tree is whole.
    Staged(Tree),
    /// The daemon is to unpack this layer.
    Unpack(usize),
    /// It is there.
    Done,
    /// It will not be made.
    Given,
}

/// The registrar at work.
pub(super) struct Registrar<'r> {
    pub(super) office: Office<'r>,
    pub(super) fates: Vec<Fate>,
    stages: Vec<Stage>,
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
    pub(super) placed: BTreeSet<Digest>,
}

/// What the registrar works with.
pub(super) struct Office<'r> {
    pub(super) containerd: &'r dyn Containerd,
    pub(super) place: &'r Place,
    pub(super) facts: &'r Facts,
    pub(super) inventory: &'r Inventory,
    pub(super) desired: &'r Desired,
    pub(super) shop: &'r Shop<'r>,
    pub(super) clock: &'r SystemClock,
}

impl<'r> Registrar<'r> {
    /// For so many images.
    pub(super) fn new(office: Office<'r>, images: usize) -> Self {
        let plan = office.shop.plan;
        let mut fates: Vec<Fate> = (0..images).map(|_| Fate::default()).collect();
        let users = (plan.layers.iter().map(|layer| &layer.images))
            .chain(plan.nodes.iter().map(|node| &node.images));
        for image in users.flatten() {
            if let Some(fate) = fates.get_mut(*image) {
                fate.left += 1;
            }
        }
        let places: BTreeMap<&Digest, usize> = (plan.nodes.iter().enumerate())
            .map(|(number, node)| (&node.chain, number))
            .collect();
        let parents: Vec<Option<usize>> = (plan.nodes.iter())
            .map(|node| places.get(node.parent.as_ref()?).copied())
            .collect();
        let mut children = vec![Vec::new(); plan.nodes.len()];
        for (number, below) in parents.iter().enumerate() {
            if let Some(list) = below.and_then(|below| children.get_mut(below)) {
                list.push(number);
            }
        }
        Self {
            fates,
            stages: plan.nodes.iter().map(|_| Stage::Waiting).collect(),
            parents,
            children,
            placed: BTreeSet::new(),
            office,
        }
    }

    /// Hears what workers say until the last has gone.
    pub(super) fn listen(&mut self, told: &Receiver<Told>) {
        while let Ok(said) = told.recv() {
            match said {
                Told::Failed { layer, failure } => self.lost(layer, failure),
                Told::Done {
                    layer,
                    trees,
                    by_daemon,
                } => self.came(layer, trees, by_daemon),
            }
        }
    }

    /// A layer cannot be had.
    fn lost(&mut self, layer: usize, failure: Failure) {
        let Some(layer) = self.office.shop.plan.layers.get(layer) else {
            return;
        };
        let digest = &layer.blob.digest;
        let told = Event::LayerFailed {
            layer: digest,
            failure: &failure,
        };
        self.office.shop.progress.event(&told);
        self.fail(&layer.images, failure);
    }

    /// Images cannot be had: the first reason is the one to tell.
    pub(super) fn fail(&mut self, images: &BTreeSet<usize>, failure: Failure) {
        let failure = Arc::new(failure);
        for image in images {
            if let Some(fate) = self.fates.get_mut(*image) {
                fate.failure.get_or_insert_with(|| Arc::clone(&failure));
            }
        }
        self.office.shop.give_up(images);
    }

    fn given_up(&self, images: &BTreeSet<usize>) -> bool {
        let failed = |image: &usize| self.fates.get(*image).is_none_or(|f| f.failure.is_some());
        images.iter().all(failed)
    }

    /// A layer is there: its blob is recorded, and snapshots are made of its trees as far as those below are there.
    fn came(&mut self, number: usize, trees: Vec<Tree>, by_daemon: bool) {
        let Some(layer) = self.office.shop.plan.layers.get(number) else {
            return;
        };
        if layer.keep || by_daemon {
            let want = self.office.desired.blobs.get(&layer.blob.digest);
            if let Err(failure) = self.put(&layer.blob, want) {
                for tree in trees {
                    self.drop_tree(&tree);
                }
                return self.lost(number, failure);
            }
        }
        let digest = &layer.blob.digest;
        self.office
            .shop
            .progress
            .event(&Event::LayerDone { layer: digest });
        self.one_less(&layer.images);
        let unpack = layer.nodes.iter().filter(|_| by_daemon);
        let stages = (trees
            .into_iter()
            .map(|tree| (tree.node, Stage::Staged(tree))))
        .chain(unpack.map(|node| (*node, Stage::Unpack(number))));
        for (node, stage) in stages {
            match self.stages.get_mut(node) {
                Some(slot @ Stage::Waiting) => *slot = stage,
                // Another layer with the same files was faster.
                _ => {
                    if let Stage::Staged(tree) = stage {
                        self.drop_tree(&tree);
                    }
                }
            }
            self.make(node);
        }
    }

    fn one_less(&mut self, images: &BTreeSet<usize>) {
        let now = self.office.clock.elapsed().as_secs_f64();
        for image in images {
            if let Some(fate) = self.fates.get_mut(*image) {
                fate.left = fate.left.saturating_sub(1);
                fate.seconds = now;
            }
        }
    }

    /// Makes a snapshot, if its tree is whole and the one below is there, and then those on it.
    fn make(&mut self, node: usize) {
        let mut next = vec![node];
        while let Some(number) = next.pop() {
            if !self.is_ready(number) {
                continue;
            }
            let Some(plan) = self.office.shop.plan.nodes.get(number) else {
                continue;
            };
            let Some(slot) = self.stages.get_mut(number) else {
                continue;
            };
            let stage = std::mem::replace(slot, Stage::Given);
            if self.given_up(&plan.images) {
                if let Stage::Staged(tree) = &stage {
                    self.drop_tree(tree);
                }
                continue;
            }
            match self.snapshot(number, &stage) {
                Ok(()) => {
                    if let Some(slot) = self.stages.get_mut(number) {
                        *slot = Stage::Done;
                    }
                    self.one_less(&plan.images);
                    next.extend(self.children.get(number).into_iter().flatten());
                }
                Err(failure) => self.fail(&plan.images, failure),
            }
        }
    }

    fn is_ready(&self, number: usize) -> bool {
        let stage = self.stages.get(number);
        if !matches!(stage, Some(Stage::Staged(_) | Stage::Unpack(_))) {
            return false;
        }
        let parent = self.parents.get(number).copied().flatten();
        let below = parent.and_then(|below| self.stages.get(below));
        below.is_none_or(|stage| matches!(stage, Stage::Done))
    }

    pub(super) fn drop_tree(&self, tree: &Tree) {
        // What cannot be removed now goes with the staging directory.
        self.office.shop.staging.trees.remove(&tree.name).ok();
    }
}

/// The failure of the daemon or its store, by its class.
pub(super) fn failed(error: Error) -> Failure {
    let class = containerd::class(&error);
    Failure::new(class, error)
}
