//! The small set: every kind of layer that a store must get right, in a few kilobytes.
//! It is separate because it is read as a list: what is in it is what is proven on every containerd.

use super::{Dialect, Entry, Image, Layer, Packing};

/// An image of one file with this content.
pub(crate) fn tiny(name: &str, content: &str) -> Image {
    let layer = Layer::new(Packing::Gzip, &[Entry::file("content", content.as_bytes())]);
    Image::single(name, Dialect::Docker, &[layer])
}

/// All images of the set. `program` is a static program, which becomes `/bin/hello` of the base.
pub(crate) fn small(program: &[u8]) -> Vec<Image> {
    let base = base(program);
    let changes = changes();
    vec![
        tiny("k8s/pause:3.9", "pause\n"),
        Image::single("k8s/base:1", Dialect::Oci, std::slice::from_ref(&base)),
        Image::single(
            "k8s/changes:1",
            Dialect::Docker,
            &[base.clone(), special(), changes.clone(), implied()],
        ),
        // The same layer under other parents is another snapshot of the same blob.
        Image::single(
            "k8s/moved:1",
            Dialect::Oci,
            &[special(), changes, base.clone()],
        ),
        Image::single(
            "k8s/zstd:1",
            Dialect::Oci,
            &[base.clone(), names(Packing::Zstd)],
        ),
        Image::single("k8s/plain:1", Dialect::Oci, &[names(Packing::Plain)]),
        Image::index(
            "k8s/index:1",
            Dialect::Oci,
            &[
                ("linux/arm64/v8", vec![foreign("arm64")]),
                ("linux/amd64", vec![base.clone(), foreign("amd64")]),
            ],
        ),
        Image::index(
            "k8s/list:1",
            Dialect::Docker,
            &[
                ("linux/amd64", vec![foreign("list amd64"), empty()]),
                ("linux/s390x", vec![foreign("s390x")]),
            ],
        ),
        Image::single(
            "k8s/twice:1",
            Dialect::Oci,
            &[base.clone(), empty(), base, empty()],
        ),
    ]
}

fn base(program: &[u8]) -> Layer {
    let mut entries = vec![
        Entry::dir("./"),
        Entry::dir("bin/"),
        Entry::file("bin/hello", program).mode(0o755),
        Entry::symlink("bin/sh", "hello"),
        Entry::dir("etc/"),
        Entry::file("etc/passwd", b"root:x:0:0::/:/bin/sh\n"),
        Entry::file("etc/shadow", b"root:*::0:::::\n")
            .mode(0o640)
            .owner(0, 42),
        Entry::dir("usr/"),
        Entry::dir("usr/lib/"),
        Entry::symlink("lib", "usr/lib"),
        Entry::file("lib/through-a-link", b"lies in usr/lib\n"),
        Entry::dir("tmp/").mode(0o1777),
        Entry::dir("home/").owner(1000, 1000).mode(0o2750),
        Entry::file("home/set", b"s").owner(1000, 1000).mode(0o6755),
        Entry::dir("gone/"),
        Entry::file("gone/a", b"a"),
        Entry::dir("hidden/"),
        Entry::file("hidden/below", b"below"),
        Entry::dir("proc/").mode(0o555),
        Entry::dir("sys/").mode(0o555),
        Entry::dir("dev/"),
    ];
    for at in 0..40 {
        let content = format!("file {at} of many\n").repeat(at);
        let name = format!("usr/lib/f{at:02}");
        entries.push(Entry::file(&name, content.as_bytes()).mtime(1_600_000_000 + at as u64));
    }
    Layer::new(Packing::Gzip, &entries)
}

/// Links, devices, attributes, times.
fn special() -> Layer {
    // VFS_CAP_REVISION_2 with net_bind_service, permitted and effective.
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let entries = [
        Entry::dir("special/")
            .mode(0o711)
            .owner(7, 8)
            .xattr("user.dir", b"d"),
        Entry::file("special/one", b"linked thrice").owner(1, 2),
        Entry::hard_link("special/two", "special/one").owner(1, 2),
        Entry::hard_link("special/three", "/special/two").owner(1, 2),
        Entry::fifo("special/fifo").owner(3, 4),
        Entry::char_device("special/null", 1, 3),
        Entry::block_device("special/disk", 259, 1_048_575),
        Entry::file("special/attributes", b"x")
            .xattr("user.text", b"words")
            .xattr("user.binary", &[0, 1, 2, 255, b'\n', b'='])
            .xattr("trusted.dropped", b"never")
            .xattr("security.capability", &capability)
            .mode(0o755),
        Entry::file("special/fraction", b"x").record("mtime", b"1234567890.123456789"),
        Entry::file("special/read", b"x")
            .record("mtime", b"1234567890.5")
            .record("atime", b"1500000000.25"),
        Entry::file("special/owner", b"x").owner(4_000_000_000, 3_000_000_000),
        Entry::symlink("special/dangling", "/no/where").owner(5, 6),
        Entry::symlink("special/absolute", "/etc"),
        Entry::file("special/replaced", b"first"),
        Entry::dir("special/replaced/"),
        Entry::dir("special/also/"),
        Entry::file("special/also/inside", b"x"),
        Entry::file("special/also", b"a file now"),
    ];
    Layer::new(Packing::Gzip, &entries)
}

/// What removes and replaces what lies below.
fn changes() -> Layer {
    let entries = [
        Entry::whiteout("gone"),
        Entry::whiteout("etc/shadow"),
        Entry::whiteout("never/was").owner(9, 9),
        Entry::dir("hidden/"),
        Entry::opaque("hidden"),
        Entry::file("hidden/above", b"above"),
        Entry::dir("tmp/").mode(0o700),
        Entry::file("bin/sh", b"a file over a link").mode(0o755),
    ];
    Layer::new(Packing::Gzip, &entries)
}

/// Entries whose directories only layers below, or none, say anything about.
fn implied() -> Layer {
    let entries = [
        Entry::file("home/new", b"in the home of 1000"),
        Entry::file(
            "special/new/deep/file",
            b"under a directory with an attribute",
        ),
        Entry::file("nowhere/before/file", b"x").owner(11, 12),
        Entry::file("tmp/scratch", b"x"),
        Entry::file("gone/again", b"under a directory that was removed"),
        Entry::file("hidden/later", b"x"),
    ];
    Layer::new(Packing::Gzip, &entries)
}

/// Names that do not fit a plain header, and those that are not plain letters.
fn names(packing: Packing) -> Layer {
    let long = format!("long/{}", "directory-of-a-long-name/".repeat(7));
    let longest = "n".repeat(255);
    let entries = [
        Entry::file(&format!("{long}pax"), b"pax"),
        Entry::file(&format!("{long}gnu"), b"gnu").gnu(),
        Entry::symlink("long/symlink", &format!("/{long}pax")),
        Entry::symlink("long/symlink-gnu", &format!("/{long}gnu")).gnu(),
        Entry::hard_link(&format!("{long}hard"), &format!("{long}pax")),
        Entry::file(&longest, b"255"),
        Entry::file("./dot/./slash//doubled", b"x"),
        Entry::file("spaces and \"quotes\" \\ ümläut \u{1f980}", b"x"),
        Entry::file("new\nline", b"x"),
        Entry::file("zeros", &vec![0; 70_000]),
    ];
    Layer::new(packing, &entries)
}

fn foreign(word: &str) -> Layer {
    Layer::new(
        Packing::Gzip,
        &[Entry::file("architecture", word.as_bytes())],
    )
}

fn empty() -> Layer {
    Layer::new(Packing::Gzip, &[])
}
