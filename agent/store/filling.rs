//! One fill from beginning to end, phase by phase.
//! It is separate from its parts because the order of the phases is what makes an interruption harmless.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use super::deep::Broken;
use super::desired::Desired;
use super::place::Rooms;
use super::plan::Plan;
use super::prospect::torn;
use super::registrar::{Fate, Office, Registrar};
use super::resolved::{Documents, Resolved};
use super::staging::{self, Left, Staging};
use super::tidy::{HOURS, LEASE, tidy};
use super::work::{Shop, State};
use super::{Event, Inventory, Options, Phase, Place, Progress, Report, Wanted};
use crate::error::{Context as _, Error, Kind, Result};
use crate::host::clock::{Clock as _, SystemClock};
use crate::host::containerd::{Containerd, Facts};
use crate::host::oci::Source;

/// Bytes that stay free whatever the layers hold: the daemon's own records need some.
pub(super) const RESERVE: u64 = 64 << 20;

/// Memory that a worker needs: for layers with zstd a window of 32 MiB beside its buffers.
const WORKER: (u64, u64) = (4 << 20, 40 << 20);

/// What a fill works with.
pub(super) struct Filling<'f> {
    pub(super) place: &'f Place,
    pub(super) source: &'f dyn Source,
    pub(super) wanted: &'f [Wanted],
    pub(super) options: &'f Options,
    pub(super) progress: &'f dyn Progress,
    pub(super) clock: SystemClock,
    pub(super) phases: Vec<(Phase, f64)>,
    pub(super) report: Report,
    /// Images that are still possible, by their number.
    pub(super) images: BTreeMap<usize, Resolved>,
}

/// What is known of the store before anything is written.
pub(super) struct Ground {
    pub(super) facts: Facts,
    pub(super) rooms: Rooms,
    pub(super) boot: String,
    pub(super) left: Left,
    pub(super) inventory: Inventory,
}

impl<'f> Filling<'f> {
    /// A fill that has not begun.
    pub(super) fn new(
        place: &'f Place,
        source: &'f dyn Source,
        wanted: &'f [Wanted],
        options: &'f Options,
        progress: &'f dyn Progress,
    ) -> Self {
        Self {
            place,
            source,
            wanted,
            options,
            progress,
            clock: SystemClock::start(None),
            phases: Vec::new(),
            report: Report::default(),
            images: BTreeMap::new(),
        }
    }

    /// All phases.
    pub(super) fn run(mut self, containerd: &mut dyn Containerd) -> Result<Report> {
        self.phase(Phase::Plan);
        let facts = containerd.facts()?;
        containerd.make_namespace()?;
        let rooms = Rooms::open(self.place, &facts)?;
        let locked = rooms.store.try_lock();
        let Some(_lock) = locked.context(|| "lock the container store")? else {
            return Err(Error::refused(format!(
                "fill the store {}: another fill is under way",
                self.place.store()
            ))
            .hint("wait until it has ended, then run the same command again"));
        };
        if facts.shares_content {
            rooms.carries()?;
        }
        let boot = staging::boot_id();
        let (inventory, left) = tidy(containerd, &rooms, &boot)?;
        let ground = Ground {
            facts,
            rooms,
            boot,
            left,
            inventory,
        };
        let documents = self.documents(&ground);
        let mut broken = match self.options.deep {
            true => self.reread(containerd, &ground)?,
            false => Broken::default(),
        };
        broken.blobs.extend(torn(&ground.rooms, &documents)?);
        let (desired, plan) = self.plan(&ground, &broken)?;
        self.planned(&plan);
        match plan.is_empty() && ground.left == Left::Nothing {
            true => self.whole(&ground.inventory, &ground)?,
            false => self.write(containerd, &ground, &desired, (&plan, &documents))?,
        }
        Ok(self.end())
    }

    fn phase(&mut self, phase: Phase) {
        self.settle_phase();
        self.phases
            .push((phase, self.clock.elapsed().as_secs_f64()));
        self.progress.event(&Event::Phase(phase));
    }

