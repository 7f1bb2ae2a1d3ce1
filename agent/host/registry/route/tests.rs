//! Configuration and name on one side, endpoints on the other.
//! They are separate because the table is longer than what it holds to account.

use super::*;

/// Routes of a registries.yaml.
fn routes(file: &str) -> Routes {
    Routes {
        registries: Registries::parse(file.as_bytes()).unwrap(),
        ..Routes::default()
    }
}

/// Every endpoint as a line: address, then what is not as usual.
fn lines(routes: &Routes, image: &str) -> Vec<String> {
    let found = routes.of(&Name::parse(image).unwrap()).unwrap();
    let line = |e: &Endpoint| {
        let mut words = vec![e.url("manifests/t").to_string()];
        if e.login != Login::Anonymous {
            words.push(format!("{:?}", e.login));
        }
        words.extend(
            e.tls
                .ca_file
                .iter()
                .map(|ca| format!("ca={}", ca.display())),
        );
        words.extend(e.tls.insecure.then(|| "insecure".to_owned()));
        words.join(" ")
    };
    found.iter().map(line).collect()
}

/// A registries.yaml, an image, and its endpoints.
type Row = (&'static str, &'static str, &'static [&'static str]);

const HUB: &str = "https://registry-1.docker.io/v2/library/x/manifests/t";
const R: &str = "https://r.io/v2/a/b/manifests/t";
const M: &str = "https://m/v2/a/b/manifests/t?ns=r.io";

const ORDER: &[Row] = &[
    ("", "x", &[HUB]),
    ("", "r.io/a/b", &[R]),
    ("mirrors: {r.io: {endpoint: []}}", "r.io/a/b", &[R]),
    ("mirrors: {r.io:}\nconfigs: {r.io:}", "r.io/a/b", &[R]),
    (
        "mirrors: {docker.io: {endpoint: ['https://m:5000', 'http://n/']}}",
        "x",
        &[
            "https://m:5000/v2/library/x/manifests/t?ns=docker.io",
            "http://n/v2/library/x/manifests/t?ns=docker.io",
            HUB,
        ],
    ),
    // Mirrors of another registry are not asked.
    ("mirrors: {docker.io: {endpoint: [m]}}", "r.io/a/b", &[R]),
    ("mirrors: {'*': {endpoint: [m]}}", "r.io/a/b", &[M, R]),
    // An entry of its own hides "*", a configuration alone also does; an empty one does not.
    (
        "mirrors: {'*': {endpoint: [x]}, r.io: {endpoint: [m]}}",
        "r.io/a/b",
        &[M, R],
    ),
    (
        "mirrors: {'*': {endpoint: [m]}}\nconfigs: {r.io: {tls: {ca_file: /c}}}",
        "r.io/a/b",
        &["https://r.io/v2/a/b/manifests/t ca=/c"],
    ),
    (
        "mirrors: {'*': {endpoint: [m]}}\nconfigs: {r.io: {}}",
        "r.io/a/b",
        &[M, R],
    ),
    // The registry itself, named last, is not asked twice; named so it has rewrites, as with k3s.
    (
        "mirrors: {r.io: {endpoint: [m, 'https://r.io']}}",
        "r.io/a/b",
        &[M, R],
    ),
    (
        "mirrors: {r.io: {endpoint: ['https://r.io'], rewrite: {a: c}}}",
        "r.io/a/b",
        &["https://r.io/v2/c/b/manifests/t"],
    ),
    (
        "mirrors: {docker.io: {endpoint: ['https://docker.io']}}",
        "x",
        &[HUB],
    ),
    // Another port of the same host is another endpoint.
    (
        "mirrors: {'r.io:5000': {endpoint: ['https://r.io']}}",
        "r.io:5000/a/b",
        &[
            "https://r.io/v2/a/b/manifests/t?ns=r.io%3A5000",
            "https://r.io:5000/v2/a/b/manifests/t",
        ],
    ),
];

const ADDRESSES: &[Row] = &[
    // Scheme: the machine itself on an odd port has no TLS.
    (
        "mirrors: {r.io: {endpoint: ['localhost:5000', '127.0.0.1:443', localhost, 'm:5000']}}",
        "r.io/a/b",
        &[
            "http://localhost:5000/v2/a/b/manifests/t?ns=r.io",
            "https://127.0.0.1/v2/a/b/manifests/t?ns=r.io",
            "https://localhost/v2/a/b/manifests/t?ns=r.io",
            "https://m:5000/v2/a/b/manifests/t?ns=r.io",
            R,
        ],
    ),
    // A path stands for /v2.
    (
        "mirrors: {r.io: {endpoint: ['https://m/v2/', 'https://m/v2/proxy', 'https://m/p/', 'https://m/v2']}}",
        "r.io/a/b",
        &[
            M,
            "https://m/v2/proxy/a/b/manifests/t?ns=r.io",
            "https://m/p/a/b/manifests/t?ns=r.io",
            R,
        ],
    ),
    // Rewrites: at the mirror only.
    (
        "mirrors: {r.io: {endpoint: [m], rewrite: {'^a/(.*)': 'p/$1'}}}",
        "r.io/a/b",
        &["https://m/v2/p/b/manifests/t?ns=r.io", R],
    ),
];

