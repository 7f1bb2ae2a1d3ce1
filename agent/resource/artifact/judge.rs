//! What installing RKE2 again would mend: the receipt and the tree against the policy.
//! It is separate because it is the kind's judgement and nothing else.

use super::{Action, Artifact, Seen, layout, words};
use crate::resource::{Diff, Place};

/// Whether a path is the node's to change: settings of the units, which Rancher's agent writes, and the runtime of
/// a release that the node was upgraded to or that it names by another registry.
pub(super) fn of_the_node(path: &str, place: Place) -> bool {
    let settings = path.as_bytes().ends_with(b".env");
    let runtime = path
        .strip_prefix(layout::DATA)
        .is_some_and(|rest| rest.matches('/').count() == 1);
    place == Place::Node && (settings || runtime)
}

impl Artifact {
    /// Notes what installing it again would mend.
    pub(super) fn judge(&self, seen: &Seen, place: Place, diff: &mut Diff<Action>) {
        let wanted = format!("{} ({})", self.version, words(&self.parts));
        let Some(receipt) = &seen.receipt else {
            let have = seen.unreadable.as_ref();
            let have = have.map_or_else(
                || "absent".to_owned(),
                |why| format!("its receipt is {why}"),
            );
            diff.differs("RKE2", have, wanted);
            return;
        };
        if (&receipt.version, words(&receipt.parts)) != (&self.version, words(&self.parts)) {
            let have = format!("{} ({})", receipt.version, words(&receipt.parts));
            diff.differs("RKE2", have, wanted);
        }
        if let Some(pin) = self.pin()
            && pin != receipt.sums_sha256
        {
            diff.differs(self.sums_name(), &receipt.sums_sha256, pin);
        }
        let damage = seen.damage.iter().filter(|d| !of_the_node(&d.what, place));
        diff.differences.extend(damage.cloned());
        if self.cache && !seen.cache && place != Place::Node {
            diff.differs(layout::CACHE, "absent", "present");
        }
        // New files of the release are taken while the image is built; later they mean nothing.
        if let Some(source) = &seen.source
            && place == Place::Build
            && source.wanted(&self.parts) != receipt.artifacts
        {
            diff.differs(&self.dir, "other files than those installed", "the same");
        }
    }
}
