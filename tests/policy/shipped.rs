//! What is shipped: every profile loads, holds what it must, and is documented by examples that load.
//! It is apart from the cases because these files are the product.

use nodeagent::policy::{Layer, Mistakes, Policy, Request, Sources, profiles, resolve};
use serde_json::json;

use super::SELF;

pub(crate) fn shipped(profile: &str) -> Policy {
    let sources = Sources::shipped();
    let request = Request {
        profile,
        self_sha256: SELF,
        unset_is_fine: true,
        ..Request::default()
    };
    match resolve(&sources, &request) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings, [], "{profile}");
            loaded.policy
        }
        Err(error) => panic!("{error}\n{}", Mistakes::of(&error).unwrap()),
    }
}

#[test]
fn every_shipped_profile_loads_without_a_warning() {
    let names = profiles(&Sources::shipped());
    assert!(names.contains(&"debian12-base".to_owned()), "{names:?}");
    for profile in &names {
        let policy = shipped(profile);
        let again = Policy::from_json(&policy.to_json().unwrap()).unwrap();
        assert_eq!(again, policy, "{profile}");
        assert_eq!(again.digest().unwrap(), policy.digest().unwrap());
    }
}

#[test]
fn the_base_profile_holds_what_both_sources_ask_for() {
    let policy = shipped("debian12-base");
    let fact = |id: &str| {
        let entry = policy.entries.iter().find(|e| e.id == id);
        serde_json::to_value(&entry.unwrap_or_else(|| panic!("{id} is missing")).resource).unwrap()
    };
    let packages = "qemu-guest-agent multipath-tools open-iscsi nfs-common cryptsetup conntrack socat ebtables ethtool chrony";
    for name in packages.split(' ') {
        fact(&format!("package:{name}"));
    }
    let modules = &fact("module:/etc/modules-load.d/rke2.conf")["modules"];
    for name in "br_netfilter overlay nf_conntrack ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh".split(' ') {
        assert!(modules[name]["reason"].is_string(), "{name}");
    }
    let sysctls = [
        ("90-rke2", "net.bridge.bridge-nf-call-iptables", "1"),
        ("90-rke2", "net.bridge.bridge-nf-call-ip6tables", "1"),
        ("90-rke2", "net.ipv4.ip_forward", "1"),
        ("90-rke2", "net.netfilter.nf_conntrack_max", "1048576"),
        ("90-rke2", "vm.overcommit_memory", "1"),
        ("90-rke2", "kernel.panic", "10"),
        ("90-rke2", "fs.inotify.max_user_instances", "8192"),
        ("90-rke2", "fs.inotify.max_user_watches", "524288"),
        ("90-arp", "net.ipv4.conf.all.arp_ignore", "1"),
        ("90-arp", "net.ipv4.conf.all.arp_announce", "2"),
    ];
    for (file, key, value) in sysctls {
        let keys = &fact(&format!("sysctl:/etc/sysctl.d/{file}.conf"))["keys"];
        assert_eq!(keys[key]["value"], value, "{key}");
    }
    assert_eq!(fact("swap:off")["state"], "off");
    for unit in ["ufw", "firewalld", "apparmor"] {
        let unit = fact(&format!("unit:{unit}.service"));
        assert_eq!(
            (&unit["enabled"], &unit["missing"]),
            (&json!("disabled"), &json!("fine"))
        );
    }
    assert_eq!(fact("unit:chrony.service")["active"], "started");
    let sshd = &fact("sshd:/etc/ssh/sshd_config.d/00-nodeagent.conf")["keys"];
    for key in ["PermitRootLogin", "PasswordAuthentication", "X11Forwarding"] {
        assert_eq!(sshd[key]["value"], "no", "{key}");
    }
    for path in [
        "/var/lib/rancher/rke2/server/manifests",
        "/etc/packer-build",
    ] {
        fact(&format!("directory:{path}"));
    }
}

#[test]
fn the_golden_profiles_upgrade_and_fall_back() {
    for profile in ["rke2-debian12", "rke2-ubuntu2204", "rke2-rocky9"] {
        let policy = shipped(profile);
        let fact = |id: &str| {
            let entry = policy.entries.iter().find(|e| e.id == id);
            serde_json::to_value(&entry.unwrap_or_else(|| panic!("{id} is missing")).resource)
                .unwrap()
        };
        assert_eq!(fact("upgrade:all")["enabled"], true, "{profile}");
        assert_eq!(fact("trust:site-ca")["file"], "", "{profile}");
    }
    let request = Request {
        profile: "rke2-ubuntu2204",
        self_sha256: SELF,
        unset_is_fine: true,
        sets: &[
            "package_dir=/tmp/packer-debs".to_owned(),
            "upgrade=false".to_owned(),
        ],
    };
    let policy = resolve(&Sources::shipped(), &request).unwrap().policy;
    let entries = policy.entries.iter();
    let all = entries.map(|entry| serde_json::to_value(&entry.resource).unwrap());
    let packages: Vec<_> = all
        .clone()
        .filter(|json| json["kind"] == "package")
        .collect();
    assert!(packages.len() >= 10);
    assert!(
        packages
            .iter()
            .all(|json| json["offline"] == "/tmp/packer-debs")
    );
    assert!(
        all.clone()
            .any(|json| json["kind"] == "upgrade" && json["enabled"] == false)
    );
}

/// The TOML examples of the README.
fn examples() -> Vec<String> {
    let text = &Sources::shipped().layers[0].files["README.md"];
    let text = String::from_utf8(text.clone()).unwrap();
    let blocks = text.split("```toml\n").skip(1);
    blocks
        .map(|b| b.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_examples_of_the_readme_load() {
    let examples = examples();
    let [fragment, site, profile] = &examples[..] else {
        panic!("{} examples", examples.len());
    };
    for kind in nodeagent::resource::KINDS {
        assert!(
            fragment.contains(&format!("[[{}]]\n", kind.name)),
            "{}",
            kind.name
        );
    }
    let files = [
        ("10-time.toml", fragment.as_str()),
        ("profiles/site.toml", profile),
    ];
    let sources = Sources::default()
        .with(Layer::new("", files))
        .with(Layer::new("site", [("50-site.toml", site.as_str())]));
    let request = Request {
        profile: "site",
        ..Request::default()
    };
    let loaded =
        resolve(&sources, &request).unwrap_or_else(|e| panic!("{}", Mistakes::of(&e).unwrap()));
    assert_eq!(loaded.warnings, []);
    let policy = loaded.policy;
    assert!(policy.entries.iter().any(|e| e.overrides.is_some()));
    let content = serde_json::to_string(&policy.entries).unwrap();
    assert!(content.contains("server ntp.example iburst") && content.contains("sh ${HOME}/edr.sh"));
}
