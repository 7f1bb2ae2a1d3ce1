//! Where kernel arguments are kept: GRUB's drop-ins and its own file, or entries of the Boot Loader Specification.
//! It is separate because the families differ here and nowhere else in this kind.

use serde::Serialize;

use super::text;
use crate::error::{Error, Result};
use crate::host::root::Attr;
use crate::host::{Cmd, Host, Root};
use crate::resource::program;

const GRUB: &str = "/boot/grub/grub.cfg";
const ENTRIES: &str = "/boot/loader/entries";
/// What kernel-install gives to the entries of kernels to come.
const DEFAULT: &str = "/etc/kernel/cmdline";

/// What boots a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// GRUB with update-grub, as on the Debian family.
    Grub,
    /// Entries of the Boot Loader Specification, as on the EL family and with systemd-boot.
    Entries,
    /// Something that is not understood, and why.
    Unknown(String),
    /// Nothing.
    None,
}

/// A file that lacks arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lacking {
    /// The file; for GRUB's own with the line.
    pub path: String,
    /// What it lacks.
    pub args: Vec<String>,
}

fn read(root: &Root, path: &str) -> Result<Option<String>> {
    let bytes = root.read(path)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

fn entry_files(root: &Root) -> Result<Vec<String>> {
    let names = root.list(ENTRIES)?.into_iter();
    let entries = names.filter(|name| name.as_bytes().ends_with(b".conf"));
    Ok(entries.map(|name| format!("{ENTRIES}/{name}")).collect())
}

/// Tells what boots a tree.
pub(super) fn boot(root: &Root) -> Result<Boot> {
    let files = entry_files(root)?;
    for path in &files {
        let entry = read(root, path)?.unwrap_or_default();
        if text::options(&entry).contains("$kernelopts") {
            let why = format!("{path} takes its arguments from GRUB's environment block");
            return Ok(Boot::Unknown(why));
        }
    }
    if !files.is_empty() {
        return Ok(Boot::Entries);
    }
    if program::find(root, "update-grub")?.is_some() || root.present("/etc/default/grub")? {
        return Ok(Boot::Grub);
    }
    Ok(match root.present(DEFAULT)? {
        true => Boot::Entries,
        false => Boot::None,
    })
}

/// Files that lack arguments.
pub(super) fn lacking(root: &Root, boot: &Boot, args: &[&str]) -> Result<Vec<Lacking>> {
    let mut found = Vec::new();
    let mut one = |path: String, line: &str| {
        let args = text::missing(line, args);
        if !args.is_empty() {
            found.push(Lacking { path, args });
        }
    };
    match boot {
        Boot::Grub => {
            let config = read(root, GRUB)?.unwrap_or_default();
            for (number, line) in text::grub_lines(&config) {
                one(format!("{GRUB}:{number}"), &line);
            }
        }
        Boot::Entries => {
            for path in entry_files(root)? {
                let entry = read(root, &path)?.unwrap_or_default();
                one(path, &text::options(&entry));
            }
            // Without the file a new kernel would get the arguments of the one that runs at its installation.
            one(DEFAULT.to_owned(), &default(root)?);
        }
        Boot::Unknown(_) | Boot::None => {}
    }
    Ok(found)
}

/// The arguments for kernels to come.
fn default(root: &Root) -> Result<String> {
    Ok(read(root, DEFAULT)?.unwrap_or_default().replace('\n', " "))
}

/// Adds what a file lacks; one that has it meanwhile stays as it is.
pub(super) fn add(root: &Root, lacking: &Lacking) -> Result<()> {
    let path = &lacking.path;
    let args: Vec<&str> = lacking.args.iter().map(String::as_str).collect();
    let new = if path == DEFAULT {
        let line = match default(root)? {
            line if line.trim().is_empty() => newest(root)?,
            line => line,
        };
        text::with(&line, &lacking.args) + "\n"
    } else {
        let entry = read(root, path)?.unwrap_or_default();
        if text::missing(&text::options(&entry), &args).is_empty() {
            return Ok(());
        }
        text::with_options(&entry, &lacking.args)
    };
    let attr = match root.meta_followed(path)? {
        Some(meta) => Attr {
            mode: meta.mode,
            uid: meta.uid,
            gid: meta.gid,
        },
        None => Attr::root(0o644),
    };
    root.make_parent(path)?;
    root.write(path, new.as_bytes(), attr)
}

/// The arguments of the last entry: a new kernel needs its root device as well.
fn newest(root: &Root) -> Result<String> {
    let mut files = entry_files(root)?;
    files.retain(|path| !path.contains("rescue"));
    let Some(path) = files.last() else {
        return Ok(String::new());
    };
    Ok(text::options(&read(root, path)?.unwrap_or_default()))
}

/// Runs update-grub where GRUB is installed; its file is made when it is.
pub(super) fn update_grub(host: &Host) -> Result<()> {
    if program::find(&host.root, "update-grub")?.is_none() || !host.root.present(GRUB)? {
        return Ok(());
    }
    let output = host.exec.run(&Cmd::new(["update-grub"]))?;
    if output.ok() {
        return Ok(());
    }
    let said = output.errors();
    let said = said.lines().rfind(|line| !line.trim().is_empty());
    Err(Error::host("run 'update-grub'")
        .because(format!("exit {}: {}", output.code, said.unwrap_or("nothing on standard error")))
        .hint("in an unbooted tree it finds no disk: boot the tree, or keep kernel arguments out of its bake"))
}
