//! The POST before servers that take it, refuse it, fail, say nothing, or are not who they should be.
//! It is separate because every case must end, and within its limits.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use nodeagent::error::{Error, Result};
use nodeagent::host::outlet::{Limits, LiveOutlets, Outlets as _, Target};

use super::server::{Answer, Server, certificates};

const OK: Answer = Answer::Status(204, "");
const BODY: &str = "{\"schema\":1}";

fn limits(tries: u32) -> Limits {
    Limits {
        attempt: Duration::from_millis(400),
        total: Duration::from_secs(60),
        pause: Duration::from_millis(1),
        tries,
    }
}

fn target(url: &str) -> Target {
    Target {
        url: url.to_owned(),
        ca: None,
        token_file: None,
        limits: limits(3),
    }
}

fn post(target: &Target) -> Result<()> {
    LiveOutlets.post(target, BODY)
}

/// How often the server was asked, and what the sender said.
fn asked(answers: &[Answer], limits: Limits) -> (usize, String) {
    let server = Server::plain(answers);
    let target = Target {
        limits,
        ..target(&server.url("http"))
    };
    let said = post(&target).map_or_else(|e| e.one_line(), |()| String::new());
    assert!(!said.contains("in-the-query"), "{said}");
    (server.requests().len(), said)
}

#[test]
fn a_server_gets_the_document_once() {
    let server = Server::plain(&[OK]);
    post(&target(&server.url("http"))).unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let request = requests[0].to_ascii_lowercase();
    assert!(request.starts_with("post /nodes?key=in-the-query http/1.1\r\n"));
    assert!(request.contains("content-type: application/json\r\n"));
    assert!(request.ends_with(&format!("\r\n\r\n{BODY}")));
    assert!(!request.contains("authorization"));
}

#[test]
fn what_may_go_better_is_tried_again_and_the_rest_is_not() {
    let five = Answer::Status(500, "");
    let table: [(&[Answer], usize, &str); 9] = [
        (
            &[five, Answer::Status(503, "Retry-After: 0\r\n"), OK],
            3,
            "",
        ),
        (&[Answer::HangUp, Answer::Status(429, ""), OK], 3, ""),
        (&[five], 3, "it answered 500, 3 times"),
        (&[Answer::HangUp], 3, "3 times"),
        (&[Answer::Silence], 3, "3 times"),
        (&[Answer::Silence, OK], 2, ""),
        (&[Answer::Status(403, "")], 1, "it answered 403"),
        (
            &[Answer::Status(302, "Location: http://127.0.0.1:1/\r\n")],
            1,
            "never sent on",
        ),
        (
            &[Answer::Status(503, "Retry-After: 3600\r\n")],
            1,
            "it answered 503",
        ),
    ];
    for (answers, times, words) in table {
        let (asked, said) = asked(answers, limits(3));
        assert_eq!(asked, times, "{answers:?}: {said}");
        assert_eq!(said.is_empty(), words.is_empty(), "{answers:?}: {said}");
        assert!(said.contains(words), "{answers:?}: {said}");
    }
}

#[test]
fn all_tries_together_have_an_end() {
    let short = Limits {
        attempt: Duration::from_hours(1),
        total: Duration::from_millis(300),
        ..limits(1000)
    };
    // A sender without an end would hold the test for the hour of its one try.
    let (done, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(asked(&[Answer::Silence], short)));
    let (asked_once, said) = end
        .recv_timeout(Duration::from_secs(20))
        .expect("it has no end");
    assert_eq!(asked_once, 1);
    assert!(said.contains("no end within 300ms"), "{said}");
    let endless = Limits {
        attempt: Duration::from_millis(50),
        ..short
    };
    let (_, said) = asked(&[Answer::Status(500, "")], endless);
    assert!(said.contains("500"), "{said}");
}

#[test]
fn tls_is_that_of_the_named_authority_and_the_token_goes_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let (right, wrong) = (dir.path().join("right"), dir.path().join("wrong"));
    for at in [&right, &wrong] {
        std::fs::create_dir(at).unwrap();
        certificates(at);
    }
    let token = secret(dir.path(), "s3cr3t-token\n", 0o600);
    let server = Server::tls(&[OK], &right);
    let with = |ca: Option<&Path>| Target {
        ca: ca.map(|dir| dir.join("ca.pem")),
        token_file: Some(token.clone()),
        ..target(&server.url("https"))
    };
    post(&with(Some(&right))).unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0]
            .to_ascii_lowercase()
            .contains("authorization: bearer s3cr3t-token\r\n")
    );
    for ca in [Some(wrong.as_path()), None] {
        let error = post(&with(ca)).unwrap_err();
        assert!(!told(&error).contains("s3cr3t"), "{}", told(&error));
        assert!(
            error.one_line().contains("certificate"),
            "{}",
            error.one_line()
        );
    }
    assert_eq!(server.requests().len(), 1, "nothing was sent to a stranger");
    let mut other_name = with(Some(&right));
    other_name.url = other_name.url.replace("127.0.0.1", "localhost");
    assert!(
        post(&other_name).is_err(),
        "the certificate is for the address alone"
    );
}

fn secret(dir: &Path, text: &str, mode: u32) -> std::path::PathBuf {
    let path = dir.join(format!("token-{mode:o}-{}", text.len()));
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn told(error: &Error) -> String {
    format!("{error:?} {} {:?}", error.one_line(), error.next_step())
}

#[test]
fn what_would_give_a_secret_away_is_refused_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::plain(&[OK]);
    let here = server.url("http");
    let login = here.replace("http://", "http://u:s3cr3t@");
    let cases = [
        (login.as_str(), None, "login"),
        ("ftp://127.0.0.1/", None, "neither"),
        ("inventory.example", None, "relative"),
        (
            &here,
            Some(secret(dir.path(), "s3cr3t", 0o600)),
            "without TLS",
        ),
        (
            "https://127.0.0.1:1/",
            Some(secret(dir.path(), "s3cr3t", 0o604)),
            "everybody",
        ),
        (
            "https://127.0.0.1:1/",
            Some(secret(dir.path(), "s3cr3t\nx", 0o600)),
            "one line",
        ),
        (
            "https://127.0.0.1:1/",
            Some(secret(dir.path(), "\n", 0o600)),
            "one line",
        ),
        (
            "https://127.0.0.1:1/",
            Some(dir.path().join("none")),
            "does not exist",
        ),
    ];
    for (url, token_file, words) in cases {
        let target = Target {
            token_file,
            ..target(url)
        };
        let error = post(&target).unwrap_err();
        let said = told(&error);
        assert!(said.contains(words), "{url}: {said}");
        assert!(!said.contains("s3cr3t"), "{url}: {said}");
        assert_eq!(error.exit().code(), 2, "{said}");
    }
    let no_pem = Target {
        ca: Some(secret(dir.path(), "no certificate", 0o644)),
        ..target("https://127.0.0.1:1/")
    };
    assert!(told(&post(&no_pem).unwrap_err()).contains("PEM"));
    assert_eq!(server.requests(), Vec::<String>::new());
}
