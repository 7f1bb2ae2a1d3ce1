//! Transactions that were killed, and what finishes them.
//! Separate because it takes a package that stands still amid its own installation.

use super::{Bench, dnf, tree, version, wanted};
use crate::sandbox::inside;
use nodeagent::host::exec::LiveExec;
use nodeagent::host::packages::Dnf;
use nodeagent::host::{Cmd, Exec, Notes, Output, Packages as _, Root};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Kills every dnf after a few seconds, as a time limit or a crash of the builder does.
struct Killer(LiveExec);

impl Exec for Killer {
    fn run(&self, cmd: &Cmd) -> nodeagent::error::Result<Output> {
        let limit = if cmd.argv[0] == "dnf" { 5 } else { 60 };
        self.0.run(&cmd.clone().timeout(Duration::from_secs(limit)))
    }
}

fn killer(tree: &Path) -> Dnf {
    let clock = Rc::new(crate::sandbox::apt::Hurry::default());
    let exec: Rc<dyn Exec> = Rc::new(Killer(inside(tree)));
    Dnf::new(Root::open(tree).unwrap(), exec, clock, Notes::default())
}

#[test]
fn a_killed_upgrade_is_finished_by_the_next_run() {
    let tree = tree("dnf-killed");
    let root = tree.path();
    let Bench { dnf, notes, .. } = dnf(&tree);
    dnf.install(&[wanted("slow", Some("1.0-1.el9"), None)])
        .unwrap();
    std::fs::write(root.join("slow"), "").unwrap();
    let error = killer(&root).install(&[wanted("slow", None, None), wanted("tiny", None, None)]);
    assert!(error.is_err());
    assert!(
        root.join("configuring").exists(),
        "it was killed amid a scriptlet"
    );
    std::fs::remove_file(root.join("slow")).unwrap();
    assert!(!root.join("configured").exists());
    // What rpm leaves where the kill falls amid unpacking.
    let torn = root.join("usr/share/rig/tiny;6558f0aa");
    std::fs::write(&torn, "half").unwrap();
    let left = dnf.interrupted().unwrap().unwrap();
    assert!(left.contains("slow"), "{left}");
    let both = dnf.installed().unwrap();
    assert!(
        both.contains_key("slow=1.0-1.el9"),
        "old and new stand side by side: {both:?}"
    );
    notes.drain();
    // Even without asking for a repair.
    dnf.install(&[wanted("extra", None, None)]).unwrap();
    assert_eq!(dnf.interrupted().unwrap(), None);
    assert!(
        root.join("configured").exists(),
        "the scriptlet was run again"
    );
    assert_eq!(version(&dnf, "slow").as_deref(), Some("2.0-1.el9"));
    assert!(!dnf.installed().unwrap().contains_key("slow=1.0-1.el9"));
    assert!(root.join("usr/share/rig/slow").exists() && !torn.exists());
    assert!(notes.drain().iter().any(|n| n.contains("interrupted")));
    dnf.install(&[wanted("slow", None, None), wanted("tiny", None, None)])
        .unwrap();
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("2.0-1.el9"));
    dnf.repair().unwrap();
    assert!(notes.drain().is_empty(), "nothing to do, nothing said");
}

#[test]
fn somebody_elses_half_upgrade_is_seen_and_finished() {
    let tree = tree("dnf-half");
    let Bench { dnf, .. } = dnf(&tree);
    dnf.install(&[wanted("tiny", Some("1.0-1.el9"), None)])
        .unwrap();
    let beside = [
        "rpm",
        "-i",
        "--force",
        "--nodeps",
        "--force-debian",
        "/srv/repository/tiny-2.0-1.el9.noarch.rpm",
    ];
    let output = inside(&tree.path()).run(&Cmd::new(beside)).unwrap();
    assert!(output.ok(), "{}", output.errors());
    assert!(
        dnf.interrupted()
            .unwrap()
            .unwrap()
            .contains("tiny=1.0-1.el9")
    );
    dnf.repair().unwrap();
    assert_eq!(dnf.interrupted().unwrap(), None);
    assert_eq!(version(&dnf, "tiny").as_deref(), Some("2.0-1.el9"));
    let file = tree.path().join("usr/share/rig/tiny");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "2.0-1.el9\n");
}

#[test]
fn a_mark_without_a_change_is_only_removed() {
    let tree = tree("dnf-mark");
    let Bench { dnf, .. } = dnf(&tree);
    dnf.install(&[wanted("tiny", None, None)]).unwrap();
    let all = dnf.installed().unwrap();
    let lines: String = all
        .iter()
        .map(|(name, p)| format!("{name} {} {}\n", p.version, p.arch))
        .collect();
    let mark = tree.path().join("var/lib/nodeagent/dnf-transaction");
    std::fs::write(&mark, lines).unwrap();
    assert!(dnf.interrupted().unwrap().is_some());
    dnf.repair().unwrap();
    assert!(!mark.exists());
    assert_eq!(dnf.interrupted().unwrap(), None);
}
