//! Layers by chance, the same for the same seed: mostly right, and full of what is seldom seen.
//! It is separate because how often what comes is a matter of its own.

use super::build::{Item, Tar, entry};

/// Numbers by chance (splitmix64).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below a number.
    pub(super) fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    /// One in so many.
    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

const PARTS: &[&str] = &["a", "b", "c", "lib", "usr", "x y", "ü", ".hidden"];
const MODES: &[i64] = &[
    0o755, 0o755, 0o644, 0o600, 0o777, 0o1777, 0o2755, 0o4755, 0o6711, 0, 0o070,
];
const OWNERS: &[i64] = &[0, 0, 0, 0, 1, 42, 1000, 65_534, 2_097_152, 4_294_967_294];
const TIMES: &[i64] = &[
    0,
    1,
    1_000_000_000,
    1_700_000_000,
    5_000_000_000,
    -5,
    1 << 40,
];

/// The layers of one image.
pub(super) fn image(chance: &mut Chance) -> Vec<Vec<u8>> {
    let count = 1 + chance.below(4);
    (0..count).map(|at| layer(chance, at == 0)).collect()
}

fn layer(chance: &mut Chance, bottom: bool) -> Vec<u8> {
    let mut made = Made {
        bottom,
        ..Made::default()
    };
    let mut tar = Tar::default();
    if chance.one_in(2) {
        tar = tar.add(entry(b'5', "./").mode(0o700).owner(5, 5));
    }
    for _ in 0..chance.below(40) {
        tar = add(tar, chance, &mut made);
    }
    let mut layer = tar.end();
    if chance.one_in(4) {
        layer.extend_from_slice(b"trailing");
    }
    layer
}

/// What the layer has so far, roughly.
#[derive(Default)]
struct Made {
    bottom: bool,
    dirs: Vec<String>,
    files: Vec<String>,
    /// Anything that is no directory, whiteouts as well.
    others: Vec<String>,
}

/// The directories above a path.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

impl Made {
    /// A path in a directory that is there, mostly, and seldom in something that is none.
    fn path(&self, chance: &mut Chance) -> String {
        loop {
            let above_it = match chance.below(4) {
                0 => String::new(),
                1 => format!("{}/", chance.of(PARTS)),
                _ if self.dirs.is_empty() => String::new(),
                _ => format!("{}/", self.dirs[chance.below(self.dirs.len())]),
            };
            let mut path = format!("{above_it}{}", chance.of(PARTS));
            if chance.one_in(3) {
                path += &chance.below(100).to_string();
            }
            if chance.one_in(20) {
                path += &"long-".repeat(25);
            }
            let inside = above(&path).any(|dir| self.others.iter().any(|other| other == dir));
            if !inside || chance.one_in(200) {
                return path;
            }
        }
    }

    /// Something that is there now, in place of what was.
    fn put(&mut self, path: &str, kind: u8) {
        self.files.retain(|other| other != path);
        self.others.retain(|other| other != path);
        for dir in above(path) {
            if !self.dirs.iter().any(|other| other == dir) {
                self.dirs.push(dir.to_owned());
            }
        }
        match kind {
            b'5' => self.dirs.push(path.to_owned()),
            _ => self.others.push(path.to_owned()),
        }
        if kind == b'0' {
            self.files.push(path.to_owned());
        }
    }
}

fn add(tar: Tar, chance: &mut Chance, made: &mut Made) -> Tar {
    let path = made.path(chance);
    let kind = chance.of(b"00000055555221346w");
    if kind == b'w' {
        return whiteout(tar, chance, made, &path);
    }
    // A directory that becomes something else is for containerd itself to unpack.
    let there = made.dirs.contains(&path) && !chance.one_in(200);
    let kind = if there { b'5' } else { kind };
    let mut item = entry(kind, &path)
        .mode(chance.of(MODES))
        .owner(chance.of(OWNERS), chance.of(OWNERS))
        .mtime(chance.of(TIMES));
    match kind {
        b'0' => item = item.content(content(chance)),
        b'1' if made.files.is_empty() => return tar,
        b'1' => item = item.link(&made.files[chance.below(made.files.len())]),
        b'2' => item = item.link(chance.of(&["a", "/usr", "../lib", "b/c", "nowhere"])),
        b'3' | b'4' => item = item.device(chance.below(300).try_into().unwrap(), 7),
        _ => {}
    }
    if item.link == path.as_bytes() {
        return tar;
    }
    made.put(&path, kind);
    extended(tar, chance, item)
}

fn content(chance: &mut Chance) -> Vec<u8> {
    let size = match chance.below(10) {
        0 => 0,
        1 => 600_000,
        2 => 512,
        _ => chance.below(3000),
    };
    vec![b'a' + u8::try_from(chance.below(26)).unwrap(); size]
}

fn whiteout(tar: Tar, chance: &mut Chance, made: &mut Made, path: &str) -> Tar {
    if made.bottom && !chance.one_in(8) {
        return tar;
    }
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let dir = if dir.is_empty() {
        String::new()
    } else {
        format!("{dir}/")
    };
    if chance.one_in(3) {
        return tar.add(entry(b'0', &format!("{dir}.wh..wh..opq")));
    }
    // On what the layer itself made, seldom: then containerd fails.
    let own = made
        .dirs
        .iter()
        .chain(&made.others)
        .any(|other| other == path);
    if own && !chance.one_in(100) {
        return tar;
    }
    made.put(path, b'w');
    let item = entry(b'0', &format!("{dir}.wh.{name}"));
    tar.add(item.owner(chance.of(OWNERS), chance.of(OWNERS)))
}

/// Adds an entry with extension records of its own.
fn extended(tar: Tar, chance: &mut Chance, mut item: Item) -> Tar {
    let mut records: Vec<(&str, &[u8])> = Vec::new();
    let path = item.name.clone();
    if chance.one_in(4) {
        records.push(("mtime", b"1650000000.123456789"));
    }
    if chance.one_in(8) {
        records.push(("atime", b"1750000000.5"));
    }
    if chance.one_in(8) {
        records.push(("SCHILY.xattr.user.one", b"1"));
        records.push(("SCHILY.xattr.trusted.two", b"2"));
    }
    if chance.one_in(12) {
        records.push(("SCHILY.xattr.security.three", b"\x00\xff"));
    }
    if path.len() > 100 && chance.one_in(2) {
        records.push(("path", &path));
        item.name = b"short".to_vec();
    }
    if chance.one_in(10) {
        item.atime = Some(1_800_000_000);
    }
    if chance.one_in(15) {
        item.name = [b"./../", item.name.as_slice()].concat();
    }
    match records.is_empty() {
        true => tar.add(item),
        false => tar.pax(&records).add(item),
    }
}
