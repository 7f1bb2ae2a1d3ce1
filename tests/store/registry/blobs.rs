//! Blobs from a registry that lies: what can be had is had whole, everything else is an error of the right class.
//! They are separate because each lie is a row of its own.

use std::time::Duration;

use nodeagent::host::failure::Class;

use super::{access, blob, impatient, is_whole, name, noise, puller, told};
use crate::support::lying::{Lie, Lying};

const SIZE: usize = 1 << 20;
const BLOBS: &str = "/blobs/";

fn busy(wait: &str) -> Lie {
    Lie::Status(429, vec![("Retry-After", wait.to_owned())])
}

fn failing(status: u16) -> Lie {
    Lie::Status(status, vec![])
}

#[test]
fn what_passes_is_survived_and_nothing_is_fetched_twice() {
    let table: Vec<(&str, Vec<Lie>, usize)> = vec![
        ("the truth", vec![], 1),
        ("a break", vec![Lie::Truncate(100_000)], 2),
        ("a break at the last byte", vec![Lie::Truncate(SIZE - 1)], 2),
        ("a break before the first byte", vec![Lie::Truncate(0)], 2),
        ("breaks", vec![Lie::Truncate(70_000); 9], 10),
        ("a hang-up", vec![Lie::HangUp], 2),
        ("errors of its own", vec![failing(500), failing(502)], 3),
        ("no room there", vec![failing(503)], 2),
        ("too busy", vec![busy("0"), busy("0")], 3),
        ("busy for long", vec![busy("86400")], 2),
        (
            "busy until long ago",
            vec![busy("Sun, 06 Nov 1994 08:49:37 GMT")],
            2,
        ),
        (
            "no ranges",
            vec![Lie::Truncate(100_000), Lie::IgnoreRange],
            2,
        ),
        (
            "a break of the skipped",
            vec![
                Lie::Truncate(100_000),
                Lie::IgnoreRange,
                Lie::Truncate(50_000),
            ],
            2,
        ),
        (
            "another range once",
            vec![Lie::Truncate(100_000), Lie::WrongRange],
            3,
        ),
        ("another size once", vec![Lie::Resize(SIZE - 1)], 2),
        ("more than there is, once", vec![Lie::Resize(SIZE + 1)], 2),
        ("no length", vec![Lie::Excess(Vec::new())], 1),
        (
            "a range without the whole",
            vec![
                Lie::Truncate(100_000),
                Lie::Header("Content-Range", format!("bytes 100000-{}/*", SIZE - 1)),
            ],
            2,
        ),
    ];
    let bytes = noise(SIZE);
    for (what, lies, requests) in table {
        let registry = Lying::start();
        let wanted = registry.blob(&bytes);
        registry.lie(BLOBS, lies);
        let puller = puller(&access(&[&registry]));
        let got = blob(&puller, &name(&registry), &wanted);
        let got = got.unwrap_or_else(|failure| panic!("{what}: {}", super::said(&failure)));
        is_whole(&got, &wanted);
        let asked = registry.asked(BLOBS);
        assert_eq!(asked.len(), requests, "{what}: {asked:?}");
    }
}

#[test]
fn a_broken_blob_is_taken_up_where_it_broke() {
    let registry = Lying::start();
    let wanted = registry.blob(&noise(SIZE));
    registry.always(BLOBS, Lie::Truncate(300_000));
    let puller = puller(&access(&[&registry]));
    is_whole(&blob(&puller, &name(&registry), &wanted).unwrap(), &wanted);
    let asked = registry.asked(BLOBS);
    let ranges: Vec<_> = asked.iter().map(|asked| asked.header("range")).collect();
    let want = [
        None,
        Some("bytes=300000-1048575"),
        Some("bytes=600000-1048575"),
        Some("bytes=900000-1048575"),
    ];
    assert_eq!(ranges, want);
}

#[test]
fn a_stall_is_left_behind() {
    let registry = Lying::start();
    let wanted = registry.blob(&noise(SIZE));
    registry.lie(BLOBS, [Lie::Stall(100_000), Lie::Silence]);
    let puller = puller(&impatient(&[&registry]));
    is_whole(&blob(&puller, &name(&registry), &wanted).unwrap(), &wanted);
    assert!(registry.asked(BLOBS).len() >= 3);
}

