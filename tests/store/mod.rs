//! The store tier: container stores against real containerds and registries.
//! Separate because each part of it needs daemons of its own, on loopback and in temporary directories.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stderr,
    reason = "tests touch their own temporary trees directly"
)]

mod accept;
mod daemon;
mod fill;
mod image_archive;
mod layer;
mod offline;
mod prepull;
mod registry;
mod sets;
mod tarball;
