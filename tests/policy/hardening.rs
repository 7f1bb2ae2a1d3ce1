//! What the hardening fragments of the RKE2 profiles state; a value that goes missing here fails.
//! It is apart from the base profile because these facts have sources of their own: RKE2's CIS guide, the STIG, Rancher's known issues.

use nodeagent::policy::Policy;
use serde_json::Value;

use super::shipped::shipped;

const ALL: [&str; 3] = ["rke2-debian12", "rke2-rocky9", "rke2-ubuntu2204"];

fn fact(policy: &Policy, id: &str) -> Value {
    let entry = policy.entries.iter().find(|e| e.id == id);
    let entry = entry.unwrap_or_else(|| panic!("{}: {id} is missing", policy.profile));
    serde_json::to_value(&entry.resource).unwrap()
}

#[test]
fn the_four_sysctls_of_rke2s_cis_profile_are_exact_and_etcd_has_its_account() {
    for profile in ALL {
        let policy = shipped(profile);
        let keys = &fact(&policy, "sysctl:/etc/sysctl.d/60-rke2-cis.conf")["keys"];
        for (key, value) in [
            ("vm.panic_on_oom", "0"),
            ("vm.overcommit_memory", "1"),
            ("kernel.panic", "10"),
            ("kernel.panic_on_oops", "1"),
        ] {
            assert_eq!(keys[key]["value"], value, "{profile} {key}");
            assert_eq!(keys[key]["accept"], "exact", "{profile} {key}");
        }
        let etcd = fact(&policy, "account:etcd");
        assert_eq!(etcd["shell"], "/usr/sbin/nologin", "{profile}");
    }
}

#[test]
fn the_packet_filter_of_the_el_image_is_declared_validated_and_never_loaded_here() {
    let policy = shipped("rke2-rocky9");
    let rules = fact(&policy, "file:/etc/sysconfig/iptables");
    let content = rules["content"].as_str().unwrap();
    assert_eq!(content.lines().next(), Some("*filter"));
    for port in [
        "tcp --dport 22 ",
        "tcp --dport 6443 ",
        "tcp --dport 9345 ",
        "tcp --dport 2379:2380 ",
        "tcp --dport 10250 ",
        "tcp --dport 10257 ",
        "tcp --dport 10259 ",
        "tcp --dport 30000:32767 ",
        "udp --dport 30000:32767 ",
        "tcp --dport 4240 ",
        "udp --dport 8472 ",
        "tcp --dport 4244 ",
        "tcp --dport 4245 ",
    ] {
        assert!(content.contains(&format!("-p {port}-j ACCEPT")), "{port}");
    }
    assert!(content.contains(":INPUT DROP") && content.contains(":FORWARD ACCEPT"));
    assert!(!content.contains("KUBE-") && !content.contains("CILIUM"));
    assert_eq!(rules["validate"]["command"][0], "iptables-restore");
    let unit = fact(&policy, "unit:iptables.service");
    assert_eq!(unit["enabled"], "enabled");
    assert!(
        unit["active"].is_null() || unit["active"] == "any",
        "{unit}"
    );
}

#[test]
fn network_managers_are_told_to_leave_the_cnis_links_and_rules_alone() {
    for profile in ALL {
        let policy = shipped(profile);
        let manager = fact(&policy, "file:/etc/NetworkManager/conf.d/90-rke2-cni.conf");
        let links = manager["content"].as_str().unwrap().to_owned();
        for name in [
            "flannel*",
            "cali*",
            "tunl*",
            "vxlan.calico",
            "vxlan-v6.calico",
            "wireguard.cali",
            "wg-v6.cali",
            "cilium*",
            "lxc*",
        ] {
            let device = format!("interface-name:{name}");
            let mut all = links.split(['=', ';', '\n']);
            assert!(all.any(|one| one == device), "{profile} {name}");
        }
        let networkd = fact(
            &policy,
            "file:/etc/systemd/networkd.conf.d/90-rke2-cni.conf",
        );
        let lines = networkd["content"].as_str().unwrap();
        for line in [
            "ManageForeignRoutes=no",
            "ManageForeignRoutingPolicyRules=no",
        ] {
            assert!(lines.lines().any(|found| found == line), "{profile} {line}");
        }
        for unit in ["nm-cloud-setup.timer", "nm-cloud-setup.service"] {
            let unit = fact(&policy, &format!("unit:{unit}"));
            assert_eq!(unit["enabled"], "disabled", "{profile}");
            assert_eq!(unit["missing"], "fine", "{profile}");
        }
    }
}

