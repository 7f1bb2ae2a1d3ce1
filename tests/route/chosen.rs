//! Which NIC is meant, in the lab: `second`, the hardware address it was made with, names that change while it is watched.
//! It is separate because no namespace has a NIC of the machine's own: here the lab's pairs pass for such.

use std::time::Duration;

use nodeagent::error::Result;
use nodeagent::host::netlink::{Change, Live, Network, Snapshot, Wake, Wanted};
use nodeagent::route::reconcile::apply;
use nodeagent::route::{Config, State};

use super::faults::{Nobody, config};
use super::lab::{ETH1, Lab, in_lab};
use super::probe::within;
use super::scenarios::{STANDARD, both};
use super::watch::{Watcher, until};

/// The address that eth1 was made with, whatever it has now.
const MADE: &str = "52:54:00:00:00:99";

/// The real kernel, whose pairs pass for NICs of the machine: physical, and eth1 with the address it was made with.
struct Metal(Live);

impl Network for Metal {
    fn look(&mut self, wanted: &Wanted) -> Result<Snapshot> {
        let mut found = self.0.look(wanted)?;
        for link in &mut found.links {
            link.physical = link.name.starts_with("eth") || link.name.starts_with("ens");
            if link.name == "eth1" || link.name == "ens4" {
                link.permanent = vec![0x52, 0x54, 0, 0, 0, 0x99];
            }
        }
        Ok(found)
    }

    fn write(&mut self, change: &Change) -> Result<()> {
        self.0.write(change)
    }

    fn wait(&mut self, at_most: Duration) -> Result<Wake> {
        self.0.wait(at_most)
    }
}

/// One run on the node; the name of the NIC that was routed.
fn routed(word: &str) -> Option<String> {
    let config = Config {
        interfaces: vec![word.to_owned()],
        ..config()
    };
    let outcome = within("node", || {
        apply(&mut Metal(Live::open().unwrap()), &mut Nobody, &config).unwrap()
    });
    let nic = outcome.nics.into_iter().next().unwrap();
    (nic.state == State::Routed).then_some(nic.name).flatten()
}

/// A pod's link with a lower number than either NIC has after it, and a bridge.
fn others(lab: &Lab) {
    lab.node("link add lxc0 type veth peer name lxc1");
    lab.node("link set lxc0 up");
    lab.node("link add br0 type bridge");
}

#[test]
fn the_second_nic_is_the_second_of_the_machine_and_no_pods() {
    in_lab(|lab| {
        others(lab);
        assert_eq!(routed("second").as_deref(), Some("eth1"));
        assert_eq!(lab.found(), STANDARD);
        assert!(both(lab));
        // Without a second one there is nothing to do, and what was there goes.
        lab.node("link del eth1");
        assert_eq!(routed("second"), None);
        assert_eq!(lab.found(), Vec::<String>::new());
    });
}

#[test]
fn the_address_that_a_nic_was_made_with_finds_it_under_any_other() {
    in_lab(|lab| {
        others(lab);
        lab.node("link set eth1 down");
        lab.node("link set eth1 name ens4 address 02:00:00:00:00:77");
        // Somebody else has it now.
        lab.node(&format!("link set br0 address {MADE}"));
        lab.node("link set br0 up");
        lab.node("link set ens4 up");
        lab.node("route add default via 10.1.0.1 dev ens4 metric 101");
        assert_eq!(routed(MADE).as_deref(), Some("ens4"));
        assert!(both(lab));
        assert_eq!(routed(ETH1), None, "an address that nobody has any more");
        assert_eq!(lab.found(), Vec::<String>::new());
    });
}

/// eth1 as it is plugged in, with what a network manager gives it.
fn plug(lab: &Lab, name: &str) {
    lab.sh(&format!(
        "ip link add {name} address {ETH1} netns node type veth peer name r1 netns rtr"
    ));
    lab.ip("rtr", "addr add 10.1.0.1/24 dev r1");
    lab.ip("rtr", "link set r1 up");
    lab.node(&format!("addr add 10.1.0.10/24 dev {name}"));
    lab.node(&format!("link set {name} up"));
    lab.node(&format!(
        "route add default via 10.1.0.1 dev {name} metric 101"
    ));
}

#[test]
fn a_nic_that_comes_goes_and_is_renamed_is_followed() {
    in_lab(|lab| {
        lab.node("link del eth1");
        let watcher = Watcher::start(lab, &["--interface", ETH1, "--wait", "600"]);
        let told = watcher.told();
        assert!(
            told.contains("READY=1") && told.contains("absent"),
            "{told}"
        );
        plug(lab, "eth1");
        until("plugged in", || lab.found() == STANDARD);
        assert!(both(lab));
        lab.node("link set eth1 down");
        lab.node("link set eth1 name ens4");
        lab.node("link set ens4 up");
        lab.node("route add default via 10.1.0.1 dev ens4 metric 101");
        let renamed = STANDARD.map(|line| line.replace("eth1", "ens4"));
        until("renamed", || lab.found() == renamed);
        assert!(both(lab) && !lab.node("rule").contains("detached"));
        lab.node("link del ens4");
        until("nothing stays", || lab.found().is_empty());
        plug(lab, "ens9");
        let again = STANDARD.map(|line| line.replace("eth1", "ens9"));
        until("plugged in again under another name", || {
            lab.found() == again
        });
        assert!(both(lab));
    });
}

/// A filter as the kernel has it.
fn filter(lab: &Lab, link: &str) -> String {
    let path = format!("/proc/sys/net/ipv4/conf/{link}/rp_filter");
    lab.sh(&format!("ip netns exec node cat {path}"))
        .trim()
        .to_owned()
}

#[test]
fn the_reverse_path_filter_is_loosened_on_that_nic_alone_when_asked_and_without_proc() {
    in_lab(|lab| {
        let all = ["all", "default", "eth0", "eth1"];
        let now = || all.map(|link| filter(lab, link));
        for link in all {
            lab.sh(&format!(
                "ip netns exec node sysctl -q -w net.ipv4.conf.{link}.rp_filter=1"
            ));
        }
        assert_eq!(lab.apply(&[]).0, 0);
        assert_eq!(now(), ["1"; 4], "nobody asked");
        // Nobody can write there; netlink needs no file.
        lab.sh("mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys");
        assert_eq!(lab.apply(&["--loosen-rp-filter"]).0, 0);
        assert_eq!(now(), ["1", "1", "1", "2"]);
        let (code, said) = lab.apply(&["--loosen-rp-filter"]);
        assert!(code == 0 && !said.contains("loosen"), "{said}");
        // Whoever no longer asks gets nothing tightened: the filter may be another's.
        assert_eq!(lab.apply(&[]).0, 0);
        assert_eq!(now(), ["1", "1", "1", "2"]);
    });
}
