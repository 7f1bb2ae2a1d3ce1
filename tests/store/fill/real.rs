//! Real daemons of each generation, a real registry, the small set: whole, equal, pinned, nothing asked for twice.
//! Separate because it is the one tier in which nothing is a stand-in.

use super::stand::{
    Stand, all_well, difference, directories, fill, inventory, on, options, restarted,
};
use crate::support::generations::{Daemon, Generation};

#[test]
fn a_filled_store_equals_what_containerd_pulls_itself() {
    let stand = Stand::small();
    for generation in Generation::ALL {
        let root = tempfile::tempdir().unwrap();
        let (ours, theirs) = (
            on(generation, root.path()),
            Daemon::start(generation).unwrap(),
        );
        let report = fill(&ours, &stand.source(), &stand.wanted(), &options());
        all_well(&report);
        stand.reference(&theirs);
        let differs = difference(&ours, &theirs);
        assert!(differs.is_empty(), "{}: {differs:#?}", generation.name());
        let after = stand.registry.requests().len();
        let again = fill(&ours, &stand.source(), &stand.wanted(), &options());
        all_well(&again);
        assert_eq!(
            stand.registry.requests().len(),
            after,
            "{}",
            generation.name()
        );
        assert_eq!((again.fetched, again.requests), (0, 0));
        let left = inventory(&ours);
        assert!(
            left.leases.is_empty() && left.ingests.is_empty(),
            "{left:?}"
        );
        eprintln!(
            "{} {:?} again {:?}",
            generation.name(),
            report.phases,
            again.phases
        );
        let ours = restarted(ours);
        a_power_cut_is_mended(&ours, &theirs, &stand);
        one_image_goes_alone(&ours, &stand);
    }
}

/// A file that was emptied behind everybody's back is found by reading, and exchanged below the snapshots on it.
fn a_power_cut_is_mended(ours: &Daemon, theirs: &Daemon, stand: &Stand) {
    let programs = directories(ours)
        .into_values()
        .map(|dir| dir.join("bin/hello"));
    let program = programs.filter(|path| path.exists()).min().unwrap();
    std::fs::File::options()
        .write(true)
        .truncate(true)
        .open(program)
        .unwrap();
    assert!(!difference(ours, theirs).is_empty());
    let mut deep = options();
    deep.deep = true;
    let report = fill(ours, &stand.source(), &stand.wanted(), &deep);
    all_well(&report);
    assert_eq!(report.requests, 0);
    let differs = difference(ours, theirs);
    assert!(differs.is_empty(), "{differs:#?}");
}

/// Removing one image's names takes its own blobs and snapshots and nothing of the others.
fn one_image_goes_alone(daemon: &Daemon, stand: &Stand) {
    let before = inventory(daemon);
    let gone = stand
        .images
        .iter()
        .position(|image| image.repository == "k8s/index")
        .unwrap();
    let target = &stand.images[gone].top.digest;
    for image in before
        .images
        .iter()
        .filter(|image| image.target.digest.as_str() == target)
    {
        daemon
            .ctr_ok(&["images", "rm", "--sync", &image.name])
            .unwrap();
    }
    let after = inventory(daemon);
    // Its index, manifest, configuration and upper layer; the base is another image's too.
    assert_eq!(before.content.len() - after.content.len(), 4);
    assert_eq!(before.snapshots.len() - after.snapshots.len(), 1);
    let mut wanted = stand.wanted();
    wanted.remove(gone);
    let again = fill(daemon, &stand.source(), &wanted, &options());
    all_well(&again);
    assert_eq!((again.requests, again.written), (0, 0));
}
