//! A meter for work that takes minutes: bytes of several pieces that are under way at the same time.
//! It is separate because the work is done in threads far below the verbs, and only verbs know how people watch.

/// Told how far the pieces are. Pieces are named by a short, stable text; calls come from several threads.
pub trait Meter: Send + Sync {
    /// The whole: this many pieces with this many bytes. Called before the first piece.
    fn total(&self, pieces: usize, bytes: u64);
    /// A piece of this many bytes begins.
    fn begin(&self, piece: &str, bytes: u64);
    /// So many more bytes of it are done.
    fn more(&self, piece: &str, bytes: u64);
    /// So many bytes of it do not count: it is begun anew.
    fn less(&self, piece: &str, bytes: u64);
    /// It is done, or it failed and was told elsewhere.
    fn end(&self, piece: &str);
    /// Something whole was reached, or went wrong: one line for people.
    fn say(&self, line: &str);
    /// All pieces are over.
    fn close(&self);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Meter for Unwatched {
    fn total(&self, _pieces: usize, _bytes: u64) {}
    fn begin(&self, _piece: &str, _bytes: u64) {}
    fn more(&self, _piece: &str, _bytes: u64) {}
    fn less(&self, _piece: &str, _bytes: u64) {}
    fn end(&self, _piece: &str) {}
    fn say(&self, _line: &str) {}
    fn close(&self) {}
}
