//! The container store: fills containerd's with a pinned set of images, and tells whether it is complete.
//! It is separate because the bytes of layers go their own way here: one pass from the socket to the files, beside
//! containerd, which keeps the records.

pub mod inflate;
pub mod inventory;
pub mod layer;

pub use inventory::Inventory;
