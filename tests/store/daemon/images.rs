//! Image records and leases: what is kept, by whom, and what the collection takes.
//! Separate because only the records decide what of a store stays.

use super::{digests, each, file, image, names, place};
use nodeagent::host::containerd::{Containerd, Labels};
use nodeagent::host::oci::Descriptor;

#[test]
fn images_are_put_changed_and_removed_with_all_that_only_they_kept() {
    each(|_, mut client| {
        client.lease("nodeagent-test", 24).unwrap();
        let [shared, own] =
            [b"shared layer".as_slice(), b"own layer"].map(|bytes| place(&client, bytes));
        let (one, two) = (
            place(&client, b"manifest one"),
            place(&client, b"manifest two"),
        );
        for layer in [&shared, &own] {
            client.adopt(layer, &Labels::new()).unwrap();
        }
        let refs = |digests: &[&Descriptor]| -> Labels {
            let numbered = digests.iter().enumerate();
            numbered
                .map(|(n, d)| {
                    (
                        format!("containerd.io/gc.ref.content.l.{n}"),
                        d.digest.to_string(),
                    )
                })
                .collect()
        };
        client.adopt(&one, &refs(&[&shared])).unwrap();
        client.adopt(&two, &refs(&[&shared, &own])).unwrap();
        client
            .put_image(&image("example/one:1", &one, &[("pin", "yes")]))
            .unwrap();
        client
            .put_image(&image("example/two:1", &one, &[("old", "label")]))
            .unwrap();
        let right = image("example/two:1", &two, &[("new", "label")]);
        client.put_image(&right).unwrap();
        client.put_image(&right).unwrap();
        let mut all = client.images().unwrap();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(
            all,
            [image("example/one:1", &one, &[("pin", "yes")]), right]
        );

        client.end_lease("nodeagent-test").unwrap();
        assert_eq!(digests(&client).len(), 4, "everything is named by an image");
        client.remove_image("example/two:1").unwrap();
        client.remove_image("example/two:1").unwrap();
        let mut left = [shared.digest, one.digest.clone()];
        left.sort();
        assert_eq!(digests(&client), left);
        let facts = client.facts().unwrap();
        assert!(!file(&facts, &own.digest).exists() && file(&facts, &left[0]).exists());
        let nameless = image("", &one, &[]);
        assert!(client.put_image(&nameless).is_err());
    });
}

#[test]
fn the_end_of_a_lease_collects_what_nothing_names() {
    each(|daemon, mut client| {
        client.lease("nodeagent-test", 24).unwrap();
        client.lease("nodeagent-test", 24).unwrap();
        assert_eq!(client.leases().unwrap(), ["nodeagent-test"]);
        let kept = place(&client, b"a manifest");
        let lost = place(&client, b"lost");
        for blob in [&kept, &lost] {
            client.adopt(blob, &Labels::new()).unwrap();
        }
        client.prepare("extract", None, &Labels::new()).unwrap();
        client.commit("chain", "extract", &Labels::new()).unwrap();
        client
            .put_image(&image("example/kept:1", &kept, &[]))
            .unwrap();
        // Another collection on the way takes nothing: the lease keeps it.
        client.remove_image("example/none:1").unwrap();
        daemon
            .ctr_ok(&["leases", "create", "--id", "other"])
            .unwrap();
        daemon.ctr_ok(&["leases", "rm", "--sync", "other"]).unwrap();
        assert_eq!((digests(&client).len(), names(&client).len()), (2, 1));

        let facts = client.facts().unwrap();
        client.end_lease("nodeagent-test").unwrap();
        client.end_lease("nodeagent-test").unwrap();
        assert_eq!(client.leases().unwrap(), Vec::<String>::new());
        assert_eq!(digests(&client), [kept.digest]);
        assert_eq!(names(&client), Vec::<String>::new());
        assert!(!file(&facts, &lost.digest).exists());
    });
}

#[test]
fn a_lease_that_is_about_to_end_is_taken_anew() {
    each(|daemon, mut client| {
        let leases = || daemon.ctr_ok(&["leases", "ls"]).unwrap();
        let id = "nodeagent-test";
        daemon
            .ctr_ok(&["leases", "create", "--id", id, "--expires", "11h"])
            .unwrap();
        let lost = place(&client, b"kept by the old one");
        client.adopt(&lost, &Labels::new()).unwrap();
        let before = leases();
        client.lease(id, 24).unwrap();
        let after = leases();
        assert_ne!(before, after);
        // What only the old one kept went with it, and not later, amid the work.
        assert_eq!(digests(&client), []);
        client.lease(id, 24).unwrap();
        assert_eq!(leases(), after, "there is time left");
    });
}
