//! Identifiers: buried before they go, and caught on a node that still has them.
//! It is separate because it runs both kinds, the one that removes and the one that proves.

use nodeagent::resource::Place;

use super::bench::{Bench, host_keys, identity, machine_id, own_state, policy};

const ID: &str = "0123456789abcdef0123456789abcdef";
/// Public keys of two machines, in the files' own format; the bytes are filler.
const KEY_A: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB root@a\n";
const KEY_B: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC root@b\n";
/// The OpenSSH private file of KEY_A's pair, cut to its public half: that is all that is read of it.
const PRIVATE_A: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZWQyNTUxOQAAACABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==\n-----END OPENSSH PRIVATE KEY-----\n";

/// Differences and unknown parts of the only entry.
fn verdict(bench: &Bench, what: &str) -> (Vec<String>, usize) {
    let plan = bench.plan(&identity(what), Place::Node);
    let item = &plan.items[0];
    let differs = item.differences.iter().map(|d| d.what.clone()).collect();
    (differs, item.could_not_check.len())
}

#[test]
fn an_identifier_is_buried_before_it_goes_and_a_node_that_has_it_is_caught() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/machine-id", &format!("{ID}\n"));
    bench.clean(&policy(&[machine_id()]));
    let meta = bench.host.root.meta("/etc/machine-id").unwrap().unwrap();
    assert_eq!((meta.size, meta.mode_text().as_str()), (0, "0444"));
    let evidence = nodeagent::record::journal::evidence(&bench.host.root).unwrap();
    let stone = bench
        .host
        .evidence
        .tombstone("machine-id", ID.as_bytes())
        .unwrap();
    assert_eq!(
        evidence.tombstones,
        [stone],
        "recorded once, the identifier without its line end"
    );

    assert_eq!(
        verdict(&bench, "machine-id"),
        (vec!["/etc/machine-id".to_owned()], 0),
        "still empty"
    );
    bench.put_over("/etc/machine-id", &format!("{ID}\n"));
    assert_eq!(verdict(&bench, "machine-id").0.len(), 1, "the builder's");
    bench.put_over("/etc/machine-id", &ID.replace('0', "f"));
    assert_eq!(verdict(&bench, "machine-id"), (vec![], 0));
    bench.host.evidence.tombstones.clear();
    assert_eq!(
        verdict(&bench, "machine-id"),
        (vec![], 1),
        "no tombstone: could not check"
    );
    bench.host.evidence.salt = None;
    assert_eq!(
        verdict(&bench, "machine-id"),
        (vec![], 1),
        "no salt: could not check"
    );
}

#[test]
fn the_hypervisor_as_source_is_only_a_note() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/machine-id", "");
    bench.clean(&policy(&[machine_id()]));
    bench.put_over("/etc/machine-id", ID);
    bench.fakes.kernel.edit().product_uuid =
        Some("01234567-89AB-cdef-0123-456789abcdef".to_owned());
    let policy = identity("machine-id");
    let seen = policy.entries[0].resource.observe(&bench.host).unwrap();
    assert!(
        serde_json::to_string(&seen)
            .unwrap()
            .contains("\"from-smbios\":true")
    );
    assert!(
        !serde_json::to_string(&seen).unwrap().contains(ID),
        "the identifier itself is never shown"
    );
    assert_eq!(verdict(&bench, "machine-id"), (vec![], 0));
}

#[test]
fn that_there_was_nothing_to_bury_is_evidence_too() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/machine-id", "");
    bench.mode("/etc/machine-id", 0o444);
    let wanted = policy(&[machine_id()]);
    let plan = bench.plan(&wanted, Place::Image);
    assert_eq!(plan.items[0].steps, ["record that there was no identifier"]);
    bench.clean(&wanted);
    bench.put_over("/etc/machine-id", ID);
    assert_eq!(verdict(&bench, "machine-id"), (vec![], 0));

    bench.host.evidence = nodeagent::host::Evidence::default();
    let unsalted = bench.plan(&wanted, Place::Image);
    assert_eq!(
        unsalted.items[0].could_not_check.len(),
        1,
        "without a salt nothing is proved"
    );
}

