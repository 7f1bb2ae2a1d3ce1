//! Kind `module`: the file, the running kernel, and the kernels that are installed.
//! It is separate because the three are different facts.

use nodeagent::host::ModuleState;
use nodeagent::resource::Place;
use nodeagent::resource::module::{Module, Why};

use super::{Bench, lines, steps};

const PATH: &str = "/etc/modules-load.d/rke2.conf";

fn wanted() -> Module {
    let modules = ["overlay", "br_netfilter"].map(|name| {
        let reason = format!("{name} is needed.");
        (name.to_owned(), Why { reason })
    });
    Module {
        path: PATH.to_owned(),
        modules: modules.into(),
    }
}

fn machine() -> Bench {
    let bench = Bench::new();
    {
        let mut kernel = bench.fakes.kernel.edit();
        kernel
            .modules
            .insert("overlay".to_owned(), ModuleState::Builtin);
        let keys = vec![(
            "net.bridge.bridge-nf-call-iptables".to_owned(),
            "1".to_owned(),
        )];
        kernel.loadable.insert("br_netfilter".to_owned(), keys);
    }
    bench
}

fn kernel(bench: &Bench, release: &str, modules: &str, builtin: &str, alias: &str) {
    let dir = format!("/lib/modules/{release}");
    bench.put(&format!("{dir}/modules.dep"), modules);
    bench.put(&format!("{dir}/modules.builtin"), builtin);
    bench.put(&format!("{dir}/modules.alias"), alias);
}

#[test]
fn a_fresh_machine_gets_file_and_module() {
    let bench = machine();
    let diff = bench.diff(&wanted(), Place::Build);
    let found = lines(&diff);
    assert!(found[0].starts_with("content: absent -> "), "{found:?}");
    assert_eq!(
        found[1..],
        ["br_netfilter at runtime: not loaded -> loaded"]
    );
    assert_eq!(steps(&diff)[1..], ["load br_netfilter"]);
    bench.settle(&wanted(), Place::Build).unwrap();
    assert_eq!(
        bench.text(PATH),
        "# Written by nodeagent for the policy entry module:/etc/modules-load.d/rke2.conf; changes here are lost.\n\
         \n# br_netfilter is needed.\nbr_netfilter\n\n# overlay is needed.\noverlay\n"
    );
}

#[test]
fn each_half_fails_alone() {
    let bench = machine();
    bench.settle(&wanted(), Place::Build).unwrap();
    bench.fakes.kernel.edit().modules.remove("br_netfilter");
    assert_eq!(
        lines(&bench.diff(&wanted(), Place::Node)),
        ["br_netfilter at runtime: not loaded -> loaded"]
    );
    let image = bench.diff(&wanted(), Place::Image);
    assert!(image.conforms() && image.not_applicable[0].what == "runtime");
    bench.put(PATH, "overlay\n");
    let found = lines(&bench.diff(&wanted(), Place::Image));
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("content: sha256:"), "{found:?}");
}

#[test]
fn a_foreign_kernel_is_not_applicable_and_the_file_counts() {
    let bench = machine();
    bench.fakes.kernel.edit().foreign = Some("the tree is not booted".to_owned());
    let diff = bench.diff(&wanted(), Place::Build);
    assert_eq!(lines(&diff).len(), 1);
    assert_eq!(diff.not_applicable.len(), 2);
    bench.settle(&wanted(), Place::Build).unwrap();
    assert_eq!(bench.fakes.kernel.calls.changes(), Vec::<String>::new());
}

/// Installed kernels (release, modules.dep, modules.builtin, modules.alias), and what differs.
type KernelCase<'a> = (&'a str, &'a [[&'a str; 4]], Option<&'a str>);

#[test]
fn a_module_that_no_installed_kernel_has_names_the_kernels() {
    let dep = "kernel/net/bridge/br_netfilter.ko.zst: kernel/net/bridge/bridge.ko.zst\n";
    let overlay = "kernel/fs/overlayfs/overlay.ko\n";
    let table: &[KernelCase<'_>] = &[
        ("no kernel", &[], None),
        ("both there", &[["6.1", dep, overlay, ""]], None),
        (
            "by another name",
            &[["6.1", dep, "", "alias overlay overlayfs\n"]],
            None,
        ),
        (
            "one of two kernels",
            &[["6.1", "", overlay, ""], ["6.2", dep, "", ""]],
            None,
        ),
        (
            "in none",
            &[
                ["6.1", "", overlay, ""],
                ["6.2", "kernel/br_netfilter_x.ko:\n", "", ""],
            ],
            Some("br_netfilter on disk: not in 6.1, 6.2 -> in an installed kernel"),
        ),
    ];
    for (name, kernels, difference) in table {
        let bench = machine();
        std::fs::create_dir_all(bench.at("/lib/modules/5.0-leftover")).unwrap();
        bench.settle(&wanted(), Place::Build).unwrap();
        for [release, modules, builtin, alias] in *kernels {
            kernel(&bench, release, modules, builtin, alias);
        }
        let found = lines(&bench.diff(&wanted(), Place::Image));
        assert_eq!(found, Vec::from_iter(*difference), "{name}");
    }
}

#[test]
fn a_module_that_does_not_load_is_a_failure() {
    let bench = machine();
    bench.fakes.kernel.edit().loadable.clear();
    let error = bench.settle(&wanted(), Place::Build).unwrap_err();
    assert!(error.one_line().contains("br_netfilter"));
}
