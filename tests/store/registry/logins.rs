//! Logins: who gets in how, tokens that expire under way, and that no secret is ever told.
//! They are separate because what leaks here is somebody's password.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use nodeagent::host::failure::Class;
use nodeagent::host::oci::Source as _;
use nodeagent::host::registry::Access;

use super::{access, blob, document, is_whole, name, noise, puller, said, told};
use crate::support::images::small::tiny;
use crate::support::lying::{Demand, Lie, Lying};

const PASSWORD: &str = "pass-w0rd-nobody-may-see";
const REFRESH: &str = "refresh-nobody-may-see";
const ROBOT: &str = "robot$ci+pull";

/// A docker config file for this registry.
fn with_login(mut access: Access, registry: &Lying, login: &str) -> (Access, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path: PathBuf = dir.path().join("auth.json");
    let text = format!("{{\"auths\": {{\"{}\": {login}}}}}", registry.host());
    std::fs::write(&path, text).unwrap();
    access.auth_file = Some(path);
    (access, dir)
}

fn robot(password: &str) -> String {
    format!("{{\"username\": \"{ROBOT}\", \"password\": \"{password}\"}}")
}

fn bearer(uses: usize) -> Demand {
    Demand::Bearer {
        login: Some((ROBOT.to_owned(), PASSWORD.to_owned())),
        refresh: Some(REFRESH.to_owned()),
        uses,
        realm: None,
    }
}

#[test]
fn whoever_has_the_right_login_gets_in_and_nobody_else() {
    let basic = || Demand::basic(ROBOT, PASSWORD);
    let refresh =
        |token: &str| format!("{{\"auth\": \"PHRva2VuPjo=\", \"identitytoken\": \"{token}\"}}");
    let table = [
        (basic(), robot(PASSWORD), true),
        (basic(), robot("guess-nobody-may-see"), false),
        (basic(), "{}".to_owned(), false),
        (basic(), refresh(REFRESH), false),
        (bearer(9), robot(PASSWORD), true),
        (bearer(9), robot("guess-nobody-may-see"), false),
        (bearer(9), "{}".to_owned(), false),
        (bearer(9), refresh(REFRESH), true),
        (bearer(9), refresh("guess-nobody-may-see"), false),
        (Demand::bearer(9), "{}".to_owned(), true),
        (Demand::bearer(9), robot("guess-nobody-may-see"), true),
    ];
    for (demand, login, may) in table {
        let registry = Lying::start();
        registry.hold(&tiny("k8s/a:1", "one"));
        let what = format!("{demand:?} {login}");
        registry.demand(demand);
        let (access, _dir) = with_login(access(&[&registry]), &registry, &login);
        let got = document(&puller(&access), &name(&registry), "1");
        match got {
            Ok(_) => assert!(may, "{what}"),
            Err(failure) => {
                let text = said(&failure);
                assert!(!may, "{what}: {text}");
                assert_eq!(failure.class, Class::Auth, "{text}");
                assert!(!text.contains("nobody-may-see"), "{text}");
                assert!(text.contains("--auth-file FILE"), "{text}");
            }
        }
    }
}

#[test]
fn a_token_is_asked_for_once_by_all_sessions_and_again_when_it_expired() {
    let registry = Lying::start();
    registry.hold(&tiny("k8s/a:1", "one"));
    let wanted = registry.blob(&noise(1 << 20));
    let (access, _dir) = with_login(access(&[&registry]), &registry, &robot(PASSWORD));
    registry.demand(bearer(100));
    let shared = puller(&access);
    for _ in 0..3 {
        document(&shared, &name(&registry), "1").unwrap();
        blob(&shared, &name(&registry), &wanted).unwrap();
    }
    assert_eq!(registry.asked("/token").len(), 1);
    let asked = registry.asked("/token").remove(0);
    assert!(
        asked.target.contains("scope=repository%3Ak8s%2Fa%3Apull"),
        "{}",
        asked.target
    );
    assert!(asked.target.contains("service=lying"), "{}", asked.target);
    // Each token is good for one request: also one that takes up a broken blob needs another.
    registry.demand(bearer(1));
    registry.lie("/blobs/", [Lie::Truncate(500_000), Lie::Truncate(100_000)]);
    is_whole(&blob(&shared, &name(&registry), &wanted).unwrap(), &wanted);
    assert_eq!(registry.asked("/token").len(), 4);
}

