//! Kind `need`: every need that is shipped, each with what breaks it; a need or a part of one without a violation fails.
//! It is separate because its table must cover the fragment, so that nothing is checked that cannot fail.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use nodeagent::resource::need::Need;
use nodeagent::resource::{Place, Resource};

use super::{Bench, lines};
use crate::policy::shipped::shipped;

fn needs() -> Vec<Need> {
    let policy = shipped("rke2-debian12");
    let needs = policy
        .entries
        .into_iter()
        .filter_map(|entry| match entry.resource {
            Resource::Need(need) => Some(need),
            _ => None,
        });
    needs.collect()
}

/// A tree in which nothing is in the way.
fn good() -> Bench {
    let bench = Bench::new();
    for name in ["iptables", "iptables-restore", "ip6tables"] {
        program(&bench, name);
    }
    bench.put(
        "/etc/fstab",
        "UUID=a / ext4 defaults 0 1\nUUID=b /tmp ext4 noexec 0 2\n",
    );
    bench.put(
        "/etc/modprobe.d/cis.conf",
        "install cramfs /bin/false\nblacklist cramfs\n",
    );
    bench.put(
        "/etc/sysctl.d/99-cis.conf",
        "net.ipv4.conf.all.rp_filter = 2\n",
    );
    bench
}

