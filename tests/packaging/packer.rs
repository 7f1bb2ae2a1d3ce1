//! The Packer templates under the real `packer validate`, and all HCL under its formatter.
//! It is separate because Packer looks for files, and its OpenStack builder logs in when it validates.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nodeagent::policy::{Mistakes, Request, Sources, resolve};

use super::keystone::validate_openstack;
use super::{source, text};
use crate::support::machine::run::{Done, run};

const QEMU: &str = "packaging/packer/qemu.pkr.hcl";
/// What fits the template above to a distribution.
const ROCKY: &str = "packaging/packer/rocky9.pkrvars.hcl";
const DEBIAN: &str = "packaging/packer/debian12.pkrvars.hcl";
const UBUNTU: &str = "packaging/packer/ubuntu2204.pkr.hcl";

pub(super) fn packer(args: &[&str], template: &Path, env: &[(&str, String)]) -> Done {
    let mut command = Command::new("packer");
    command.args(args).arg(template).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap());
    // Neither a question to the vendor's server nor a cache in the home of whoever runs the tests.
    command.env("CHECKPOINT_DISABLE", "1");
    command.env("HOME", template.parent().unwrap());
    command.envs(env.iter().map(|(name, value)| (name, value)));
    run(&mut command, Duration::from_secs(60)).unwrap()
}

/// A folder with all files that the templates name, and the values of their required variables.
fn site(dir: &Path) -> Vec<(&'static str, String)> {
    for folder in ["seed", "files"] {
        std::fs::create_dir(dir.join(folder)).unwrap();
    }
    for file in ["seed/user-data", "seed/meta-data", "nodeagent", "stock.img"] {
        std::fs::write(dir.join(file), "").unwrap();
    }
    let mut keygen = Command::new("openssl");
    keygen.args(["genrsa", "-traditional", "-out"]);
    let made = run(keygen.arg(dir.join("key")), Duration::from_secs(60)).unwrap();
    assert_eq!(made.code, 0, "{}", made.stderr);
    let path = |name: &str| dir.join(name).display().to_string();
    vec![
        ("PKR_VAR_source_image_url", path("stock.img")),
        (
            "PKR_VAR_source_image_checksum",
            format!("sha256:{}", "0".repeat(64)),
        ),
        ("PKR_VAR_seed_directory", path("seed")),
        ("PKR_VAR_ssh_private_key_file", path("key")),
        ("PKR_VAR_source_image_name", "ubuntu-22.04".to_owned()),
        ("PKR_VAR_flavor", "m1.large".to_owned()),
        ("PKR_VAR_network_id", "build".to_owned()),
        ("PKR_VAR_nodeagent", path("nodeagent")),
        ("PKR_VAR_files", path("files")),
        ("PKR_VAR_rke2_version", "v1.34.2+rke2r1".to_owned()),
        (
            "PKR_VAR_settings",
            "{ site = \"it's ${here}\" }".replace("${", "$${"),
        ),
    ]
}

fn validate(template: &Path, env: &[(&str, String)]) -> Done {
    if template.ends_with("ubuntu2204.pkr.hcl") {
        validate_openstack(template, env)
    } else {
        packer(&["validate", &values(ROCKY)], template, env)
    }
}

/// The argument that gives a template the values of a file.
fn values(name: &str) -> String {
    format!("-var-file={}", source(name).display())
}

#[test]
fn both_packer_templates_are_valid_and_broken_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let env = site(dir.path());
    for name in [QEMU, UBUNTU] {
        let copy = dir.path().join(Path::new(name).file_name().unwrap());
        std::fs::copy(source(name), &copy).unwrap();
        let right = validate(&copy, &env);
        assert_eq!(right.code, 0, "{name}: {}{}", right.stdout, right.stderr);
        let faults = [
            ("ssh_timeout", "ssh_timeoot"),
            ("direction   = \"download\"", "direction   = \"sideways\""),
            ("local.as_root", "local.as_nobody"),
        ];
        for (from, to) in faults {
            let broken = text(name).replace(from, to);
            assert_ne!(broken, text(name), "{name} has no {from}");
            std::fs::write(&copy, broken).unwrap();
            let wrong = validate(&copy, &env);
            assert_ne!(wrong.code, 0, "{name} with {to}: {}", wrong.stdout);
        }
    }
}

#[test]
fn a_packer_build_needs_a_checksum_a_version_and_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let env = site(dir.path());
    for name in [
        "source_image_url",
        "source_image_checksum",
        "ssh_private_key_file",
        "rke2_version",
    ] {
        let variable = format!("PKR_VAR_{name}");
        let rest: Vec<_> = env
            .iter()
            .filter(|(n, _)| *n != variable)
            .cloned()
            .collect();
        let done = packer(&["validate", &values(ROCKY)], &source(QEMU), &rest);
        assert_ne!(done.code, 0, "{name}");
        assert!(
            (done.stdout + &done.stderr).contains(name),
            "{name} is not named"
        );
    }
}

/// The values of a template's locals, as `packer inspect` prints them.
fn locals(template: &str, file: Option<&str>, env: &[(&str, String)]) -> Vec<String> {
    let file = file.map(values);
    let args: Vec<&str> = ["inspect"].into_iter().chain(file.as_deref()).collect();
    let done = packer(&args, &source(template), env);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let lines = done.stdout.lines().filter(|l| l.starts_with("local."));
    lines.map(str::to_owned).collect()
}

