//! The network managers' files, read by NetworkManager and systemd themselves.
//! It is separate because a misspelt section or key would be ignored in silence.

use super::Bed;

const MANAGER: &str =
    include_str!("../../../policy/rootfs/etc/NetworkManager/conf.d/90-rke2-cni.conf");
const NETWORKD: &str =
    include_str!("../../../policy/rootfs/etc/systemd/networkd.conf.d/90-rke2-cni.conf");

#[test]
fn network_manager_reads_the_list_of_links() {
    let bed = Bed::new("managers-nm");
    let print = || bed.run(&["NetworkManager", "--print-config"]).1;
    assert!(!print().contains("interface-name:cali*"));
    bed.put("/etc/NetworkManager/conf.d/90-rke2-cni.conf", MANAGER);
    let text = print();
    let section = text.split("[keyfile]").nth(1).unwrap_or_default();
    let list = section
        .lines()
        .find(|l| l.starts_with("unmanaged-devices="));
    let list = list.unwrap_or_else(|| panic!("{text}"));
    assert!(
        list.contains("interface-name:cali*") && list.contains("interface-name:lxc*"),
        "{list}"
    );
}

#[test]
fn networkd_knows_every_key_of_the_drop_in() {
    let bed = Bed::new("managers-networkd");
    bed.put("/etc/systemd/networkd.conf.d/90-rke2-cni.conf", NETWORKD);
    // networkd ends without a bus, but reads its configuration first and complains about what it does not know.
    let start = |text: &str| {
        bed.put("/etc/systemd/networkd.conf.d/90-rke2-cni.conf", text);
        let line = "SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_LEVEL=debug timeout 10 unshare --net --mount /lib/systemd/systemd-networkd 2>&1";
        bed.run(&["sh", "-c", line]).1
    };
    let said = start(NETWORKD);
    assert!(!said.contains("90-rke2-cni.conf"), "{said}");
    let wrong = start(&NETWORKD.replace("ManageForeignRoutes", "ManageForeinRoutes"));
    assert!(wrong.contains("ManageForeinRoutes"), "{wrong}");
}
