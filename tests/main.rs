//! The one test binary: one link, whatever the number of tiers.
//! Each file beside this one is a tier or topic; `support` is what they share.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests touch their own temporary trees directly and may panic"
)]

mod audit;
mod cli;
mod coverage;
mod flow;
mod house;
mod kinds;
mod layering;
mod machine;
mod offline;
mod packaging;
mod pin;
mod policy;
mod report;
mod route;
mod sandbox;
mod scrub;
mod seal;
mod store;
mod streams;
mod support;
mod units;
mod vm;
