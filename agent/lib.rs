//! nodeagent bakes a Kubernetes node image from a policy, seals it, and proves on every node that the policy holds.
//!
//! ```text
//! policy ──▶ plan ──▶ apply ──▶ record ──▶ manifest ──▶ verify
//!  entries   pure     effects    journal    one observation    plan again: drift = a non-empty plan
//! ```
//!
//! Modules in rank order; a module names only modules above it in this list (`tests/layering.rs`).

#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "inline tests prepare their temporary trees directly; the shipped library is checked without this"
    )
)]

pub mod apply;
pub mod cli;
pub mod error;
pub mod host;
pub mod manifest;
pub mod observe;
pub mod plan;
pub mod policy;
pub mod record;
pub mod report;
pub mod resource;
pub mod route;
pub mod store;
pub mod verify;
