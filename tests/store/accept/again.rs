//! A pull with everything present asks the registry for nothing, and one with something missing for that alone.
//! It is separate because the registry's own log is the witness.

use super::Stage;
use crate::support::generations::Generation;
use crate::support::registry::Request;

#[test]
fn what_is_there_is_not_asked_for_again() {
    for generation in Generation::ALL {
        let stage = Stage::filled(generation);
        let first = stage.registry.requests();
        let mut blobs: Vec<&str> = first
            .iter()
            .filter(|r| r.is_blob())
            .map(|r| r.path.as_str())
            .collect();
        let count = blobs.len();
        blobs.sort_unstable();
        blobs.dedup_by_key(|path| path.rsplit('/').next());
        assert!(count > 10, "{first:?}");
        assert_eq!(blobs.len(), count, "a blob was asked for twice: {first:?}");

        let again = stage.pull();
        assert_eq!(again.code, 0, "{}", again.stderr);
        let second = stage.registry.requests().split_off(first.len());
        assert!(!second.iter().any(Request::is_blob), "{second:?}");
    }
}
