//! Where a report leaves the machine other than as a file: the journal, the console, a site's own server.
//! It is separate so that one seam serves the real ones and a fake that fails, since none may stop the others.

mod console;
mod journald;
mod post;

use std::path::Path;

use crate::error::Result;

pub use post::{Limits, Target};

/// The outlets.
pub trait Outlets {
    /// Sends one message of these fields to the journal.
    fn journal(&self, fields: &[(String, String)]) -> Result<()>;
    /// Writes a line to the system console.
    fn console(&self, line: &str) -> Result<()>;
    /// Sends a JSON document; tries again within the target's limits.
    fn post(&self, target: &Target, json: &str) -> Result<()>;
}

/// Those of the machine that we run on.
#[derive(Debug)]
pub struct LiveOutlets;

impl Outlets for LiveOutlets {
    fn journal(&self, fields: &[(String, String)]) -> Result<()> {
        journald::send(Path::new(journald::SOCKET), fields)
    }

    fn console(&self, line: &str) -> Result<()> {
        console::write(Path::new(console::DEVICE), line)
    }

    fn post(&self, target: &Target, json: &str) -> Result<()> {
        post::send(target, json)
    }
}
