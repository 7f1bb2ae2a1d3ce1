//! What tests of several tiers share: fakes of the host's seams, and real machines.
//! It is separate because no single tier owns it.

pub(crate) mod archives;
pub(crate) mod fake;
pub(crate) mod far;
pub(crate) mod generations;
pub(crate) mod images;
pub(crate) mod lying;
pub(crate) mod machine;
pub(crate) mod namespace;
pub(crate) mod offline;
pub(crate) mod openpgp;
pub(crate) mod packages;
pub(crate) mod proxy;
pub(crate) mod registry;
pub(crate) mod tarball;
pub(crate) mod tree_compare;
pub(crate) mod vm;
