//! Harbor's robot accounts: a name with a dollar sign that gets a token for one repository.
//! They are separate because a name like that is easily lost on its way through files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use nodeagent::host::failure::Class;
use nodeagent::host::registry::Access;

use super::{access, blob, document, is_whole, name, noise, puller, said};
use crate::support::images::small::tiny;
use crate::support::lying::{Demand, Lying};

const ROBOT: &str = "robot$ci+pull";
const PASSWORD: &str = "pass-w0rd-nobody-may-see";

/// A registry as Harbor is: everybody is sent to the token service, which wants the robot.
fn harbor() -> Lying {
    let registry = Lying::start();
    registry.hold(&tiny("k8s/a:1", "one"));
    registry.demand(Demand::Bearer {
        login: Some((ROBOT.to_owned(), PASSWORD.to_owned())),
        refresh: None,
        uses: 100,
        realm: None,
    });
    registry
}

fn with(registry: &Lying, file: &str, auth: &str) -> (Access, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(file);
    let host = registry.host();
    let mut access = access(&[registry]);
    let text = match file {
        "config.json" => format!("{{\"auths\": {{{host:?}: {auth}}}}}"),
        _ => format!("configs:\n  {host:?}:\n    auth: {auth}\n"),
    };
    std::fs::write(&path, text).unwrap();
    match file {
        "config.json" => access.auth_file = Some(path),
        _ => access.registries = Some(path),
    }
    (access, dir)
}

/// The login, as each kind of file writes it.
fn written() -> Vec<(&'static str, String)> {
    let encoded = STANDARD.encode(format!("{ROBOT}:{PASSWORD}"));
    vec![
        (
            "config.json",
            format!("{{\"username\": {ROBOT:?}, \"password\": {PASSWORD:?}}}"),
        ),
        ("config.json", format!("{{\"auth\": {encoded:?}}}")),
        (
            "registries.yaml",
            format!("{{username: {ROBOT}, password: {PASSWORD}}}"),
        ),
        (
            "registries.yaml",
            format!("{{username: '{ROBOT}', password: '{PASSWORD}'}}"),
        ),
        ("registries.yaml", format!("{{auth: {encoded}}}")),
    ]
}

#[test]
fn a_robot_gets_a_token_and_shows_its_password_to_the_token_service_alone() {
    for (file, auth) in written() {
        let registry = harbor();
        let wanted = registry.blob(&noise(100_000));
        let (access, _dir) = with(&registry, file, &auth);
        let puller = puller(&access);
        document(&puller, &name(&registry), "1")
            .unwrap_or_else(|failure| panic!("{file}: {}", said(&failure)));
        is_whole(&blob(&puller, &name(&registry), &wanted).unwrap(), &wanted);
        let basic = format!("Basic {}", STANDARD.encode(format!("{ROBOT}:{PASSWORD}")));
        let tokens = registry.asked("/token");
        assert_eq!(tokens.len(), 1, "{file}");
        assert_eq!(tokens[0].header("authorization"), Some(basic.as_str()));
        assert!(
            tokens[0]
                .target
                .contains("scope=repository%3Ak8s%2Fa%3Apull")
        );
        for asked in registry.asked("/v2/") {
            let shown = asked.header("authorization").unwrap_or("Bearer ");
            assert!(shown.starts_with("Bearer "), "{file}: {}", asked.target);
        }
    }
}

#[test]
fn a_robot_whose_dollar_sign_was_lost_is_told_of_without_its_password() {
    let registry = harbor();
    let auth = format!("{{username: robot+pull, password: {PASSWORD}}}");
    let (access, _dir) = with(&registry, "registries.yaml", &auth);
    let failure = document(&puller(&access), &name(&registry), "1").unwrap_err();
    let text = said(&failure);
    assert_eq!(failure.class, Class::Auth, "{text}");
    assert!(!text.contains("nobody-may-see"), "{text}");
}
