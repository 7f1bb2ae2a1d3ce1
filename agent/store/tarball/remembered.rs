//! `.cache.json`: what RKE2 remembers of the archives that it has imported, beside them; written so that it skips one.
//! It is separate because the format is k3s's and no part of an archive.
//!
//! Source: k3s pkg/agent/containerd/watcher.go. The key is the archive's absolute path as the node sees it, the value its
//! size and its time of change in whole seconds (`metav1.Time`, RFC 3339 in UTC); `images` came with k3s#14266, and older
//! ones ignore it. k3s imports an archive anew when it is newer than what stands here, and never writes the file where
//! it is not there. Read from 1.30.13, 1.31.9, 1.32.5 and 1.33.1 on, not by 1.28. Up to 1.34.1 RKE2 takes any file beside
//! the archives but a `.txt` for an archive when it decides whether to write its own lists of images, this one too
//! (pkg/images/images.go); beside an archive that changes nothing.

use serde_json::{Map, Value, json};

use crate::error::{Context as _, Error, Result};
use crate::host::Root;
use crate::host::date::rfc3339;
use crate::host::root::Attr;

/// The file's name.
const NAME: &str = ".cache.json";

/// The file beside an archive.
pub fn beside(archive: &str) -> String {
    let dir = archive.rsplit_once('/').map_or("", |(dir, _)| dir);
    format!("{dir}/{NAME}")
}

/// Whether RKE2 remembers an archive as it is now.
pub fn remembers(root: &Root, archive: &str) -> Result<bool> {
    let known = read(root, archive)?;
    let Some(want) = entry(root, archive, &[])? else {
        return Ok(false);
    };
    let Some(have) = known.get(archive) else {
        return Ok(false);
    };
    let same = |field| have.get(field) == want.get(field);
    Ok(same("size") && same("modTime"))
}

/// Makes RKE2 remember an archive that was imported under these names; what it remembers of others stays.
pub fn remember(root: &Root, archive: &str, images: &[String]) -> Result<()> {
    let mut known = read(root, archive)?;
    let Some(entry) = entry(root, archive, images)? else {
        let what = format!("make RKE2 remember {archive}: there is no such file");
        return Err(Error::host(what));
    };
    known.insert(archive.to_owned(), entry);
    let path = beside(archive);
    let bytes = serde_json::to_vec(&known).context(|| format!("write {path}"))?;
    root.write(&path, &bytes, Attr::root(0o644))
}

/// What the file says; an empty one, and one that k3s could not read either, say nothing.
fn read(root: &Root, archive: &str) -> Result<Map<String, Value>> {
    let bytes = root.read(&beside(archive))?.unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

/// An archive's entry; none where there is no such file.
fn entry(root: &Root, archive: &str, images: &[String]) -> Result<Option<Value>> {
    let Some(meta) = root.meta_followed(archive)? else {
        return Ok(None);
    };
    let time = rfc3339(u64::try_from(meta.mtime).unwrap_or(0));
    let mut entry = json!({"size": meta.size, "modTime": time});
    if let (Value::Object(fields), false) = (&mut entry, images.is_empty()) {
        fields.insert("images".to_owned(), json!(images));
    }
    Ok(Some(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_remembered_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::open(dir.path()).unwrap();
        let place = |bytes: &[u8], mtime| {
            let attr = Attr::mine(0o644);
            root.place("/images/a.tar", attr, mtime, &mut &*bytes)
                .unwrap();
        };
        std::fs::create_dir(dir.path().join("images")).unwrap();
        let other = r#"{"/x/b.tar":{"size":7,"modTime":"2026-06-23T18:05:52Z"}}"#;
        assert!(remember(&root, "/images/a.tar", &[]).is_err());
        for before in [other, "", "no JSON"] {
            std::fs::write(dir.path().join("images/.cache.json"), before).unwrap();
            place(b"abc", 1_706_933_106);
            assert!(!remembers(&root, "/images/a.tar").unwrap());
            remember(&root, "/images/a.tar", &["r.example/a:1".to_owned()]).unwrap();
            assert!(remembers(&root, "/images/a.tar").unwrap());
            place(b"abc", 1_706_933_107);
            assert!(!remembers(&root, "/images/a.tar").unwrap(), "it is newer");
            place(b"abcd", 1_706_933_106);
            assert!(!remembers(&root, "/images/a.tar").unwrap(), "it is longer");
        }
        std::fs::write(dir.path().join("images/.cache.json"), other).unwrap();
        place(b"abc", 1_706_933_106);
        remember(&root, "/images/a.tar", &["r.example/a:1".to_owned()]).unwrap();
        let text = root.read_text("/images/.cache.json").unwrap().unwrap();
        let known: Value = serde_json::from_str(&text).unwrap();
        let want = json!({
            "/images/a.tar": {"size": 3, "modTime": "2024-02-03T04:05:06Z", "images": ["r.example/a:1"]},
            "/x/b.tar": {"size": 7, "modTime": "2026-06-23T18:05:52Z"},
        });
        assert_eq!(known, want);
    }
}
