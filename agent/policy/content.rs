//! Content of `file` entries: inline, from `rootfs/`, from the tool's units, or the running binary.
//! It is separate because here alone entries meet other files of the policy folder.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::diagnostic::{Diagnostic, Position};
use super::fragment::{Draft, State};
use super::layers::Sources;
use super::nearest::nearest;
use super::source::Source;
use super::variables::Env;
use super::walk::Walk;
use crate::host::root::sha256;

/// The content of files, and which of them entries asked for.
#[derive(Debug)]
pub(crate) struct Shelf<'a> {
    sources: &'a Sources,
    /// Digest of the running binary.
    self_sha256: &'a str,
    /// Layer and path of every rootfs file that an entry names.
    taken: BTreeSet<(usize, String)>,
    /// Variables used in templates.
    pub(crate) used: BTreeSet<String>,
    /// Mistakes.
    pub(crate) out: Vec<Diagnostic>,
}

impl<'a> Shelf<'a> {
    /// A shelf of these sources.
    pub(crate) fn new(sources: &'a Sources, self_sha256: &'a str) -> Self {
        Self {
            sources,
            self_sha256,
            taken: BTreeSet::new(),
            used: BTreeSet::new(),
            out: Vec::new(),
        }
    }

    /// Notes which file an entry names, and finds it.
    pub(crate) fn take(&mut self, draft: &Draft) -> Option<(usize, String)> {
        let inline = draft.places.contains_key("content");
        let path = match (draft.text("source"), draft.text("path")) {
            (Some(source), _) => source.to_owned(),
            (None, Some(path)) if !inline => format!("rootfs{path}"),
            _ => return None,
        };
        let layers = self.sources.layers.iter().enumerate().take(draft.layer + 1);
        let found = layers
            .rev()
            .find(|(_, layer)| path.starts_with("rootfs/") && layer.files.contains_key(&path));
        let key = (found?.0, path);
        self.taken.insert(key.clone());
        Some(key)
    }

    /// Puts content and digest into a file entry.
    pub(crate) fn fill(&mut self, draft: &mut Draft, env: &Env) {
        let before = self.out.len();
        let inline = draft.places.contains_key("content");
        let template = draft.fields.remove("template") == Some(Json::Bool(true));
        match draft.text("source").map(str::to_owned) {
            Some(_) if inline => self.wrong(
                draft.place("source"),
                "`content` and `source` exclude each other".to_owned(),
                "keep the one that is meant".to_owned(),
            ),
            Some(source) if source == "self" => {
                if template {
                    let help = "remove template".to_owned();
                    self.wrong(
                        draft.place("template"),
                        "the binary is no template".to_owned(),
                        help,
                    );
                }
                let digest = Json::String(self.self_sha256.to_owned());
                draft.fields.insert("sha256".to_owned(), digest);
            }
            None if inline => {
                let text = draft.text("content").map(str::to_owned);
                put(draft, text);
            }
            source => {
                let text = self.file(draft, source, template, env);
                put(draft, text);
            }
        }
        if self.out.len() > before {
            draft.state = State::Broken;
        }
    }

    fn wrong(&mut self, at: Position, message: String, help: String) {
        self.out.push(Diagnostic::error(at, message).help(help));
    }

    fn file(
        &mut self,
        draft: &mut Draft,
        source: Option<String>,
        template: bool,
        env: &Env,
    ) -> Option<String> {
        if source.is_none() && draft.filled.contains("path") {
            let help = "name the file: source = \"rootfs/…\"".to_owned();
            let message = "a path with a variable needs `content` or `source`".to_owned();
            self.wrong(draft.place("path"), message, help);
            return None;
        }
        let path = match source {
            Some(source) => source,
            None => format!("rootfs{}", draft.text("path")?),
        };
        let place = draft.place(if draft.places.contains_key("source") {
            "source"
        } else {
            "path"
        });
        let (shown, bytes) = self.find(draft, &path, place)?;
        let text = match Source::new(&shown, &bytes) {
            Ok(text) if template => self.template(&text, env, draft)?,
            Ok(text) => text.text,
            Err(mistake) => {
                self.out.push(*mistake);
                return None;
            }
        };
        draft.fields.insert("source".to_owned(), Json::String(path));
        Some(text)
    }

    fn find(&mut self, draft: &Draft, path: &str, place: Position) -> Option<(String, Vec<u8>)> {
        if let Some(name) = path.strip_prefix("units/") {
            if let Some(bytes) = self.sources.units.get(name) {
                return Some((path.to_owned(), bytes.clone()));
            }
            let names = self.sources.units.keys().map(String::as_str);
            let help = nearest(name, names).map_or_else(
                || "units/ holds the unit files that are part of this tool".to_owned(),
                |near| format!("did you mean \"units/{near}\"?"),
            );
            self.wrong(place, format!("this tool has no unit file {name:?}"), help);
            return None;
        }
        if !path.starts_with("rootfs/") {
            let help = "right is \"rootfs/PATH\", \"units/NAME\" or \"self\"; variables are not replaced here";
            self.wrong(
                place,
                format!("`source` cannot be {path:?}"),
                help.to_owned(),
            );
            return None;
        }
        let layers = self.sources.layers.get(..=draft.layer).unwrap_or_default();
        if let Some((index, key)) = self.take(draft) {
            let layer = self.sources.layers.get(index)?;
            return Some((layer.shown(&key), layer.files.get(&key)?.clone()));
        }
        let wanted = layers
            .last()
            .map_or_else(|| path.to_owned(), |l| l.shown(path));
        let help =
            format!("put the file at {wanted}, or write the content inline: content = '''…'''");
        self.wrong(place, format!("there is no file {wanted}"), help);
        None
    }

    fn template(&mut self, source: &Source, env: &Env, draft: &mut Draft) -> Option<String> {
        let mut walk = Walk::new(source, Some(env), false);
        let text = walk.text("content", 0..source.text.len(), &source.text);
        if walk.open && draft.state == State::Sound {
            draft.state = State::Open;
        }
        self.used.append(&mut walk.used);
        self.out.append(&mut walk.out);
        text
    }

    /// Files below `rootfs/` that no entry names: they would never reach a machine.
    pub(crate) fn leftovers(&self) -> Vec<Diagnostic> {
        let mut list = Vec::new();
        for (index, layer) in self.sources.layers.iter().enumerate() {
            for path in layer.files.keys().filter(|p| p.starts_with("rootfs/")) {
                if self.taken.contains(&(index, path.clone())) {
                    continue;
                }
                let target = path.trim_start_matches("rootfs");
                let at = Position::file(layer.shown(path));
                list.push(
                    Diagnostic::error(at, "no entry names this file, so it would never be installed")
                        .help(format!(
                            "add to a fragment beside it: [[file]] path = \"{target}\", reason = \"…\"; or remove the file"
                        )),
                );
            }
        }
        list
    }
}

fn put(draft: &mut Draft, text: Option<String>) {
    if let Some(text) = text {
        let digest = sha256(text.as_bytes());
        draft
            .fields
            .insert("sha256".to_owned(), Json::String(digest));
        draft
            .fields
            .insert("content".to_owned(), Json::String(text));
    }
}
