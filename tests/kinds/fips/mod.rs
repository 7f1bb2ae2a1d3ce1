//! Kind `fips` against trees of both families, with stand-ins for the tools that no test machine can have.
//! It is separate because the stand-ins are programs that really run, and change the tree as the tools do.

mod flow;

use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;

use nodeagent::error::Result;
use nodeagent::host::{Cmd, Exec, Output};
use nodeagent::observe::facts::facts;
use nodeagent::resource::fips::{Fips, Mode};
use nodeagent::resource::{Kind as _, Place};

use super::{Bench, lines, steps};
use crate::support::offline::shipped;

const REQUIRED: Fips = Fips {
    enabled: true,
    mode: Mode::Require,
};
const BEST_EFFORT: Fips = Fips {
    enabled: true,
    mode: Mode::BestEffort,
};

/// Children that are the scripts of the tree, run with `ROOT` set to it.
struct Scripts(PathBuf);

impl Exec for Scripts {
    fn run(&self, cmd: &Cmd) -> Result<Output> {
        let script = self
            .0
            .join("usr/bin")
            .join(cmd.argv[0].trim_start_matches('/'));
        let output = Command::new("/bin/sh")
            .arg(script)
            .args(&cmd.argv[1..])
            .env("ROOT", &self.0)
            .output()
            .unwrap();
        Ok(Output {
            code: output.status.code().unwrap(),
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }
}

fn machine(os_release: &str) -> Bench {
    let mut bench = Bench::new();
    bench.host.exec = Rc::new(Scripts(bench.dir.path().to_owned()));
    bench.put("/etc/os-release", os_release);
    bench.put("/proc/sys/crypto/fips_enabled", "0\n");
    bench.put("/proc/stat", "cpu 1 2\nbtime 1000\n");
    bench.put("/usr/bin/openssl", include_str!("openssl.sh"));
    bench.put(
        "/providers",
        "  default\n    name: OpenSSL Default Provider\n    status: active\n",
    );
    bench
}

fn rocky() -> Bench {
    let bench = machine("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n");
    bench.put(
        "/etc/fstab",
        "UUID=1 / xfs defaults 0 0\nUUID=2 /boot xfs defaults 0 0\n",
    );
    bench.put(
        "/etc/crypto-policies/config",
        "# the system-wide policy\nDEFAULT\n",
    );
    bench.put("/etc/crypto-policies/state/current", "DEFAULT\n");
    for kernel in ["5.14.0-1.el9.x86_64", "0-rescue-0123"] {
        bench.put(&format!("/boot/vmlinuz-{kernel}"), "");
        bench.put(&format!("/boot/initramfs-{kernel}.img"), "");
        let entry = format!(
            "title Rocky\nlinux /vmlinuz-{kernel}\ninitrd /initramfs-{kernel}.img\noptions root=UUID=1 ro\n"
        );
        let name = format!("/boot/loader/entries/0123456789abcdef-{kernel}.conf");
        bench.put(&name, &entry);
    }
    bench.put(
        "/usr/bin/fips-mode-setup",
        include_str!("fips-mode-setup.sh"),
    );
    bench
}

const ATTACHED: &str = r#"{"attached": true, "services": [{"name": "fips-updates", "entitled": "yes", "status": "disabled"}]}"#;
const LOOSE: &str =
    r#"{"attached": false, "services": [{"name": "fips-updates", "available": "yes"}]}"#;

fn ubuntu(pro: &str) -> Bench {
    let bench = machine("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\n");
    bench.put("/etc/fstab", "LABEL=root / ext4 defaults 0 1\n");
    bench.put("/boot/vmlinuz-5.15.0-101-generic", "");
    bench.put(
        "/boot/grub/grub.cfg",
        "menuentry 'Ubuntu' {\n\tlinux /boot/vmlinuz-5.15.0-101-generic root=LABEL=root ro\n}\n",
    );
    bench.put("/pro.json", pro);
    bench.put("/usr/bin/pro", include_str!("pro.sh"));
    bench
}

/// The reboot: the kernel comes up in FIPS mode, and OpenSSL with it.
fn reboot(bench: &Bench) {
    bench.put("/proc/sys/crypto/fips_enabled", "1\n");
    bench.put("/proc/stat", "btime 4000000000\n");
    bench.put(
        "/providers",
        "  default\n    status: active\n  fips\n    name: FIPS\n    status: active\n",
    );
}

fn waits(bench: &Bench, place: Place) -> Vec<String> {
    let diff = bench.diff(&REQUIRED, place);
    assert_eq!(lines(&diff), Vec::<String>::new());
    diff.reboot.iter().map(|r| r.what.clone()).collect()
}

#[test]
fn each_family_is_set_up_by_its_own_tool_then_waits_for_a_boot_and_is_active() {
    for (bench, tool) in [
        (rocky(), "run fips-mode-setup --enable"),
        (ubuntu(ATTACHED), "run pro enable fips-updates --assume-yes"),
    ] {
        assert_eq!(steps(&bench.diff(&REQUIRED, Place::Build)), [tool]);
        assert!(!facts(&bench.host).unwrap().fips);
        bench.settle(&REQUIRED, Place::Build).unwrap();
        assert_eq!(waits(&bench, Place::Build), ["active"]);
        assert_eq!(waits(&bench, Place::Image), ["active"]);
        assert!(!facts(&bench.host).unwrap().fips, "set up is not active");
        reboot(&bench);
        assert_eq!(waits(&bench, Place::Build), Vec::<String>::new());
        assert!(facts(&bench.host).unwrap().fips);
    }
}

#[test]
fn each_of_the_three_facts_is_found_wrong_by_itself() {
    let bench = rocky();
    bench.settle(&REQUIRED, Place::Build).unwrap();
    reboot(&bench);
    let entry = "/boot/loader/entries/0123456789abcdef-5.14.0-1.el9.x86_64.conf";
    let spoiled = [
        (
            "/etc/crypto-policies/config",
            "LEGACY\n",
            "crypto policy: LEGACY",
        ),
        (
            "/etc/crypto-policies/state/current",
            "DEFAULT\n",
            "crypto policy of the back ends: DEFAULT",
        ),
        (
            "/etc/dracut.conf.d/40-fips.conf",
            "# empty\n",
            "dracut module fips: not configured",
        ),
        (
            entry,
            "linux /vmlinuz-5.14.0-1.el9.x86_64\noptions boot=UUID=2\n",
            "boot entry of vmlinuz-5.14.0-1.el9.x86_64: without fips=1",
        ),
        (
            "/proc/sys/crypto/fips_enabled",
            "0\n",
            "kernel: not in FIPS mode, although booted after it was set up",
        ),
        (
            "/providers",
            "  fips\n    status: inactive\n",
            "openssl provider fips: inactive",
        ),
        (
            "/providers",
            "  default\n    status: active\n",
            "openssl provider fips: not loaded",
        ),
    ];
    assert_eq!(
        lines(&bench.diff(&REQUIRED, Place::Node)),
        Vec::<String>::new()
    );
    for (path, text, told) in spoiled {
        let before = bench.text(path);
        bench.put(path, text);
        let found = lines(&bench.diff(&REQUIRED, Place::Node));
        assert!(
            found.iter().any(|line| line.starts_with(told)),
            "{told}: {found:?}"
        );
        bench.put(path, &before);
        if path.starts_with("/etc/dracut") {
            // Its time is younger now than the initramfs: it must be made anew.
            assert!(
                lines(&bench.diff(&REQUIRED, Place::Node)).is_empty()
                    || steps(&bench.diff(&REQUIRED, Place::Node)).len() == 1
            );
            bench.settle(&REQUIRED, Place::Build).unwrap();
            bench.put("/proc/stat", "btime 4000000000\n");
        }
    }
    // Requested: a machine that is in FIPS mode without having been asked for is recorded and left alone.
    let off = Fips {
        enabled: false,
        mode: Mode::Require,
    };
    let seen = serde_json::to_value(off.observe(&bench.host).unwrap()).unwrap();
    assert_eq!(
        (&seen["requested"], &seen["active"]["seen"]["kernel"]),
        (&false.into(), &true.into())
    );
    assert_eq!(seen["configured"]["policy"], "FIPS");
    let text = seen.to_string();
    assert!(
        !text.contains("0123456789abcdef"),
        "the builder's machine-id: {text}"
    );
}

#[test]
fn an_unattached_ubuntu_and_a_debian_say_why_and_what_next() {
    let debian = machine("ID=debian\n");
    debian.put("/boot/vmlinuz-6.1.0", "");
    for (bench, why) in [
        (ubuntu(LOOSE), "not attached to Ubuntu Pro"),
        (debian, "no validated FIPS modules"),
    ] {
        let strict = bench.diff(&REQUIRED, Place::Build);
        let found = lines(&strict).join("\n");
        assert!(found.contains(why) && strict.actions.is_empty(), "{found}");
        let soft = bench.diff(&BEST_EFFORT, Place::Build);
        assert!(soft.conforms() && soft.actions.is_empty());
        assert!(
            soft.not_applicable[0].why.contains(why),
            "{:?}",
            soft.not_applicable
        );
    }
}

#[test]
fn a_tool_that_fails_is_named_with_its_last_word_and_the_next_step() {
    let bench = ubuntu(ATTACHED);
    bench.put("/usr/bin/pro", "case $1 in status) cat $ROOT/pro.json ;; *) echo 'cannot reach esm.ubuntu.com' >&2; exit 1 ;; esac\n");
    let error = bench.settle(&REQUIRED, Place::Build).unwrap_err();
    let line = error.one_line();
    assert!(
        line.contains("pro enable fips-updates")
            && line.ends_with("exit 1: cannot reach esm.ubuntu.com"),
        "{line}"
    );
    assert!(error.next_step().unwrap().contains("pro status"));
    for broken in ["", "not JSON", "{}"] {
        bench.put("/pro.json", broken);
        assert!(REQUIRED.observe(&bench.host).is_err(), "{broken:?}");
    }
}

#[test]
fn one_variable_of_every_rke2_profile_asks_for_it() {
    for profile in ["rke2-rocky9", "rke2-ubuntu2204", "rke2-debian12"] {
        for (set, want) in [(None, false), (Some("fips_enabled=true"), true)] {
            let policy = shipped(profile, set.as_slice());
            let fips = policy.entries.iter().find(|e| e.id == "fips:mode");
            let fips = serde_json::to_value(&fips.unwrap().resource).unwrap();
            assert_eq!(
                (&fips["enabled"], &fips["mode"]),
                (&want.into(), &"require".into())
            );
        }
    }
}
