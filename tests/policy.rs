//! Policy loading from outside: the shipped profiles load, and bad policies say what would be right.
//! It is apart from unit tests because it sees only what other modules see.

use nodeagent::policy::{Mistakes, Request, Sources, profiles, resolve};

/// The digest that stands for the running binary.
const SELF: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn every_shipped_profile_loads_without_a_warning() {
    let sources = Sources::shipped();
    let names = profiles(&sources);
    assert!(names.contains(&"debian12-base".to_owned()), "{names:?}");
    for profile in &names {
        let request = Request {
            profile,
            self_sha256: SELF,
            unset_is_fine: true,
            ..Request::default()
        };
        let loaded = resolve(&sources, &request)
            .unwrap_or_else(|e| panic!("{e}\n{}", Mistakes::of(&e).unwrap()));
        assert_eq!(loaded.warnings, [], "{profile}");
        assert!(loaded.policy.entries.len() > 20);
        for e in &loaded.policy.entries {
            println!("{} {:?}", e.id, e.origin);
        }
    }
}
