//! Looks for the build machine's traces in a tree with grep and find, without nodeagent's help.
//! Separate because it is the one judge of an image that shares no code with what made it.

use crate::{
    identity::Identity,
    support::machine::{Result, run},
};
use std::{path::Path, process::Command, time::Duration};

/// The build machine's name, which no image may know.
pub(crate) const BUILDER: &str = "packer-builder-0c3f";
/// The comment of the builder's key, which no image may know either.
pub(crate) const KEY_COMMENT: &str = "packer-key-9d41";

/// Where traces may lie; virtual file systems are empty in an image.
const PLACES: [&str; 8] = ["etc", "home", "opt", "root", "srv", "tmp", "usr", "var"];
const LIMIT: Duration = Duration::from_mins(3);

/// The files of a tree that hold, or are named after, what only the builder had.
pub(crate) fn of_builder(tree: &Path, builder: &Identity) -> Result<Vec<String>> {
    let mut grep = Command::new("grep");
    grep.current_dir(tree).args(["-rlaF", "--devices=skip"]);
    for trace in [BUILDER, KEY_COMMENT, &builder.machine_id] {
        grep.args(["-e", trace]);
    }
    let inside = run::run(grep.args(PLACES), LIMIT)?;
    // 1 is "nothing found"; above that grep could not look everywhere.
    if inside.code > 1 {
        return Err(format!(
            "searching {} for traces: {}",
            tree.display(),
            inside.stderr
        ));
    }
    let mut find = Command::new("find");
    find.current_dir(tree).args(PLACES);
    find.args(["-name", &format!("*{}*", builder.machine_id), "-o"]);
    find.args(["-name", &format!("*{BUILDER}*")]);
    let named = run::ok(&mut find, LIMIT)?;
    Ok(inside
        .stdout
        .lines()
        .chain(named.lines())
        .map(str::to_owned)
        .collect())
}
