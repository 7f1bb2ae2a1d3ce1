//! Archives made here, in every arrangement that boot tools make, and broken ones.
//! It is separate because the archives are longer than the code they test.

use std::io::Write as _;

use super::*;

/// One file in the format newc.
fn file(name: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let mut out = b"070701".to_vec();
    let size = u32::try_from(content.len()).unwrap();
    let length = u32::try_from(name.len() + 1).unwrap();
    for number in [1, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, length, 0] {
        write!(out, "{number:08X}").unwrap();
    }
    out.extend_from_slice(name.as_bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in files {
        out.extend(file(name, 0o100_644, content.as_bytes()));
    }
    out.extend(file("TRAILER!!!", 0, b""));
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn found(image: &[u8]) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("boot")).unwrap();
    std::fs::write(dir.path().join("boot/initrd.img-6"), image).unwrap();
    let root = Root::open(dir.path()).unwrap();
    let mut seen = Initramfs::default();
    look(&root, "/boot/initrd.img-6".to_owned(), &mut seen).unwrap();
    let mut diff = Diff::<()>::default();
    seen.judge(&mut diff);
    assert_eq!(diff.differences.len(), seen.found.len());
    assert_eq!(diff.unknown.len(), seen.unread.len());
    match seen.unread.pop() {
        Some((_, why)) => Err(why),
        None => Ok(seen.found.into_iter().map(|(_, inside)| inside).collect()),
    }
}

const ID: &str = "0123456789abcdef0123456789abcdef\n";

#[test]
fn it_is_found_behind_every_arrangement_of_archives() {
    let early = archive(&[("kernel/x86/microcode/GenuineIntel.bin", "microcode")]);
    let main = archive(&[("./init", "#!/bin/sh"), ("./etc/machine-id", ID)]);
    let clean = archive(&[("usr/lib/x.ko", "module")]);
    for image in [
        main.clone(),
        gzip(&main),
        zstd(&main),
        [early.clone(), gzip(&main)].concat(),
        [early.clone(), zstd(&main)].concat(),
        [early.clone(), clean.clone(), zstd(&main)].concat(),
        [early.clone(), gzip(&clean), vec![0; 700], zstd(&main)].concat(),
        [early.clone(), gzip(&[clean.clone(), main.clone()].concat())].concat(),
    ] {
        assert_eq!(found(&image), Ok(vec!["etc/machine-id".to_owned()]));
    }
    assert_eq!(found(&[early, zstd(&clean)].concat()), Ok(vec![]));
}

#[test]
fn only_what_is_one_machine_s_own_counts() {
    let table = [
        ("etc/machine-id", ID, true),
        ("etc/machine-id", "", false),
        ("etc/machine-id", "uninitialized\n", false),
        ("etc/hostname", "builder\n", true),
        ("etc/hostname", "localhost\n", false),
        ("etc/machine-info", "PRETTY_HOSTNAME=builder\n", true),
        (
            "etc/hosts",
            "127.0.0.1 localhost\n127.0.1.1 builder\n",
            true,
        ),
        ("etc/hosts", "127.0.0.1 localhost\n", false),
        (
            "etc/iscsi/initiatorname.iscsi",
            "InitiatorName=iqn.x:1\n",
            true,
        ),
        ("etc/iscsi/initiatorname.iscsi", "GenerateName=yes\n", false),
        ("etc/nvme/hostnqn", "nqn.x\n", true),
        ("etc/nvme/hostid", "x\n", true),
        ("etc/ssh/ssh_host_rsa_key", "key", true),
        ("etc/dropbear/dropbear_ecdsa_host_key", "key", true),
        ("root-Ab3/.ssh/authorized_keys", "ssh-rsa AAAA", true),
        ("etc/other", ID, false),
        ("usr/share/doc/etc/machine-id", ID, false),
    ];
    for (name, content, want) in table {
        let told = found(&archive(&[(name, content)])).unwrap();
        assert_eq!(told.len(), usize::from(want), "{name} {content:?}");
    }
    let link = [
        file("etc/machine-id", 0o120_777, ID.as_bytes()),
        archive(&[]),
    ]
    .concat();
    assert_eq!(
        found(&link),
        Ok(vec![]),
        "a symlink's target is no identifier"
    );
}

#[test]
fn what_cannot_be_read_is_told_and_bounded() {
    let main = archive(&[("etc/machine-id", ID)]);
    let with = |at: usize, text: &str| {
        let mut bytes = main.clone();
        bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
        bytes
    };
    let half = zstd(&main);
    for (image, why) in [
        (b"\xfd7zXZ\0\0\0".to_vec(), "packed with xz"),
        (b"\x02\x21\x4c\x18rest".to_vec(), "packed with lz4"),
        (b"hello".to_vec(), "something unknown"),
        (b"070707odc".to_vec(), ""),
        (main[..150].to_vec(), ""),
        (half[..half.len() - 4].to_vec(), ""),
        (with(0, "070709"), "newc"),
        (with(54, "FFFFFFFF"), ""),
        (with(94, "FFFFFFFF"), "a name of"),
        (with(94, "00000000"), "a name of"),
        (with(54, "zzzzzzzz"), "without numbers"),
        ([main.clone(), b"ab".to_vec()].concat(), "behind the last"),
        (zstd(b"no archive at all"), "something else"),
    ] {
        let told = found(&image);
        let told = told.expect_err("it was read");
        assert!(told.contains(why), "{told:?} without {why:?}");
    }
    // One file of 4 GiB each: refused by the sum before the bytes are looked for.
    let bomb = file("a", 0o100_644, b"");
    let bomb = [&bomb[..54], b"FFFFFFFF", &bomb[62..]].concat();
    assert!(found(&bomb).is_err());
}
