//! What bbolt writes is read; what it would never write is an error, whatever it is.
//! Separate from the reader because hostile databases are made byte by byte here.

use super::made::{PAGE, branch, database, dump, inline, leaf, meta, on_page};
use super::meta::fnv64a;
use super::{Db, LARGEST_FILE};

/// A database with a nested, an inline and a large bucket, and a value that overflows.
fn good() -> Vec<u8> {
    let labels = inline(&[("x", b"y".to_vec(), false)]);
    database(&[
        leaf(
            3,
            &[
                ("empty", inline(&[]), true),
                ("in", inline(&[("deep", labels, true)]), true),
                ("tree", on_page(4), true),
                ("v", b"w".to_vec(), false),
            ],
        ),
        branch(4, &[("a", 5), ("m", 6)]),
        leaf(
            5,
            &[("a", b"1".to_vec(), false), ("b", b"2".to_vec(), false)],
        ),
        leaf(6, &[("m", vec![b'z'; PAGE + 100], false)]),
    ])
}

#[test]
fn a_database_is_read_whole() {
    let lines = dump(good()).unwrap();
    assert_eq!(lines[..3], ["/in/deep/x=y", "/tree/a=1", "/tree/b=2"]);
    assert!(lines[3].starts_with("/tree/m=zzz") && lines[3].len() == PAGE + 100 + 8);
    assert_eq!(lines[4..], ["/v=w"]);
    let db = Db::open(good()).unwrap();
    let deep = db.root().path(&["in", "deep"]).unwrap();
    assert!(deep.is_some());
    for (path, there) in [
        (&["tree"][..], true),
        (&["empty"], true),
        (&["empty", "x"], false),
        (&["none"], false),
        (&["tree", "0"], false),
        (&["tree", "zz"], false),
        (&["aaa"], false),
    ] {
        let found = db.root().path(path).unwrap();
        assert_eq!(found.is_some(), there, "{path:?}");
    }
    let said = db.root().path(&["v"]).unwrap_err().one_line();
    assert!(said.contains("is a value"), "{said}");
    // The first and the last key of a page, and the least of another.
    for key in ["a", "b", "m"] {
        assert!(db.root().path(&["tree", key]).is_err(), "{key}");
    }
}

#[test]
fn a_tree_may_be_deeper_than_any_real_one() {
    let mut pages: Vec<Vec<u8>> = (3..11).map(|id| branch(id, &[("a", id + 1)])).collect();
    pages.push(leaf(11, &[("a", inline(&[("x", vec![], false)]), true)]));
    let file = database(&pages);
    assert_eq!(dump(file.clone()).unwrap(), ["/a/x="]);
    let db = Db::open(file).unwrap();
    assert!(db.root().path(&["a"]).unwrap().is_some());
}

#[test]
fn the_newer_whole_meta_page_counts() {
    // The root of the older transaction is page 6 here, which says `other`.
    let file = |first: (u64, u64), second: (u64, u64)| {
        let mut file = database(&[
            leaf(3, &[("newer", vec![], false)]),
            leaf(4, &[("older", vec![], false)]),
        ]);
        file[..PAGE].copy_from_slice(&meta(0, first.0, 5, first.1));
        file[PAGE..2 * PAGE].copy_from_slice(&meta(1, second.0, 5, second.1));
        file
    };
    assert_eq!(dump(file((3, 9), (4, 8))).unwrap(), ["/newer="]);
    assert_eq!(dump(file((4, 8), (3, 9))).unwrap(), ["/newer="]);
    let mut torn = file((4, 8), (3, 9));
    torn[PAGE + 60] ^= 1;
    assert_eq!(dump(torn).unwrap(), ["/older="], "a torn second one");
    let mut torn = file((3, 9), (4, 8));
    torn[40] ^= 1;
    assert_eq!(dump(torn).unwrap(), ["/older="], "a torn first one");
    let mut torn = file((3, 9), (4, 8));
    torn[40] ^= 1;
    torn[PAGE + 40] ^= 1;
    let said = dump(torn).unwrap_err().one_line();
    assert!(said.contains("neither of its two meta pages"), "{said}");
}

/// A meta page of which one number of four bytes is another, with a right checksum.
fn changed(mut page: Vec<u8>, number: usize, value: u32) -> Vec<u8> {
    let at = 16 + number * 4;
    page[at..at + 4].copy_from_slice(&value.to_le_bytes());
    let sum = fnv64a(&page[16..72]);
    page[72..80].copy_from_slice(&sum.to_le_bytes());
    page
}

#[test]
fn a_meta_page_of_another_format_or_page_size_does_not_count() {
    let pages = [
        leaf(3, &[("older", vec![], false)]),
        leaf(4, &[("newer", vec![], false)]),
    ];
    let mut file = database(&pages);
    file[PAGE..2 * PAGE].copy_from_slice(&meta(1, 4, 5, 9));
    assert_eq!(dump(file.clone()).unwrap(), ["/newer="]);
    for (number, value) in [(0, 7), (1, 1), (1, 3), (2, 1024), (2, 500), (2, 1 << 17)] {
        let other = changed(meta(1, 4, 5, 9), number, value);
        file[PAGE..2 * PAGE].copy_from_slice(&other);
        assert_eq!(dump(file.clone()).unwrap(), ["/older="], "{number} {value}");
    }
}

