//! All integration tests in one binary: one link, whatever the number of tiers.
//! It is separate from the topics so that each stays a file of its own.

mod policy;
