//! Whether an image is due to be baked anew: its age, RKE2, the rules, packages with updates waiting.
//! It is separate because these are no drift of the machine: the world moved on, and only who asks is told.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Finding;
use super::finding::Urgency;
use crate::host::Host;
use crate::manifest::{Manifest, canonical};
use crate::policy::{Entry, Policy};

/// The variable that names the release of RKE2.
const RKE2: &str = "rke2_version";
/// Differences that are named one by one.
const NAMED: usize = 20;
const DAY: u64 = 86_400;

/// Packages whose flaws are used to break into a node; an update of one of them is not put off.
const EXPOSED: &[&str] = &[
    "kernel",
    "linux-image",
    "openssl",
    "libssl",
    "openssh",
    "glibc",
    "libc6",
    "sudo",
    "systemd",
    "runc",
    "containerd",
];

/// What the image is compared with.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The policy at hand.
    pub policy: &'a Policy,
    /// The policy that the image carries.
    pub baked: &'a Policy,
    /// The manifest that the image carries.
    pub manifest: &'a Manifest,
    /// Seconds since 1970.
    pub now: u64,
    /// Seconds that an image may be old.
    pub max_age: u64,
}

impl Asked<'_> {
    /// One finding a trigger.
    pub fn findings(&self, host: &Host) -> Vec<Finding> {
        vec![self.age(), self.rke2(), self.rules(), packages(host)]
    }

    fn age(&self) -> Finding {
        let finding = due(
            "age",
            Urgency::Low,
            "a monthly rebuild picks up security patches",
        );
        let built = &self.manifest.built_at;
        let Some(seconds) = canonical::seconds(built) else {
            return finding.unknown("age", format!("the manifest states no time: {built:?}"));
        };
        let age = self.now.saturating_sub(seconds);
        if age <= self.max_age {
            return finding;
        }
        finding.differs(
            "age",
            format!("{} days, built {built}", age / DAY),
            format!("at most {} days", self.max_age / DAY),
        )
    }

    fn rke2(&self) -> Finding {
        let finding = due("rke2", Urgency::Medium, "a new RKE2 is a new image");
        let have = &self.manifest.kubernetes.version;
        match self.policy.variables.get(RKE2) {
            Some(want) if behind(have, &want.value) => {
                finding.differs("version", have, &want.value)
            }
            _ => finding,
        }
    }

    fn rules(&self) -> Finding {
        let finding = due(
            "rules",
            Urgency::Medium,
            "rules are baked: a changed rule is a new image",
        );
        let (baked, now) = (facts(self.baked), facts(self.policy));
        let words = |id: &str| match (baked.get(id), now.get(id)) {
            (None, _) => ("absent", "present"),
            (_, None) => ("present", "absent"),
            _ => ("as baked", "changed"),
        };
        let ids: std::collections::BTreeSet<&String> = baked.keys().chain(now.keys()).collect();
        let changed: Vec<&String> = ids
            .into_iter()
            .filter(|id| baked.get(*id) != now.get(*id))
            .collect();
        let named = changed.iter().take(NAMED).fold(finding, |finding, id| {
            let (have, want) = words(id);
            finding.differs(*id, have, want)
        });
        match changed.len().saturating_sub(NAMED) {
            0 => named,
            more => named.differs(
                "further entries",
                format!("{more} differ"),
                "as in the policy at hand",
            ),
        }
    }
}

/// Packages that an upgrade would change, by the repository metadata on disk.
fn packages(host: &Host) -> Finding {
    let reason = "packages with updates waiting";
    let unknown = |why: String| {
        let mut finding = due("packages", Urgency::Low, reason).unknown("updates", why);
        finding.required = false;
        finding
    };
    let waiting = match host.packages.state_digest() {
        Ok(None) => {
            return unknown("no repository metadata on disk says what is newest".to_owned());
        }
        Ok(Some(_)) => host.packages.waiting(),
        Err(error) => Err(error),
    };
    let waiting = match waiting {
        Ok(waiting) => waiting,
        Err(error) => return unknown(error.one_line()),
    };
    let exposed = |line: &&String| EXPOSED.iter().any(|name| line.starts_with(name));
    let urgency = match waiting.iter().any(|line| exposed(&line)) {
        true => Urgency::High,
        false => Urgency::Low,
    };
    let finding = due("packages", urgency, reason);
    // What makes it urgent is named first.
    let (first, rest): (Vec<&String>, Vec<&String>) = waiting.iter().partition(exposed);
    let named = first.iter().chain(&rest).take(NAMED);
    let finding = named.fold(finding, |finding, line| {
        let (name, version) = line.split_once(' ').unwrap_or((line, "newer"));
        finding.differs(name, "older", version)
    });
    match waiting.len().saturating_sub(NAMED) {
        0 => finding,
        more => finding.differs("further packages", format!("{more} older"), "updated"),
    }
}

fn due(what: &str, urgency: Urgency, reason: &str) -> Finding {
    let mut finding = Finding::check(format!("rebake:{what}"), reason);
    finding.urgency = Some(urgency);
    finding
}

/// What each entry states, by id; where it stands in the policy and why does not matter.
fn facts(policy: &Policy) -> BTreeMap<String, Vec<Value>> {
    let mut facts: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for entry in &policy.entries {
        facts.entry(entry.id.clone()).or_default().push(fact(entry));
    }
    facts
}

fn fact(entry: &Entry) -> Value {
    serde_json::json!([&entry.resource, &entry.places, entry.enforce])
}

/// A release of RKE2 is older than another: by its numbers, then by the build of the same release.
fn behind(have: &str, want: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        let parts = text.split(|c: char| !c.is_ascii_digit());
        parts
            .filter(|part| !part.is_empty())
            .filter_map(|part| part.parse().ok())
            .collect()
    };
    let (have, want) = (numbers(have), numbers(want));
    !want.is_empty() && have < want
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_by_their_numbers() {
        for (have, want, older) in [
            ("v1.28.15+rke2r1", "v1.28.15+rke2r1", false),
            ("v1.28.9+rke2r1", "v1.28.15+rke2r1", true),
            ("v1.28.15+rke2r1", "v1.28.15+rke2r2", true),
            ("v1.34.2+rke2r1", "v1.28.15+rke2r1", false),
            ("none", "v1.28.15+rke2r1", true),
            ("v1.28.15+rke2r1", "", false),
        ] {
            assert_eq!(behind(have, want), older, "{have} {want}");
        }
    }
}