    /// The running phase's beginning becomes how long it took.
    pub(super) fn settle_phase(&mut self) {
        let now = self.clock.elapsed().as_secs_f64();
        if let Some((phase, begun)) = self.phases.pop() {
            self.report.phases.push((phase, now - begun));
        }
    }

    /// The phases that change the store.
    fn write(
        &mut self,
        containerd: &mut dyn Containerd,
        ground: &Ground,
        desired: &Desired,
        (plan, documents): (&Plan, &Documents),
    ) -> Result<()> {
        let staging = Staging::begin(&ground.rooms, &ground.boot, ground.left)?;
        containerd.lease(LEASE, HOURS)?;
        self.phase(Phase::Layers);
        let fates = self.layers(containerd, ground, desired, (plan, documents, &staging))?;
        for (number, fate) in fates.iter().enumerate() {
            if let Some(failure) = &fate.failure {
                self.fail(number, failure);
            }
            if let Some(report) = self.report.images.get_mut(number) {
                report.seconds = fate.seconds;
            }
        }
        self.phase(Phase::Sync);
        ground
            .rooms
            .sync()
            .context(|| "write the store to the disk")?;
        self.phase(Phase::Names);
        self.names(containerd, desired, plan);
        containerd.end_lease(LEASE)?;
        self.phase(Phase::Check);
        let inventory = Inventory::ask(containerd)?;
        self.whole(&inventory, ground)?;
        Staging::end(&ground.rooms)
    }

    /// Fetches, unpacks and records all layers and documents.
    fn layers(
        &mut self,
        containerd: &mut dyn Containerd,
        ground: &Ground,
        desired: &Desired,
        (plan, documents, staging): (&Plan, &Documents, &Staging),
    ) -> Result<Vec<Fate>> {
        let free = (ground.rooms.store.free()).context(|| "ask for the store's free space")?;
        let kept = plan.layers.iter().filter(|layer| layer.keep);
        let blobs = kept
            .map(|layer| layer.blob.size)
            .fold(RESERVE, u64::saturating_add);
        let shop = Shop {
            plan,
            rooms: &ground.rooms,
            staging,
            source: self.source,
            options: self.options,
            progress: self.progress,
            by_daemon: !ground.facts.shares_content || ground.rooms.snapshots.is_none(),
            room: AtomicU64::new(free.saturating_sub(blobs)),
            fetched: AtomicU64::new(0),
            written: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            state: Mutex::new(State::default()),
        };
        let office = Office {
            containerd,
            place: self.place,
            facts: &ground.facts,
            inventory: &ground.inventory,
            desired,
            shop: &shop,
            clock: &self.clock,
        };
        let mut registrar = Registrar::new(office, self.wanted.len());
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..self.workers(plan) {
                let (shop, sender) = (&shop, sender.clone());
                scope.spawn(move || shop.work(&sender));
            }
            drop(sender);
            registrar.prepare(documents);
            registrar.listen(&receiver);
        });
        let fates = registrar.fates;
        self.report.fetched += shop.fetched.load(Ordering::Relaxed);
        self.report.requests += shop.requests.load(Ordering::Relaxed);
        self.report.written += shop.written.load(Ordering::Relaxed);
        match shop.stopped() {
            Some(signal) => Err(
                Error::new(Kind::Interrupted(signal), "fill the container store")
                    .hint("run the same command again: it goes on from what is there"),
            ),
            None => Ok(fates),
        }
    }

    /// Workers: one a core, fewer where there is less to do or less memory.
    fn workers(&self, plan: &Plan) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let zstd = plan
            .layers
            .iter()
            .any(|layer| layer.blob.media_type.contains("zstd"));
        let each = if zstd { WORKER.1 } else { WORKER.0 };
        let fit = usize::try_from(self.options.memory / each).unwrap_or(usize::MAX);
        let jobs = self.options.jobs.unwrap_or_else(cores);
        jobs.min(fit).min(plan.layers.len()).max(1)
    }
}