#[test]
fn a_token_that_is_never_good_is_no_endless_story() {
    let registry = Lying::start();
    registry.hold(&tiny("k8s/a:1", "one"));
    registry.demand(bearer(0));
    let (access, _dir) = with_login(access(&[&registry]), &registry, &robot(PASSWORD));
    let got = document(&puller(&access), &name(&registry), "1");
    told(got.map(|fetched| fetched.bytes), Class::Auth, &["HTTP 401"]);
    assert!(registry.asked("/token").len() <= 2);
}

#[test]
fn a_token_endpoint_that_fails_for_a_moment_is_asked_again() {
    let registry = Lying::start();
    registry.hold(&tiny("k8s/a:1", "one"));
    registry.demand(Demand::bearer(9));
    registry.lie("/token", [Lie::Status(503, vec![]), Lie::HangUp]);
    document(&puller(&access(&[&registry])), &name(&registry), "1").unwrap();
    registry.always(
        "/token",
        Lie::Header("Content-Length", "70000000".to_owned()),
    );
    let got = document(&puller(&access(&[&registry])), &name(&registry), "1");
    assert!(got.is_err());
}

#[test]
fn a_login_follows_no_redirect_to_another_origin() {
    let registry = Lying::start();
    // Another host, and another port of the same.
    for elsewhere in [Lying::on("127.0.0.2"), Lying::start()] {
        for demand in [Demand::basic(ROBOT, PASSWORD), bearer(99)] {
            let bytes = noise(300_000);
            let wanted = registry.blob(&bytes);
            elsewhere.blob(&bytes);
            registry.demand(demand);
            let target = format!(
                "http://{}/v2/x/blobs/{}?X-Signature=signature-nobody-may-see",
                elsewhere.host(),
                wanted.digest
            );
            registry.lie("/blobs/", [Lie::Redirect(target.clone())]);
            let (access, _dir) = with_login(
                access(&[&registry, &elsewhere]),
                &registry,
                &robot(PASSWORD),
            );
            let puller = puller(&access);
            is_whole(&blob(&puller, &name(&registry), &wanted).unwrap(), &wanted);
            let came = elsewhere.asked("/blobs/");
            assert_eq!(came.last().unwrap().header("authorization"), None);
            // Nor does it go where a redirect leads back to, which somebody else chose.
            let back = format!(
                "http://{}/v2/other/blobs/{}",
                registry.host(),
                wanted.digest
            );
            registry.lie("/k8s/a/blobs/", [Lie::Redirect(target.clone())]);
            elsewhere.lie("/blobs/", [Lie::Redirect(back)]);
            blob(&puller, &name(&registry), &wanted)
                .map(drop)
                .unwrap_or_default();
            let came = registry.asked("/v2/other/blobs/");
            assert!(!came.is_empty());
            assert!(
                came.iter()
                    .all(|asked| asked.header("authorization").is_none())
            );
            // What fails there is told without the signature.
            registry.always("/k8s/a/blobs/", Lie::Redirect(target));
            elsewhere.always("/blobs/", Lie::Status(403, vec![]));
            let text = told(
                blob(&puller, &name(&registry), &wanted),
                Class::Registry,
                &[&elsewhere.host()],
            );
            assert!(!text.contains("nobody-may-see"), "{text}");
            elsewhere.lie("/blobs/", []);
            registry.lie("/k8s/a/blobs/", []);
        }
    }
}

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_secret_is_told_logged_or_shown() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        for demand in [Demand::basic(ROBOT, PASSWORD), bearer(1)] {
            let registry = Lying::start();
            registry.hold(&tiny("k8s/a:1", "one"));
            let wanted = registry.blob(&noise(300_000));
            registry.demand(demand);
            registry.lie(
                "/blobs/",
                [Lie::Truncate(100_000), Lie::Status(500, vec![])],
            );
            let (access, _dir) = with_login(access(&[&registry]), &registry, &robot(PASSWORD));
            let puller = puller(&access);
            document(&puller, &name(&registry), "1").unwrap();
            blob(&puller, &name(&registry), &wanted).unwrap();
            // It repeats in its error what it was sent.
            registry.always("/manifests/", Lie::Status(403, vec![]));
            let failure = document(&puller, &name(&registry), "1").unwrap_err();
            tracing::error!("{} {puller:?} {access:?}", said(&failure));
            puller.session().map(drop).unwrap();
        }
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("is spoken to without TLS"), "{text}");
    assert_eq!(text.matches("is spoken to without TLS").count(), 2);
    // Base64 of the login begins so.
    let encoded = "cm9ib3QkY2krcHVsbDp";
    for secret in ["nobody-may-see", encoded, "token-1", "token-2"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}
