//! `image check --deep` on a containerd that runs: files that changed in a snapshot are found, named and mended.
//! Separate because nothing else looks at the files of a store that a daemon holds.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::stand::{Stand, all_well, client, directories, fill, inventory, options};
use crate::support::generations::{Daemon, Generation};
use crate::support::machine::run::{Done, run};
use nodeagent::host::containerd::Containerd as _;

fn check(daemon: &Daemon, more: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nodeagent"));
    command.args(["image", "check", "--json", "--address"]);
    command.arg(daemon.socket()).args(more);
    run(&mut command, Duration::from_secs(120)).unwrap()
}

/// The faults of a page: image and what is wrong.
fn faults(done: &Done) -> Vec<(String, String)> {
    let page: Value = serde_json::from_str(&done.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", done.stdout, done.stderr));
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = page["faults"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "image"), text(row, "fault")))
        .collect()
}

#[test]
fn a_file_that_changed_under_a_running_daemon_is_found_and_named() {
    let stand = Stand::small();
    for generation in Generation::ALL {
        let daemon = Daemon::start(generation).unwrap();
        all_well(&fill(&daemon, &stand.source(), &stand.wanted(), &options()));
        let whole = check(&daemon, &["--deep"]);
        assert_eq!(
            (whole.code, faults(&whole)),
            (0, vec![]),
            "{}",
            whole.stderr
        );

        let all = directories(&daemon);
        let mut holders = all
            .iter()
            .filter(|(_, path)| path.join("etc/passwd").exists());
        let (chain, path) = holders.next().unwrap();
        let file = path.join("etc/passwd");
        let bytes = std::fs::read(&file).unwrap();
        let time = file.metadata().unwrap().modified().unwrap();
        std::fs::write(&file, vec![b'x'; bytes.len()]).unwrap();
        let opened = std::fs::File::options().write(true).open(&file).unwrap();
        opened.set_modified(time).unwrap();

        let before = inventory(&daemon);
        // Who does not read sees nothing.
        assert_eq!(check(&daemon, &[]).code, 0);
        let found = check(&daemon, &["--deep"]);
        assert_eq!(found.code, 3, "{}{}", found.stdout, found.stderr);
        let named = faults(&found);
        for (image, fault) in &named {
            assert!(image.contains("/k8s/"), "{image}");
            assert!(
                fault.contains(chain.as_str()) && fault.contains("etc/passwd"),
                "{fault}"
            );
        }
        let users = stand.images.iter().filter(|image| {
            let variant = image.variant("linux/amd64");
            variant
                .layers
                .first()
                .is_some_and(|layer| &layer.diff_id == chain)
        });
        assert!(
            named.len() >= users.count() && !named.is_empty(),
            "{named:?}"
        );
        // It looked and left nothing.
        assert_eq!(inventory(&daemon), before);
        let keys = client(&daemon).snapshots().unwrap();
        assert!(
            keys.iter().all(|snapshot| !snapshot.name.contains("look")),
            "{keys:?}"
        );

        let mut deep = options();
        deep.deep = true;
        all_well(&fill(&daemon, &stand.source(), &stand.wanted(), &deep));
        assert_eq!(check(&daemon, &["--deep"]).code, 0);
    }
}
