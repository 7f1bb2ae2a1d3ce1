//! `images.lock`: which digest each image's tag stood for when `policy pin` asked the registry.
//! It is separate because a machine writes it, and because it says how entries are read and holds none.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::{Diagnostic, Position};
use super::fragment::{Draft, State, check_schema};
use super::shape::LOCK_FILE;
use super::source::Source;
use super::syntax::{Document, Node};
use super::walk::Walk;
use crate::resource::schema::Check;

/// Name of the file in a policy folder.
pub const LOCK: &str = "images.lock";

/// The digests of images, and where they are written.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    /// The file, where there is one.
    file: Option<String>,
    /// Digest and its place by the image's name and tag.
    pins: BTreeMap<String, (String, Position)>,
    /// Mistakes.
    pub(crate) out: Vec<Diagnostic>,
}

impl Lock {
    /// Reads the lock file, if there is one.
    pub(crate) fn read(source: Option<&Source>) -> Self {
        let Some(source) = source else {
            return Self::default();
        };
        let document = Document::parse(source);
        let mut walk = Walk::new(source, None, document.torn());
        walk.table(&[LOCK_FILE], &document.table, 0..0, "the lock file");
        walk.out.retain(|m| !m.message.contains("`schema`"));
        check_schema(&document, &mut walk.out);
        let mut lock = Self {
            file: Some(source.shown.clone()),
            ..Self::default()
        };
        if let Some(DeValue::Table(images)) = document.table.get("images").map(Spanned::get_ref) {
            for (key, node) in images {
                lock.line(&mut walk, key, node);
            }
        }
        lock.out = std::mem::take(&mut walk.out);
        lock.out.retain(|mistake| document.trusts(mistake));
        lock.out.extend(document.errors.iter().cloned());
        lock
    }

    /// Takes one line; what is no text and what is no image's name was reported before.
    fn line(&mut self, walk: &mut Walk<'_>, key: &Spanned<Cow<'_, str>>, node: &Node<'_>) {
        let (image, DeValue::String(digest)) = (key.get_ref().as_ref(), node.get_ref()) else {
            return;
        };
        if image.contains('@') {
            let help = "write the image with its tag: \"registry.example/k8s/pause:3.9\"";
            let message = format!("{image:?} names a digest by itself");
            walk.wrong(key.span(), message, help.to_owned());
        }
        if let Err(advice) = Check::Digest.test(digest) {
            let message = format!("the digest of {image} cannot be {digest:?}");
            walk.wrong(node.span(), message, format!("right is {advice}"));
        }
        let at = walk.source.at(key.span());
        self.pins.insert(image.to_owned(), (digest.to_string(), at));
    }

    /// Gives an image entry the digest of its tag. It keeps its id: the node asks for it by its tag as before.
    pub(crate) fn pin(&mut self, draft: &mut Draft) {
        let reference = draft.text("ref").map(str::to_owned);
        let (Some(file), Some(reference), State::Sound) = (&self.file, reference, draft.state)
        else {
            return;
        };
        let (tagged, own) = match reference.split_once('@') {
            Some((tagged, digest)) => (tagged, Some(digest)),
            None => (reference.as_str(), None),
        };
        match (self.pins.get(tagged), own) {
            (Some((digest, at)), Some(own)) if digest != own => {
                let message = format!("two digests for {tagged}: this one and {digest}");
                self.out.push(
                    Diagnostic::error(draft.place("ref"), message)
                        .note(at.clone(), "the other one is pinned here")
                        .help("leave the digest out of the entry, or the line out of the file"),
                );
            }
            (Some((digest, _)), None) => {
                let pinned = format!("{reference}@{digest}");
                draft
                    .fields
                    .entry("as")
                    .or_insert_with(|| Json::String(reference.clone()));
                draft.fields.insert("ref".to_owned(), Json::String(pinned));
            }
            (None, None) => {
                let message = format!("{reference} is not pinned in {file}");
                let help = "run nodeagent policy pin again, with this file as --output";
                self.out
                    .push(Diagnostic::warning(draft.place("ref"), message).help(help));
            }
            (_, Some(_)) => {}
        }
    }
}

/// The file's text for these images; reading it back gives the same.
pub fn render(images: &BTreeMap<String, String>) -> String {
    let mut text = String::from(
        "# What the images' tags stood for when `nodeagent policy pin` asked their registries.\n\
         # It is separate from the fragments because a machine writes it: run the verb again, and read the difference.\n\
         schema = 1\n\n[images]\n",
    );
    for (image, digest) in images {
        // Neither can hold a quote or a backslash: both were checked before.
        writeln!(text, "\"{image}\" = \"{digest}\"").ok();
    }
    text
}

/// Digests of a file as `render` wrote it, for telling what changed; none where it cannot be read.
pub fn parse(text: &str) -> BTreeMap<String, String> {
    let source = Source::new(LOCK, text.as_bytes());
    let lock = Lock::read(source.as_ref().ok());
    let pins = lock.pins.into_iter();
    pins.map(|(image, (digest, _))| (image, digest)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let image = |n: &str, c: &str| {
            (
                format!("r.example/k8s/{n}:v1"),
                "sha256:".to_owned() + &c.repeat(64),
            )
        };
        let images = BTreeMap::from([image("a", "0"), image("b", "f")]);
        let text = render(&images);
        assert_eq!(parse(&text), images);
        let source = Source::new(LOCK, text.as_bytes()).unwrap();
        assert_eq!(Lock::read(Some(&source)).out, []);
    }
}