/// Page 5 lies in a value that overflows from page 4.
fn within_an_overflow() -> Vec<u8> {
    // The value begins behind a header, an element and a key of one byte.
    let inner = leaf(5, &[("b", vec![], false)]);
    let value = [vec![0; PAGE - 33], inner].concat();
    database(&[
        branch(3, &[("a", 4), ("b", 5)]),
        leaf(4, &[("a", value, false)]),
    ])
}

#[test]
fn what_bbolt_never_writes_is_an_error() {
    let endless: Vec<Vec<u8>> = (3..60)
        .map(|id| branch(id, &[("a", (id + 1).min(59))]))
        .collect();
    let bucket = |value: Vec<u8>| database(&[leaf(3, &[("b", value, true)])]);
    let mut shared = leaf(
        3,
        &[("a", b"z23".to_vec(), false), ("b", b"45".to_vec(), false)],
    );
    // The second element's key lies in the value of the first, and would be in order.
    shared[36..40].copy_from_slice(&17u32.to_le_bytes());
    let table = [
        (
            "a circle",
            database(&[branch(3, &[("a", 3)])]),
            "used twice",
        ),
        (
            "one page twice",
            database(&[
                branch(3, &[("a", 4), ("b", 4)]),
                leaf(4, &[("a", vec![], false)]),
            ]),
            "used twice",
        ),
        (
            "one bucket twice",
            database(&[
                leaf(3, &[("a", on_page(4), true), ("b", on_page(4), true)]),
                leaf(4, &[("x", vec![], false)]),
            ]),
            "used twice",
        ),
        ("too deep", database(&endless), "deeper"),
        (
            "a page outside",
            database(&[branch(3, &[("a", 77)])]),
            "none of its data",
        ),
        (
            "a meta page as data",
            database(&[branch(3, &[("a", 1)])]),
            "none of its data",
        ),
        (
            "the free list as data",
            database(&[branch(3, &[("a", 2)])]),
            "unknown type",
        ),
        (
            "another number",
            database(&[leaf(8, &[])]),
            "says of itself",
        ),
        (
            "keys out of order",
            database(&[leaf(3, &[("b", vec![], false), ("a", vec![], false)])]),
            "within",
        ),
        (
            "a key twice",
            database(&[leaf(3, &[("b", vec![], false), ("b", vec![], false)])]),
            "within",
        ),
        (
            "pages out of order",
            database(&[
                branch(3, &[("a", 4), ("b", 5)]),
                leaf(4, &[("z", vec![], false)]),
                leaf(5, &[("b", vec![], false)]),
            ]),
            "not in order",
        ),
        ("bytes used twice", database(&[shared]), "within"),
        (
            "an empty branch",
            database(&[branch(3, &[])]),
            "leads nowhere",
        ),
        ("a short bucket", bucket(vec![0; 7]), "cut off"),
        ("a bucket without a page", bucket(vec![0; 20]), "cut off"),
        (
            "a bucket of a branch",
            bucket([vec![0; 16], branch(0, &[("a", 3)])].concat()),
            "leads to pages",
        ),
    ];
    for (what, file, want) in table {
        let said = dump(file).expect_err(what).one_line();
        assert!(said.contains(want), "{what}: {said}");
    }
}

#[test]
fn what_overflows_is_gone_through_once_and_bounded() {
    let large = database(&[leaf(3, &[("a", vec![0; 9 << 20], false)])]);
    for (file, want) in [
        (within_an_overflow(), "used twice"),
        (large, "says that it has"),
    ] {
        let said = dump(file).unwrap_err().one_line();
        assert!(said.contains(want), "{said}");
    }
}

#[test]
fn a_key_is_not_followed_to_where_bbolt_never_leads() {
    let endless: Vec<Vec<u8>> = (3..60)
        .map(|id| branch(id, &[("a", (id + 1).min(59))]))
        .collect();
    let value = [vec![0; 16], branch(0, &[("a", 3)])].concat();
    let branches = database(&[leaf(3, &[("b", value, true)])]);
    for (file, want) in [
        (branches, "leads to pages"),
        (database(&[branch(3, &[])]), "leads nowhere"),
        (database(&endless), "deeper"),
    ] {
        let db = Db::open(file).unwrap();
        let said = db.root().path(&["b", "x"]).unwrap_err().one_line();
        assert!(said.contains(want), "{said}");
    }
}

/// A file that nothing may be read of.
struct Huge;
impl super::Bytes for Huge {
    fn size(&self) -> u64 {
        LARGEST_FILE + 1
    }
    fn read_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<()> {
        panic!("nothing is read of it")
    }
}

#[test]
fn sizes_that_lie_are_errors() {
    let mut long = good();
    // The first page with data says that a thousand follow it.
    long[3 * PAGE + 12..3 * PAGE + 16].copy_from_slice(&1000u32.to_le_bytes());
    assert!(dump(long).unwrap_err().one_line().contains("bytes"));
    for length in [0, 10, PAGE, 3 * PAGE, good().len() - 1] {
        let cut = good()[..length].to_vec();
        let said = dump(cut).unwrap_err().one_line();
        let found = length >= PAGE;
        assert_eq!(said.contains("cut off"), found, "{length}: {said}");
    }
    assert!(Db::open(Huge).is_err());
}

#[test]
fn no_flipped_bit_is_a_panic() {
    let whole = good();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut file = whole.clone();
            file[at] ^= 1 << bit;
            // Values carry no checksum: one that reads well is as good as another.
            drop(dump(file.clone()));
            if let Ok(db) = Db::open(file) {
                drop(db.root().path(&["tree", "a"]));
                drop(db.root().path(&["in", "deep", "x"]));
            }
        }
    }
}
