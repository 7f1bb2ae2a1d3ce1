//! Records: what was done, when, and what was removed; the evidence beside the manifest.
//! It is separate because the manifest must be reproducible and this, by nature, is not.

pub mod journal;
pub mod marker;
pub mod runs;
pub mod seal;
pub mod stamp;
pub mod summary;

pub use journal::{Event, Journal};
pub use summary::Record;

/// Where the manifest and its sister files lie; part of the image.
pub const DIR: &str = "/etc/packer-build";
/// The image manifest.
pub const MANIFEST: &str = "/etc/packer-build/image-manifest.json";
/// The merged, resolved, secret-free policy.
pub const POLICY: &str = "/etc/packer-build/policy.json";
/// Timings, retries, fallbacks, salt and tombstones.
pub const RECORD: &str = "/etc/packer-build/bake-record.json";
/// Our own state on the machine: journal and lock while building, stamp on a node.
pub const STATE_DIR: &str = "/var/lib/nodeagent";
/// The journal of the bakes; folded into the record and removed when the seal closes.
pub const JOURNAL: &str = "/var/lib/nodeagent/journal.jsonl";
/// The journal of `bake --place node`; it holds no salt, the sealed record has it.
pub const NODE_JOURNAL: &str = "/var/lib/nodeagent/node-journal.jsonl";
/// The lock that one writing verb holds.
pub const LOCK: &str = "/var/lib/nodeagent/lock";
