//! The live kernel in a network namespace: values really change there, and only there.
//! It is separate because it needs root and touches a real /proc/sys.

use std::collections::BTreeMap;
use std::rc::Rc;

use nix::mount::{MsFlags, mount};
use nodeagent::host::{Context, Kernel as _, LiveKernel, Runtime, Where};
use nodeagent::resource::sysctl::{OnNode, Sysctl, Wanted};
use nodeagent::resource::{Accept, Place};

use super::{Bench, lines};
use crate::support::fake::FakeExec;
use crate::support::namespace::in_namespaces;

const KEY: &str = "net.ipv4.conf.all.arp_ignore";
const FILE: &str = "/proc/sys/net/ipv4/conf/all/arp_ignore";

fn kernel(place: Where) -> LiveKernel {
    let evidence = "a test".to_owned();
    LiveKernel::new(Context { place, evidence }, Rc::new(FakeExec::default()))
}

fn seen(text: &str) -> Runtime<Option<String>> {
    Runtime::Seen(Some(text.to_owned()))
}

#[test]
fn a_value_changes_in_the_namespace_and_not_on_the_machine() {
    let before = std::fs::read_to_string(FILE).unwrap();
    in_namespaces(|| {
        for place in [Where::Booted, Where::Container] {
            let kernel = kernel(place);
            for (key, value) in [(KEY, "1"), ("net/ipv4/conf/all/arp_ignore", "2")] {
                kernel.set_sysctl(key, value).unwrap();
                kernel.set_sysctl(key, value).unwrap();
                assert_eq!(kernel.sysctl(key).unwrap(), seen(value));
                assert_eq!(std::fs::read_to_string(FILE).unwrap().trim(), value);
            }
        }
        let many = kernel(Where::Booted)
            .sysctl("net.ipv4.ip_local_port_range")
            .unwrap();
        assert_eq!(many, seen("32768 60999"), "blanks are one space");
    });
    assert_eq!(std::fs::read_to_string(FILE).unwrap(), before);
}

#[test]
fn an_interface_with_a_dot_has_its_own_value() {
    in_namespaces(|| {
        let made = std::process::Command::new("ip")
            .args(["link", "add", "a.10", "type", "bridge"])
            .status()
            .unwrap();
        assert!(made.success());
        let kernel = kernel(Where::Booted);
        for (key, value) in [
            ("net.ipv4.conf.a/10.arp_ignore", "1"),
            ("net/ipv4/conf/a.10/arp_ignore", "2"),
        ] {
            kernel.set_sysctl(key, value).unwrap();
            assert_eq!(kernel.sysctl(key).unwrap(), seen(value));
        }
        assert_eq!(kernel.sysctl(KEY).unwrap(), seen("0"));
    });
}

#[test]
fn a_container_says_which_keys_are_not_its_own() {
    in_namespaces(|| {
        let not_ours = |key: &str, why: &str| match kernel(Where::Container).sysctl(key).unwrap() {
            Runtime::NotApplicable(text) => assert!(text.contains(why), "{key}: {text}"),
            other @ Runtime::Seen(_) => panic!("{key}: {other:?}"),
        };
        assert_eq!(kernel(Where::Container).sysctl(KEY).unwrap(), seen("0"));
        not_ours("vm.swappiness", "shared");
        not_ours(
            "net.ipv4.tcp_available_congestion_control",
            "only the container's host",
        );
        let proc_sys = "/proc/sys";
        mount(
            Some(proc_sys),
            proc_sys,
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .unwrap();
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(None::<&str>, proc_sys, None::<&str>, flags, None::<&str>).unwrap();
        not_ours(KEY, "read-only");
        let error = kernel(Where::Container).set_sysctl(KEY, "1").unwrap_err();
        assert!(error.one_line().contains(KEY), "{}", error.one_line());
    });
}

#[test]
fn the_kind_settles_on_a_live_kernel() {
    in_namespaces(|| {
        let mut bench = Bench::new();
        bench.host.kernel = Box::new(kernel(Where::Container));
        bench.host.context.place = Where::Container;
        let wanted = Wanted {
            value: "1".to_owned(),
            reason: "A reason.".to_owned(),
            accept: Accept::Exact,
            one_of: Vec::new(),
            node: OnNode::Checked,
        };
        let keys = [KEY, "vm.swappiness", "net.bridge.bridge-nf-call-iptables"];
        let sysctl = Sysctl {
            path: "/etc/sysctl.d/90.conf".to_owned(),
            keys: BTreeMap::from_iter(keys.map(|key| (key.to_owned(), wanted.clone()))),
        };
        let diff = bench.diff(&sysctl, Place::Build);
        let runtime = |line: &&String| line.contains("at runtime");
        let found = lines(&diff);
        let found: Vec<&String> = found.iter().filter(runtime).collect();
        assert_eq!(found, [&format!("{KEY} at runtime: 0 -> 1")]);
        bench.settle(&sysctl, Place::Build).unwrap();
        assert_eq!(std::fs::read_to_string(FILE).unwrap(), "1\n");
    });
}
