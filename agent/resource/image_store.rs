//! What kinds `image` and `image-archive` have in common: the store that both fill, and how what it lacks is told.
//! It is separate because one asks a registry and the other an archive, while kubelet reads one store.

use super::Fault;
use super::schema::{Check, Field, Type};
use crate::error::Result;
use crate::host::oci::Platform;
use crate::store::RKE2_STORE;

/// containerd's namespace that kubelet looks into.
pub(super) const NAMESPACE: &str = "k8s.io";

/// The field of the store's directory; without it that of RKE2's containerd.
pub(super) const STORE: Field = Field::optional(
    "store",
    Type::Str(Check::AbsPath),
    "containerd's root directory. Default: /var/lib/rancher/rke2/agent/containerd.",
);

/// The field of the program that fills the store.
pub(super) const CONTAINERD: Field = Field::optional(
    "containerd",
    Type::Str(Check::AbsPathOrEmpty),
    "The containerd that is started on the store. Default: the one that RKE2 has staged.",
);

/// Where RKE2's containerd keeps its store.
pub(super) fn store() -> String {
    RKE2_STORE.to_owned()
}

/// The platform that a policy names; without one this program's.
pub(super) fn platform(given: Option<&str>) -> Result<Platform> {
    given.map_or_else(|| Ok(Platform::own()), Platform::parse)
}

/// What is wrong with a platform that a policy names.
pub(super) fn no_platform(given: Option<&str>) -> Option<Fault> {
    let fault = || {
        let message = "this is no platform";
        Fault::new("platform", message, "write it like linux/amd64")
    };
    platform(given).is_err().then(fault)
}

/// The first fault and how many more there are; none without faults.
pub(super) fn told(faults: &[String]) -> Option<String> {
    let (first, rest) = faults.split_first()?;
    Some(match rest.len() {
        0 => first.clone(),
        more => format!("{first}, and {more} more"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fault_is_told_and_the_others_are_counted() {
        let faults = ["a", "b", "c"].map(str::to_owned);
        let table = [(0, None), (1, Some("a")), (3, Some("a, and 2 more"))];
        for (count, want) in table {
            assert_eq!(told(&faults[..count]).as_deref(), want);
        }
    }
}
