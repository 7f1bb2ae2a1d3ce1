//! Registries behind a proxy: connections by CONNECT, with and without a login, and those that go past it.
//! They are separate because a proxy comes from the environment of a whole program.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::generations::{Daemon, Generation};
use crate::support::images::Image;
use crate::support::images::small::tiny;
use crate::support::machine::run::{Done, run};
use crate::support::proxy::{Proxy, Rules};
use crate::support::registry::{Registry, Storage};

const PASSWORD: &str = "pass-w0rd-nobody-may-see";
/// A name that only the proxy knows.
const NAME: &str = "registry.nowhere.invalid:443";
/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:9";

struct Bench {
    daemon: Daemon,
    storage: Storage,
    registry: Registry,
    images: Vec<Image>,
    _dir: tempfile::TempDir,
}

impl Bench {
    /// A real registry with TLS, an image for each question, and a daemon to fill.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::new(dir.path());
        let images: Vec<Image> = (0..10)
            .map(|at| tiny(&format!("k8s/a{at}:1"), &at.to_string()))
            .collect();
        let plain = Registry::plain(&storage);
        for image in &images {
            plain.push(image);
        }
        Self {
            daemon: Daemon::start(Generation::V2).unwrap(),
            registry: Registry::tls(&storage),
            storage,
            images,
            _dir: dir,
        }
    }

    /// Pulls one of the images, each of which is there only once, with this environment.
    fn pull(&mut self, host: &str, environment: &[(&str, &str)]) -> Done {
        let image = self.images.pop().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_nodeagent"));
        command.env_clear().envs(environment.iter().copied());
        command.args(["-vv", "image", "pull", "--json", "--retries", "0"]);
        command.arg("--address").arg(self.daemon.socket());
        command.args(["--ca", &self.storage.ca(), "--insecure-tls", NAME]);
        command.arg(image.pinned(host));
        let done = run(&mut command, Duration::from_secs(60)).unwrap();
        let all = format!("{}{}", done.stdout, done.stderr);
        assert!(!all.contains("nobody-may-see"), "{all}");
        done
    }
}

fn outcome(done: &Done) -> (String, String) {
    let page: Value = serde_json::from_str(&done.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", done.stdout, done.stderr));
    let text = |key: &str| {
        page["images"][0][key]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (text("outcome"), text("error") + &text("next"))
}

fn well(done: &Done) {
    let (outcome, error) = outcome(done);
    assert_eq!(outcome, "ok", "{error}");
}

#[test]
fn a_registry_is_reached_through_a_proxy_or_past_it_as_the_environment_says() {
    let mut bench = Bench::new();
    let host = bench.registry.host().to_owned();
    let names = BTreeMap::from([(NAME.to_owned(), host.clone())]);
    let open = Proxy::start(&Rules { login: None, names });
    let address = format!("http://{}", open.host());
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let before = open.asked().len();
        well(&bench.pull(&host, &[(name, &address)]));
        let asked = open.asked();
        assert!(asked.len() > before, "{name}");
        let connect = format!("CONNECT {host} HTTP/1.1");
        assert!(asked.iter().all(|first| *first == connect), "{asked:?}");
    }
    // Who asks a proxy need not know the name.
    well(&bench.pull(NAME, &[("https_proxy", &address)]));
    // In lower case it wins, and a proxy for the others is none for TLS.
    let both = [("https_proxy", &*address), ("HTTPS_PROXY", NOBODY)];
    well(&bench.pull(&host, &both));
    let before = open.asked().len();
    for past in ["127.0.0.1", "example.org,127.0.0.0/8"] {
        let environment = [("HTTPS_PROXY", NOBODY), ("NO_PROXY", past)];
        well(&bench.pull(&host, &environment));
    }
    let plain = [("HTTP_PROXY", NOBODY)];
    well(&bench.pull(&host, &plain));
    assert_eq!(open.asked().len(), before);
    let (class, error) = outcome(&bench.pull(&host, &[("HTTPS_PROXY", NOBODY)]));
    assert_eq!(class, "network", "{error}");
}

#[test]
fn a_proxy_that_wants_a_login_gets_it_and_nobody_else_does() {
    let mut bench = Bench::new();
    let host = bench.registry.host().to_owned();
    let login = Some(("site".to_owned(), PASSWORD.to_owned()));
    let locked = Proxy::start(&Rules {
        login,
        ..Rules::default()
    });
    let with = |login: &str| format!("http://{login}{}", locked.host());
    let right = with(&format!("site:{PASSWORD}@"));
    well(&bench.pull(&host, &[("HTTPS_PROXY", &right)]));
    for wrong in [with(""), with("site:guess-nobody-may-see@")] {
        let (class, error) = outcome(&bench.pull(&host, &[("HTTPS_PROXY", &wrong)]));
        assert_eq!(class, "auth", "{error}");
        assert!(
            error.contains("proxy") && error.contains("HTTPS_PROXY"),
            "{error}"
        );
    }
    let bad = bench.pull(&host, &[("HTTPS_PROXY", "http://[nobody-may-see")]);
    assert_eq!(bad.code, 2, "{}", bad.stderr);
    assert!(bad.stderr.contains("HTTPS_PROXY"), "{}", bad.stderr);
}
