//! What the Rocky profile holds of its source: packages, their repository, services.
//! It is apart from the other shipped profiles because nearly every name in it is another one.

use nodeagent::policy::{Policy, Request, Sources, resolve};
use serde_json::{Value, json};

use super::SELF;

fn rocky(more: &[&str]) -> Policy {
    let given = [
        "rke2_rpm_key=/root/public.key",
        "rke2_rpm_fingerprint=0123456789abcdef0123456789abcdef01234567",
        "rke2_selinux_version=0.18-1.el9",
    ];
    let sets: Vec<String> = given
        .iter()
        .chain(more)
        .map(|set| (*set).to_owned())
        .collect();
    let request = Request {
        profile: "rke2-rocky9",
        self_sha256: SELF,
        sets: &sets,
        ..Request::default()
    };
    resolve(&Sources::shipped(), &request).unwrap().policy
}

fn fact(policy: &Policy, id: &str) -> Value {
    let entry = policy.entries.iter().find(|e| e.id == id);
    serde_json::to_value(&entry.unwrap_or_else(|| panic!("{id} is missing")).resource).unwrap()
}

#[test]
fn packages_and_services_are_the_sources() {
    let policy = rocky(&["package_dir=/srv/rpms"]);
    let packages = "qemu-guest-agent iptables iptables-services container-selinux policycoreutils-python-utils audit chrony";
    for name in packages.split(' ') {
        let package = fact(&policy, &format!("package:{name}"));
        assert_eq!(package["offline"], "/srv/rpms", "{name}");
    }
    for (unit, state) in [
        ("qemu-guest-agent.service", "enabled"),
        ("iptables.service", "enabled"),
        ("chronyd.service", "enabled"),
        ("firewalld.service", "disabled"),
        ("dnf-automatic-install.timer", "disabled"),
    ] {
        assert_eq!(
            fact(&policy, &format!("unit:{unit}"))["enabled"],
            state,
            "{unit}"
        );
    }
    assert_eq!(fact(&policy, "unit:firewalld.service")["missing"], "fine");
    let on = rocky(&["dnf_automatic=enabled"]);
    assert_eq!(
        fact(&on, "unit:dnf-automatic-install.timer")["enabled"],
        "enabled"
    );
}

#[test]
fn rke2s_repository_and_package_are_pinned() {
    let policy = rocky(&[]);
    let repository = fact(&policy, "repository:rancher-rke2-common");
    let baseurl = "https://rpm.rancher.io/rke2/latest/common/centos/9/noarch";
    assert_eq!(repository["baseurl"], baseurl);
    assert_eq!(
        repository["fingerprint"],
        "0123456789abcdef0123456789abcdef01234567"
    );
    assert_ne!(repository["unsigned"], json!(true));
    let package = fact(&policy, "package:rke2-selinux");
    assert_eq!(
        (&package["version"], &package["hold"]),
        (&json!("0.18-1.el9"), &json!(true))
    );
}

#[test]
fn what_no_source_gives_has_no_default() {
    let request = Request {
        profile: "rke2-rocky9",
        self_sha256: SELF,
        ..Request::default()
    };
    let error = resolve(&Sources::shipped(), &request).unwrap_err();
    let said = nodeagent::policy::Mistakes::of(&error).unwrap().to_string();
    for name in [
        "rke2_rpm_key",
        "rke2_rpm_fingerprint",
        "rke2_selinux_version",
    ] {
        assert!(
            said.contains(&format!("the variable `{name}` has no value")),
            "{said}"
        );
    }
}
