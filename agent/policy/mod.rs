//! The policy: one table of entries, merged, resolved and checked. The same table bakes and audits.
//! This file lists the steps; what comes out is in `entry`, how it comes about in the other modules.

pub mod diagnostic;
pub mod entry;
pub mod json_schema;
pub mod layers;
pub mod load;
pub mod lock;
pub mod read;

mod advice;
mod canonical;
mod conflicts;
mod content;
mod declare;
mod fragment;
mod merge;
mod nearest;
mod overrides;
mod profile;
mod requires;
mod select;
mod settle;
mod shape;
mod source;
mod substitute;
mod syntax;
mod variables;
mod walk;

pub use diagnostic::{Diagnostic, Mistakes, Severity};
pub use entry::{Entry, Exception, InventoryRules, Policy, Requires, Variable};
pub use layers::{Layer, Sources};
pub use load::{Loaded, Request, profiles, resolve};
pub use read::load;
