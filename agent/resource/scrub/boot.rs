//! Boot loader entries (BLS) whose names carry the builder's machine-id get a neutral token in its place.
//! It is separate because four kinds of file refer to one another, and GRUB sorts entries by their names.
//!
//! GRUB compares names as RPM compares versions: a capital letter comes before every digit group and small letter, so
//! an entry with the token is older than one that a node adds under its own machine-id, and the newer kernel boots.

use crate::error::{Error, Result};
use crate::host::root::Attr;
use crate::host::{FileKind, Meta, Root, glob};

const ENTRIES: &str = "/boot/loader/entries";
/// Where kernel-install looks for the prefix of new entries (kernel-install(8)).
const TOKEN: &str = "/etc/kernel/entry-token";
/// The key of GRUB's environment that names an entry.
const SAVED: &str = "saved_entry=";

/// Whether a token is one that sorts before every machine-id and may be part of a file name.
pub(super) fn is_token(token: &str) -> bool {
    let rest = token.strip_prefix(|c: char| c.is_ascii_uppercase());
    rest.is_some_and(|rest| {
        rest.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
    })
}

/// The file with the prefix of new entries; none where there are no such entries.
pub(super) fn token_file(root: &Root) -> Result<Option<String>> {
    let entries = glob::expand(root, &[format!("{ENTRIES}/*.conf")])?;
    Ok((!entries.paths.is_empty()).then(|| TOKEN.to_owned()))
}

/// Whether nothing at the path carries a machine-id any more.
pub(super) fn is_neutral(root: &Root, path: &str, token: &str, meta: Meta) -> Result<bool> {
    if meta.kind != FileKind::File {
        return Ok(true);
    }
    if let Some(name) = entry_name(path) {
        return Ok(neutral(name, token).is_none());
    }
    let text = text(root, path)?;
    Ok(match path {
        TOKEN => text.trim() == token,
        _ => saved(&text).is_none_or(|name| neutral(name, token).is_none()),
    })
}

/// Renames an entry, or puts the token where a file refers to it.
pub(super) fn rename(root: &Root, path: &str, token: &str) -> Result<()> {
    let attr = root.meta(path)?.map_or(Attr::root(0o644), |meta| Attr {
        mode: meta.mode,
        uid: meta.uid,
        gid: meta.gid,
    });
    if path == TOKEN {
        root.make_parent(path)?;
        return root.write(path, format!("{token}\n").as_bytes(), attr);
    }
    if let Some(name) = entry_name(path) {
        let Some(new) = neutral(name, token) else {
            return Ok(());
        };
        // First the new name, then the old one goes: killed in between, both boot the same kernel.
        let bytes = root.read(path)?.unwrap_or_default();
        root.write(&format!("{ENTRIES}/{new}.conf"), &bytes, attr)?;
        return root.remove(path);
    }
    let old = text(root, path)?;
    match environment(&old, token) {
        Some(new) => root.write(path, new.as_bytes(), attr),
        None => Ok(()),
    }
}

/// The name of an entry, without folder and suffix; none for other files.
fn entry_name(path: &str) -> Option<&str> {
    path.strip_prefix(ENTRIES)?
        .strip_prefix('/')?
        .strip_suffix(".conf")
}

/// The name with the token in place of a machine-id; none when it begins with none.
fn neutral(name: &str, token: &str) -> Option<String> {
    let (id, rest) = name.split_once('-')?;
    let is_id = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then(|| format!("{token}-{rest}"))
}

fn saved(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix(SAVED))
}

/// GRUB's environment block with the saved entry renamed. It keeps its length, filled up with `#`: GRUB writes it in place.
fn environment(old: &str, token: &str) -> Option<String> {
    let name = saved(old)?;
    let new = neutral(name, token)?;
    let short = old.replacen(&format!("{SAVED}{name}\n"), &format!("{SAVED}{new}\n"), 1);
    let fill = old.len().saturating_sub(short.len());
    Some(short + &"#".repeat(fill))
}

fn text(root: &Root, path: &str) -> Result<String> {
    let bytes = root.read(path)?.unwrap_or_default();
    String::from_utf8(bytes)
        .map_err(|_| Error::host(format!("read {path}: it is not text as GRUB writes it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn only_a_machine_id_gives_way() {
        let table = [
            (
                format!("{ID}-5.14.0-503.el9.x86_64"),
                Some("Image-5.14.0-503.el9.x86_64"),
            ),
            (format!("{ID}-0-rescue"), Some("Image-0-rescue")),
            ("Image-5.14.0".to_owned(), None),
            ("0123-5.14.0".to_owned(), None),
            (ID.to_owned(), None),
        ];
        for (name, want) in table {
            assert_eq!(neutral(&name, "Image").as_deref(), want, "{name}");
        }
    }

    #[test]
    fn the_environment_block_keeps_its_length() {
        let head = format!(
            "# GRUB Environment Block\nsaved_entry={ID}-5.14.0\nboot_success=0\nkernelopts=root=x\n"
        );
        let old = format!("{head}{}", "#".repeat(1024 - head.len()));
        let new = environment(&old, "Image").unwrap();
        assert_eq!(new.len(), 1024);
        assert!(new.contains("\nsaved_entry=Image-5.14.0\nboot_success=0\n"));
        assert_eq!(environment(&new, "Image"), None, "nothing the second time");
        assert_eq!(environment("saved_entry=1\n", "Image"), None);
    }

    #[test]
    fn a_token_sorts_before_every_machine_id() {
        for (token, right) in [
            ("Image", true),
            ("I", true),
            ("Golden_9.4", true),
            ("image", false),
            ("9", false),
            ("", false),
            ("A/b", false),
            ("A-b", false),
        ] {
            assert_eq!(is_token(token), right, "{token:?}");
        }
    }
}
