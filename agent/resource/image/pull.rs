//! Pulling the images of a policy: those that go the same way together, all of them tried, each outcome noted.
//! It is separate because it is the kind's one effect.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Image, OnFailure, Way, failed, lists};
use crate::error::Result;
use crate::host::Host;
use crate::host::failure::Failure;
use crate::host::oci::Name;
use crate::host::registry::{Access, Puller};
use crate::resource::image_store::NAMESPACE;
use crate::store::{Choice, Opened, Options, Watched, options};

/// What became of each image, by its reference.
type Results = BTreeMap<String, std::result::Result<(), Failure>>;

/// Pulls, writes both lists, and fails if an image failed that must be there.
pub(super) fn pull(images: &[&Image], host: &Host) -> Result<()> {
    let mut ways: BTreeMap<&Way, Vec<&Image>> = BTreeMap::new();
    for image in images {
        ways.entry(&image.way).or_default().push(image);
    }
    let mut results = Results::new();
    for (way, images) in ways {
        one_way(way, &images, host, &mut results)?;
    }
    lists::note(&host.root, &results)?;
    judge(images, &results, host)
}

fn judge(images: &[&Image], results: &Results, host: &Host) -> Result<()> {
    let mut lost = 0;
    for image in images {
        let Some(Err(failure)) = results.get(&image.reference) else {
            continue;
        };
        let said = format!("{}: {failure}", image.reference);
        match image.on_failure {
            OnFailure::Fail => {
                lost += 1;
                let next = failure.error.next_step().unwrap_or_default();
                tracing::error!("{said}; next: {next}");
            }
            OnFailure::Record => host.notes.warn(said),
        }
    }
    match lost {
        0 => Ok(()),
        _ => Err(failed(lost, images.len())),
    }
}

fn one_way(way: &Way, images: &[&Image], host: &Host, results: &mut Results) -> Result<()> {
    let access = access(way, images, host)?;
    let puller = Puller::new(&access)?;
    let mut wanted = Vec::new();
    for image in images {
        wanted.push(image.wanted()?);
    }
    let Some(first) = images.first() else {
        return Ok(());
    };
    let mut options = Options::new(first.platform()?);
    options.memory = options::MEMORY / 2;
    options.keep_layers = way.keep_layers;
    // The entry's own rule was checked when the policy was read.
    options.allow_tag = true;
    let choice = Choice::of(&way.store, way.containerd.as_deref());
    let mut opened = Opened::open(host, &choice, NAMESPACE)?;
    opened.note()?;
    let watched = Watched(host.meter.as_ref());
    let report = opened.fill(&puller, &wanted, &options, &watched);
    host.meter.close();
    opened.close()?;
    for (image, report) in images.iter().zip(report?.images) {
        results.insert(image.reference.clone(), report.outcome);
    }
    Ok(())
}

/// How the registries of these images are reached; files are those of the tree.
fn access(way: &Way, images: &[&Image], host: &Host) -> Result<Access> {
    let mut hosts = Vec::new();
    for image in images {
        hosts.push(Name::parse(&image.reference)?.registry().to_owned());
    }
    hosts.sort();
    hosts.dedup();
    let only = |when: bool| if when { hosts.clone() } else { Vec::new() };
    let file = |path: &Option<String>| -> Option<PathBuf> {
        let path = path.as_deref().filter(|path| !path.is_empty())?;
        Some(host.root.path().join(path.trim_start_matches('/')))
    };
    Ok(Access {
        plain_http: only(way.plain_http),
        insecure_tls: only(way.insecure_tls),
        registries: file(&way.registries),
        auth_file: file(&way.auth_file),
        memory: options::MEMORY / 2,
        ..Access::default()
    })
}
