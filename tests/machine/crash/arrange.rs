//! What files say, apart from numbers and orders that depend on which package was configured first.
//! Separate because two trees are the same to everybody when only these differ, and byte by byte they are not.

use std::{collections::BTreeMap, fs, path::Path};

pub(super) const MANIFEST: &str = "etc/packer-build/image-manifest.json";
pub(super) const STATUS: &str = "var/lib/dpkg/status";

/// Accounts and groups of a tree by their numbers.
pub(super) struct Names {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Names {
    pub(super) fn of(root: &Path) -> Self {
        let read = |path: &str| {
            let text = fs::read_to_string(root.join(path)).unwrap_or_default();
            let pair = |line: &str| {
                let mut fields = line.split(':');
                let name = fields.next()?.to_owned();
                Some((fields.nth(1)?.parse().ok()?, name))
            };
            text.lines().filter_map(pair).collect()
        };
        Self {
            users: read("etc/passwd"),
            groups: read("etc/group"),
        }
    }

    /// The owner of a path; a number that nobody has stays one.
    pub(super) fn owner(&self, user: u32, group: u32) -> String {
        let name = |names: &BTreeMap<u32, String>, number: u32| {
            let name = names.get(&number).cloned();
            name.unwrap_or_else(|| number.to_string())
        };
        format!("{}:{}", name(&self.users, user), name(&self.groups, group))
    }
}

/// Lines of fields between colons, with some of the fields.
pub(super) fn fields(text: &str, kept: &[usize]) -> Vec<String> {
    let lines = text.lines().map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let some = kept.iter().filter_map(|at| fields.get(*at).copied());
        some.collect::<Vec<_>>().join(":")
    });
    lines.collect()
}

/// The stanzas of a deb822 file, sorted.
pub(super) fn sorted(text: &str) -> String {
    let mut stanzas: Vec<_> = text.split("\n\n").map(str::trim).collect();
    stanzas.sort_unstable();
    stanzas.join("\n\n")
}

/// What a file says: accounts by name, packages by state and version, the manifest without numbers of accounts.
pub(super) fn arranged(path: &str, text: &str) -> Vec<String> {
    let mut said = match path {
        "etc/passwd" => fields(text, &[0, 1, 5, 6]),
        "etc/group" => fields(text, &[0, 1, 3]),
        MANIFEST => manifest(text),
        STATUS => packages(text),
        _ => fields(text, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
    };
    said.sort();
    said
}

fn packages(text: &str) -> Vec<String> {
    let told = ["Package:", "Status:", "Architecture:", "Version:"];
    let stanzas = text.split("\n\n").map(|stanza| {
        let lines = stanza.lines();
        let some = lines.filter(|line| told.iter().any(|field| line.starts_with(field)));
        some.collect::<Vec<_>>().join(" ")
    });
    stanzas.collect()
}

fn manifest(text: &str) -> Vec<String> {
    let mut manifest: serde_json::Value = serde_json::from_str(text).unwrap();
    let accounts = manifest.pointer_mut("/inventory/accounts").unwrap();
    let lines: Vec<_> = accounts.as_array().unwrap().iter().collect();
    let lines = lines.into_iter().map(|line| line.as_str().unwrap());
    let mut said: Vec<_> = lines.flat_map(|line| fields(line, &[0, 3, 4])).collect();
    *accounts = serde_json::Value::Null;
    said.push(manifest.to_string());
    said
}

#[test]
fn only_numbers_comments_and_orders_are_no_difference() {
    let passwd = "a:x:102:109:Comment,,,:/a:/bin/sh\nb:x:103:110::/b:/bin/sh";
    let swapped = "b:x:102:110::/b:/bin/sh\na:x:103:109::/a:/bin/sh";
    let same = |path: &str, a: &str, b: &str| arranged(path, a) == arranged(path, b);
    assert!(same("etc/passwd", passwd, swapped));
    for other in [
        passwd.replace("/a:", "/c:"),
        passwd.replace("/a:/bin/sh", "/a:/bin/no"),
        passwd.replace("b:x", "c:x"),
        "a:x:102:109::/a:/bin/sh".to_owned(),
    ] {
        assert!(!same("etc/passwd", passwd, &other), "{other}");
    }
    assert!(same("etc/group", "a:x:1:u\nb:x:2:", "b:x:1:\na:x:2:u"));
    assert!(!same("etc/group", "a:x:1:u", "a:x:1:"));
    assert!(same("etc/shadow", "a:!:1\nb:*:2", "b:*:2\na:!:1"));
    assert!(!same("etc/shadow", "a:!:1", "a:*:1"));
    let manifest = |accounts: &str, os: &str| {
        format!("{{\"inventory\":{{\"accounts\":[{accounts}]}},\"os\":\"{os}\"}}")
    };
    let one = manifest("\"a:102:9:/a:/s\",\"b:103:9:/b:/s\"", "12");
    assert!(same(
        MANIFEST,
        &one,
        &manifest("\"b:102:9:/b:/s\",\"a:103:9:/a:/s\"", "12")
    ));
    assert!(!same(MANIFEST, &one, &manifest("\"a:102:9:/a:/s\"", "12")));
    assert!(!same(
        MANIFEST,
        &one,
        &manifest("\"a:102:9:/a:/s\",\"b:103:9:/b:/s\"", "13")
    ));
    let status = "Package: a\nStatus: install ok installed\nVersion: 1\nOther: x\n\nPackage: b";
    assert!(same(
        STATUS,
        status,
        &status.replace("Other: x", "Other: y")
    ));
    assert!(!same(
        STATUS,
        status,
        &status.replace("Version: 1", "Version: 2")
    ));
    assert!(!same(
        STATUS,
        status,
        &status.replace("ok installed", "ok unpacked")
    ));
}
