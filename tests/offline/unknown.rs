//! A system of a family whose package manager is not known: only questions about packages fail, and they say why.
//! It is separate because the policy is its own: the shipped profiles refuse such a system as a whole.

use crate::support::offline::{Mini, code};

const PROFILE: &str = "schema = 1\ndescription = \"x\"\nproven = false\nfragments = [\"10-x.toml\"]\n\
                       [requires]\nfamily = \"alpine\"\nversion = \"3\"\narch = [\"x86_64\", \"aarch64\"]\n";
const FRAGMENT: &str = "schema = 1\n[[package]]\nname = \"bash\"\nreason = \"x\"\n\
                        [[directory]]\npath = \"/srv/x\"\nreason = \"x\"\n";

#[test]
fn packages_are_an_error_that_names_the_system_and_the_rest_is_looked_at() {
    let mini = Mini::new();
    mini.put("etc/os-release", "ID=alpine\nVERSION_ID=3.20\n");
    let policy = tempfile::tempdir().unwrap();
    std::fs::create_dir(policy.path().join("profiles")).unwrap();
    std::fs::write(policy.path().join("profiles/x.toml"), PROFILE).unwrap();
    std::fs::write(policy.path().join("10-x.toml"), FRAGMENT).unwrap();
    let folder = policy.path().to_str().unwrap();
    let output = mini.run(&["plan", "--profile", "x", "--policy", folder]);
    assert_eq!(code(&output), 1);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("no package manager is known for this system (ID is alpine)"),
        "{said}"
    );
    assert!(said.contains("/srv/x"), "{said}");
}
