//! Packages through the real dnf and rpm in the test double for Rocky 9, from a signed local repository.
//! Separate because what goes wrong with packages (locks, keys, torn transactions) cannot be faked well.

mod faults;
mod install;
mod offline;
mod profile;
mod torn;
mod versions;

use super::apt::Hurry;
use super::inside;
use crate::support::machine::rpms::{self, Rpm, plain};
use crate::support::machine::{el9, tree::Tree};
use nodeagent::host::packages::Dnf;
use nodeagent::host::{Clock, Exec, Notes, PackageRequest, Packages, Root};
use std::path::Path;
use std::rc::Rc;

/// Packages of the repository: what the source installs, and what goes wrong.
const PACKAGES: &[Rpm] = &[
    plain("qemu-guest-agent", "17:9.0.0-10.el9").units(&["qemu-guest-agent.service"]),
    plain("iptables", "1.8.10-4.el9")
        .head("Provides: iptables-nft")
        .programs(&["iptables", "iptables-restore", "ip6tables"]),
    plain("iptables-services", "1.8.10-4.el9")
        .head("Requires: iptables\nRequires: /bin/sh")
        .units(&["iptables.service"]),
    plain("container-selinux", "3:2.232.1-1.el9").head("Requires: selinux-policy >= 38"),
    plain("selinux-policy", "38.1.45-3.el9"),
    plain("policycoreutils-python-utils", "3.6-2.1.el9"),
    plain("audit", "3.1.5-1.el9").units(&["auditd.service"]),
    plain("rke2-selinux", "0.18-1.el9").head("Requires: container-selinux >= 2:2.191.0"),
    plain("rke2-selinux", "0.19-1.el9").head("Requires: container-selinux >= 2:2.191.0"),
    plain("chrony", "4.5-3.el9").units(&["chronyd.service"]),
    plain("dnf-automatic", "4.14.0-17.el9").units(&["dnf-automatic-install.timer"]),
    plain("tiny", "1.0-1.el9"),
    plain("tiny", "2.0-1.el9"),
    plain("needs", "1.0-1.el9").head("Requires: tiny\nRecommends: extra"),
    plain("extra", "1.0-1.el9"),
    plain("lacking", "1.0-1.el9").head("Requires: nowhere"),
    plain("bad-pre", "1.0-1.el9").scripts("%pre\necho no good >&2; exit 3"),
    plain("bad-post", "1.0-1.el9").scripts("%post\ntest -e /good || { echo no good >&2; exit 3; }"),
    plain("slow", "1.0-1.el9"),
    plain("slow", "2.0-1.el9").scripts(
        "%post\nif test -e /slow; then touch /configuring; sleep 300; fi\ntouch /configured",
    ),
    plain("unsigned", "1.0-1.el9"),
    plain("foreign", "1.0-1.el9"),
];

/// The repository in every tree.
const REPOSITORY: &str = "srv/repository";

/// The cached repository; `unsigned` is not signed, `foreign` by a key that nobody trusts.
pub(crate) fn repository() -> std::path::PathBuf {
    let made = rpms::folder("el9-repository", PACKAGES, |dir| {
        let key = rpms::Key::new("repository of the rig", &dir.join("key.asc"))?;
        std::fs::write(dir.join("fingerprint"), key.fingerprint()?).map_err(|e| e.to_string())?;
        key.sign(&rpms::files(dir, &["unsigned", "foreign"])?)?;
        let other = rpms::Key::new("nobody", &dir.join("other.asc"))?;
        other.sign(&[dir.join("foreign-1.0-1.el9.noarch.rpm")])?;
        rpms::index(dir)
    });
    made.unwrap().path
}

/// A writable tree of the double that knows the repository.
pub(crate) fn tree(label: &str) -> Tree {
    let tree = Tree::of_stock(&el9::stock().unwrap().path, label).unwrap();
    let to = tree.path().join(REPOSITORY);
    copy(&repository(), &to);
    repo(
        &tree,
        "baseurl=file:///srv/repository\ngpgcheck=1\ngpgkey=file:///srv/repository/key.asc",
    );
    tree
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Writes the tree's one .repo file.
pub(super) fn repo(tree: &Tree, lines: &str) {
    let text = format!("[rig]\nname=rig\nenabled=1\n{lines}\n");
    std::fs::write(tree.path().join("etc/yum.repos.d/rig.repo"), text).unwrap();
}

pub(super) struct Bench {
    pub(super) dnf: Dnf,
    pub(super) notes: Notes,
    pub(super) clock: Rc<Hurry>,
}

pub(super) fn dnf(tree: &Tree) -> Bench {
    let notes = Notes::default();
    let clock = Rc::new(Hurry::default());
    let exec: Rc<dyn Exec> = Rc::new(inside(&tree.path()));
    let root = Root::open(&tree.path()).unwrap();
    let dnf = Dnf::new(
        root,
        exec,
        Rc::clone(&clock) as Rc<dyn Clock>,
        notes.clone(),
    );
    Bench { dnf, notes, clock }
}

pub(super) fn wanted(name: &str, version: Option<&str>, offline: Option<&str>) -> PackageRequest {
    PackageRequest {
        name: name.to_owned(),
        version: version.map(str::to_owned),
        offline: offline.map(str::to_owned),
    }
}

pub(super) fn version(dnf: &Dnf, name: &str) -> Option<String> {
    let all = dnf.installed().unwrap();
    all.get(name).map(|package| package.version.clone())
}