const CONFIGS: &[Row] = &[
    // TLS and login by the endpoint's host, not by the registry's.
    (
        "mirrors: {r.io: {endpoint: ['https://m:5000']}}\nconfigs: {'m:5000': {auth: {username: u, password: p}, tls: {ca_file: /m}}, r.io: {auth: {identity_token: i}, tls: {insecure_skip_verify: true}}, m: {tls: {ca_file: /wrong}}}",
        "r.io/a/b",
        &[
            "https://m:5000/v2/a/b/manifests/t?ns=r.io Basic ca=/m",
            "https://r.io/v2/a/b/manifests/t Identity insecure",
        ],
    ),
    (
        "configs: {docker.io: {auth: {auth: dTpw}}}",
        "x",
        &["https://registry-1.docker.io/v2/library/x/manifests/t Basic"],
    ),
    (
        "configs: {registry-1.docker.io: {auth: {token: t}}}",
        "x",
        &["https://registry-1.docker.io/v2/library/x/manifests/t Bearer"],
    ),
    // "*": TLS of registries' own endpoints; its login is nobody's.
    (
        "configs: {'*': {auth: {username: u, password: p}, tls: {insecure_skip_verify: true}}}",
        "r.io/a/b",
        &["https://r.io/v2/a/b/manifests/t insecure"],
    ),
    (
        "mirrors: {'*': {endpoint: [m]}}\nconfigs: {'*': {tls: {ca_file: /c}}}",
        "r.io/a/b",
        &[M, "https://r.io/v2/a/b/manifests/t ca=/c"],
    ),
];

#[test]
fn registries_yaml_becomes_endpoints() {
    for (file, image, want) in [ORDER, ADDRESSES, CONFIGS].concat() {
        let found = lines(&routes(file), &format!("{image}:t"));
        assert_eq!(found, want, "{file}");
    }
}

#[test]
fn flags_and_docker_logins_join_in_by_host() {
    let file = "mirrors: {r.io: {endpoint: ['https://m', 'n:80']}}";
    let logins =
        br#"{"auths": {"m": {"username": "u", "password": "p"}, "r.io": {"registrytoken": "t"}}}"#;
    let mut routes = Routes {
        logins: Logins::parse(logins).unwrap(),
        plain_http: ["n:80".to_owned(), "r.io".to_owned()].into(),
        insecure_tls: ["m".to_owned()].into(),
        ..routes(file)
    };
    let want = [
        "https://m/v2/a/manifests/t?ns=r.io Basic insecure",
        "https://n:80/v2/a/manifests/t?ns=r.io",
        "http://r.io/v2/a/manifests/t Bearer",
    ];
    // `n:80` with TLS is another address than `n` without: the port of http is left out of one.
    let found = lines(&routes, "r.io/a:t");
    assert_eq!(
        (&found[0], &found[2]),
        (&want[0].to_owned(), &want[2].to_owned())
    );
    routes.mirrors_only = true;
    assert_eq!(lines(&routes, "r.io/a:t").len(), 2);
    assert_eq!(lines(&routes, "other.io/a:t").len(), 1);
}

#[test]
fn endpoints_that_are_none_are_refused_without_their_password() {
    for text in [
        "ftp://m",
        "https://",
        "https://u:secret@m",
        "u:secret@m",
        "ht tp://m",
    ] {
        let file = format!("mirrors: {{r.io: {{endpoint: ['{text}']}}}}");
        let error = routes(&file)
            .of(&Name::parse("r.io/a").unwrap())
            .unwrap_err();
        assert!(!error.one_line().contains("secret"), "{}", error.one_line());
    }
}

#[test]
fn the_port_of_https_may_be_written_out_and_is_none_of_http() {
    let file = "configs: {'r.io:443': {auth: {username: u, password: p}}}";
    let login = Login::Basic("u".to_owned(), "p".to_owned());
    for image in ["r.io/a/b", "r.io:443/a/b"] {
        assert_eq!(
            lines(&routes(file), image),
            [format!("{R} {login:?}")],
            "{image}"
        );
    }
    let docker = Routes {
        logins: Logins::parse(br#"{"auths": {"r.io:443": {"username": "u", "password": "p"}}}"#)
            .unwrap(),
        insecure_tls: ["r.io:443".to_owned()].into(),
        ..Routes::default()
    };
    assert_eq!(
        lines(&docker, "r.io/a/b"),
        [format!("{R} {login:?} insecure")]
    );
    let plain = Routes {
        plain_http: ["r.io".to_owned()].into(),
        ..routes(file)
    };
    assert_eq!(lines(&plain, "r.io/a/b"), [R.replace("https", "http")]);
}