#[test]
fn every_path_that_the_el_profile_places_is_labelled_in_the_end() {
    let policy = shipped("rke2-rocky9");
    let labels = fact(&policy, "selinux:placed");
    let below: Vec<&str> = labels["paths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p.as_str().unwrap())
        .collect();
    let covered = |path: &str| {
        below
            .iter()
            .any(|dir| path == *dir || path.starts_with(&format!("{dir}/")))
    };
    assert!(!covered("/etc/sshx") && !covered("/srv/x"));
    for entry in &policy.entries {
        let resource = serde_json::to_value(&entry.resource).unwrap();
        let places = [
            "file",
            "directory",
            "sysctl",
            "module",
            "sshd",
            "repository",
            "trust",
        ];
        if places.contains(&entry.resource.kind()) {
            let Some(path) = resource["path"].as_str() else {
                continue;
            };
            assert!(
                covered(path),
                "{} is placed, but 58-selinux.toml does not label it",
                entry.id
            );
        }
    }
}

#[test]
fn fapolicyd_lets_run_what_no_package_brought() {
    let rules = fact(
        &shipped("rke2-rocky9"),
        "file:/etc/fapolicyd/rules.d/80-rke2.rules",
    );
    let rules = rules["content"].as_str().unwrap();
    for object in [
        "dir=/var/lib/rancher/",
        "dir=/opt/cni/",
        "dir=/run/k3s/",
        "dir=/var/lib/kubelet/",
        "path=/usr/local/bin/rke2",
        "path=/usr/bin/nodeagent",
    ] {
        let line = format!("allow perm=any all : {object}");
        assert!(rules.lines().any(|found| found == line), "{object}");
    }
}

#[test]
fn every_rke2_profile_checks_what_rke2_needs() {
    for profile in ALL {
        let policy = shipped(profile);
        for name in [
            "rp-filter",
            "namespaces",
            "modules-allowed",
            "modules",
            "storage-modules",
            "exec",
            "iptables",
            "forward",
        ] {
            fact(&policy, &format!("need:{name}"));
        }
        if profile != "rke2-rocky9" {
            fact(&policy, "package:iptables");
        }
        assert_eq!(fact(&policy, "swap:off")["state"], "off");
    }
}

#[test]
fn cis_level_settings_are_a_profile_of_their_own_and_of_place_node_alone() {
    use nodeagent::resource::Place;
    for profile in ALL {
        let image = shipped(profile);
        assert!(
            !image
                .entries
                .iter()
                .any(|entry| entry.origin.contains("78-cis")),
            "{profile}"
        );
        let node = shipped(&format!("{profile}-cis"));
        assert_eq!(image.requires.family, node.requires.family);
        assert_eq!(image.requires.version, node.requires.version);
        assert_eq!(node.exceptions.len(), 1, "{profile}");
        for entry in &node.entries {
            assert_eq!(entry.places, [Place::Node], "{}", entry.id);
        }
        for id in [
            "file:/etc/issue.net",
            "file:/etc/audit/rules.d/50-cis-node.rules",
            "file:/etc/security/pwquality.conf.d/50-cis-node.conf",
            "script:login-defs",
        ] {
            fact(&node, id);
        }
    }
}
