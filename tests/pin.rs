//! `policy pin` against a real registry: tags become digests, or every failure is told and nothing is written.
//! It is separate because it needs registries of its own, with TLS and logins.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nodeagent::policy::{Layer, Request, Sources, resolve};

use crate::support::images::{self, Dialect, Entry, Image, Packing, small::tiny};
use crate::support::machine::run::{Done, run};
use crate::support::registry::{self, Registry, Storage};

const PROFILE: &str = "schema = 1\ndescription = \"images\"\nproven = true\nfragments = [\"45-images.toml\"]\n\n\
    [requires]\nfamily = \"debian\"\nversion = \"12\"\narch = [\"x86_64\"]\n";

/// A policy folder whose profile `images` wants these images, each by its tag.
fn policy(dir: &Path, images: &[&str]) -> PathBuf {
    let folder = dir.join("policy");
    std::fs::create_dir_all(folder.join("profiles")).unwrap();
    std::fs::write(folder.join("profiles/images.toml"), PROFILE).unwrap();
    let entry = |image: &&str| {
        format!("[[image]]\nref = \"{image}\"\nallow_tag = true\nreason = \"r\"\n\n")
    };
    let entries: String = images.iter().map(entry).collect();
    std::fs::write(
        folder.join("45-images.toml"),
        format!("schema = 1\n\n{entries}"),
    )
    .unwrap();
    folder
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodeagent"));
    command.args(["policy", "pin", "--profile", "images", "--policy"]);
    command
        .arg(folder)
        .args(args)
        .env_clear()
        .env("NO_COLOR", "1");
    command
}

/// An index of two platforms.
fn two(name: &str) -> Image {
    let layer = |word: &str| {
        let entry = Entry::file("content", word.as_bytes());
        vec![images::Layer::new(Packing::Gzip, &[entry])]
    };
    let platforms = ["linux/amd64", "linux/arm64"].map(|name| (name, layer(name)));
    Image::index(name, Dialect::Oci, &platforms)
}

fn pin(folder: &Path, args: &[&str]) -> Done {
    run(&mut command(folder, args), Duration::from_secs(90)).unwrap()
}

/// References of the images under a policy folder, by the ids of their entries.
fn loaded(folder: &Path) -> Vec<(String, String)> {
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let files = ["45-images.toml", "images.lock", "profiles/images.toml"];
    let texts = files.map(|name| (name, file(name)));
    let layer = Layer::new("site", texts.iter().map(|(n, t)| (*n, t.as_str())));
    let request = Request {
        profile: "images",
        ..Request::default()
    };
    let loaded = resolve(&Sources::default().with(layer), &request).unwrap();
    assert_eq!(loaded.warnings, []);
    let entries = loaded.policy.entries.iter();
    let pairs = entries.map(|e| {
        let fact = serde_json::to_value(&e.resource).unwrap();
        (e.id.clone(), fact["ref"].as_str().unwrap().to_owned())
    });
    pairs.collect()
}

#[test]
fn tags_become_the_digests_of_what_they_name_index_or_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::new(dir.path());
    let registry = Registry::plain(&storage);
    let single = registry.push(&tiny("k8s/pause:3.9", "one"));
    let index = registry.push(&two("k8s/dns:v1"));
    let host = registry.host();
    let (pause, dns) = (
        format!("{host}/k8s/pause:3.9"),
        format!("{host}/k8s/dns:v1"),
    );
    let folder = policy(dir.path(), &[&pause, &dns]);
    let lock = folder.join("images.lock");
    let args = ["--plain-http", host, "--output", lock.to_str().unwrap()];

    let first = pin(&folder, &args);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(first.stdout, "");
    // The id stays: it is the name under which the node asks.
    let want = |digest: &str| {
        vec![
            (format!("image:{pause}"), format!("{pause}@{digest}")),
            (format!("image:{dns}"), format!("{dns}@{index}")),
        ]
    };
    assert_eq!(loaded(&folder), want(&single));

    let moved = registry.push(&tiny("k8s/pause:3.9", "two"));
    assert_ne!(moved, single);
    let text = std::fs::read_to_string(&lock).unwrap();
    // Without --output the file is data on stdout; the lock in the folder does not answer for the registry.
    let printed = pin(&folder, &["--plain-http", host]);
    assert_eq!(printed.code, 0, "{}", printed.stderr);
    assert_eq!(printed.stdout, text.replace(&single, &moved));
    // A proxy that is not there is asked, but for hosts that need none.
    let nobody = format!("http://{}", registry::free_address());
    for (direct, code) in [("", 1), ("127.0.0.1", 0)] {
        let mut command = command(&folder, &["--plain-http", host]);
        command.env("HTTP_PROXY", &nobody).env("NO_PROXY", direct);
        let proxied = run(&mut command, Duration::from_secs(90)).unwrap();
        assert_eq!(proxied.code, code, "{}", proxied.stderr);
    }
    let again = pin(&folder, &args);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(
        again
            .stderr
            .contains(&format!("{pause}: {moved}, was {single}"))
    );
    assert!(
        again.stderr.contains("2 pinned, 1 as before"),
        "{}",
        again.stderr
    );
    assert_eq!(loaded(&folder), want(&moved));
}

