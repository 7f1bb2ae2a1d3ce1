//! The daemons of the tests themselves: that all three generations run here, and end.
//! Separate so that a broken rig is told apart from a broken client.

use crate::support::generations::{Daemon, Generation, Options};
use crate::support::machine::sources;

#[test]
fn all_generations_run_with_and_without_cri() {
    for generation in Generation::ALL {
        for cri in [false, true] {
            let options = Options {
                cri,
                ..Options::default()
            };
            let daemon = Daemon::start_with(generation, &options).unwrap();
            let plugins = daemon.ctr_ok(&["plugins", "ls"]).unwrap();
            let state = |name: &str| {
                let line = plugins.lines().find(|line| line.contains(name));
                line.map(|line| line.split_whitespace().last().unwrap().to_owned())
            };
            assert_eq!(state(" overlayfs ").as_deref(), Some("ok"), "{plugins}");
            assert_eq!(state(" cri ").is_some(), cri, "{plugins}");
            if cri {
                assert_eq!(state(" cri ").as_deref(), Some("ok"), "{}", daemon.log());
            }
            let version = daemon.ctr_ok(&["version"]).unwrap();
            assert!(version.contains(generation.name()), "{version}");
            assert!(
                daemon
                    .root()
                    .join("io.containerd.metadata.v1.bolt")
                    .exists()
            );
            daemon.stop().unwrap();
        }
    }
}

#[test]
fn a_daemon_is_reached_by_its_own_tool_and_ends_when_dropped() {
    for generation in Generation::ALL {
        let daemon = Daemon::start(generation).unwrap();
        assert_eq!(daemon.generation(), generation);
        assert!(generation.programs().unwrap().shim.exists());
        let process = std::path::PathBuf::from(format!("/proc/{}", daemon.id()));
        assert!(process.exists());
        assert_eq!(daemon.ctr_ok(&["images", "ls", "-q"]).unwrap(), "");
        let refused = daemon.ctr_ok(&["snapshots", "info", "no-such-snapshot"]);
        assert!(
            refused.is_err() || generation == Generation::V16,
            "{refused:?}"
        );
        drop(daemon);
        assert!(!process.exists());
    }
    let broken = Options {
        config: "[".to_owned(),
        ..Options::default()
    };
    let error = Daemon::start_with(Generation::V2, &broken).unwrap_err();
    assert!(
        error.contains("it ended with") && error.contains("toml"),
        "{error}"
    );
}

#[test]
fn another_suite_is_read_from_the_hosts_own_archive() {
    let lines = "deb [arch=amd64] http://a.example/debian bookworm main\n\
                 deb http://a.example/debian-security bookworm-security main\n";
    assert_eq!(
        sources::suite_of_lines(lines, "sid"),
        "deb [arch=amd64] http://a.example/debian sid main\n"
    );
    let stanzas = "Types: deb\nURIs: http://a.example/debian\nSuites: bookworm bookworm-updates\n\
                   Components: main\n\nTypes: deb\nURIs: http://a.example/debian-security\n\
                   Suites: bookworm-security\nComponents: main\n\n";
    assert_eq!(
        sources::suite_of_stanzas(stanzas, "sid"),
        "Types: deb\nURIs: http://a.example/debian\nSuites: sid\nComponents: main\n\n"
    );
}