/// The profile declares every variable that the template sets, and takes its value.
fn assert_settings(profile: &str, sets: &[&str]) {
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    let request = Request {
        profile,
        sets: &sets,
        self_sha256: &"0".repeat(64),
        unset_is_fine: true,
    };
    if let Err(error) = resolve(&Sources::shipped(), &request) {
        panic!("{}", Mistakes::of(&error).unwrap());
    }
}

#[test]
fn names_and_arguments_follow_the_variables() {
    let dir = tempfile::tempdir().unwrap();
    let mut env = site(dir.path());
    env.push(("PKR_VAR_fips_enabled", "true".to_owned()));
    env.push(("PKR_VAR_skip", "[\"image\", \"unit:x.service\"]".to_owned()));
    let debian = "rke2-debian12-golden-20";
    for (template, file, profile, account, name) in [
        (
            QEMU,
            Some(ROCKY),
            "rke2-rocky9",
            "rocky",
            "rke2-rocky9-golden-20",
        ),
        (QEMU, Some(DEBIAN), "rke2-debian12", "debian", debian),
        (
            UBUNTU,
            None,
            "rke2-ubuntu2204",
            "ubuntu",
            "rke2-node-v1.34-20",
        ),
    ] {
        let found = locals(template, file, &env);
        let name = format!("local.image_name: \"{name}");
        assert!(found.iter().any(|l| l.starts_with(&name)), "{found:?}");
        // As packer prints it: backslashes twice.
        let artifacts = "rke2_artifacts=/var/tmp/build/files/rke2";
        let declared = [
            &format!("build_account={account}"),
            "fips_enabled=true",
            artifacts,
            "rke2_version=v1.34.2+rke2r1",
        ];
        assert_settings(profile, &declared);
        let set = declared
            .map(|setting| format!("--set '{setting}'"))
            .join(" ");
        let set = set + r" --set 'site=it'\\''s ${here}'";
        let bake = format!(
            "bake --build-machine --profile {profile} {set} --skip 'image' --skip 'unit:x.service'"
        );
        let line = format!("local.bake: \"/var/tmp/build/nodeagent {bake}\"");
        assert!(found.contains(&line), "{line}\n{found:?}");
    }
    env.push(("PKR_VAR_image_name", "mine".to_owned()));
    let found = locals(QEMU, Some(ROCKY), &env);
    assert!(found.contains(&"local.image_name: \"mine\"".to_owned()));
}

/// What a template does with a bare binary, a package of either kind, and a site's policy.
#[test]
fn a_package_or_the_bare_binary_is_installed_and_a_policy_is_added() {
    let dir = tempfile::tempdir().unwrap();
    let env = site(dir.path());
    let file = |name: &str| dir.path().join(name).display().to_string();
    let build = "/var/tmp/build";
    for (package, install, program) in [
        (
            "",
            format!("chmod 0755 '{build}/nodeagent'"),
            "/var/tmp/build/nodeagent",
        ),
        (
            "a.deb",
            format!("dpkg --install '{build}/a.deb'"),
            "/usr/bin/nodeagent",
        ),
        (
            "a.rpm",
            format!("rpm --upgrade --replacepkgs '{build}/a.rpm'"),
            "/usr/bin/nodeagent",
        ),
    ] {
        for (template, vars) in [(QEMU, Some(DEBIAN)), (UBUNTU, None)] {
            let mut env = env.clone();
            if !package.is_empty() {
                env.push(("PKR_VAR_package", file(package)));
                env.push(("PKR_VAR_policy", file("site.d")));
            }
            let found = locals(template, vars, &env);
            let line = format!("local.install: \"{install}\"");
            assert!(found.contains(&line), "{line}\n{found:?}");
            let bake = format!("local.bake: \"{program} bake ");
            let bake = found.iter().find(|line| line.starts_with(&bake)).unwrap();
            let policy = bake.contains(" --policy '/var/tmp/build/site.d' --set ");
            assert_eq!(policy, !package.is_empty(), "{bake}");
        }
    }
}

/// Terraform's language is Packer's: the one formatter reads both.
#[test]
fn all_hcl_is_well_formed_and_formatted() {
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    for folder in [
        "packaging/packer",
        "packaging/packer/plugins",
        "packaging/terraform",
    ] {
        for entry in std::fs::read_dir(source(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let stem = path.file_name().unwrap().to_string_lossy();
                let stem = stem.split('.').next().unwrap().to_owned();
                let copy = dir.path().join(format!("{stem}.pkr.hcl"));
                std::fs::copy(&path, copy).unwrap();
                count += 1;
            }
        }
    }
    assert_eq!(count, 9);
    let done = packer(&["fmt", "-check", "-diff"], dir.path(), &[]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    for broken in ["locals {\n  a = [1\n}\n", "locals {\n a   = 1\n}\n"] {
        std::fs::write(dir.path().join("image.pkr.hcl"), broken).unwrap();
        assert_ne!(packer(&["fmt", "-check"], dir.path(), &[]).code, 0);
    }
}
