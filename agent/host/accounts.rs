//! Accounts of the tree that is worked on: names, numbers, homes, read from its own passwd and group files.
//! It is separate because a static binary has no NSS, and with `--root` the host's accounts would be the wrong ones.

use crate::error::{Context as _, Error, Result};
use crate::host::Root;

/// One line of /etc/passwd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Primary group number.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// All accounts, in the file's order; lines that do not parse are left out.
pub fn accounts(root: &Root) -> Result<Vec<Account>> {
    Ok(parse_passwd(
        &root.read_text("/etc/passwd")?.unwrap_or_default(),
    ))
}

/// Directories that accounts of daemons have for a home although they are the system's own.
const SYSTEM: [&str; 15] = [
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/media", "/mnt", "/opt", "/proc",
    "/sbin", "/srv", "/sys", "/usr",
];

/// Whether a home is the root (an empty text, as `homes` has it) or a directory of the system: what lies in it is not
/// a person's, but for the hidden files that login, SSH and shells look for there.
pub fn is_system_directory(home: &str) -> bool {
    let deep = [
        "/bin/", "/boot/", "/dev/", "/etc/", "/lib/", "/proc/", "/sbin/", "/sys/", "/usr/",
    ];
    let var = ["/run", "/tmp", "/var", "/var/lib", "/var/log", "/var/tmp"];
    let plain = home.split('/').all(|part| !matches!(part, "." | ".."));
    !plain
        || home.is_empty()
        || SYSTEM.contains(&home)
        || var.contains(&home)
        || deep.iter().any(|above| home.starts_with(above))
}

/// The distinct home directories of all accounts, sorted, without the last slash: `/` is the empty text.
pub fn homes(root: &Root) -> Result<Vec<String>> {
    let mut homes: Vec<String> = accounts(root)?
        .into_iter()
        .filter(|account| account.home.starts_with('/'))
        .map(|account| account.home.trim_end_matches('/').to_owned())
        .collect();
    homes.sort();
    homes.dedup();
    Ok(homes)
}

/// The number of a user given by name or number; none when the tree has no such name.
/// `root` is 0 by the kernel's own rule, so a tree without accounts yet can be written to.
pub fn find_uid(root: &Root, owner: &str) -> Result<Option<u32>> {
    if owner == "root" {
        return Ok(Some(0));
    }
    if let Ok(number) = owner.parse() {
        return Ok(Some(number));
    }
    let known = accounts(root).context(|| format!("look up the user {owner}"))?;
    let found = known.into_iter().find(|account| account.name == owner);
    Ok(found.map(|account| account.uid))
}

/// The number of a group given by name or number; none when the tree has no such name.
pub fn find_gid(root: &Root, group: &str) -> Result<Option<u32>> {
    if group == "root" {
        return Ok(Some(0));
    }
    if let Ok(number) = group.parse() {
        return Ok(Some(number));
    }
    let text = root.read_text("/etc/group")?.unwrap_or_default();
    Ok(text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == group).then(|| fields.nth(1)?.parse().ok())?
    }))
}

/// The number of a user that must exist.
pub fn uid(root: &Root, owner: &str) -> Result<u32> {
    find_uid(root, owner)?.ok_or_else(|| unknown("user", owner, "/etc/passwd"))
}

/// The number of a group that must exist.
pub fn gid(root: &Root, group: &str) -> Result<u32> {
    find_gid(root, group)?.ok_or_else(|| unknown("group", group, "/etc/group"))
}

fn unknown(what: &str, name: &str, file: &str) -> Error {
    Error::host(format!(
        "look up the {what} {name}: {file} has no such name"
    ))
    .hint("accounts come with packages: check that the package that makes it is in the policy")
}

fn parse_passwd(text: &str) -> Vec<Account> {
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            let home = fields.nth(1)?.to_owned();
            let shell = fields.next().unwrap_or_default().to_owned();
            Some(Account {
                name,
                uid,
                gid,
                home,
                shell,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwd_lines_parse_and_broken_ones_are_left_out() {
        let text =
            "root:x:0:0:root:/root:/bin/bash\n+::::::\nbuilder:x:1000:1000::/home/builder/:\n";
        let all = parse_passwd(text);
        assert_eq!(all.len(), 2);
        assert_eq!((all[1].uid, all[1].home.as_str()), (1000, "/home/builder/"));
    }

    #[test]
    fn names_and_numbers_are_those_of_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(
            dir.path().join("etc/passwd"),
            "a:x:7:8::/h/a:/bin/sh\nb:x:9:9::/h/a/:/bin/sh\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("etc/group"), "g:x:42:a,b\n").unwrap();
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(uid(&root, "a").unwrap(), 7);
        assert_eq!(uid(&root, "1234").unwrap(), 1234);
        assert_eq!(gid(&root, "g").unwrap(), 42);
        assert_eq!(uid(&root, "root").unwrap(), 0);
        assert_eq!(find_gid(&root, "a").unwrap(), None);
        assert!(uid(&root, "z").unwrap_err().next_step().is_some());
        assert_eq!(homes(&root).unwrap(), ["/h/a"]);
    }
}