#[test]
fn every_failure_is_told_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::new(dir.path());
    let registry = Registry::plain(&storage);
    registry.push(&tiny("k8s/pause:3.9", "one"));
    let host = registry.host();
    let nobody = registry::free_address();
    let images = [
        format!("{host}/k8s/pause:3.9"),
        format!("{host}/k8s/pause:4.0"),
        format!("{host}/k8s/none:v1"),
        format!("{nobody}/k8s/pause:3.9"),
    ];
    let folder = policy(dir.path(), &images.each_ref().map(String::as_str));
    let lock = folder.join("images.lock");
    std::fs::write(&lock, "schema = 1\n\n[images]\n").unwrap();
    let args = ["--plain-http", host, "--plain-http", &nobody, "--output"];
    let done = pin(&folder, &[&args[..], &[lock.to_str().unwrap()]].concat());
    assert_eq!(done.code, 1, "{}", done.stderr);
    let line = |image: &str| {
        let found = done.stderr.lines().find(|l| l.contains(image));
        found.unwrap_or_else(|| panic!("{image} is not told:\n{}", done.stderr))
    };
    for image in &images[1..3] {
        assert!(
            line(image).contains("push the image first"),
            "{}",
            line(image)
        );
    }
    let refused = line(&images[3]);
    assert!(refused.contains("Connection refused"), "{refused}");
    assert!(refused.contains("--plain-http HOST"), "{refused}");
    assert!(!done.stderr.contains(&images[0]), "{}", done.stderr);
    assert!(done.stderr.contains("3 of 4 failed; nothing was written"));
    let text = std::fs::read_to_string(&lock).unwrap();
    assert_eq!(text, "schema = 1\n\n[images]\n");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3);
}

#[test]
fn a_private_ca_and_a_login_are_needed_where_the_registry_wants_them() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::new(dir.path());
    let digest = Registry::plain(&storage).push(&tiny("k8s/pause:3.9", "one"));
    let registry = Registry::locked(&storage);
    let host = registry.host();
    let image = format!("{host}/k8s/pause:3.9");
    let folder = policy(dir.path(), &[&image]);
    let ca = storage.path("ca.pem");
    let auth = |name: &str, login: &str| {
        let path = storage.path(name);
        let text = format!("{{\"auths\": {{\"{host}\": {login}}}}}");
        std::fs::write(&path, text).unwrap();
        path
    };
    let right = auth("right.json", "{\"auth\": \"dXNlcjpzZWNyZXQ=\"}");
    let wrong = auth(
        "wrong.json",
        "{\"username\": \"user\", \"password\": \"guess\"}",
    );

    let stranger = pin(&folder, &["--auth-file", &right]);
    assert_eq!(stranger.code, 1, "{}", stranger.stderr);
    assert!(
        stranger.stderr.contains("--ca FILE trusts its CA"),
        "{}",
        stranger.stderr
    );
    assert!(
        stranger.stderr.contains("certificate"),
        "{}",
        stranger.stderr
    );
    for args in [vec!["--ca", &ca], vec!["--ca", &ca, "--auth-file", &wrong]] {
        let anonymous = pin(&folder, &args);
        assert_eq!(anonymous.code, 1, "{}", anonymous.stderr);
        assert!(
            anonymous.stderr.contains("--auth-file FILE"),
            "{}",
            anonymous.stderr
        );
    }
    let known = pin(&folder, &["-vv", "--ca", &ca, "--auth-file", &right]);
    assert_eq!(known.code, 0, "{}", known.stderr);
    assert!(
        known
            .stdout
            .contains(&format!("\"{image}\" = \"{digest}\"\n"))
    );
    for secret in ["secret", "dXNlcjpzZWNyZXQ"] {
        assert!(!known.stderr.contains(secret), "{}", known.stderr);
    }
    // A minimal system has no authorities of its own: one that is named is enough.
    let nowhere = "/nowhere/ca.pem";
    for (file, args, code) in [
        (nowhere, vec![], 1),
        (nowhere, vec!["--ca", &*ca], 0),
        (&*ca, vec![], 0),
    ] {
        let mut command = command(&folder, &[&args[..], &["--auth-file", &*right]].concat());
        command
            .env("SSL_CERT_FILE", file)
            .env("SSL_CERT_DIR", "/nowhere");
        let bare = run(&mut command, Duration::from_secs(90)).unwrap();
        assert_eq!(bare.code, code, "{}", bare.stderr);
        let told = bare.stderr.contains("SSL_CERT_FILE=CA.pem");
        assert_eq!(told, code == 1, "{}", bare.stderr);
    }
    // TLS was spoken to a registry that is said to have none, and the other way round.
    let confused = pin(&folder, &["--plain-http", host, "--auth-file", &right]);
    assert_eq!(confused.code, 1, "{}", confused.stderr);
}

#[test]
fn what_is_missing_or_no_file_of_the_kind_is_a_usage_error() {
    let dir = tempfile::tempdir().unwrap();
    let folder = policy(dir.path(), &["r.example/a:1"]);
    let junk = dir.path().join("junk");
    std::fs::write(&junk, "{\"auths\": 1}").unwrap();
    let junk = junk.to_str().unwrap();
    for (args, said) in [
        (["--ca", junk], "holds no certificate in PEM format"),
        (["--ca", "/nowhere/ca.pem"], "it does not exist"),
        (["--auth-file", junk], "as a docker config file"),
        (["--auth-file", "/nowhere/auth.json"], "it does not exist"),
        (["--set", "b=1"], "there is no variable `b`"),
    ] {
        let done = pin(&folder, &args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(said), "{args:?}: {}", done.stderr);
    }
    let digest = format!("r.example/a@sha256:{}", "0".repeat(64));
    let done = pin(&policy(dir.path(), &[&digest]), &[]);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (5, ""),
        "{}",
        done.stderr
    );
}