fn program(bench: &Bench, name: &str) {
    let path = format!("/usr/sbin/{name}");
    bench.put(&path, "");
    std::fs::set_permissions(bench.at(&path), std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The need, which part of it, and what breaks it: a file, or `-` before one that goes missing.
const VIOLATIONS: &[(&str, &str, &str, &str)] = &[
    (
        "rp-filter",
        "net.ipv4.conf.all.rp_filter",
        "/etc/sysctl.d/99-cis.conf",
        "net.ipv4.conf.all.rp_filter=1\n",
    ),
    (
        "rp-filter",
        "net.ipv4.conf.all.rp_filter",
        "/etc/sysctl.conf",
        "net.ipv4.conf.all.rp_filter = 1\n",
    ),
    (
        "rp-filter",
        "net.ipv4.conf.all.rp_filter",
        "/usr/lib/sysctl.d/99-z.conf",
        "net.ipv4.conf.*.rp_filter = 1\n-net.ipv4.conf.all.rp_filter\nnet/ipv4/conf/all/rp_filter=1\n",
    ),
    (
        "namespaces",
        "user.max_user_namespaces",
        "/etc/sysctl.d/99-stig.conf",
        "user.max_user_namespaces = 0\n",
    ),
    (
        "namespaces",
        "user.max_mnt_namespaces",
        "/etc/sysctl.d/99-x.conf",
        "user.max_mnt_namespaces=0\n",
    ),
    (
        "namespaces",
        "user.max_pid_namespaces",
        "/etc/sysctl.d/99-x.conf",
        "user.max_pid_namespaces=0\n",
    ),
    (
        "namespaces",
        "user.max_net_namespaces",
        "/etc/sysctl.d/99-x.conf",
        "user.max_net_namespaces=0\n",
    ),
    (
        "modules-allowed",
        "kernel.modules_disabled",
        "/etc/sysctl.d/99-x.conf",
        "kernel.modules_disabled=1\n",
    ),
    (
        "modules",
        "overlay",
        "/etc/modprobe.d/a.conf",
        "install overlay /bin/true\n",
    ),
    (
        "modules",
        "br_netfilter",
        "/usr/lib/modprobe.d/a.conf",
        "install br-netfilter /usr/bin/false\n",
    ),
    (
        "modules",
        "nf_conntrack",
        "/etc/modprobe.d/a.conf",
        "blacklist nf_conntrack\n",
    ),
    (
        "modules",
        "veth",
        "/etc/modprobe.d/a.conf",
        "install veth /bin/false\n",
    ),
    (
        "modules",
        "vxlan",
        "/etc/modprobe.d/a.conf",
        "install vxlan :\n",
    ),
    (
        "modules",
        "ip_tables",
        "/etc/modprobe.d/a.conf",
        "install ip_tables /bin/false\n",
    ),
    (
        "modules",
        "iptable_nat",
        "/etc/modprobe.d/a.conf",
        "blacklist iptable_nat\n",
    ),
    (
        "modules",
        "nf_tables",
        "/etc/modprobe.d/a.conf",
        "blacklist nf_tables\n",
    ),
    (
        "storage-modules",
        "iscsi_tcp",
        "/etc/modprobe.d/a.conf",
        "blacklist iscsi_tcp\n",
    ),
    (
        "storage-modules",
        "dm_crypt",
        "/etc/modprobe.d/a.conf",
        "install dm-crypt /bin/true\n",
    ),
    (
        "storage-modules",
        "dm_multipath",
        "/etc/modprobe.d/a.conf",
        "blacklist dm_multipath\n",
    ),
    (
        "storage-modules",
        "nfs",
        "/etc/modprobe.d/a.conf",
        "install nfs /bin/true\n",
    ),
    (
        "exec",
        "/var/lib/rancher",
        "/etc/fstab",
        "UUID=v /var ext4 nodev,noexec 0 2\n",
    ),
    (
        "exec",
        "/var/lib/kubelet",
        "/etc/fstab",
        "UUID=v /var/lib/kubelet ext4 defaults,noexec 0 2\n",
    ),
    (
        "exec",
        "/opt/cni/bin",
        "/etc/systemd/system/opt.mount",
        "[Mount]\nWhere=/opt\nOptions=noexec\n",
    ),
    (
        "exec",
        "/usr/local/bin",
        "/etc/fstab",
        "UUID=v /usr/local xfs noexec 0 2\n",
    ),
    (
        "exec",
        "/var/lib/rancher",
        "/proc/self/mounts",
        "/dev/vdb /var/lib/rancher ext4 rw,noexec 0 0\n",
    ),
    ("iptables", "iptables", "-/usr/sbin/iptables", ""),
    (
        "iptables",
        "iptables-restore",
        "-/usr/sbin/iptables-restore",
        "",
    ),
    ("iptables", "ip6tables", "-/usr/sbin/ip6tables", ""),
    (
        "forward",
        "/etc/sysconfig/iptables",
        "/etc/sysconfig/iptables",
        "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n",
    ),
    (
        "forward",
        "/etc/sysconfig/ip6tables",
        "/etc/sysconfig/ip6tables",
        "*filter\n-A FORWARD -j REJECT\nCOMMIT\n",
    ),
    (
        "forward",
        "/etc/iptables/rules.v4",
        "/etc/iptables/rules.v4",
        "*filter\n:FORWARD DROP [0:0]\n",
    ),
    (
        "forward",
        "/etc/iptables/rules.v6",
        "/etc/iptables/rules.v6",
        "*filter\n:FORWARD DROP [0:0]\n",
    ),
    (
        "forward",
        "/etc/nftables.conf",
        "/etc/nftables.conf",
        "chain f { type filter hook forward priority 0; policy drop; }\n",
    ),
    (
        "forward",
        "/etc/sysconfig/nftables.conf",
        "/etc/sysconfig/nftables.conf",
        "chain f { type filter hook forward priority 0; policy drop; }\n",
    ),
];

/// The differences of all needs, as `NAME: difference`.
fn told(bench: &Bench, place: Place) -> Vec<String> {
    let each = needs().into_iter().flat_map(|need| {
        let found = lines(&bench.diff(&need, place));
        found
            .into_iter()
            .map(move |line| format!("{}: {line}", need.name))
    });
    each.collect()
}

#[test]
fn a_machine_that_is_hardened_with_care_conforms() {
    assert_eq!(told(&good(), Place::Build), Vec::<String>::new());
}

#[test]
fn each_violation_trips_its_need_and_no_other() {
    for (name, part, path, text) in VIOLATIONS {
        let bench = good();
        match path.strip_prefix('-') {
            Some(gone) => std::fs::remove_file(bench.at(gone)).unwrap(),
            None => bench.put(path, text),
        }
        let found = told(&bench, Place::Build);
        let begins = |line: &String, with: String| line.starts_with(&with);
        assert!(
            found.iter().all(|line| begins(line, format!("{name}: ")))
                && found
                    .iter()
                    .any(|line| begins(line, format!("{name}: {part}: "))),
            "{name} {path}: {found:?}"
        );
        assert!(
            path.starts_with('-') || found.iter().any(|line| line.contains(path)),
            "{path} is not named: {found:?}"
        );
    }
}

#[test]
fn every_part_of_every_need_has_a_violation() {
    let covered: BTreeSet<(&str, &str)> = VIOLATIONS
        .iter()
        .map(|(name, part, ..)| (*name, *part))
        .collect();
    let needs = needs();
    assert!(needs.len() >= 8, "{}", needs.len());
    for need in &needs {
        for part in &need.of {
            assert!(
                covered.contains(&(need.name.as_str(), part.as_str())),
                "{} {part}",
                need.name
            );
        }
        assert!(
            covered.iter().any(|(name, _)| *name == need.name),
            "{}",
            need.name
        );
    }
}

#[test]
fn the_running_kernel_counts_but_not_for_an_image() {
    let bench = good();
    let key = "net.ipv4.conf.all.rp_filter".to_owned();
    bench
        .fakes
        .kernel
        .edit()
        .sysctls
        .insert(key, "1".to_owned());
    bench.put("/proc/self/mounts", "/dev/vdb /opt ext4 rw,noexec 0 0\n");
    assert_eq!(told(&bench, Place::Node).len(), 2);
    assert_eq!(told(&bench, Place::Image), Vec::<String>::new());
}
