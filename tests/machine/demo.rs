//! The driver of `make demo`: bakes one image on a booted Debian 12, clones it twice, proves it.
//! Separate from the tests because it tells a story, keeps its times and leaves a summary.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a driver on the host that reads its arguments, writes its summary and talks"
)]

#[path = "demo/agent.rs"]
mod agent;
#[path = "demo/identity.rs"]
mod identity;
#[path = "demo/nodes.rs"]
mod nodes;
#[path = "../support/machine/mod.rs"]
mod rig;
#[path = "demo/stages.rs"]
mod stages;
#[path = "demo/story.rs"]
mod story;
#[path = "demo/summary.rs"]
mod summary;
#[path = "../support/tarball.rs"]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "shared with the tests, which may panic"
)]
mod tarball;
#[path = "demo/traces.rs"]
mod traces;

/// The name under which the test program has the rig.
mod support {
    pub(crate) use crate::rig as machine;
}

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use std::{fs, io::ErrorKind, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let Some(binary) = std::env::args().nth(1) else {
        eprintln!("usage: demo PATH-OF-STATIC-NODEAGENT (make demo calls it)");
        return ExitCode::from(2);
    };
    match own_mounts().and_then(|()| tell(Path::new(&binary))) {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            eprintln!("\nThe demo is NOT fine:");
            for fact in wrong {
                eprintln!("  - {fact}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("\nThe demo stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Gives this process a mount table of its own, so that even a killed demo leaves the host's as it was.
fn own_mounts() -> rig::Result<()> {
    rig::need_root()?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(None::<&str>, "/", None::<&str>, private, None::<&str>))
        .map_err(|e| format!("making a mount namespace: {e}"))
}

/// Runs every stage, writes the summary, and gives the facts that are not as they must be.
fn tell(binary: &Path) -> rig::Result<Vec<String>> {
    let out = rig::cache::target_dir().join("demo");
    let file = out.join("summary.json");
    fs::create_dir_all(&out).map_err(|e| rig::doing("creating", &out, &e))?;
    // A summary of an earlier run must not outlive a run that stops half-way.
    match fs::remove_file(&file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(rig::doing("removing", &file, &error));
        }
        _ => {}
    }
    let mut story = story::Story::begin("nodeagent: one image, two nodes");
    let summary = stages::all(binary, &out, &mut story)?;
    let text = serde_json::to_string_pretty(&summary).map_err(|e| format!("summary: {e}"))? + "\n";
    fs::write(&file, text).map_err(|e| rig::doing("writing", &file, &e))?;
    println!("\n{}", summary.told());
    let here = std::env::current_dir().unwrap_or_default();
    println!(
        "  Everything measured: {}",
        file.strip_prefix(here).unwrap_or(&file).display()
    );
    Ok(summary.wrong())
}
