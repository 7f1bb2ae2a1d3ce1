//! Links, addresses, routes and rules of this network namespace, over the kernel's netlink.
//! It is separate because it is the one place that speaks netlink; planning works on plain values, tests on a fake.

mod events;
mod live;
mod message;
mod model;
mod parse;
mod prefix;
mod show;

use std::time::Duration;

pub use events::{Events, Wake};
pub use live::Live;
pub use model::{Action, Address, Change, Link, MAIN, Route, Rule, Snapshot, Wanted};
pub use prefix::{Family, Prefix};

use crate::error::Result;

/// The seam: one look, one write, one wait.
pub trait Network {
    /// Everything that routing depends on, as it is now.
    fn look(&mut self, wanted: &Wanted) -> Result<Snapshot>;
    /// Writes one change. To add what is there, and to delete what is gone, is no error.
    fn write(&mut self, change: &Change) -> Result<()>;
    /// Waits until something changes, at most for this long.
    fn wait(&mut self, at_most: Duration) -> Result<Wake>;
}
