//! Filling a store: with real daemons and registries, and with faults at every call.
//! Separate because each part of what it joins has tests of its own already.

mod bench;
mod crash;
mod fake;
mod fallback;
mod faults;
mod feed;
mod judged;
mod kill;
mod lies;
mod mend;
mod online;
mod real;
mod records;
pub(super) mod stand;
mod told;
pub(super) mod tree;
