//! Remarks that an effect leaves for the record: a retry, a fallback, a wait for a lock.
//! It is separate because effects may not know the journal, which ranks above them.

use std::cell::RefCell;
use std::rc::Rc;

/// A shared list of remarks; clones share the same list.
#[derive(Debug, Clone, Default)]
pub struct Notes(Rc<RefCell<Vec<String>>>);

impl Notes {
    /// Adds one remark; it must hold no secret.
    pub fn add(&self, note: impl Into<String>) {
        self.0.borrow_mut().push(note.into());
    }

    /// Adds one remark that whoever watches must see at once.
    pub fn warn(&self, note: String) {
        tracing::warn!("{note}");
        self.add(note);
    }

    /// Takes all remarks made since the last call.
    pub fn drain(&self) -> Vec<String> {
        self.0.take()
    }
}
