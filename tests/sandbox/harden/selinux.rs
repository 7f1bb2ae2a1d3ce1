//! Kind `selinux` with the real setfiles, on a kernel without SELinux: labels of an unbooted tree are attributes.
//! It is separate because no SELinux system can be booted here; the table of labels has lines of the EL policy.

use std::path::Path;
use std::process::Command;

use nodeagent::resource::selinux::Selinux;

use super::{Bed, lines};
use crate::support::machine::pool;

const TABLE: &str = "/etc/selinux/targeted/contexts/files/file_contexts";
const CONTEXTS: &str = "/.*\tsystem_u:object_r:default_t:s0
/etc/.*\tsystem_u:object_r:etc_t:s0
/etc/sysconfig/ip6?tables.*\t--\tsystem_u:object_r:system_conf_t:s0
/usr/bin/nodeagent\t--\tsystem_u:object_r:bin_t:s0
";

fn wanted(paths: &[&str]) -> Selinux {
    let fields = serde_json::json!({
        "name": "placed", "paths": paths, "except": ["/etc/sysconfig/skipped"],
    });
    serde_json::from_value(fields).unwrap()
}

/// A tree with policycoreutils and a policy.
fn labelled(label: &str) -> Bed {
    let bed = Bed::new(label);
    let packages = pool::for_packages(&["policycoreutils".to_owned()]).unwrap();
    pool::install(&packages.path, &bed.tree.path()).unwrap();
    std::fs::remove_file(bed.at("/etc/apt/sources.list")).ok();
    let (code, said) = bed.run(&[
        "sh",
        "-c",
        "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install policycoreutils",
    ]);
    assert_eq!(code, 0, "{said}");
    bed.put(
        "/etc/selinux/config",
        "SELINUX=enforcing\nSELINUXTYPE=targeted\n",
    );
    bed.put(TABLE, CONTEXTS);
    bed
}

/// The label that the file system holds.
fn label(path: &Path) -> String {
    let script =
        "import os,sys; print(os.getxattr(sys.argv[1], 'security.selinux').decode().strip('\\0'))";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", path.display());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn labels_are_set_and_a_wrong_one_is_told() {
    let bed = labelled("selinux");
    bed.put("/etc/sysconfig/iptables", "x");
    bed.put("/etc/sysconfig/skipped/x", "x");
    bed.put("/usr/bin/nodeagent", "x");
    let entry = wanted(&["/etc/sysconfig", "/usr/bin/nodeagent", "/not/there"]);
    let told = lines(&bed.diff(&entry));
    assert!(
        told.contains(
            &"label of /usr/bin/nodeagent: none -> system_u:object_r:bin_t:s0".to_owned()
        ),
        "{told:?}"
    );
    assert!(
        !told.iter().any(|line| line.contains("skipped")),
        "{told:?}"
    );
    assert_eq!(bed.settle(&entry).unwrap(), Vec::<String>::new());
    assert_eq!(
        label(&bed.at("/etc/sysconfig/iptables")),
        "system_u:object_r:system_conf_t:s0"
    );
    // A file that is placed anew has no label, or that of its directory.
    std::fs::remove_file(bed.at("/etc/sysconfig/iptables")).unwrap();
    bed.put("/etc/sysconfig/iptables", "y");
    assert_eq!(lines(&bed.diff(&entry)).len(), 1);
    assert_eq!(bed.settle(&entry).unwrap(), Vec::<String>::new());
    assert_eq!(
        label(&bed.at("/etc/sysconfig/iptables")),
        "system_u:object_r:system_conf_t:s0"
    );
}

#[test]
fn without_selinux_it_is_not_applicable_and_without_its_policy_it_is_not_known() {
    let bed = Bed::new("selinux-off");
    let entry = wanted(&["/etc/sysconfig"]);
    for (config, told) in [
        ("", "does not set it"),
        ("SELINUX=disabled\n", "says disabled"),
    ] {
        bed.put("/etc/selinux/config", config);
        let diff = bed.diff(&entry);
        assert!(diff.conforms() && diff.not_applicable[0].why.contains(told));
        assert_eq!(diff.not_applicable[0].what, "entry");
    }
    bed.put("/etc/selinux/config", "SELINUX=permissive\n");
    let found = lines(&bed.diff(&entry));
    assert!(
        found[0].contains("the policy targeted, which is not installed"),
        "{found:?}"
    );
    bed.put(TABLE, CONTEXTS);
    let found = lines(&bed.diff(&entry));
    assert!(found[0].contains("install policycoreutils"), "{found:?}");
}
