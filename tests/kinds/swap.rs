//! Kind `swap`: every place in which swap can live, and that nothing else is touched.
//! It is separate because it edits files that belong to a person.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use nodeagent::resource::Place;
use nodeagent::resource::swap::Swap;

use super::{Bench, lines, steps};

fn off() -> Swap {
    Swap {
        state: "off".to_owned(),
    }
}

#[test]
fn a_machine_without_swap_conforms() {
    let bench = Bench::new();
    bench.put(
        "/etc/fstab",
        "# /swap none swap sw 0 0\n/dev/swap / ext4 rw 0 1\n",
    );
    let diff = bench.diff(&off(), Place::Build);
    assert!(diff.conforms() && diff.actions.is_empty());
}

#[test]
fn fstab_keeps_every_other_byte_and_its_mode() {
    let bench = Bench::new();
    let before: &[u8] = b"# head\r\n\n/dev/vda1  /  ext4 rw 0 1\nUUID=1\tnone \t swap sw 0 0\n  /swap.img none swap noauto\n# /old none swap sw\nswap /mnt tmpfs rw 0 0\n\xff\xfe odd\n/last none swap sw";
    std::fs::write(bench.at("/etc/fstab"), before).unwrap();
    std::fs::set_permissions(
        bench.at("/etc/fstab"),
        std::fs::Permissions::from_mode(0o664),
    )
    .unwrap();
    let diff = bench.diff(&off(), Place::Build);
    assert_eq!(
        lines(&diff),
        [
            "/etc/fstab line 4: UUID=1 none swap sw 0 0 -> commented out",
            "/etc/fstab line 5: /swap.img none swap noauto -> commented out",
            "/etc/fstab line 9: /last none swap sw -> commented out",
        ]
    );
    assert_eq!(steps(&diff), ["comment the swap lines out of /etc/fstab"]);
    bench.settle(&off(), Place::Build).unwrap();
    let mark = "# nodeagent: swap is off: ";
    let mut want: Vec<u8> = b"# head\r\n\n/dev/vda1  /  ext4 rw 0 1\n".to_vec();
    want.extend(mark.as_bytes());
    want.extend(b"UUID=1\tnone \t swap sw 0 0\n");
    want.extend(mark.as_bytes());
    want.extend(b"  /swap.img none swap noauto\n# /old none swap sw\nswap /mnt tmpfs rw 0 0\n\xff\xfe odd\n");
    want.extend(mark.as_bytes());
    want.extend(b"/last none swap sw");
    assert_eq!(std::fs::read(bench.at("/etc/fstab")).unwrap(), want);
    assert_eq!(
        std::fs::metadata(bench.at("/etc/fstab")).unwrap().mode() & 0o7777,
        0o664
    );
    assert_eq!(bench.fakes.units.calls.changes()[0], "reload ");
}

#[test]
fn active_swap_is_stopped_where_the_kernel_is_ours() {
    let bench = Bench::new();
    bench.fakes.kernel.edit().swaps = vec!["/dev/vdb".to_owned(), "/swap.img".to_owned()];
    let diff = bench.diff(&off(), Place::Build);
    assert_eq!(
        lines(&diff),
        [
            "active swap: /dev/vdb -> none",
            "active swap: /swap.img -> none"
        ]
    );
    assert_eq!(steps(&diff), ["swapoff /dev/vdb", "swapoff /swap.img"]);
    assert!(bench.diff(&off(), Place::Image).conforms());
    assert!(!bench.diff(&off(), Place::Node).conforms());
    bench.settle(&off(), Place::Build).unwrap();
    assert_eq!(
        bench.fakes.kernel.calls.changes(),
        ["swap_off /dev/vdb", "swap_off /swap.img"]
    );

    let foreign = Bench::new();
    foreign.fakes.kernel.edit().swaps = vec!["/dev/vdb".to_owned()];
    foreign.fakes.kernel.edit().foreign = Some("shared".to_owned());
    let diff = foreign.diff(&off(), Place::Build);
    assert!(diff.conforms() && diff.not_applicable[0].why == "shared");
}

/// A unit's file, enablement and state, what then differs, and the steps against it.
type UnitCase = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const UNITS: &[UnitCase] = &[
    (
        "/etc/systemd/system/a.swap",
        "enabled",
        "active",
        &["unit a.swap: enabled -> disabled"],
        &["disable a.swap"],
    ),
    (
        "/etc/systemd/system/a.swap",
        "disabled",
        "inactive",
        &[],
        &[],
    ),
    ("/etc/systemd/system/a.swap", "masked", "inactive", &[], &[]),
    (
        "/usr/lib/systemd/system/a.swap",
        "enabled",
        "inactive",
        &["unit a.swap: enabled -> masked"],
        &["mask a.swap"],
    ),
    (
        "/usr/lib/systemd/system/a.swap",
        "static",
        "inactive",
        &["unit a.swap: static -> masked"],
        &["mask a.swap"],
    ),
    (
        "/run/systemd/generator.late/dev-vda2.swap",
        "generated",
        "active",
        &["unit dev-vda2.swap: generated -> masked"],
        &["mask dev-vda2.swap"],
    ),
    (
        "/run/systemd/generator/dev-vda3.swap",
        "generated",
        "active",
        &[],
        &[],
    ),
    (
        "/usr/lib/systemd/system/zramswap.service",
        "enabled",
        "active",
        &[
            "unit zramswap.service: enabled -> masked",
            "unit zramswap.service now: active -> inactive",
        ],
        &["mask zramswap.service", "stop zramswap.service"],
    ),
    (
        "/usr/lib/systemd/system/zramswap.service",
        "disabled",
        "inactive",
        &[],
        &[],
    ),
    (
        "/usr/lib/systemd/system/other.service",
        "enabled",
        "active",
        &[],
        &[],
    ),
];

