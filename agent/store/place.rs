//! Where a store lies: the tree that its daemon sees as `/`, and the store's directory in it.
//! It is separate because a daemon in a tree of its own names its files otherwise than we do.

use std::path::Path;

use crate::error::{Error, Result};
use crate::host::Root;
use crate::host::containerd::Facts;

/// A store's directory, as we see it.
#[derive(Debug)]
pub struct Place {
    tree: Root,
    store: String,
}

impl Place {
    /// The store at `store`, an absolute path in the tree that the daemon sees as `/` and that lies at `tree` for us.
    pub fn open(tree: &Path, store: &Path) -> Result<Self> {
        let Some(text) = store.to_str().filter(|text| text.starts_with('/')) else {
            return Err(Error::usage(format!(
                "use {} as a container store: it is not an absolute path",
                store.display()
            )));
        };
        Ok(Self {
            tree: Root::open(tree)?,
            store: text.to_owned(),
        })
    }

    /// The store of a running daemon.
    pub fn of(tree: &Path, facts: &Facts) -> Result<Self> {
        let above = facts.content.parent();
        Self::open(tree, above.unwrap_or(Path::new("/")))
    }

    /// The tree that the daemon sees as `/`.
    pub fn tree(&self) -> &Root {
        &self.tree
    }

    /// The store's directory in that tree.
    pub fn store(&self) -> &str {
        &self.store
    }
}
