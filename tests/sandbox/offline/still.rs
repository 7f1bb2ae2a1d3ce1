//! Units of a tree that is held still: its links are read once, however many units are asked of.
//! It is separate because systemctl is no judge of it: it always reads anew.

use nodeagent::host::systemd::Offline;
use nodeagent::host::{Enablement, Root, Units as _};

use super::units::build;

#[test]
fn links_that_come_later_are_not_seen() {
    let tree = tempfile::tempdir().unwrap();
    build(tree.path());
    let root = || Root::open(tree.path()).unwrap();
    let still = Offline::still(root()).unwrap();
    let anew = || Offline::new(root()).unwrap();
    let before = anew().enabled().unwrap();
    anew().set("a.timer", Enablement::Enable).unwrap();
    let word = |units: &Offline| units.state("a.timer").unwrap().enablement;
    assert_eq!(
        (word(&still), word(&anew())),
        ("disabled".into(), "enabled".into())
    );
    assert_eq!(still.enabled().unwrap(), before);
    assert_ne!(anew().enabled().unwrap(), before);
}
