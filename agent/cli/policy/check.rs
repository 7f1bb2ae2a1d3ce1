//! `policy check`: every mistake of every profile and folder in one run.
//! It is separate because it loads many policies and keeps none.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::CheckArgs;
use crate::cli::{Io, output};
use crate::error::{Context as _, Exit, Result};
use crate::host::root::{FileKind, Root};
use crate::policy::read::{layer, sources};
use crate::policy::{Diagnostic, Layer, Loaded, Mistakes, Request, Sources, profiles, resolve};

/// How deep folders of folders are followed.
const MAX_DEPTH: usize = 4;

/// What a check found.
#[derive(Debug, Default, Serialize)]
struct Report {
    errors: usize,
    warnings: usize,
    #[serde(skip)]
    lines: Vec<String>,
    mistakes: Vec<Diagnostic>,
}

/// Checks; mistakes go to stderr, one line for each good profile to stdout.
pub(super) fn run(args: &CheckArgs, io: &mut Io<'_>) -> Result<Exit> {
    let base = sources(&args.policy)?;
    let mut report = Report::default();
    if args.paths.is_empty() {
        report.add(&base, &chosen(args, &base, None), args, "")?;
    }
    let root = Root::open(Path::new("/"))?;
    for path in &args.paths {
        for folder in folders(&root, path, 0)? {
            let top = layer(&root, &folder)?;
            let names = chosen(args, &base, Some(&top));
            let shown = format!("{}: ", folder.display());
            report.add(&base.clone().with(top), &names, args, &shown)?;
        }
    }
    report.finish(args, io)
}

/// The profiles to check: the named one, else those of the folder itself, else all.
fn chosen(args: &CheckArgs, base: &Sources, top: Option<&Layer>) -> Vec<String> {
    if let Some(profile) = &args.profile {
        return vec![profile.clone()];
    }
    let own = top.map_or_else(Vec::new, |top| {
        profiles(&Sources::default().with(top.clone()))
    });
    if own.is_empty() { profiles(base) } else { own }
}

/// The policy folders at a path: itself, or those below when it only holds folders.
fn folders(root: &Root, path: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    let doing = || format!("find {}", path.display());
    let full = std::path::absolute(path).context(doing)?;
    let full = full.to_string_lossy();
    let names = match root.meta_followed(&full)?.map(|m| m.kind) {
        Some(FileKind::Directory) => root.list(&full)?,
        // A fragment, or what `layer` explains.
        _ => return Ok(vec![path.to_owned()]),
    };
    let is_policy = |name: &String| {
        name.strip_suffix(".toml").is_some() || name == "profiles" || name == "rootfs"
    };
    if depth == MAX_DEPTH || names.iter().any(is_policy) {
        return Ok(vec![path.to_owned()]);
    }
    let mut list = Vec::new();
    for name in names {
        let below = path.join(&name);
        let kind = root.meta(&format!("{full}/{name}"))?.map(|m| m.kind);
        if kind == Some(FileKind::Directory) {
            list.extend(folders(root, &below, depth + 1)?);
        }
    }
    if list.is_empty() && depth == 0 {
        list.push(path.to_owned());
    }
    Ok(list)
}

impl Report {
    fn add(
        &mut self,
        sources: &Sources,
        names: &[String],
        args: &CheckArgs,
        shown: &str,
    ) -> Result<()> {
        for profile in names {
            let request = Request {
                profile,
                sets: &args.set,
                // What the running binary is makes no mistake.
                self_sha256: "",
                unset_is_fine: true,
            };
            match resolve(sources, &request) {
                Ok(loaded) => self.good(profile, loaded, shown),
                Err(error) => match Mistakes::of(&error) {
                    Some(Mistakes(list)) => self.mistakes.extend(list.iter().cloned()),
                    None => return Err(error),
                },
            }
        }
        Ok(())
    }

    fn good(&mut self, profile: &str, loaded: Loaded, shown: &str) {
        let policy = &loaded.policy;
        let proven = if policy.proven { "" } else { ", unproven" };
        let unset = match loaded.unset.as_slice() {
            [] => String::new(),
            names => format!(", needs --set {}", names.join(" ")),
        };
        self.lines.push(format!(
            "{shown}profile {profile}: {} fragments, {} entries, {} warnings; {} {}{proven}{unset}\n",
            policy.fragments.len(),
            policy.entries.len(),
            loaded.warnings.len(),
            policy.requires.family,
            policy.requires.version,
        ));
        self.mistakes.extend(loaded.warnings);
    }

    fn finish(mut self, args: &CheckArgs, io: &mut Io<'_>) -> Result<Exit> {
        let mistakes = Mistakes::sorted(std::mem::take(&mut self.mistakes));
        self.errors = mistakes.errors();
        self.warnings = mistakes.0.len() - self.errors;
        if args.json {
            self.mistakes = mistakes.0;
            output::json(io, &self)?;
        } else {
            let text = self.text(&mistakes);
            std::io::stderr()
                .write_all(text.as_bytes())
                .context(|| "write to stderr")?;
            output::text(io, &self.lines.concat())?;
        }
        Ok(if self.errors > 0 {
            Exit::Usage
        } else {
            Exit::Ok
        })
    }

    fn text(&self, mistakes: &Mistakes) -> String {
        if mistakes.0.is_empty() {
            return String::new();
        }
        let files: BTreeSet<&str> = mistakes.0.iter().map(|d| d.at.file.as_str()).collect();
        let (errors, warnings) = (self.errors, self.warnings);
        let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        format!(
            "{mistakes}\n{}, {} in {}\n",
            count(errors, "error"),
            count(warnings, "warning"),
            count(files.len(), "file")
        )
    }
}
