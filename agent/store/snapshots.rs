//! The registrar's half that concerns snapshots: one is prepared, filled and committed.
//! It is separate from the order in which that happens, which only the plan decides.

use super::mount::Workshop;
use super::pass::differs;
use super::registrar::{Registrar, Stage, failed};
use crate::error::Result;
use crate::host::containerd::{Labels, Mount, Prepared};
use crate::host::failure::Failure;
use crate::host::oci::Digest;

/// Begins the key of a snapshot that is being made.
const KEY: &str = "nodeagent-extract ";

/// The label by which a snapshotter knows which snapshot is to become of a key.
const BECOMES: &str = "containerd.io/snapshot.ref";

impl Registrar<'_> {
    /// Makes one snapshot of what its stage holds; the one below is there.
    pub(super) fn snapshot(&self, number: usize, stage: &Stage) -> Result<(), Failure> {
        let Some(node) = self.office.shop.plan.nodes.get(number) else {
            return Ok(());
        };
        let workshop = Workshop {
            containerd: self.office.containerd,
            place: self.office.place,
            staging: self.office.shop.staging,
        };
        if node.mend
            && let Stage::Staged(tree) = stage
        {
            return workshop.mend(&node.chain, tree);
        }
        let key = format!("{KEY}{}", node.chain);
        let labels = Labels::from([(BECOMES.to_owned(), node.chain.to_string())]);
        let parent = node.parent.as_ref().map(Digest::as_str);
        let mounts = match self
            .office
            .containerd
            .prepare(&key, parent, &labels)
            .map_err(failed)?
        {
            Prepared::New(mounts) => mounts,
            Prepared::Exists => {
                if let Stage::Staged(tree) = stage {
                    self.drop_tree(tree);
                }
                return Ok(());
            }
        };
        let filled = match stage {
            Stage::Staged(tree) => workshop.move_in(tree, &mounts),
            Stage::Unpack(layer) => self.unpack(*layer, &mounts),
            Stage::Waiting | Stage::Done | Stage::Given => Ok(()),
        };
        let done = filled.and_then(|()| {
            let none = Labels::new();
            self.office
                .containerd
                .commit(node.chain.as_str(), &key, &none)
                .map_err(failed)
        });
        if done.is_err() && self.office.containerd.remove_snapshot(&key).is_err() {
            tracing::debug!("the unfinished snapshot {key} goes with the lease");
        }
        done
    }

    /// Has the daemon unpack a layer.
    fn unpack(&self, layer: usize, mounts: &[Mount]) -> Result<(), Failure> {
        let Some(layer) = self.office.shop.plan.layers.get(layer) else {
            return Ok(());
        };
        let got = self
            .office
            .containerd
            .unpack(&layer.blob, mounts)
            .map_err(failed)?;
        match got == layer.diff {
            true => Ok(()),
            false => Err(differs("unpacked layer", &layer.diff, &got)),
        }
    }
}
