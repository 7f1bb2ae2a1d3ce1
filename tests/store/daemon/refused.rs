//! Programs and stores that no daemon of ours is started with, and what a person reads then.
//! Separate because nothing runs afterwards in any of these.

use super::standalone::{alone, refused, running};
use super::{each_program, overlay};
use crate::support::generations::{Daemon, Generation, Options};
use crate::support::namespace::empty;
use nodeagent::error::Exit;
use nodeagent::host::containerd::{Standalone, Start};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_program_that_is_no_containerd_is_told_with_its_last_words() {
    alone(|host| {
        let store = tempfile::tempdir().unwrap();
        let root = store.path().display().to_string();
        let script = store.path().join("broken");
        let text = "#!/bin/sh\necho one >&2\necho cannot open the frobnicator >&2\nexit 3\n";
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let script = script.display().to_string();
        let table = [
            (script.as_str(), "ended with code 3"),
            (script.as_str(), "one | cannot open the frobnicator"),
            ("/bin/true", "ended with code 0"),
            ("/no/such/program", "/no/such/program"),
        ];
        for (program, why) in table {
            let error = Standalone::start(
                &Start {
                    program,
                    root: &root,
                },
                host,
            )
            .unwrap_err();
            refused(&error, &[why, program, &root]);
            let left: Vec<_> = std::fs::read_dir("/run/nodeagent").unwrap().collect();
            assert!(left.is_empty(), "{left:?}");
        }
        let start = Start {
            program: "/bin/true",
            root: "relative",
        };
        assert_eq!(
            Standalone::start(&start, host).unwrap_err().exit(),
            Exit::Usage
        );
    });
}

#[test]
fn a_store_that_another_containerd_has_is_refused() {
    each_program(|generation, program| {
        alone(|host| {
            let store = tempfile::tempdir().unwrap();
            let root = store.path().display().to_string();
            let options = Options {
                root: Some(store.path().to_owned()),
                ..Options::default()
            };
            let other = Daemon::start_with(generation, &options).unwrap();
            let start = Start {
                program,
                root: &root,
            };
            let error = Standalone::start(&start, host).unwrap_err();
            let holder = format!("process {} (containerd)", other.id());
            refused(&error, &[&holder, "meta.db", &root]);
            assert_eq!(error.exit(), Exit::Refused);
            other.stop().unwrap();
            Standalone::start(&start, host).unwrap().stop().unwrap();
        });
    });
}

#[test]
fn only_one_is_run_at_a_time() {
    each_program(|_, program| {
        alone(|host| {
            let stores = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
            let roots = stores
                .each_ref()
                .map(|store| store.path().display().to_string());
            let first = Standalone::start(
                &Start {
                    program,
                    root: &roots[0],
                },
                host,
            )
            .unwrap();
            let start = Start {
                program,
                root: &roots[1],
            };
            let error = Standalone::start(&start, host).unwrap_err();
            let own = format!("process {}", std::process::id());
            refused(&error, &[&own]);
            first.stop().unwrap();
            Standalone::start(&start, host).unwrap().stop().unwrap();
        });
    });
}

#[test]
fn a_store_without_room_is_told() {
    each_program(|_, program| {
        alone(|host| {
            let store = tempfile::tempdir().unwrap();
            let at = store.path();
            let flags = nix::mount::MsFlags::empty();
            nix::mount::mount(Some("none"), at, Some("tmpfs"), flags, Some("size=16k")).unwrap();
            let root = at.join("store").display().to_string();
            let error = Standalone::start(
                &Start {
                    program,
                    root: &root,
                },
                host,
            )
            .unwrap_err();
            let text = error.one_line();
            assert!(text.contains("no space left on device"), "{text}");
            assert!(error.next_step().unwrap().contains("room"), "{text}");
            assert_eq!(running(program), Vec::<i32>::new());
        });
    });
}

#[test]
fn a_store_on_an_overlay_is_refused() {
    let program = Generation::V2
        .programs()
        .unwrap()
        .containerd
        .display()
        .to_string();
    alone(|host| {
        let dir = overlay::dir();
        let root = overlay::mounted(dir.path())
            .join("deep/store")
            .display()
            .to_string();
        let start = Start {
            program: &program,
            root: &root,
        };
        let error = Standalone::start(&start, host).unwrap_err();
        refused(&error, &["overlay", &root]);
        assert_eq!(error.exit(), Exit::Refused);
        // A mount of another kind there is fine.
        std::fs::create_dir_all(&root).unwrap();
        empty(&root);
        Standalone::start(&start, host).unwrap().stop().unwrap();
    });
}
