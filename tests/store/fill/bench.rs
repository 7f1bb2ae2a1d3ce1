//! A store with the daemon in memory, and what must hold of it at any time.
//! Separate because faults, lies and repairs are all judged by the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use nodeagent::error::Result;
use nodeagent::host::containerd::Containerd as _;
use nodeagent::host::oci::{Digest, Name, Platform, Source};
use nodeagent::store::{
    self, Event, Fault, Flaw, Inventory, Judged, Options, Place, Progress, Report, Wanted, judge,
};

use super::fake::Fake;
use super::stand::options;
use super::tree::tree;

/// The store.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) fake: Fake,
}

/// Remembers what it is told, in words.
#[derive(Default)]
pub(crate) struct Heard(pub(crate) Mutex<Vec<String>>);

impl Progress for Heard {
    fn event(&self, event: &Event<'_>) {
        let text = format!("{event:?}");
        self.0.lock().unwrap().push(text);
    }
}

impl Heard {
    /// How many events of this kind there were.
    pub(crate) fn count(&self, kind: &str) -> usize {
        let all = self.0.lock().unwrap();
        all.iter().filter(|event| event.starts_with(kind)).count()
    }
}

/// The store's files.
struct Files<'f>(&'f Fake);

impl Judged for Files<'_> {
    fn document(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        Ok(std::fs::read(self.0.blob(digest)).ok())
    }

    fn size(&mut self, digest: &Digest) -> Result<Option<u64>> {
        let meta = std::fs::metadata(self.0.blob(digest));
        Ok(meta.ok().map(|meta| meta.len()))
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        // In memory: a fill waits for the disk, and there are hundreds here.
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let fake = Fake::new(dir.path());
        Self { dir, fake }
    }

    pub(crate) fn place(&self) -> Place {
        Place::open(Path::new("/"), self.dir.path()).unwrap()
    }

    pub(crate) fn try_fill(
        &mut self,
        source: &dyn Source,
        wanted: &[Wanted],
        options: &Options,
    ) -> Result<Report> {
        let heard = Heard::default();
        self.told(source, wanted, options, &heard)
    }

    pub(crate) fn told(
        &mut self,
        source: &dyn Source,
        wanted: &[Wanted],
        options: &Options,
        heard: &Heard,
    ) -> Result<Report> {
        let place = self.place();
        store::fill(&place, &mut self.fake, source, wanted, options, heard)
    }

    pub(crate) fn fill(&mut self, source: &dyn Source, wanted: &[Wanted]) -> Report {
        self.try_fill(source, wanted, &options()).unwrap()
    }

    pub(crate) fn faults(&self, wanted: &[Wanted]) -> Vec<Fault> {
        self.faults_for(wanted, &options().platform)
    }

    pub(crate) fn faults_for(&self, wanted: &[Wanted], platform: &Platform) -> Vec<Fault> {
        let inventory = Inventory::ask(&self.fake).unwrap();
        judge(&inventory, &mut Files(&self.fake), wanted, platform).unwrap()
    }

    /// Whatever happened: an image that has a name is whole.
    pub(crate) fn nothing_half(&self, wanted: &[Wanted]) {
        let names: Vec<String> = self
            .fake
            .images()
            .unwrap()
            .into_iter()
            .map(|i| i.name)
            .collect();
        let recorded = |wanted: &&Wanted| names.contains(&wanted.name.tagged().unwrap());
        let recorded: Vec<Wanted> = wanted.iter().filter(recorded).cloned().collect();
        for fault in self.faults(&recorded) {
            // Names are the last thing that is written: those that are there stand for whole images.
            let allowed = matches!(fault.flaw, Flaw::NoRecord(_) | Flaw::StaleLease(_));
            assert!(allowed, "half registered: {fault}");
        }
    }

    /// Everything is there and nothing else: no staging directory, no lease, no faults.
    pub(crate) fn whole(&self, wanted: &[Wanted]) {
        assert_eq!(self.faults(wanted), []);
        assert!(!self.dir.path().join("io.nodeagent.staging").exists());
    }

    /// The files of all snapshots, and the names of all blobs.
    pub(crate) fn contents(&self) -> (BTreeMap<String, BTreeMap<String, String>>, Vec<String>) {
        let trees = self.fake.directories();
        let trees = trees
            .into_iter()
            .map(|(name, path)| (name, tree(&path)))
            .collect();
        let blobs = self
            .dir
            .path()
            .join("io.containerd.content.v1.content/blobs/sha256");
        let mut blobs: Vec<String> = std::fs::read_dir(blobs)
            .map(|all| {
                all.map(|e| e.unwrap().file_name().into_string().unwrap())
                    .collect()
            })
            .unwrap_or_default();
        blobs.sort();
        (trees, blobs)
    }

    /// The class of each image's failure, and `-` for those that are whole.
    pub(crate) fn classes(report: &Report) -> Vec<&'static str> {
        let class = |outcome: &std::result::Result<(), nodeagent::host::failure::Failure>| {
            outcome
                .as_ref()
                .map_or_else(|failure| failure.class.word(), |()| "-")
        };
        report
            .images
            .iter()
            .map(|image| class(&image.outcome))
            .collect()
    }
}

/// A name without its digest.
pub(crate) fn unpinned(name: &Name) -> Name {
    Name::parse(&name.tagged().unwrap()).unwrap()
}
