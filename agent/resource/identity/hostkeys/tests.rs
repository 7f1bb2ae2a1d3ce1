//! Every way in which a host key can be wrong, one by one.
//! It is separate because the tables are longer than the code they guard.

use super::*;

fn fine() -> HostKey {
    HostKey {
        path: "/etc/ssh/ssh_host_rsa_key".to_owned(),
        loaded: true,
        present: true,
        holds_key: true,
        exposed: None,
        pair: Some(true),
        baked: Baked::Other,
    }
}

fn judged(configured: bool, more: HostKey) -> (usize, usize) {
    let seen = HostKeys {
        configured,
        files: vec![fine(), more],
        too_many: false,
    };
    let mut diff = Diff::<()>::default();
    seen.judge(&mut diff);
    (diff.differences.len(), diff.unknown.len())
}

fn spoiled(spoil: impl Fn(&mut HostKey)) -> HostKey {
    let mut key = fine();
    spoil(&mut key);
    key
}

#[test]
fn each_violation_is_told() {
    let absent = spoiled(|key| (key.present, key.holds_key) = (false, false));
    let table = [
        (false, fine(), (0, 0)),
        (false, absent.clone(), (0, 0)),
        (true, absent, (1, 0)),
        (false, spoiled(|key| key.holds_key = false), (1, 0)),
        (
            false,
            spoiled(|key| (key.holds_key, key.loaded) = (false, false)),
            (0, 0),
        ),
        (
            false,
            spoiled(|key| key.exposed = Some("0644 of user 0".to_owned())),
            (1, 0),
        ),
        (false, spoiled(|key| key.pair = Some(false)), (1, 0)),
        (false, spoiled(|key| key.pair = None), (0, 0)),
        (false, spoiled(|key| key.baked = Baked::Same), (1, 0)),
        (
            false,
            spoiled(|key| (key.baked, key.loaded) = (Baked::Same, false)),
            (1, 0),
        ),
        (false, spoiled(|key| key.baked = Baked::NoTombstone), (0, 1)),
        (
            false,
            spoiled(|key| (key.baked, key.loaded) = (Baked::NoSalt, false)),
            (0, 1),
        ),
    ];
    for (configured, more, want) in table {
        assert_eq!(
            judged(configured, more.clone()),
            want,
            "{configured} {more:?}"
        );
    }
}

#[test]
fn a_private_key_is_for_root_alone() {
    let group = Some(998);
    let table = [
        (0o600, 0, 0, true),
        (0o400, 0, 0, true),
        (0o640, 0, 998, true),
        (0o640, 0, 0, false),
        (0o660, 0, 998, false),
        (0o644, 0, 998, false),
        (0o600, 1000, 0, false),
    ];
    for (mode, uid, gid, safe) in table {
        let meta = Meta {
            kind: FileKind::File,
            mode,
            uid,
            gid,
            size: 1,
            mtime: 0,
            inode: 1,
            device: 1,
        };
        assert_eq!(
            exposed(&meta, group).is_none(),
            safe,
            "{mode:o} {uid}:{gid}"
        );
    }
}

#[test]
fn no_key_at_all_is_a_difference() {
    let mut seen = HostKeys {
        configured: false,
        files: vec![HostKey {
            loaded: false,
            ..fine()
        }],
        too_many: true,
    };
    let mut diff = Diff::<()>::default();
    seen.judge(&mut diff);
    assert_eq!((diff.differences.len(), diff.unknown.len()), (1, 1));
    seen.files = vec![fine()];
    seen.too_many = false;
    let mut diff = Diff::<()>::default();
    seen.judge(&mut diff);
    assert!(diff.conforms());
}
