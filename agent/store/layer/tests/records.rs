//! Headers and extension records: which of them counts for what.
//! It is separate because here two readers of one archive come apart.

use super::*;

#[test]
fn extension_records_override_the_header() {
    let long = "long/".repeat(30) + "name";
    let layer = Tar::default()
        .add(entry(b'0', &long).content("by GNU"))
        .add(entry(b'2', "gnu").link(&long))
        .pax(&[
            ("path", b"pax"),
            ("gid", b"9"),
            ("mtime", b"-5.5"),
            ("size", b"4"),
        ])
        .add({
            // The header states another size; what follows is what PAX says.
            let mut item = entry(b'0', "header").content("four");
            item.size = 1024;
            item
        })
        .pax(&[("linkpath", b"pax"), ("path", b"")])
        .add(entry(b'2', "l").link("header"))
        .end();
    let found = tree(&layer);
    assert_eq!(found[&long].content, b"by GNU");
    assert_eq!(found["gnu"].content, long.as_bytes());
    let pax = &found["pax"];
    assert_eq!(
        (pax.content.as_slice(), pax.gid, pax.mtime),
        (&b"four"[..], 9, (0, 0))
    );
    assert_eq!(found["l"].content, b"pax");
}

#[test]
fn a_file_was_never_read_before_it_was_changed() {
    let gnu = |name: &str, atime| {
        let mut item = entry(b'0', name);
        item.atime = Some(atime);
        item
    };
    let layer = Tar::default()
        .add(gnu("later", 2_000_000_000))
        .add(gnu("earlier", 5))
        .pax(&[("atime", b"1700000000.5"), ("mtime", b"1600000000")])
        .file("pax", "")
        .pax(&[("mtime", b"99999999999")])
        .file("far", "")
        .end();
    let found = tree(&layer);
    let times = |path: &str| (found[path].atime, found[path].mtime);
    let changed = (1_000_000_000, 0);
    assert_eq!(times("later"), ((2_000_000_000, 0), changed));
    assert_eq!(times("earlier"), (changed, changed));
    assert_eq!(
        times("pax"),
        ((1_700_000_000, 500_000_000), (1_600_000_000, 0))
    );
    assert_eq!(times("far"), ((0, 0), (0, 0)));
}

#[test]
fn records_speak_of_one_entry_only() {
    let layer = Tar::default()
        .pax(&[("uid", b"7")])
        .file("a", "")
        .file("b", "")
        // The later of two headers counts alone; a global one takes back what came before it.
        .pax(&[("uid", b"7"), ("gid", b"7")])
        .pax(&[("gid", b"8")])
        .file("c", "")
        .pax(&[("uid", b"7")])
        .add(entry(b'g', "pax_global_header").content(build::record("uid", b"9")))
        .file("d", "")
        .end();
    let found = tree(&layer);
    let owners = ["a", "b", "c", "d"].map(|path| (found[path].uid, found[path].gid));
    assert_eq!(owners, [(7, 0), (0, 0), (0, 8), (0, 0)]);
}

#[test]
fn a_size_counts_for_files_only() {
    let sized = |kind, name: &str| {
        let mut item = entry(kind, name).link("a");
        item.size = 512;
        item
    };
    // Content in place of the next header would be read as one by somebody else.
    let layer = Tar::default()
        .file("a", "x")
        .add(sized(b'5', "d"))
        .add(sized(b'2', "l"))
        .add(sized(b'1', "h"))
        .add(sized(0, "old/"))
        .file("end", "")
        .end();
    assert_eq!(paths(&layer), "a:f d:d end:f h:f l:l old:d");
}

#[test]
fn the_root_is_left_as_it_is_and_what_follows_the_end_is_ignored() {
    let mut layer = Tar::default()
        .add(entry(b'5', "./").mode(0o700).owner(1, 1))
        .add(entry(b'0', "..").content("dropped"))
        .file("a", "")
        .end();
    layer.extend_from_slice(b"anything");
    let (dir, _) = unpack(&layer).unwrap();
    let found = look(dir.path());
    assert_eq!(listed(&found), "a:f");
    assert_eq!(found[""].uid, 0);
    // Go's reader wants no end mark, and not even the fill of the last file.
    let bare = Tar::default().file("a", "abc").0;
    assert_eq!(paths(&bare[..515]), "a:f");
    assert_eq!(paths(&bare), "a:f");
    assert_eq!(paths(b""), "");
}

#[test]
fn the_header_of_a_hard_link_counts_for_the_file() {
    let layer = Tar::default()
        .add(entry(b'0', "a").mode(0o644).content("x"))
        .pax(&[("SCHILY.xattr.user.k", b"v")])
        .add(
            entry(b'1', "b")
                .link("a")
                .mode(0o2600)
                .owner(4, 5)
                .mtime(77),
        )
        .end();
    let found = tree(&layer);
    let a = &found["a"];
    assert_eq!(
        (a.mode, a.uid, a.gid, a.mtime, a.links),
        (0o2600, 4, 5, (77, 0), 2)
    );
    assert_eq!(a.xattrs["user.k"], b"v");
}

#[test]
fn attributes_that_do_not_fit_are_passed_over() {
    let user: &[(&str, &[u8])] = &[
        ("SCHILY.xattr.user.k", b"v"),
        ("SCHILY.xattr.security.k", b"s"),
    ];
    let layer = Tar::default()
        .pax(user)
        .add(entry(b'2', "l").link("x"))
        .pax(user)
        .add(entry(b'6', "p"))
        .pax(&[(
            "SCHILY.xattr.security.capability",
            b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        )])
        .add(entry(b'0', "ping").owner(1, 1).mode(0o4755).content("x"))
        .end();
    let found = tree(&layer);
    assert_eq!(found["l"].xattrs.keys().collect::<Vec<_>>(), ["security.k"]);
    assert_eq!(found["p"].xattrs.keys().collect::<Vec<_>>(), ["security.k"]);
    let ping = &found["ping"];
    assert_eq!((ping.mode, ping.uid), (0o4755, 1));
    assert!(ping.xattrs.contains_key("security.capability"));
}

#[test]
fn a_global_header_makes_room_for_its_name() {
    let layer = Tar::default()
        .file("a", "")
        .add(entry(b'g', "a"))
        .add(entry(b'g', "tmp/GlobalHead.1"))
        .end();
    let (dir, written) = unpack(&layer).unwrap();
    assert_eq!(listed(&look(dir.path())), "tmp:d");
    assert!(written.implicit[0].untouched);
}
