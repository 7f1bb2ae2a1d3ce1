//! The container store: fills containerd's with a pinned set of images, and tells whether it is complete.
//! It is separate because the bytes of layers go their own way here: one pass from the socket to the files, beside
//! containerd, which keeps the records.

pub mod bolt;
pub mod check;
pub mod inflate;
pub mod inventory;
pub mod layer;
pub mod offline;
pub mod options;
pub mod place;
pub mod report;
pub mod tarball;

pub use check::{Fault, Flaw, Judged, judge};
pub use inventory::Inventory;
pub use options::{Options, Wanted};
pub use place::Place;
pub use report::{Event, ImageReport, Phase, Progress, Quiet, Report};

use crate::error::{Error, Result};
use crate::host::containerd::Containerd;
use crate::host::oci::Source;

/// Makes the store hold every wanted image whole, unpacked, pinned and durable.
///
/// What is there already is kept and not fetched again. An image that cannot be had fails alone: its outcome says why,
/// nothing of it is registered, and the others are completed. An error is returned only where nothing could be tried:
/// another fill is under way, the daemon does not answer, or a signal asked to stop (the next fill goes on from there).
pub fn fill(
    place: &Place,
    containerd: &mut dyn Containerd,
    source: &dyn Source,
    wanted: &[Wanted],
    options: &Options,
    progress: &dyn Progress,
) -> Result<Report> {
    let _ = (place, containerd, source, wanted, options, progress);
    Err(Error::host("fill a container store"))
}
