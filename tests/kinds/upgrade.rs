//! Kind `upgrade`: it holds until the package set or the metadata change, wherever that can be known.
//! It is separate because its memory is a file that must outlive the metadata it speaks of.

use nodeagent::host::Installed;
use nodeagent::resource::upgrade::Upgrade;
use nodeagent::resource::{Kind as _, Place};

use super::{Bench, lines};

fn upgrade(enabled: bool) -> Upgrade {
    Upgrade {
        packages: "all".to_owned(),
        enabled,
    }
}

fn install(bench: &Bench, name: &str, version: &str) {
    let package = Installed {
        version: version.to_owned(),
        arch: "amd64".to_owned(),
        held: false,
        complete: true,
    };
    let mut state = bench.fakes.packages.edit();
    state.installed.insert(name.to_owned(), package);
}

/// What differs at the build place, and the calls of one upgrade.
fn run(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let before = bench.fakes.packages.calls.changes().len();
    let found = lines(&bench.diff(&upgrade(true), Place::Build));
    for action in bench.diff(&upgrade(true), Place::Build).actions {
        Upgrade::apply(&[(&upgrade(true), &action)], &bench.host).unwrap();
    }
    assert_eq!(
        lines(&bench.diff(&upgrade(true), Place::Build)),
        Vec::<String>::new()
    );
    let calls = bench.fakes.packages.calls.changes();
    (found, calls[before..].to_vec())
}

#[test]
fn it_holds_until_packages_or_metadata_change_or_somebody_asks() {
    let bench = Bench::new();
    bench.fakes.packages.edit().published = "monday".to_owned();
    install(&bench, "tiny", "1");
    bench.fakes.packages.offer("tiny", "2");
    let full = ["repair ", "refresh ", "upgrade "]
        .map(str::to_owned)
        .to_vec();
    let (found, calls) = run(&bench);
    assert_eq!(found, ["packages: never upgraded by a bake -> upgraded"]);
    assert_eq!(calls, full);
    assert_eq!(bench.fakes.packages.see().installed["tiny"].version, "2");
    // Published, but nobody fetched it: the second bake changes nothing.
    bench.fakes.packages.edit().published = "tuesday".to_owned();
    assert_eq!(run(&bench), (Vec::new(), Vec::new()));
    bench.host.refresh.set(true);
    assert_eq!(
        run(&bench),
        (
            vec!["packages: asked anew by --refresh -> upgraded".to_owned()],
            full.clone()
        )
    );
    bench.fakes.packages.edit().metadata = Some("wednesday".to_owned());
    assert_eq!(
        run(&bench).0,
        ["metadata: changed -> as after the last upgrade"]
    );
    bench.fakes.packages.edit().metadata = None;
    assert_eq!(
        run(&bench).0,
        ["metadata: absent -> as after the last upgrade"]
    );
    install(&bench, "more", "1");
    assert_eq!(
        run(&bench).0,
        ["package set: changed -> as after the last upgrade"]
    );
    install(&bench, "more", "1.1");
    assert_eq!(run(&bench).0.len(), 1);
    bench.put("/etc/packer-build/upgrade.json", "{\"packages\": \"torn");
    assert_eq!(run(&bench).0.len(), 1);
}

#[test]
fn an_image_is_judged_without_metadata_and_never_upgraded() {
    let bench = Bench::new();
    install(&bench, "tiny", "1");
    let never = bench.diff(&upgrade(true), Place::Image);
    assert!(!never.conforms() && never.actions.is_empty());
    run(&bench);
    bench.fakes.packages.edit().metadata = None;
    let clean = bench.diff(&upgrade(true), Place::Image);
    assert!(clean.conforms(), "{clean:?}");
    assert_eq!(clean.not_applicable[0].what, "metadata");
    install(&bench, "late", "1");
    let late = bench.diff(&upgrade(true), Place::Image);
    assert_eq!(
        lines(&late),
        ["package set: changed -> as after the last upgrade"]
    );
    assert!(late.actions.is_empty());
}

#[test]
fn switched_off_it_judges_nothing() {
    let bench = Bench::new();
    let diff = bench.diff(&upgrade(false), Place::Build);
    assert!(diff.conforms() && diff.actions.is_empty());
    assert_eq!(diff.not_applicable[0].why, "switched off by the policy");
}

#[test]
fn what_fails_or_is_cut_off_is_done_by_the_next_bake() {
    let bench = Bench::new();
    install(&bench, "tiny", "1");
    for method in ["refresh", "upgrade"] {
        bench.fakes.packages.calls.fail_on(method, 1);
        let action = &bench.diff(&upgrade(true), Place::Build).actions[0];
        Upgrade::apply(&[(&upgrade(true), action)], &bench.host).unwrap_err();
        assert!(
            !bench.diff(&upgrade(true), Place::Build).conforms(),
            "{method}"
        );
    }
    run(&bench);
    if let Some(tiny) = bench.fakes.packages.edit().installed.get_mut("tiny") {
        tiny.complete = false;
    }
    assert_eq!(
        run(&bench).0,
        ["package database: not configured: tiny -> every package configured"]
    );
}

#[test]
fn a_newer_kernel_waits_for_a_boot() {
    let bench = Bench::new();
    let running = bench.host.kernel.release().unwrap();
    bench.put(&format!("/usr/lib/modules/{running}/vmlinuz"), "");
    run(&bench);
    assert!(bench.diff(&upgrade(true), Place::Build).reboot.is_empty());
    // Modules without a kernel are left over from a removed one.
    std::fs::create_dir_all(bench.at("/usr/lib/modules/99.0")).unwrap();
    assert!(bench.diff(&upgrade(true), Place::Build).reboot.is_empty());
    let (_, flavour) = running.split_once('-').unwrap_or_default();
    let newer = format!("99.0-{flavour}").trim_end_matches('-').to_owned();
    bench.put(&format!("/boot/vmlinuz-{newer}"), "");
    std::fs::create_dir_all(bench.at(&format!("/usr/lib/modules/{newer}"))).unwrap();
    let diff = bench.diff(&upgrade(true), Place::Build);
    assert!(diff.conforms());
    assert_eq!(
        diff.reboot[0].why,
        format!("{newer} is installed, {running} runs")
    );
    assert!(bench.diff(&upgrade(true), Place::Image).reboot.is_empty());
}
