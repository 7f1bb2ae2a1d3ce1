//! The layers of a policy: what is shipped, what the site put beside it, what the command line adds.
//! It is separate and holds files already read, so that loading is a pure function of them.

use std::collections::{BTreeMap, BTreeSet};

use include_dir::{Dir, include_dir};

use super::diagnostic::{Diagnostic, Position};
use super::lock::LOCK;
use super::nearest::nearest;
use super::source::Source;
use crate::host::root::sha256;

/// Where a site's own fragments lie.
pub const SITE_DIR: &str = "/etc/nodeagent/policy.d";

static SHIPPED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/policy");
static UNITS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/units");

/// One folder of policy files: fragments, `profiles/`, `rootfs/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    /// The folder as it is shown; empty for the shipped one.
    pub name: String,
    /// Files by their path in the folder.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Layer {
    /// A layer from names and texts.
    pub fn new<'a>(
        name: impl Into<String>,
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        Self {
            name: name.into(),
            files: files
                .into_iter()
                .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
                .collect(),
        }
    }

    /// How a file of this layer is shown.
    pub(crate) fn shown(&self, path: &str) -> String {
        if self.name.is_empty() {
            path.to_owned()
        } else {
            format!("{}/{path}", self.name.trim_end_matches('/'))
        }
    }
}

/// All layers, lowest first, and the unit files that entries may name as source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Layers; the first is the shipped one.
    pub layers: Vec<Layer>,
    /// Files below `units/` of this tool.
    pub units: BTreeMap<String, Vec<u8>>,
}

impl Sources {
    /// The layer that is part of the binary.
    pub fn shipped() -> Self {
        let mut layer = Layer::default();
        collect(&SHIPPED, &mut layer.files);
        let mut units = BTreeMap::new();
        collect(&UNITS, &mut units);
        Self {
            layers: vec![layer],
            units,
        }
    }

    /// Adds a layer above the others.
    #[must_use]
    pub fn with(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Leaves out all lock files: images then have their tags.
    pub fn forget_locks(&mut self) {
        for layer in &mut self.layers {
            layer.files.remove(LOCK);
        }
    }
}

fn collect(dir: &Dir<'_>, files: &mut BTreeMap<String, Vec<u8>>) {
    for file in dir.files() {
        let path = file.path().to_string_lossy().into_owned();
        files.insert(path, file.contents().to_vec());
    }
    for dir in dir.dirs() {
        collect(dir, files);
    }
}

/// What became of a fragment under the layers above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It counts.
    Live,
    /// A file of the same name above it counts instead.
    Replaced,
}

/// One fragment file and its fate.
#[derive(Debug)]
pub(crate) struct Stacked {
    /// File name.
    pub(crate) name: String,
    /// Layer.
    pub(crate) layer: usize,
    /// Whether it counts.
    pub(crate) fate: Fate,
    /// Its text.
    pub(crate) source: Source,
}

/// All fragments and profiles of all layers, with who wins.
#[derive(Debug, Default)]
pub(crate) struct Stack {
    /// Fragments by name, then layer.
    pub(crate) fragments: Vec<Stacked>,
    /// Names that an empty file masks, and that file.
    pub(crate) masked: BTreeMap<String, String>,
    /// Names of fragments that could not be read.
    pub(crate) unread: BTreeSet<String>,
    /// Profiles by name; the topmost of each.
    pub(crate) profiles: BTreeMap<String, Source>,
    /// The topmost lock file; an empty one masks those below.
    pub(crate) lock: Option<Source>,
    /// Mistakes.
    pub(crate) out: Vec<Diagnostic>,
}

impl Stack {
    /// The lock file and its digest, as provenance shows it.
    pub(crate) fn lock_line(&self) -> Option<String> {
        let source = self.lock.as_ref()?;
        let digest = sha256(source.text.as_bytes());
        Some(format!("{} sha256:{digest}", source.shown))
    }

    /// Lays the layers over each other.
    pub(crate) fn build(sources: &Sources) -> Self {
        let mut stack = Self::default();
        for (index, layer) in sources.layers.iter().enumerate() {
            for (path, bytes) in &layer.files {
                let shown = layer.shown(path);
                match role(path) {
                    Role::Fragment => stack.fragment(path, index, &shown, bytes),
                    Role::Profile(name) => match Source::new(&shown, bytes) {
                        Ok(source) => {
                            stack.profiles.insert(name.to_owned(), source);
                        }
                        Err(mistake) => stack.out.push(*mistake),
                    },
                    Role::Lock if bytes.trim_ascii().is_empty() => stack.lock = None,
                    Role::Lock => match Source::new(&shown, bytes) {
                        Ok(source) => stack.lock = Some(source),
                        Err(mistake) => stack.out.push(*mistake),
                    },
                    Role::Other => {}
                    Role::Stray => stack.out.push(
                        Diagnostic::warning(Position::file(shown), "this file is not read").help(
                            "a policy folder holds NAME.toml, profiles/NAME.toml, rootfs/…, images.lock and *.md",
                        ),
                    ),
                }
            }
        }
        stack
            .fragments
            .sort_by(|a, b| (&a.name, a.layer).cmp(&(&b.name, b.layer)));
        stack
    }

    fn fragment(&mut self, name: &str, layer: usize, shown: &str, bytes: &[u8]) {
        let below: Vec<&mut Stacked> = self
            .fragments
            .iter_mut()
            .filter(|f| f.name == name)
            .collect();
        let existed = !below.is_empty();
        for fragment in below {
            fragment.fate = Fate::Replaced;
        }
        if bytes.trim_ascii().is_empty() {
            if existed {
                self.masked.insert(name.to_owned(), shown.to_owned());
            } else {
                let names = self.fragments.iter().map(|f| f.name.as_str());
                let help = nearest(name, names).map_or_else(
                    || "an empty file masks the shipped fragment of the same name".to_owned(),
                    |near| format!("did you mean to mask {near}?"),
                );
                let message = "this empty file masks nothing: no fragment below has its name";
                self.out
                    .push(Diagnostic::warning(Position::file(shown), message).help(help));
            }
            return;
        }
        self.masked.remove(name);
        match Source::new(shown, bytes) {
            Ok(source) => self.fragments.push(Stacked {
                name: name.to_owned(),
                layer,
                fate: Fate::Live,
                source,
            }),
            Err(mistake) => {
                self.unread.insert(name.to_owned());
                self.out.push(*mistake);
            }
        }
    }
}

enum Role<'a> {
    Fragment,
    Profile(&'a str),
    Lock,
    Other,
    Stray,
}

fn role(path: &str) -> Role<'_> {
    let toml = |name: &'_ str| name.strip_suffix(".toml").is_some() && !name.starts_with('.');
    match path.split_once('/') {
        None if toml(path) => Role::Fragment,
        None if path == LOCK => Role::Lock,
        None if path.strip_suffix(".md").is_some() => Role::Other,
        Some(("profiles", name)) if toml(name) && !name.contains('/') => {
            Role::Profile(name.trim_end_matches(".toml"))
        }
        Some(("rootfs", _)) => Role::Other,
        _ => Role::Stray,
    }
}
