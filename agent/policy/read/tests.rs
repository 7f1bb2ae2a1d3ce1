//! Folders as people leave them: masks, links, strays, wrong and huge files.
//! They are apart because they build small trees on disk.

use super::*;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn read(path: &Path) -> Result<Layer> {
    layer(&Root::open(Path::new("/")).unwrap(), path)
}

fn told(path: &Path) -> String {
    let error = read(path).unwrap_err();
    assert!(error.next_step().is_some());
    assert_eq!(error.kind(), Kind::Policy);
    error.to_string()
}

#[test]
fn a_folder_is_read_with_profiles_and_rootfs_and_nothing_else() {
    let dir = folder(&[
        ("10-a.toml", "schema = 1"),
        ("profiles/p.toml", "p"),
        ("rootfs/etc/a/b", "b"),
        ("old/20-b.toml", "never read"),
        ("notes.txt", "n"),
    ]);
    let layer = read(dir.path()).unwrap();
    let names: Vec<&str> = layer.files.keys().map(String::as_str).collect();
    let want = [
        "10-a.toml",
        "notes.txt",
        "old",
        "profiles/p.toml",
        "rootfs/etc/a/b",
    ];
    assert_eq!(names, want);
    assert_eq!(layer.files["rootfs/etc/a/b"], b"b");
    assert_eq!(layer.files["old"], b"");
    assert_eq!(layer.name, dir.path().to_str().unwrap());
}

#[test]
fn one_fragment_is_a_layer_of_its_own() {
    let dir = folder(&[("10-a.toml", "schema = 1"), ("20-b.toml", "x")]);
    let layer = read(&dir.path().join("10-a.toml")).unwrap();
    assert_eq!(layer.files.keys().collect::<Vec<_>>(), ["10-a.toml"]);
    let shown = layer.shown("10-a.toml");
    assert_eq!(shown, dir.path().join("10-a.toml").to_str().unwrap());
}

#[test]
fn a_link_to_dev_null_masks_and_other_special_files_are_refused() {
    let dir = folder(&[]);
    let link =
        |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
    link("/dev/null", "10-a.toml");
    assert_eq!(read(dir.path()).unwrap().files["10-a.toml"], b"");
    link("/dev/zero", "20-b.toml");
    assert!(told(dir.path()).ends_with("20-b.toml: it is not a regular file"));
    std::fs::remove_file(dir.path().join("20-b.toml")).unwrap();
    link("/nowhere", "30-c.toml");
    assert!(told(dir.path()).ends_with("30-c.toml: its symlink leads nowhere"));
}

#[test]
fn what_is_no_policy_is_named() {
    let dir = folder(&[("a.txt", "x")]);
    assert!(told(&dir.path().join("none")).ends_with("none: it does not exist"));
    let wrong = told(&dir.path().join("a.txt"));
    assert!(
        wrong.ends_with("a.txt: it is neither a folder, a .toml file nor images.lock"),
        "{wrong}"
    );
}

#[test]
fn a_huge_file_is_not_read_and_a_huge_folder_is_refused() {
    let dir = folder(&[]);
    let huge = std::fs::File::create(dir.path().join("10-a.toml")).unwrap();
    huge.set_len(1 << 40).unwrap();
    assert_eq!(
        read(dir.path()).unwrap().files["10-a.toml"].len(),
        MAX_BYTES + 1
    );
    for number in 0..=MAX_FILES {
        std::fs::write(dir.path().join(format!("{number}.md")), "").unwrap();
    }
    assert!(told(dir.path()).contains("more than 2000 files"));
}
