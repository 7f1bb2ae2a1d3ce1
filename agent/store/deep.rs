//! Reading everything again: each blob against its digest, each snapshot's files against their layer.
//! It is separate because it takes as long as the bytes need, so it is done only where it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::Flaw;
use super::desired::Desired;
use crate::host::oci::Digest;

/// What is there and not what it must be.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// Blobs.
    pub(super) blobs: BTreeSet<Digest>,
    /// Snapshots, with what differs first.
    pub(super) chains: BTreeMap<Digest, Vec<String>>,
}

impl Broken {
    /// As flaws of what is desired.
    pub(super) fn flaws<'d>(&self, desired: &'d Desired) -> Vec<(&'d BTreeSet<usize>, Flaw)> {
        let blobs = self.blobs.iter().filter_map(|digest| {
            let want = desired.blobs.get(digest)?;
            Some((&want.images, Flaw::Content(digest.clone())))
        });
        let chains = self.chains.iter().filter_map(|(chain, first)| {
            let want = desired.chains.get(chain)?;
            Some((&want.images, Flaw::Files(chain.clone(), first.clone())))
        });
        blobs.chain(chains).collect()
    }
}
