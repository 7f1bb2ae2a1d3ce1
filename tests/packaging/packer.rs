//! The Packer templates under the real `packer validate`, and all HCL under its formatter.
//! It is separate because Packer looks for files, and its OpenStack builder logs in when it validates.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{source, text};
use crate::support::machine::run::{Done, run};

const ROCKY: &str = "packaging/packer/rocky9.pkr.hcl";
const UBUNTU: &str = "packaging/packer/ubuntu2204.pkr.hcl";

fn packer(args: &[&str], template: &Path, env: &[(&str, String)]) -> Done {
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

/// Answers one login as Keystone does, with a token and an empty catalogue.
fn keystone(listener: &TcpListener) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    let body = r#"{"token":{"catalog":[],"expires_at":"2099-01-01T00:00:00.000000Z"}}"#;
    let size = body.len();
    let head = "HTTP/1.1 201 Created\r\nX-Subject-Token: t\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {size}\r\n\r\n{body}").unwrap();
}

/// `packer validate` of the Ubuntu template, with a Keystone to log in to.
fn validate_openstack(template: &Path, env: &[(&str, String)]) -> Done {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut env = env.to_vec();
    env.push(("OS_AUTH_URL", format!("http://{address}/v3")));
    for name in [
        "OS_USERNAME",
        "OS_PASSWORD",
        "OS_DOMAIN_NAME",
        "OS_PROJECT_NAME",
    ] {
        env.push((name, "test".to_owned()));
    }
    std::thread::scope(|scope| {
        let served = scope.spawn(|| keystone(&listener));
        let done = packer(&["validate"], template, &env);
        if !served.is_finished() {
            // A template with mistakes is refused before the login: end the wait for it.
            drop(TcpStream::connect(address));
        }
        // What was sent is judged by packer's exit code.
        drop(served.join());
        done
    })
}

fn validate(template: &Path, env: &[(&str, String)]) -> Done {
    if template.ends_with("ubuntu2204.pkr.hcl") {
        validate_openstack(template, env)
    } else {
        packer(&["validate"], template, env)
    }
}

#[test]
fn both_packer_templates_are_valid_and_broken_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let env = site(dir.path());
    for name in [ROCKY, UBUNTU] {
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
        let done = packer(&["validate"], &source(ROCKY), &rest);
        assert_ne!(done.code, 0, "{name}");
        assert!(
            (done.stdout + &done.stderr).contains(name),
            "{name} is not named"
        );
    }
}

/// The values of a template's locals, as `packer inspect` prints them.
fn locals(template: &str, env: &[(&str, String)]) -> Vec<String> {
    let done = packer(&["inspect"], &source(template), env);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let lines = done.stdout.lines().filter(|l| l.starts_with("local."));
    lines.map(str::to_owned).collect()
}

#[test]
fn names_and_arguments_follow_the_variables() {
    let dir = tempfile::tempdir().unwrap();
    let mut env = site(dir.path());
    env.push(("PKR_VAR_fips_enabled", "true".to_owned()));
    env.push(("PKR_VAR_skip", "[\"image\", \"unit:x.service\"]".to_owned()));
    for (template, profile, name) in [
        (ROCKY, "rke2-rocky9", "rke2-rocky9-golden-20"),
        (UBUNTU, "rke2-ubuntu2204", "rke2-node-v1.34-20"),
    ] {
        let found = locals(template, &env);
        let name = format!("local.image_name: \"{name}");
        assert!(found.iter().any(|l| l.starts_with(&name)), "{found:?}");
        // As packer prints it: backslashes twice.
        let set = r"--set 'fips_enabled=true' --set 'rke2_version=v1.34.2+rke2r1' --set 'site=it'\\''s ${here}'";
        let bake = format!(
            "bake --profile {profile} --build-machine {set} --skip 'image' --skip 'unit:x.service'"
        );
        let line = format!("local.bake: \"/var/tmp/build/nodeagent {bake}\"");
        assert!(found.contains(&line), "{line}\n{found:?}");
    }
    env.push(("PKR_VAR_image_name", "mine".to_owned()));
    assert!(locals(ROCKY, &env).contains(&"local.image_name: \"mine\"".to_owned()));
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
    assert_eq!(count, 7);
    let done = packer(&["fmt", "-check", "-diff"], dir.path(), &[]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    for broken in ["locals {\n  a = [1\n}\n", "locals {\n a   = 1\n}\n"] {
        std::fs::write(dir.path().join("image.pkr.hcl"), broken).unwrap();
        assert_ne!(packer(&["fmt", "-check"], dir.path(), &[]).code, 0);
    }
}
