//! The realistic set: fifteen images as a small cluster pulls them, on a registry's disk, made once.
//! It is separate because a pull is only as telling as what is pulled.
//!
//! Two bases are shared, one small, one of many small files; above them lie programs of 15 to 50 MB, packed, and trees.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use nodeagent::host::root::sha256;
use serde::{Deserialize, Serialize};

use super::sources::{Programs, Source, split, tree};
use crate::images::{Blob, Dialect, Entry, Image, Layer, Packing, tar};
use crate::registry::{Registry, Storage};
use crate::rig::{Result, cache, doing, run};

/// Raised when the recipe changes.
const RECIPE: &str = "1";

/// A blob of a layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LayerFacts {
    pub(crate) digest: String,
    pub(crate) packed: u64,
    pub(crate) unpacked: u64,
    pub(crate) entries: u64,
}

/// What is in the set.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// `repository:tag@digest`, without a host.
    pub(crate) images: Vec<String>,
    /// Each once.
    pub(crate) layers: Vec<LayerFacts>,
}

/// The set and where it lies.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    /// What a registry serves.
    pub(crate) images: PathBuf,
    pub(crate) facts: Facts,
}

impl Set {
    /// Opens the set, made by whoever asks first.
    pub(crate) fn open() -> Result<Self> {
        let recipe = recipe()?;
        let identities: Vec<String> = recipe
            .iter()
            .flat_map(|(name, layers)| {
                let sources = layers.iter().flatten().map(Source::identity);
                std::iter::once((*name).to_owned()).chain(sources)
            })
            .collect();
        let mut inputs: Vec<&str> = identities.iter().map(String::as_str).collect();
        inputs.push(RECIPE);
        let entry = cache::entry("images", &cache::key(&inputs), |dir| build(&recipe, dir))?;
        let path = entry.path.join("set.json");
        let text = fs::read(&path).map_err(|e| doing("reading", &path, &e))?;
        Ok(Self {
            images: entry.path.join("images"),
            facts: serde_json::from_slice(&text).map_err(|e| doing("reading", &path, &e))?,
        })
    }

    /// The file of a blob on the registry's disk.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        let short = hex.get(..2).unwrap_or_default();
        let blobs = self.images.join("docker/registry/v2/blobs/sha256");
        blobs.join(short).join(hex).join("data")
    }

    /// Reads every blob, so that no run pays for the registry's disk.
    pub(crate) fn warm(&self) -> Result<()> {
        for layer in &self.facts.layers {
            let path = self.blob(&layer.digest);
            fs::read(&path).map_err(|e| doing("reading", &path, &e))?;
        }
        Ok(())
    }
}

