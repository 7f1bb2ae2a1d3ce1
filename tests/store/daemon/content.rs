//! Blobs: adopted, sent, labelled, read, forgotten, and what an ended client leaves.
//! Separate because bytes pass here, and wrong ones must not stay.

use super::{descriptor, digests, each, file, labels, place};
use nodeagent::host::containerd::{Containerd, Labels, class};
use nodeagent::host::failure::{Class, Failure};
use nodeagent::host::oci::Descriptor;
use std::io::Read;
use std::path::Path;

#[test]
fn a_blob_placed_by_hand_is_adopted_without_its_bytes() {
    each(|_, mut client| {
        let facts = client.facts().unwrap();
        client.lease("nodeagent-test", 24).unwrap();
        let blob = place(&client, b"a layer");
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
        let before = inode(&file(&facts, &blob.digest));
        client.adopt(&blob, &labels(&[("a", "1")])).unwrap();
        assert_eq!(inode(&file(&facts, &blob.digest)), before);
        // Again, with more labels: those that were there stay.
        client.adopt(&blob, &labels(&[("b", "2")])).unwrap();
        client
            .label_content(&blob.digest, &labels(&[("c", "3")]))
            .unwrap();
        let [found] = client.content().unwrap().try_into().unwrap();
        assert_eq!((&found.digest, found.size), (&blob.digest, 7));
        assert_eq!(found.labels, labels(&[("a", "1"), ("b", "2"), ("c", "3")]));
        assert_eq!(client.read(&blob.digest, 7).unwrap(), b"a layer");
        let long = client.read(&blob.digest, 6).unwrap_err();
        assert!(
            long.one_line().contains("over the limit"),
            "{}",
            long.one_line()
        );
        assert_eq!(client.ingests().unwrap(), Vec::<String>::new());
    });
}

#[test]
fn what_is_not_there_or_not_whole_is_not_adopted() {
    each(|daemon, mut client| {
        client.lease("nodeagent-test", 24).unwrap();
        let absent = descriptor(b"nowhere");
        let short = Descriptor {
            size: 100,
            ..place(&client, b"short")
        };
        for blob in [absent, short] {
            let error = client.adopt(&blob, &Labels::new()).unwrap_err();
            let text = error.one_line();
            assert!(text.contains(&blob.digest.to_string()), "{text}");
            assert!(text.contains(daemon.socket().to_str().unwrap()), "{text}");
            assert!(error.next_step().is_some(), "{text}");
            assert_eq!(class(&error), Class::Store);
        }
        assert_eq!(client.content().unwrap(), Vec::new());
        assert_eq!(client.ingests().unwrap(), Vec::<String>::new());
        // A size that its own record contradicts.
        let blob = place(&client, b"recorded");
        client.adopt(&blob, &Labels::new()).unwrap();
        let wrong = Descriptor { size: 9, ..blob };
        let text = client.adopt(&wrong, &Labels::new()).unwrap_err().one_line();
        assert!(text.contains(" not 9"), "{text}");
    });
}

struct Endless;

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        into.fill(7);
        Ok(into.len())
    }
}

struct Refused;

impl Read for Refused {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(Failure::new(
            Class::Auth,
            nodeagent::error::Error::host("ask the registry"),
        )
        .into())
    }
}

#[test]
fn bytes_are_sent_and_only_the_right_ones_are_kept() {
    each(|_, mut client| {
        client.lease("nodeagent-test", 24).unwrap();
        let bytes: Vec<u8> = (0..3_500_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let blob = descriptor(&bytes);
        let none = Labels::new();
        let mut wrong = bytes.clone();
        wrong[1_000_000] ^= 1;
        assert!(client.send(&blob, &none, &mut &wrong[..]).is_err());
        assert!(client.send(&blob, &none, &mut &bytes[..3_000_000]).is_err());
        assert!(client.send(&blob, &none, &mut Endless).is_err());
        let refused = client.send(&blob, &none, &mut Refused).unwrap_err();
        assert_eq!(class(&refused), Class::Auth, "{}", refused.one_line());
        assert_eq!(client.content().unwrap(), Vec::new());
        assert_eq!(client.ingests().unwrap(), Vec::<String>::new());

        client
            .send(&blob, &labels(&[("a", "1")]), &mut &bytes[..])
            .unwrap();
        client
            .send(&blob, &labels(&[("b", "2")]), &mut &bytes[..])
            .unwrap();
        assert_eq!(client.read(&blob.digest, 4 << 20).unwrap(), bytes);
        assert_eq!(
            client.content().unwrap()[0].labels,
            labels(&[("a", "1"), ("b", "2")])
        );
        let empty = descriptor(b"");
        client.send(&empty, &none, &mut &b""[..]).unwrap();
        assert_eq!(digests(&client).len(), 2);
        client.forget_content(&blob.digest).unwrap();
        client.forget_content(&blob.digest).unwrap();
        assert_eq!(digests(&client), [empty.digest]);
    });
}

#[test]
fn writes_that_were_begun_are_seen_and_dropped() {
    each(|daemon, client| {
        let mut begun = daemon.ctr(&["content", "ingest", "left-over"]);
        let mut child = begun.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, &vec![1; 4 << 20]).unwrap();
        while client.ingests().unwrap() != ["left-over"] {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // The daemon lets go of it when it has seen that its client is gone.
        while client.abort("left-over").is_err() {
            std::thread::yield_now();
        }
        assert_eq!(client.ingests().unwrap(), Vec::<String>::new());
        client.abort("left-over").unwrap();
    });
}
