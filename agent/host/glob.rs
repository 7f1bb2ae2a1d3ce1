//! Patterns over paths below the root.
//! It is separate so that scrub and inventory expand names the same way and never follow a symlink out of a directory.
