//! What installing RKE2 again would mend: the receipt and the tree against the policy.
//! It is separate because it is the kind's judgement and nothing else.

use super::{Action, Artifact, Seen, layout, words};
use crate::resource::{Diff, Place};

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
        diff.differences.extend(seen.damage.iter().cloned());
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