#[test]
fn every_lie_that_stays_is_an_error_of_its_class() {
    let table: Vec<(Lie, Class, &str)> = vec![
        (Lie::Truncate(1000), Class::Network, "3 tries"),
        (Lie::HangUp, Class::Network, "3 tries"),
        (failing(500), Class::Registry, "HTTP 500"),
        (failing(504), Class::Timeout, "HTTP 504"),
        (
            busy("0"),
            Class::Registry,
            "HTTP 429 Too Many Requests (TOOMANYREQUESTS)",
        ),
        (failing(400), Class::Registry, "HTTP 400"),
        (failing(404), Class::NotFound, "HTTP 404"),
        (failing(403), Class::Auth, "HTTP 403"),
        (failing(401), Class::Auth, "HTTP 401"),
        (failing(304), Class::Registry, "HTTP 304"),
        (failing(204), Class::Registry, "HTTP 204"),
        (
            Lie::Resize(SIZE - 1),
            Class::Digest,
            "wanted 1048576 bytes, the registry has 1048575",
        ),
        (
            Lie::Resize(SIZE * 2),
            Class::Digest,
            "wanted 1048576 bytes, the registry has 2097152",
        ),
        (
            Lie::Excess(vec![1]),
            Class::Digest,
            "more than 1048576 bytes come",
        ),
        (
            Lie::Header("Content-Encoding", "gzip".to_owned()),
            Class::Registry,
            "the encoding \"gzip\"",
        ),
        (
            Lie::Redirect("/v2/x".repeat(2)),
            Class::NotFound,
            "HTTP 404",
        ),
        (
            Lie::Redirect("ftp://elsewhere.example/x".to_owned()),
            Class::Registry,
            "no address of the web",
        ),
        (
            Lie::Status(302, vec![]),
            Class::Registry,
            "no address of the web",
        ),
    ];
    for (lie, class, part) in table {
        let registry = Lying::start();
        let wanted = registry.blob(&noise(SIZE));
        registry.always(BLOBS, lie.clone());
        let puller = puller(&access(&[&registry]));
        let got = blob(&puller, &name(&registry), &wanted);
        let host = registry.host();
        let image = format!("{host}/k8s/a:1");
        let from = format!("from {host}");
        told(got, class, &[part, &image, wanted.digest.short(), &from]);
    }
}

#[test]
fn who_does_not_answer_or_crawls_is_given_up() {
    let table = [
        (Lie::Silence, "no answer within"),
        (Lie::Stall(1000), "no byte came within"),
        (Lie::Drip(Duration::from_millis(5)), "bytes a second"),
    ];
    for (lie, part) in table {
        let registry = Lying::start();
        let wanted = registry.blob(&noise(SIZE));
        registry.always(BLOBS, lie);
        let mut access = impatient(&[&registry]);
        access.patience.connect = Duration::ZERO + access.patience.answer;
        access.patience.tries = 2;
        let got = blob(&puller(&access), &name(&registry), &wanted);
        told(got, Class::Timeout, &[part, "2 tries"]);
    }
}

#[test]
fn a_range_that_is_another_is_not_taken() {
    let registry = Lying::start();
    let wanted = registry.blob(&noise(SIZE));
    registry.lie(
        BLOBS,
        [Lie::Truncate(1000), Lie::WrongRange, Lie::WrongRange],
    );
    let puller = puller(&access(&[&registry]));
    let got = blob(&puller, &name(&registry), &wanted);
    let parts = [
        "wanted \"bytes 1000-1048575/1048576\"",
        "got \"bytes 999-1048574/1048576\"",
    ];
    told(got, Class::Registry, &parts);
}

#[test]
fn a_digest_is_the_readers_to_check_and_a_second_try_gets_the_truth() {
    let registry = Lying::start();
    let wanted = registry.blob(&noise(SIZE));
    registry.lie(BLOBS, [Lie::Corrupt]);
    let puller = puller(&access(&[&registry]));
    let first = blob(&puller, &name(&registry), &wanted).unwrap();
    assert_ne!(first, noise(SIZE));
    is_whole(&blob(&puller, &name(&registry), &wanted).unwrap(), &wanted);
}

#[test]
fn a_blob_of_nothing_needs_nobody() {
    let registry = Lying::start();
    let wanted = registry.blob(b"");
    let puller = puller(&access(&[&registry]));
    assert_eq!(blob(&puller, &name(&registry), &wanted).unwrap(), b"");
}
