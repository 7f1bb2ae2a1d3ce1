//! stub
use super::Io;
use crate::error::*;
use clap::Args;
use std::path::Path;
/// stub
#[derive(Debug, Args)]
pub struct PolicyArgs {}
/// stub
pub fn run(_a: &PolicyArgs, _r: Option<&Path>, _io: &mut Io<'_>) -> Result<Exit> {
    Ok(Exit::Ok)
}