#[test]
fn every_host_key_is_compared_whatever_its_public_file_says() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/ssh/ssh_host_ed25519_key", PRIVATE_A);
    bench.put("/etc/ssh/ssh_host_ed25519_key.pub", KEY_A);
    bench.put(
        "/etc/ssh/sshd_config",
        "HostKey /etc/ssh/ssh_host_ed25519_key\nHostKey /opt/keys/site\n",
    );
    bench.put(
        "/opt/keys/site",
        "-----BEGIN EC PRIVATE KEY-----\nsite\n-----END EC PRIVATE KEY-----\n",
    );
    bench.clean(&policy(&[host_keys()]));
    assert!(
        !bench.has("/etc/ssh/ssh_host_ed25519_key")
            && !bench.has("/etc/ssh/ssh_host_ed25519_key.pub")
    );
    assert!(
        !bench.has("/opt/keys/site"),
        "a key that only the configuration names goes as well"
    );

    let names = verdict(&bench, "ssh-host-keys").0;
    assert_eq!(
        names.len(),
        3,
        "both configured keys are absent, none is loaded: {names:?}"
    );

    bench.put("/etc/ssh/sshd_config", "");
    for (case, public) in [
        ("no public file", None),
        ("another's public file", Some(KEY_B)),
    ] {
        bench.put("/etc/ssh/ssh_host_ed25519_key", PRIVATE_A);
        bench.mode("/etc/ssh/ssh_host_ed25519_key", 0o600);
        if let Some(public) = public {
            bench.put("/etc/ssh/ssh_host_ed25519_key.pub", public);
        }
        let (names, _) = verdict(&bench, "ssh-host-keys");
        assert!(
            names.contains(&"/etc/ssh/ssh_host_ed25519_key".to_owned()),
            "{case}: {names:?}"
        );
        let stale = names.contains(&"/etc/ssh/ssh_host_ed25519_key.pub".to_owned());
        assert_eq!(stale, public.is_some(), "{case}: {names:?}");
    }
}

#[test]
fn a_key_of_another_type_or_outside_the_configuration_counts() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/etc/ssh/ssh_host_xmss_key.pub", KEY_A);
    bench.clean(&policy(&[host_keys()]));
    bench.put("/etc/ssh/ssh_host_rsa_key", KEY_B);
    assert_eq!(verdict(&bench, "ssh-host-keys"), (vec![], 0), "made anew");
    bench.put("/etc/ssh/ssh_host_xmss_key.pub", KEY_A);
    assert_eq!(
        verdict(&bench, "ssh-host-keys").0,
        ["/etc/ssh/ssh_host_xmss_key.pub"]
    );
}

#[test]
fn a_name_on_a_booted_machine_s_command_line_is_told_without_its_value() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.host.context.place = nodeagent::host::Where::Booted;
    assert_eq!(verdict(&bench, "command-line"), (vec![], 0));
    let words = "rd.iscsi.initiator=iqn.1993-08.org.debian:01:build systemd.hostname=builder-7";
    words.clone_into(&mut bench.fakes.kernel.edit().words);
    let plan = bench.plan(&identity("command-line"), Place::Node);
    let told = format!("{:?}", plan.items[0].differences);
    assert_eq!(plan.items[0].differences.len(), 2, "{told}");
    for secret in ["debian:01:build", "builder-7"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn an_identifier_that_is_only_mounted_is_told_whatever_lies_behind_the_mount() {
    use crate::support::namespace;
    for memory in [false, true] {
        let found = namespace::in_namespaces(move || {
            let bench = Bench::new();
            own_state(&bench);
            bench.put("/etc/machine-id", "");
            let from = if memory {
                "/run/machine-id"
            } else {
                "/etc/other-id"
            };
            if memory {
                bench.put("/run/.keep", "");
                namespace::empty(bench.dir.path().join("run").to_str().unwrap());
            }
            bench.put(from, ID);
            let from = bench.dir.path().join(from.trim_start_matches('/'));
            let over = bench.dir.path().join("etc/machine-id");
            namespace::bind(&from, over.to_str().unwrap());
            let seen = identity("machine-id").entries[0]
                .resource
                .observe(&bench.host);
            serde_json::to_value(seen.unwrap()).unwrap().to_string()
        });
        assert!(found.contains("\"transient\":true"), "{memory}: {found}");
    }
}
