//! What several tiers of tests share; separate so that a tier's file shows only what it tests.

pub(crate) mod machine;
