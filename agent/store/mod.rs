//! The container store: fills containerd's with a pinned set of images, and tells whether it is complete.
//! It is separate because the bytes of layers go their own way here: one pass from the socket to the files, beside
//! containerd, which keeps the records.

mod attempt;
mod blobs;
pub mod bolt;
pub mod check;
mod closing;
mod deep;
mod desired;
mod differences;
pub mod fault;
mod fetch;
pub mod filler;
mod filling;
pub mod inflate;
pub mod inventory;
pub mod layer;
pub mod look;
mod mount;
pub mod offline;
pub mod open;
pub mod options;
mod pass;
pub mod place;
mod plan;
mod prospect;
mod registrar;
pub mod report;
mod reread;
mod resolved;
mod snapshots;
mod staging;
mod tap;
pub mod tarball;
mod tidy;
pub mod watch;
mod work;

pub use check::{Judged, judge};
pub use desired::{MANAGED, PINNED};
pub use fault::{Fault, Flaw};
pub use filler::Filler;
pub use inventory::Inventory;
pub use look::{Choice, Look, RKE2_STORE};
pub use open::Opened;
pub use options::{Options, Wanted};
pub use place::Place;
pub use report::{Event, ImageReport, Phase, Progress, Quiet, Report};
pub use watch::Watched;

use crate::error::Result;
use crate::host::containerd::Containerd;
use crate::host::oci::Source;

/// Makes the store hold every wanted image whole, unpacked, pinned and durable.
///
/// What is there already is kept and not fetched again. An image that cannot be had fails alone: its outcome says why,
/// nothing of it is registered, and the others are completed. An error is returned only where nothing could be tried:
/// another fill is under way, the daemon does not answer, or a signal asked to stop (the next fill goes on from there).
#[allow(
    clippy::too_many_arguments,
    reason = "each is another part of the world, and every caller has its own"
)]
pub fn fill(
    place: &Place,
    containerd: &mut dyn Containerd,
    source: &dyn Source,
    wanted: &[Wanted],
    options: &Options,
    progress: &dyn Progress,
) -> Result<Report> {
    filling::Filling::new(place, source, wanted, options, progress).run(containerd)
}
