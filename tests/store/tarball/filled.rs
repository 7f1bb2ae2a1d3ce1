//! A store that is filled from archives, then judged from its files alone, with its daemon gone.
//! Separate because it is the whole way of an air-gapped image, from the archive to the seal's check.

use nodeagent::host::Root;
use nodeagent::host::containerd::{Client, Containerd as _};
use nodeagent::host::oci::Name;
use nodeagent::store::offline::{self, Blobs};
use nodeagent::store::tarball::{Archive as At, Tarball};
use nodeagent::store::{Options, Place, Quiet, Wanted, fill, judge};
use std::path::Path;

use super::{File, amd64, archives};
use crate::support::generations::{self, Daemon, Generation};
use crate::support::images::Packing;

#[test]
fn a_store_filled_from_archives_is_whole_without_its_daemon() {
    for generation in Generation::ALL {
        let dir = tempfile::tempdir().unwrap();
        let options = generations::Options {
            root: Some(dir.path().join("root")),
            ..generations::Options::default()
        };
        let daemon = Daemon::start_with(generation, &options).unwrap();
        let mut client = Client::connect(&daemon.socket(), "k8s.io").unwrap();
        let place = Place::of(Path::new("/"), &client.facts().unwrap()).unwrap();
        let mut all: Vec<Wanted> = Vec::new();
        for ((what, archive), packing) in
            archives()
                .iter()
                .zip([Packing::Plain, Packing::Gzip, Packing::Zstd])
        {
            let file = File::new(&archive.pack(packing));
            let root = Root::open(Path::new("/")).unwrap();
            let tarball = Tarball::open(&At {
                root: &root,
                path: &file.path(),
                scratch: place.tree(),
                scratch_dir: place.store(),
            })
            .unwrap();
            let wanted = tarball.wanted(&amd64(), &[]).unwrap();
            let options = Options::new(amd64());
            let report = fill(&place, &mut client, &tarball, &wanted, &options, &Quiet).unwrap();
            let failed: Vec<_> = report.failed().map(|(_, why)| why.to_string()).collect();
            assert!(failed.is_empty(), "{what}: {failed:?}");
            assert_eq!(report.images.len(), wanted.len());
            all.extend(wanted);
        }
        daemon.stop().unwrap();
        let inventory = offline::read(&place, "k8s.io").unwrap();
        let faults = judge(&inventory, &mut Blobs::new(&place), &all, &amd64()).unwrap();
        assert!(faults.is_empty(), "{}: {faults:?}", generation.name());
        all.push(Wanted::new(Name::parse("r.example/missing:1").unwrap()));
        let faults = judge(&inventory, &mut Blobs::new(&place), &all, &amd64()).unwrap();
        assert_eq!(faults.len(), 1, "{faults:?}");
    }
}
