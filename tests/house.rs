//! Facts that are written in two places must be the same in both.
//! It is separate because no compiler sees a spec file or a document.

use std::path::Path;

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_rpm_has_the_crates_version() {
    let spec = text("rpm.spec");
    let version = spec
        .lines()
        .find_map(|line| line.strip_prefix("%{!?nodeagent_version:%global nodeagent_version "))
        .unwrap();
    assert_eq!(version.trim_end_matches('}'), env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_readme_names_every_verb_and_only_links_that_exist() {
    use clap::CommandFactory as _;
    let readme = text("README.md");
    for verb in nodeagent::cli::Cli::command().get_subcommands() {
        assert!(
            readme.contains(&format!("`{}", verb.get_name())),
            "README does not name {}",
            verb.get_name()
        );
    }
    let links = readme
        .split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap());
    let mut count = 0;
    for link in links {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(),
            "README links to {link}"
        );
        count += 1;
    }
    assert!(count > 3, "{count} links");
}
