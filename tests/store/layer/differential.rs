//! Every entry of a layer as each generation of containerd unpacks it, and as we do.
//! It is separate because it is the judge: what we think a layer means counts for nothing beside it.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::path::Path;

use nodeagent::store::layer::LayerError;

use super::look::{Node, look};
use super::random::{Chance, image};
use super::{oci, open, unpack_all};
use crate::support::generations::{Daemon, Generation};

/// Images to try; `LAYER_IMAGES` asks for more, `LAYER_SEED` for others.
fn images() -> (u64, u64) {
    let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    (
        asked("LAYER_SEED").unwrap_or(1),
        asked("LAYER_IMAGES").unwrap_or(25),
    )
}

/// Trees of which times that are not the layer's are taken away: those of directories that no entry made, and of
/// whiteouts, are the moment of unpacking.
fn lasting(dir: &Path, since: i64, root: bool) -> BTreeMap<String, Node> {
    let mut found = look(dir);
    for (path, node) in &mut found {
        for time in [&mut node.mtime, &mut node.atime] {
            if time.0 >= since && time.0 < 4_000_000_000 {
                *time = (-1, -1);
            }
        }
        if path.is_empty() && !root {
            (node.mtime, node.mode) = ((0, 0), 0);
        }
    }
    found
}

/// Tells the first difference between two trees.
fn same(ours: &Path, theirs: &Path, since: i64) -> Result<(), String> {
    let (ours, theirs) = (lasting(ours, since, false), lasting(theirs, since, false));
    for path in ours.keys().chain(theirs.keys()) {
        let (mut a, mut b) = (ours.get(path).cloned(), theirs.get(path).cloned());
        if a != b {
            for node in [&mut a, &mut b].into_iter().flatten() {
                node.content.truncate(20);
            }
            return Err(format!("{path:?}\nours   {a:?}\ntheirs {b:?}"));
        }
    }
    Ok(())
}

/// What became of an image on both sides.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
enum Outcome {
    Same,
    BothRefused,
    Unusual,
}

fn compare(daemon: &Daemon, layers: &[Vec<u8>], name: &str) -> Result<Outcome, String> {
    let scratch = tempfile::tempdir().unwrap();
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let since = i64::try_from(since.as_secs()).unwrap();
    let ours = unpack_all(layers, scratch.path());
    if let Err(LayerError::Unusual(what)) = &ours {
        println!("UNUSUAL {what}");
        return Ok(Outcome::Unusual);
    }
    let theirs = oci::import(daemon, scratch.path(), name, layers);
    let dirs = match (ours, theirs) {
        (Ok(()), Ok(dirs)) => dirs,
        (Err(ours), Err(theirs)) => {
            println!("BOTH {:?} | {theirs}", ours.into_failure());
            return Ok(Outcome::BothRefused);
        }
        (ours, theirs) => return Err(format!("ours: {ours:?}\ntheirs: {theirs:?}")),
    };
    for (at, dir) in dirs.iter().enumerate() {
        same(&scratch.path().join(at.to_string()), dir, since)
            .map_err(|what| format!("layer {at} of {}: {what}", dirs.len()))?;
        // The deep check agrees with what containerd made of the layer.
        let told = nodeagent::store::layer::compare(&mut &*layers[at], open(dir).as_fd(), at == 0);
        let told = told.map_err(|error| format!("layer {at}: {error}"))?;
        if !told.is_empty() {
            return Err(format!("layer {at}: {told:?}"));
        }
    }
    Ok(Outcome::Same)
}

#[test]
fn generated_layers_become_the_trees_that_containerd_makes() {
    let (seed, count) = images();
    for generation in Generation::ALL {
        let daemon = Daemon::start(generation).unwrap();
        let mut outcomes: BTreeMap<Outcome, u64> = BTreeMap::new();
        for seed in seed..seed + count {
            let layers = image(&mut Chance(seed));
            let name = format!("example.org/generated:{seed}");
            let outcome = compare(&daemon, &layers, &name)
                .unwrap_or_else(|what| panic!("seed {seed}, {}: {what}", generation.name()));
            *outcomes.entry(outcome).or_default() += 1;
        }
        println!("{}: {outcomes:?}", generation.name());
        let same = outcomes.get(&Outcome::Same).copied().unwrap_or(0);
        assert!(
            same * 2 > count,
            "hardly any image was compared: {outcomes:?}"
        );
        daemon.stop().unwrap();
    }
}