/// An image's name and its layers' content, the lowest first.
type Wanted = (&'static str, Vec<Vec<Source>>);

fn recipe() -> Result<Vec<Wanted>> {
    let programs = Programs::find()?;
    let small = tree(&["etc", "usr/share/zoneinfo", "usr/share/ca-certificates"])?;
    let share = split(tree(&["usr/share"])?, &[40, 30, 30]);
    let lib = split(tree(&["usr/lib"])?, &[1, 1, 1]);
    let bin = split(tree(&["usr/bin", "usr/sbin", "var"])?, &[1, 1, 1]);
    let [Some(debian), Some(docs), Some(locales)] = [0, 1, 2].map(|at| share.get(at).cloned())
    else {
        return Err("the stock root has no usr/share".to_owned());
    };
    let pause = Source {
        cut: Some((0, 300_000)),
        ..programs.cargo.first().cloned().ok_or("no cargo")?
    };
    let at = |list: &[Vec<Source>], at: usize| list.get(at).cloned().unwrap_or_default();
    let on_small = |head: Vec<Source>| vec![small.clone(), head];
    let on_debian =
        |heads: Vec<Vec<Source>>| std::iter::once(debian.clone()).chain(heads).collect();
    Ok(vec![
        ("k8s/pause:3.9", vec![vec![pause]]),
        ("k8s/apiserver:v1.28.15", on_small(at(&programs.daemons, 0))),
        (
            "k8s/controller:v1.28.15",
            on_small(at(&programs.daemons, 1)),
        ),
        ("k8s/scheduler:v1.28.15", on_small(at(&programs.daemons, 2))),
        ("k8s/coredns:1.11.1", on_small(programs.tools)),
        ("k8s/metrics:0.7.1", on_small(programs.cargo)),
        ("k8s/etcd:3.5.13", on_small(programs.packer)),
        ("k8s/snapshot:6.2.1", on_small(programs.core)),
        ("k8s/proxy:v1.28.15", on_debian(vec![at(&lib, 0)])),
        ("k8s/cilium:1.15.5", {
            let (first, second) = (at(&programs.compiler, 0), at(&programs.compiler, 1));
            on_debian(vec![at(&lib, 1), first, second])
        }),
        (
            "k8s/ingress:1.10.1",
            on_debian(vec![docs, at(&programs.llvm, 0)]),
        ),
        ("k8s/csi:3.2.0", on_debian(vec![at(&bin, 0)])),
        (
            "k8s/hyperkube:v1.28.15",
            on_debian(vec![at(&bin, 1), at(&programs.llvm, 1)]),
        ),
        ("k8s/multus:4.0.2", on_debian(vec![at(&bin, 2), locales])),
        (
            "k8s/runtime:v1.28.15",
            on_debian(vec![at(&lib, 2), at(&programs.llvm, 2)]),
        ),
    ])
}

/// Packs every layer, each once and several at a time, and pushes the images to a registry that keeps them in `dir`.
fn build(recipe: &[Wanted], dir: &Path) -> Result<()> {
    let work = tempfile::tempdir_in(dir).map_err(|e| doing("making a directory in", dir, &e))?;
    let images = dir.join("images");
    fs::create_dir(&images).map_err(|e| doing("creating", &images, &e))?;
    let storage = Storage::of(&images, work.path());
    let registry = Registry::plain(&storage);
    let mut unique: Vec<(String, &[Source])> = Vec::new();
    for sources in recipe.iter().flat_map(|(_, layers)| layers) {
        let name = identity(sources);
        if unique.iter().all(|(known, _)| *known != name) {
            unique.push((name, sources));
        }
    }
    let packed = pack_all(&unique, work.path())?;
    let mut facts = Facts {
        images: Vec::new(),
        layers: packed.iter().map(|(_, _, facts)| facts.clone()).collect(),
    };
    let find = |sources: &Vec<Source>| {
        let name = identity(sources);
        let found = packed.iter().find(|(known, ..)| *known == name);
        found
            .map(|(_, layer, _)| layer.clone())
            .ok_or_else(|| format!("no layer {name}"))
    };
    for (at, (name, layers)) in recipe.iter().enumerate() {
        let dialect = if at % 2 == 0 {
            Dialect::Docker
        } else {
            Dialect::Oci
        };
        let layers = layers.iter().map(find).collect::<Result<Vec<_>>>()?;
        let digest = registry.push(&Image::single(name, dialect, &layers));
        facts.images.push(format!("{name}@{digest}"));
    }
    let text = serde_json::to_vec_pretty(&facts).map_err(|e| e.to_string())?;
    let path = dir.join("set.json");
    fs::write(&path, text).map_err(|e| doing("writing", &path, &e))
}

fn identity(sources: &[Source]) -> String {
    let lines: Vec<String> = sources.iter().map(Source::identity).collect();
    sha256(lines.join("\n").as_bytes())
}

type Packed = (String, Layer, LayerFacts);

fn pack_all(unique: &[(String, &[Source])], work: &Path) -> Result<Vec<Packed>> {
    let next = Mutex::new(unique.iter());
    let done = Mutex::new(Vec::new());
    let worker = || -> Result<()> {
        loop {
            let Some((name, sources)) = next.lock().map_err(|e| e.to_string())?.next() else {
                return Ok(());
            };
            let (layer, facts) = pack(sources, &work.join(name))?;
            done.lock()
                .map_err(|e| e.to_string())?
                .push((name.clone(), layer, facts));
        }
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let ended = workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| "a worker panicked".to_owned())?);
        ended.collect::<Result<Vec<()>>>()
    })?;
    let mut done = done.into_inner().map_err(|e| e.to_string())?;
    done.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(done)
}

/// Packed by gzip(1) at its default level, as builders of images do.
fn pack(sources: &[Source], scratch: &Path) -> Result<(Layer, LayerFacts)> {
    let mut entries: Vec<Entry> = Vec::new();
    for source in sources {
        entries.extend(source.entry()?);
    }
    let bytes = tar(&entries);
    fs::write(scratch, &bytes).map_err(|e| doing("writing", scratch, &e))?;
    run::ok(
        Command::new("gzip").arg("-6n").arg(scratch),
        Duration::from_mins(10),
    )?;
    let packed = scratch.with_extension("gz");
    let blob = Blob::new(fs::read(&packed).map_err(|e| doing("reading", &packed, &e))?);
    let facts = LayerFacts {
        digest: blob.digest.clone(),
        packed: blob.bytes.len() as u64,
        unpacked: bytes.len() as u64,
        entries: entries.len() as u64,
    };
    let layer = Layer {
        diff_id: format!("sha256:{}", sha256(&bytes)),
        unpacked: facts.unpacked,
        packing: Packing::Gzip,
        blob,
    };
    Ok((layer, facts))
}
