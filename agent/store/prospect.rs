//! The first phase of a fill: what the images are, what the store lacks of them, whether there is room.
//! It is separate because nothing is written in it: an image that fails here leaves no trace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use super::closing::retold;
use super::deep::Broken;
use super::desired::{self, Desired};
use super::differences::differences;
use super::fetch::Library;
use super::filling::{Filling, Ground, RESERVE};
use super::place::Rooms;
use super::plan::Plan;
use super::reread::{broken, directories};
use super::resolved::{Documents, ImageLayer};
use super::{Event, ImageReport};
use crate::error::{Context as _, Error, Result};
use crate::host::containerd::Containerd;
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Digest, LARGEST};

impl Filling<'_> {
    /// Reads every image's documents; those that cannot be had fail.
    pub(super) fn documents(&mut self, ground: &Ground) -> Documents {
        let recorded = (ground.inventory.content.iter())
            .map(|content| (content.digest.clone(), content.size))
            .collect();
        let library = Library {
            rooms: &ground.rooms,
            recorded: &recorded,
            source: self.source,
            options: self.options,
            fetched: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        };
        let found = library.all(self.wanted);
        self.report.fetched += library.fetched.load(Ordering::Relaxed);
        self.report.requests += library.requests.load(Ordering::Relaxed);
        for (number, (wanted, image)) in self.wanted.iter().zip(found.images).enumerate() {
            let mut report = ImageReport::begun(&wanted.name);
            match image {
                Ok(image) => {
                    report.describe(&image);
                    self.images.insert(number, image);
                }
                Err(failure) => report.outcome = Err(retold(&wanted.name, &failure)),
            }
            self.report.images.push(report);
        }
        self.rivals();
        found.documents
    }

    /// Two images cannot have one name: the later one fails.
    fn rivals(&mut self) {
        let mut owners: BTreeMap<String, Digest> = BTreeMap::new();
        let mut lost = Vec::new();
        for (number, image) in &self.images {
            let digest = &image.target.digest;
            let names = desired::names(image).into_iter().skip(1);
            let taken = names.map(|name| {
                (
                    owners.entry(name.clone()).or_insert(digest.clone()).clone(),
                    name,
                )
            });
            let taken: Vec<_> = taken.filter(|(owner, _)| owner != digest).collect();
            lost.extend(
                taken
                    .into_iter()
                    .map(|(owner, name)| (*number, owner, name)),
            );
        }
        for (number, owner, name) in lost {
            let error = Error::host(format!("record {name}: it is wanted for {owner} too"));
            let hint = "a name stands for one image: take one of the two away";
            self.fail(number, &Failure::new(Class::Image, error.hint(hint)));
        }
    }

    /// An image cannot be had.
    pub(super) fn fail(&mut self, number: usize, failure: &Failure) {
        self.images.remove(&number);
        if let Some(report) = self.report.images.get_mut(number)
            && report.outcome.is_ok()
        {
            report.outcome = Err(retold(&report.name, failure));
        }
    }

    pub(super) fn desired(&self, ground: &Ground) -> Desired {
        let keep = self.options.keep_layers;
        let images = self.images.iter();
        let images = images.map(|(number, image)| (*number, image, keep));
        Desired::of(&ground.inventory.snapshotter, images)
    }

    /// Reads again what is there of the images.
    pub(super) fn reread(&self, containerd: &dyn Containerd, ground: &Ground) -> Result<Broken> {
        let images = self.images.values();
        let directories = directories(containerd, &ground.inventory, images.clone())?;
        broken(self.place.tree(), &ground.rooms.blobs, &directories, images)
    }

    /// What there is to do for the images for which there is room.
    pub(super) fn plan(&mut self, ground: &Ground, broken: &Broken) -> Result<(Desired, Plan)> {
        loop {
            let desired = self.desired(ground);
            let mut size = |digest: &_| ground.rooms.size(digest);
            let mut flaws = differences(&desired, &ground.inventory, &mut size)?;
            flaws.extend(broken.flaws(&desired));
            let images: Vec<_> = self.images.iter().map(|(n, image)| (*n, image)).collect();
            let plan = Plan::of(&images, &desired, &flaws);
            drop(flaws);
            let free = (ground.rooms.store.free()).context(|| "ask for the store's free space")?;
            let need = plan.room();
            if need == 0 || need.saturating_add(RESERVE) <= free {
                return Ok((desired, plan));
            }
            let error = Error::host(format!(
                "find room in the store: about {} MiB are needed for what is missing, {} MiB are free",
                need.saturating_add(RESERVE) >> 20,
                free >> 20
            ));
            let failure = Failure::new(
                Class::DiskFull,
                error.hint("make room, or give the disk more"),
            );
            let users: BTreeSet<usize> =
                plan.layers.iter().flat_map(|l| l.images.clone()).collect();
            for number in users {
                self.fail(number, &failure);
            }
        }
    }

    pub(super) fn planned(&mut self, plan: &Plan) {
        let todo: BTreeSet<_> = plan.layers.iter().map(|layer| &layer.blob.digest).collect();
        let mut present = BTreeSet::new();
        for (number, image) in &self.images {
            let there = (image.layers.iter())
                .map(|l| &l.blob.digest)
                .filter(|d| !todo.contains(d));
            let there: Vec<_> = there.collect();
            if let Some(report) = self.report.images.get_mut(*number) {
                report.present = there.len();
            }
            present.extend(there);
        }
        let mut users: BTreeMap<_, usize> = BTreeMap::new();
        for image in self.images.values() {
            let own: BTreeSet<_> = image
                .layers
                .iter()
                .map(|layer| &layer.blob.digest)
                .collect();
            for digest in own {
                *users.entry(digest).or_default() += 1;
            }
        }
        for (number, image) in &self.images {
            let many = |layer: &&ImageLayer| {
                users
                    .get(&layer.blob.digest)
                    .is_some_and(|count| *count > 1)
            };
            if let Some(report) = self.report.images.get_mut(*number) {
                report.shared = image.layers.iter().filter(many).count();
            }
        }
        self.progress.event(&Event::Planned {
            images: self.wanted.len(),
            layers: plan.layers.len(),
            bytes: plan.bytes(),
            present: present.len(),
        });
    }
}

/// Documents that had to be fetched though the store has a file of them: its bytes are not what their digest says. The
/// file may have the right size and a record, so that nothing else would tell that it must be put right.
pub(super) fn torn(rooms: &Rooms, fetched: &Documents) -> Result<BTreeSet<Digest>> {
    let mut torn = BTreeSet::new();
    for digest in fetched.keys() {
        let stored = rooms.document(digest, LARGEST)?;
        if stored.is_some_and(|bytes| Digest::of(&bytes) != *digest) {
            torn.insert(digest.clone());
        }
    }
    Ok(torn)
}
