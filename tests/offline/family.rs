//! A profile of one family on a tree of another: refused before anything was looked at, and nothing is left behind.
//! It is separate because it is about the shipped profiles, and needs a tree in which looking leaves a trace.

use std::path::Path;
use std::process::Output;

use crate::sandbox::debian;
use crate::support::offline::{code, command};

const ROCKY: &str =
    "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n";
const UBUNTU: &str = "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\n";
const DEBIAN: &str = "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\n";

/// A script's check runs whenever its entry is observed.
const TRACE: &str = r#"
schema = 1
[[script]]
name = "trace"
check = "touch /observed"
run = "touch /applied"
reason = "tells that somebody looked"
"#;

/// A value for every variable that the profile leaves to its user: without one nothing else is judged.
fn values(profile: &str) -> Vec<String> {
    let shown = command(&["policy", "show", "--profile", profile]).output();
    let said = String::from_utf8_lossy(&shown.unwrap().stderr).into_owned();
    let open = said.lines().filter_map(|line| {
        let (_, name) = line.split_once("the variable `")?;
        Some(name.split_once("` has no value")?.0.to_owned())
    });
    let value = |name: String| {
        let (digest, image) = ("a".repeat(64), format!("site/{name}:v1"));
        let value = match name.rsplit('_').next() {
            Some("registry") => "registry.example",
            Some("image") => &image,
            Some("sha256" | "sums") => &digest,
            Some("fingerprint") => &digest[..40],
            Some("key") => "/etc/site.asc",
            _ => "v1",
        };
        format!("--set={name}={value}")
    };
    open.map(value).collect()
}

fn run(root: &Path, trace: &Path, verb: &str, profile: &str) -> Output {
    let json: &[&str] = if verb == "bake" { &[] } else { &["--json"] };
    command(&["--root", root.to_str().unwrap(), verb])
        .args(["--profile", profile, "--policy", trace.to_str().unwrap()])
        .args(values(profile))
        .args(json)
        .output()
        .unwrap()
}

#[test]
fn a_profile_of_another_family_is_refused_before_anything_is_looked_at() {
    let tree = debian("family");
    let root = tree.path();
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("95-trace.toml");
    std::fs::write(&trace, TRACE).unwrap();
    let systems = [
        ("rocky", "9.4", ROCKY),
        ("ubuntu", "22.04", UBUNTU),
        ("debian", "12", DEBIAN),
    ];
    for (family, version, os_release) in systems {
        // Not the symlink to what the package base-files owns.
        std::fs::remove_file(root.join("etc/os-release")).unwrap();
        std::fs::write(root.join("etc/os-release"), os_release).unwrap();
        let profiles = [
            ("rocky", "rke2-rocky9"),
            ("ubuntu", "rke2-ubuntu2204"),
            ("debian", "rke2-debian12"),
        ];
        for (wanted, profile) in profiles.into_iter().filter(|(wanted, _)| *wanted != family) {
            for verb in ["plan", "bake", "verify"] {
                let output = run(&root, &trace, verb, profile);
                assert_eq!(code(&output), 4, "{verb} {profile} on {family}");
                assert!(output.stdout.is_empty(), "{verb} {profile} on {family}");
                let said = String::from_utf8_lossy(&output.stderr);
                let version = format!("version is {version}, wanted ");
                let family = format!("family is {family}");
                // Ubuntu is of Debian's family: the version tells them apart.
                let words = [
                    &version,
                    if version.contains("22.04") && wanted == "debian" {
                        &version
                    } else {
                        &family
                    },
                ];
                for word in words
                    .into_iter()
                    .map(String::as_str)
                    .chain(["next: choose another --profile"])
                {
                    assert!(said.contains(word), "{word}: {said}");
                }
            }
        }
        for left in [
            "observed",
            "applied",
            "var/lib/nodeagent",
            "etc/packer-build",
        ] {
            assert!(!root.join(left).exists(), "{left} on {family}");
        }
    }
    // The last system is Debian: its own profile looks, so the trace can be seen.
    assert_eq!(code(&run(&root, &trace, "plan", "rke2-debian12")), 3);
    assert!(root.join("observed").exists());
}
