//! Boot loader entries on a tree as EL leaves it: renamed with what refers to them, whatever was cut off before.
//! It is separate because the files must agree with one another, which no single path shows.

use serde_json::{Value, json};

use super::bench::{Bench, own_state, policy, scrub};

const ID: &str = "0123456789abcdef0123456789abcdef";
const KERNEL: &str = "5.14.0-503.el9.x86_64";

fn boot_entries() -> Value {
    scrub(
        "boot-entries",
        json!({"paths": ["/boot/loader/entries/*.conf", "/boot/grub2/grubenv"], "action": "boot-entries", "content": "Image"}),
    )
}

fn environment(name: &str) -> String {
    let head = format!("# GRUB Environment Block\nsaved_entry={name}\nboot_success=0\n");
    format!("{head}{}", "#".repeat(1024 - head.len()))
}

#[test]
fn entries_saved_entry_and_token_agree_afterwards() {
    let mut bench = Bench::new();
    own_state(&bench);
    let entry = format!("title Rocky\nlinux /vmlinuz-{KERNEL}\n");
    bench.put(&format!("/boot/loader/entries/{ID}-{KERNEL}.conf"), &entry);
    bench.put("/boot/loader/entries/memtest.conf", "title memtest\n");
    let old = format!("{ID}-{KERNEL}");
    bench.put("/boot/grub2/grubenv", &environment(&old));
    bench.clean(&policy(&[boot_entries()]));
    let new = format!("/boot/loader/entries/Image-{KERNEL}.conf");
    assert_eq!(bench.text(&new), entry);
    assert!(!bench.has(&format!("/boot/loader/entries/{old}.conf")));
    assert_eq!(
        bench.text("/boot/loader/entries/memtest.conf"),
        "title memtest\n"
    );
    let grubenv = bench.text("/boot/grub2/grubenv");
    assert_eq!(grubenv.len(), 1024, "GRUB writes the block in place");
    assert!(grubenv.contains(&format!("\nsaved_entry=Image-{KERNEL}\nboot_success=0\n")));
    assert_eq!(bench.text("/etc/kernel/entry-token"), "Image\n");
}

#[test]
fn cut_off_between_the_two_names_it_goes_on() {
    let mut bench = Bench::new();
    own_state(&bench);
    for name in [ID, "Image"] {
        bench.put(&format!("/boot/loader/entries/{name}-{KERNEL}.conf"), "x");
    }
    bench.clean(&policy(&[boot_entries()]));
    assert!(bench.has(&format!("/boot/loader/entries/Image-{KERNEL}.conf")));
    assert!(!bench.has(&format!("/boot/loader/entries/{ID}-{KERNEL}.conf")));
}

#[test]
fn a_tree_without_such_entries_gets_no_token() {
    let mut bench = Bench::new();
    own_state(&bench);
    bench.put("/boot/grub/grub.cfg", "menuentry x\n");
    bench.clean(&policy(&[boot_entries()]));
    assert!(!bench.has("/etc/kernel/entry-token"));
}

#[test]
fn lines_of_each_pattern_are_dropped_and_the_rest_stays() {
    let mut bench = Bench::new();
    own_state(&bench);
    let path = "/etc/NetworkManager/system-connections/a.nmconnection";
    bench.put(
        path,
        "[connection]\nid=a\nuuid=0f3d\n[ethernet]\nmac-address=02:00:00:00:00:01\n",
    );
    bench.mode(path, 0o600);
    let entry = scrub(
        "keyfiles",
        json!({"paths": ["/etc/NetworkManager/system-connections/*"], "action": "drop-lines",
            "lines": ["uuid=*", "mac-address=*"]}),
    );
    bench.clean(&policy(&[entry]));
    assert_eq!(bench.text(path), "[connection]\nid=a\n[ethernet]\n");
    let meta = bench.host.root.meta(path).unwrap().unwrap();
    assert_eq!(
        meta.mode_text(),
        "0600",
        "NetworkManager ignores a wider one"
    );
}
