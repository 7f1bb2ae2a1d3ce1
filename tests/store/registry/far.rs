//! A real registry behind a real long link: how much several connections help. It prints, it judges no times.
//! It is separate because it takes two namespaces and much memory.

use std::io::Read as _;
use std::time::Instant;

use nodeagent::host::oci::{Descriptor, Digest, Name, Source as _};
use nodeagent::host::registry::Access;

use super::{access, noise, puller};
use crate::support::far::{Long, THERE, apart};
use crate::support::images::tiny;
use crate::support::registry::{Registry, Setup, Storage};

/// Some of it is fetched by one session, or by several at once.
const BLOBS: usize = 2;
const SIZE: usize = 80 << 20;

/// Reads blobs, each by a session of its own, and gives megabytes a second.
fn speed(access: &Access, host: &str, wanted: &[Descriptor]) -> u64 {
    let puller = puller(access);
    let name = Name::parse(&format!("{host}/k8s/a:1")).unwrap();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for blob in wanted {
            scope.spawn(|| {
                let mut session = puller.session().unwrap();
                let mut body = session.blob(&name, blob).unwrap();
                let mut buffer = vec![0; 256 << 10];
                let mut count = 0;
                loop {
                    match body.read(&mut buffer).unwrap() {
                        0 => break,
                        more => count += more as u64,
                    }
                }
                assert_eq!(count, blob.size);
            });
        }
    });
    let bytes: u64 = wanted.iter().map(|blob| blob.size).sum();
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap();
    bytes / millis / 1000
}

#[test]
fn over_a_long_link_everything_comes_and_the_rates_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::new(dir.path());
    let blobs: Vec<Vec<u8>> = (0..BLOBS)
        .map(|n| {
            let mut bytes = noise(SIZE / 2).repeat(2);
            bytes[0] = u8::try_from(n).unwrap();
            bytes
        })
        .collect();
    let filled = Registry::plain(&storage);
    filled.push(&tiny("k8s/a:1", "one"));
    for blob in &blobs {
        filled.put_blob("k8s/a", blob);
    }
    let wanted: Vec<Descriptor> = blobs
        .iter()
        .map(|bytes| Descriptor {
            media_type: String::new(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        })
        .collect();
    drop((blobs, filled));
    let setup = Setup {
        ip: Some(THERE.to_owned()),
        ..Setup::default()
    };
    // A sender as Linux has it, which nearly fills the link by one connection, and one that does not.
    for window in [4 << 20, 512 << 10] {
        let link = Long {
            delay: 10,
            rate: 1000,
            lost: 0,
            control: "reno",
            window,
        };
        let start = || Registry::start(&storage, &setup);
        let host = |registry: &Registry| registry.host().to_owned();
        let rows = apart(link, start, host, |host| {
            [0, 64 << 20].map(|memory| {
                let mut access = access(&[]);
                access.plain_http.push(host.to_owned());
                access.memory = memory;
                let one = speed(&access, host, &wanted[..1]);
                (memory, one, speed(&access, host, &wanted))
            })
        });
        for (memory, one, all) in rows {
            let what = if memory == 0 {
                "one connection a blob"
            } else {
                "several"
            };
            println!("{link:?}, {what}: {one} MB/s one blob, {all} MB/s {BLOBS} at once");
        }
    }
}
