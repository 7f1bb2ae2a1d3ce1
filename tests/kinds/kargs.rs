//! Kind `kargs`: GRUB's files, boot entries, and the running kernel as a fact of its own.
//! It is separate because the families keep the arguments in different files.

use nodeagent::resource::Place;
use nodeagent::resource::kargs::Kargs;

use super::{Bench, lines, steps};

fn wanted() -> Kargs {
    let args = serde_json::json!({ "audit=1": { "reason": "auditors" } });
    serde_json::from_value(serde_json::json!({ "name": "site", "args": args })).unwrap()
}

const CFG: &str = "/boot/grub/grub.cfg";
const ENTRY: &str = "/boot/loader/entries/x-5.14.conf";

fn program(bench: &Bench, path: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    bench.put(path, "#!/bin/sh\n");
    std::fs::set_permissions(bench.at(path), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn grub_gets_a_drop_in_and_its_own_file_is_made_anew() {
    let bench = Bench::new();
    program(&bench, "/usr/sbin/update-grub");
    bench.put(CFG, "menuentry a {\n linux /vmlinuz root=/dev/vda1 ro\n}\n");
    let diff = bench.diff(&wanted(), Place::Build);
    let found = lines(&diff);
    assert!(
        found[0].starts_with("/etc/default/grub.d/90-site.cfg content: absent -> "),
        "{found:?}"
    );
    assert_eq!(found[1..], ["/boot/grub/grub.cfg:2: without it -> audit=1"]);
    assert_eq!(steps(&diff)[1..], ["run update-grub"]);
    assert_eq!(diff.reboot.len(), 1, "the running kernel lacks it");
    bench.fakes.exec.expect("update-grub", 0, "");
    for action in &diff.actions {
        use nodeagent::resource::Kind as _;
        Kargs::apply(&[(&wanted(), action)], &bench.host).unwrap();
    }
    assert_eq!(bench.fakes.exec.left(), Vec::<String>::new());
    assert!(
        bench
            .text("/etc/default/grub.d/90-site.cfg")
            .ends_with("# auditors\nGRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX audit=1\"\n")
    );
    // The fake wrote nothing: that is told, not believed.
    assert_eq!(
        lines(&bench.diff(&wanted(), Place::Image)),
        ["/boot/grub/grub.cfg:2: without it -> audit=1"]
    );
    bench.put(CFG, "linux /vmlinuz root=/dev/vda1 ro audit=1\n");
    assert!(bench.diff(&wanted(), Place::Image).conforms());
    bench.put(
        CFG,
        "linux /vmlinuz ro audit=1\nlinux /old ro audit=1 audit=0\n",
    );
    assert_eq!(
        lines(&bench.diff(&wanted(), Place::Image)),
        ["/boot/grub/grub.cfg:2: without it -> audit=1"]
    );
}

#[test]
fn boot_entries_and_the_default_for_kernels_to_come_get_it() {
    let bench = Bench::new();
    bench.put(
        ENTRY,
        "title x\nversion 5.14\noptions root=UUID=a ro audit=0 crash=1M\n",
    );
    bench.put(
        "/boot/loader/entries/0-rescue.conf",
        "title r\noptions root=UUID=a\n",
    );
    let diff = bench.diff(&wanted(), Place::Build);
    assert_eq!(
        steps(&diff),
        [
            "add audit=1 to /boot/loader/entries/0-rescue.conf",
            "add audit=1 to /boot/loader/entries/x-5.14.conf",
            "add audit=1 to /etc/kernel/cmdline",
        ]
    );
    bench.settle(&wanted(), Place::Build).unwrap();
    assert_eq!(
        bench.text(ENTRY),
        "title x\nversion 5.14\noptions root=UUID=a ro crash=1M audit=1\n"
    );
    assert_eq!(
        bench.text("/etc/kernel/cmdline"),
        "root=UUID=a ro crash=1M audit=1\n"
    );
    let after = bench.diff(&wanted(), Place::Build);
    assert_eq!(after.reboot[0].why, "it was started without audit=1");
    assert!(bench.diff(&wanted(), Place::Image).reboot.is_empty());
}

#[test]
fn nothing_that_boots_is_not_applicable_and_an_indirect_entry_is_not_understood() {
    let bench = Bench::new();
    let diff = bench.diff(&wanted(), Place::Build);
    assert!(diff.conforms() && diff.not_applicable[0].what == "entry" && diff.reboot.is_empty());
    bench.put(ENTRY, "options $kernelopts\n");
    let found = lines(&bench.diff(&wanted(), Place::Image));
    assert!(found[0].starts_with("? boot entries: "), "{found:?}");
}
