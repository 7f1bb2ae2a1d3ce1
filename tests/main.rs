//! All tiers of tests in one program.
//! Separate tiers are modules, so that there is one link, whatever their number.

mod machine;
mod sandbox;
mod support;