#[test]
fn units_are_masked_or_disabled_by_where_they_lie() {
    for (path, enablement, active, differences, actions) in UNITS {
        let bench = Bench::new();
        bench.put(path, "[Unit]\n");
        let name = path.rsplit('/').next().unwrap();
        bench.fakes.units.add(name, enablement, active);
        let diff = bench.diff(&off(), Place::Build);
        assert_eq!(lines(&diff), *differences, "{path} {enablement}");
        assert_eq!(steps(&diff), *actions, "{path} {enablement}");
        bench.settle(&off(), Place::Build).unwrap();
    }
    let bench = Bench::new();
    bench.put("/etc/systemd/system/a.swap", "[Swap]\n");
    bench.fakes.units.add("a.swap", "static", "inactive");
    let diff = bench.diff(&off(), Place::Build);
    assert!(lines(&diff)[0].contains("remove /etc/systemd/system/a.swap"));
    assert!(diff.actions.is_empty());
}

const GENERATOR: &str = "/usr/lib/systemd/system-generators/zram-generator";
const VENDOR: &str = "/usr/lib/systemd/zram-generator.conf";
const OWN: &str = "/etc/systemd/zram-generator.conf";

#[test]
fn zram_devices_are_overridden_in_etc() {
    let bench = Bench::new();
    bench.put(VENDOR, "[zram0]\nzram-size = ram / 2\n");
    assert!(
        bench.diff(&off(), Place::Build).conforms(),
        "without the generator it is only a file"
    );
    bench.put(GENERATOR, "");
    bench.put(
        "/usr/lib/systemd/zram-generator.conf.d/10.conf",
        "[zram1]\n",
    );
    let diff = bench.diff(&off(), Place::Build);
    assert_eq!(
        lines(&diff),
        [
            "/usr/lib/systemd/zram-generator.conf: swap on zram0 -> no swap device",
            "/usr/lib/systemd/zram-generator.conf.d/10.conf: swap on zram1 -> no swap device",
        ]
    );
    assert_eq!(
        steps(&diff)[0],
        "override /usr/lib/systemd/zram-generator.conf by /etc/systemd/zram-generator.conf"
    );
    bench.settle(&off(), Place::Build).unwrap();
    assert_eq!(bench.text(VENDOR), "[zram0]\nzram-size = ram / 2\n");
    let mark = "# nodeagent: swap is off: ";
    assert_eq!(
        bench.text(OWN),
        format!("{mark}[zram0]\n{mark}zram-size = ram / 2\n")
    );
}

#[test]
fn zram_devices_that_are_file_systems_stay() {
    let bench = Bench::new();
    bench.put(GENERATOR, "");
    let file = "# mine\n[zram0]\nzram-size=1\n\n[zram1]\nmount-point = /var/fast\n\n[zram2]\n";
    bench.put(OWN, file);
    bench.put(
        "/etc/systemd/zram-generator.conf.d/a.conf",
        "[zram2]\nfs-type = ext4\n",
    );
    let diff = bench.diff(&off(), Place::Build);
    assert_eq!(
        lines(&diff),
        ["/etc/systemd/zram-generator.conf: swap on zram0 -> no swap device"]
    );
    assert_eq!(
        steps(&diff),
        ["comment the swap devices out of /etc/systemd/zram-generator.conf"]
    );
    bench.settle(&off(), Place::Build).unwrap();
    let mark = "# nodeagent: swap is off: ";
    let want = file.replace(
        "[zram0]\nzram-size=1\n",
        &format!("{mark}[zram0]\n{mark}zram-size=1\n"),
    );
    assert_eq!(bench.text(OWN), want);
}

#[test]
fn masked_zram_files_and_a_masked_generator_do_not_swap() {
    let bench = Bench::new();
    bench.put(GENERATOR, "");
    bench.put(VENDOR, "[zram0]\n");
    bench.link(OWN, "/dev/null");
    assert!(bench.diff(&off(), Place::Build).conforms());
    std::fs::remove_file(bench.at(OWN)).unwrap();
    assert!(!bench.diff(&off(), Place::Build).conforms());
    bench.link("/etc/systemd/system-generators/zram-generator", "/dev/null");
    assert!(bench.diff(&off(), Place::Build).conforms());
}

#[test]
fn a_fault_in_the_middle_is_ended_by_the_next_run() {
    let bench = Bench::new();
    bench.put("/etc/fstab", "/a none swap sw 0 0\n");
    bench.fakes.kernel.edit().swaps = vec!["/a".to_owned(), "/b".to_owned()];
    bench.fakes.kernel.calls.fail_on("swap_off", 2);
    bench.settle(&off(), Place::Build).unwrap_err();
    assert_eq!(steps(&bench.diff(&off(), Place::Build)), ["swapoff /b"]);
    bench.settle(&off(), Place::Build).unwrap();
}
