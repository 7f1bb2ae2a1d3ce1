//! The policy: one table of entries, merged, resolved and checked. The same table bakes and audits.
//! This file holds the result; how it comes about is in the modules below.

pub mod entry;

pub use entry::{Entry, Exception, InventoryRules, Policy, Requires, Variable};
