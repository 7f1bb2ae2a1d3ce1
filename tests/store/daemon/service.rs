//! A daemon of our own as a service of a booted machine's systemd: started, adopted, replaced, stopped.
//! Separate because it needs the machine; each test's thread steps into its mounts and speaks to its D-Bus.

use super::{NAMESPACE, each_program, image, place};
use crate::sandbox::{PROGRAM, debian};
use crate::support::generations::Generation;
use crate::support::machine::{cache, nspawn::Machine};
use nix::sched::{CloneFlags, setns, unshare};
use nodeagent::host::containerd::{Client, Containerd, Labels, Standalone, Start, UNIT};
use nodeagent::host::{Context, Host, Where};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

/// A file system of its own in the machine: its root is an overlay.
const STORES: &str = "/var/lib/rancher";
const LOCK: &str = "/run/nodeagent/containerd.lock";

/// What a part has: the machine as its root, and commands that the machine's systemd runs.
struct Inside<'m> {
    host: Host,
    asked: &'m Sender<(Vec<String>, Sender<String>)>,
}

impl Inside<'_> {
    /// Runs a command in the machine; that takes this machine's /proc, which the part does not see.
    fn ok(&self, argv: &[&str]) -> String {
        let (answer, answered) = channel();
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        self.asked.send((argv, answer)).unwrap();
        answered.recv().unwrap()
    }

    fn unit(&self, property: &str) -> String {
        let text = self.ok(&["systemctl", "show", UNIT, "--value", "--property", property]);
        text.trim().to_owned()
    }
}

/// Runs a part in a thread that has the machine's mounts, and so its files and sockets.
fn within(machine: &Machine, part: impl FnOnce(&Inside<'_>) + Send) {
    let mounts = std::fs::File::open(machine.view().with_file_name("ns/mnt")).unwrap();
    let (asked, questions) = channel::<(Vec<String>, Sender<String>)>();
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            setns(mounts, CloneFlags::CLONE_NEWNS).unwrap();
            let place = Context {
                place: Where::Container,
                evidence: "a test".to_owned(),
            };
            let host = Host::open(Path::new("/"), place, Path::new(PROGRAM)).unwrap();
            part(&Inside {
                host,
                asked: &asked,
            });
        });
        for (argv, answer) in questions {
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            answer.send(machine.ok(&argv).unwrap()).unwrap();
        }
        let ended = thread.join();
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// What a run leaves that is killed: the service and all its files, and no lock.
fn killed(daemon: Standalone<'_>) {
    std::mem::forget(daemon);
    std::fs::remove_file(LOCK).unwrap();
}

#[test]
fn the_service_is_started_adopted_replaced_and_stopped() {
    let tree = debian("store-service");
    let bin = tree.path().join("usr/local/bin");
    each_program(|generation, program| {
        std::fs::copy(
            program,
            bin.join(format!("containerd-{}", generation.name())),
        )
        .unwrap();
    });
    let broken = "#!/bin/sh\necho cannot open the frobnicator >&2\nexit 3\n";
    std::fs::write(bin.join("broken"), broken).unwrap();
    std::fs::set_permissions(bin.join("broken"), PermissionsExt::from_mode(0o755)).unwrap();
    let logs = cache::target_dir().join("machines/log");
    let machine = Machine::boot(&tree.path(), "store-service", &logs).unwrap();
    machine
        .ok(&["mount", "--mkdir", "-t", "tmpfs", "none", STORES])
        .unwrap();
    for generation in Generation::ALL {
        let name = generation.name();
        let program = format!("/usr/local/bin/containerd-{name}");
        let root = format!("{STORES}/{name}");
        let start = Start {
            program: &program,
            root: &root,
        };
        runs(&machine, &start);
        is_adopted(&machine, &start);
        is_replaced(&machine, &start);
        follows_a_killed_one(&machine, &start);
        refuses_a_store_that_is_held(&machine, &start);
    }
    tells_why_it_did_not_start(&machine);
    machine.power_off().unwrap();
}

fn runs(machine: &Machine, start: &Start<'_>) {
    within(machine, |inside| {
        let host = &inside.host;
        let begun = Instant::now();
        let daemon = Standalone::start(start, host).unwrap();
        let answered = begun.elapsed();
        assert_eq!(inside.unit("ActiveState"), "active");
        let mode = daemon.socket().parent().unwrap().metadata().unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o700);
        let client = Client::connect(daemon.socket(), NAMESPACE).unwrap();
        client.make_namespace().unwrap();
        let blob = place(&client, b"a manifest");
        client.adopt(&blob, &Labels::new()).unwrap();
        client
            .put_image(&image("example/kept:1", &blob, &[]))
            .unwrap();
        let asked = Instant::now();
        daemon.stop().unwrap();
        eprintln!(
            "{}: up in {answered:?}, down in {:?}",
            start.program,
            asked.elapsed()
        );
        assert!(!Path::new("/run/nodeagent/containerd").exists());
    });
    assert_eq!(machine.unit(UNIT, "LoadState").unwrap(), "not-found");
}

fn is_adopted(machine: &Machine, start: &Start<'_>) {
    within(machine, |inside| {
        let host = &inside.host;
        killed(Standalone::start(start, host).unwrap());
        let first = inside.unit("MainPID");
        let daemon = Standalone::start(start, host).unwrap();
        assert_eq!(inside.unit("MainPID"), first);
        let client = Client::connect(daemon.socket(), NAMESPACE).unwrap();
        assert_eq!(client.images().unwrap().len(), 1);
        // Dropped amid a failure it is stopped as well.
        drop(daemon);
    });
    assert_eq!(machine.unit(UNIT, "ActiveState").unwrap(), "inactive");
}

/// By one on another store, and by one of another program.
fn is_replaced(machine: &Machine, start: &Start<'_>) {
    let other = format!("{}-other", start.root);
    within(machine, |inside| {
        let host = &inside.host;
        killed(
            Standalone::start(
                &Start {
                    root: &other,
                    ..*start
                },
                host,
            )
            .unwrap(),
        );
        let first = inside.unit("MainPID");
        let daemon = Standalone::start(start, host).unwrap();
        let second = inside.unit("MainPID");
        assert_ne!(first, second);
        killed(daemon);
        let newer = format!("{}.new", start.program);
        std::fs::copy(start.program, &newer).unwrap();
        std::fs::rename(&newer, start.program).unwrap();
        let daemon = Standalone::start(start, host).unwrap();
        assert_ne!(inside.unit("MainPID"), second);
        daemon.stop().unwrap();
    });
}

fn follows_a_killed_one(machine: &Machine, start: &Start<'_>) {
    within(machine, |inside| {
        let host = &inside.host;
        killed(Standalone::start(start, host).unwrap());
        inside.ok(&["systemctl", "kill", "--signal=KILL", UNIT]);
        let daemon = Standalone::start(start, host).unwrap();
        let client = Client::connect(daemon.socket(), NAMESPACE).unwrap();
        assert_eq!(client.images().unwrap().len(), 1);
        daemon.stop().unwrap();
    });
}

fn refuses_a_store_that_is_held(machine: &Machine, start: &Start<'_>) {
    within(machine, |inside| {
        let host = &inside.host;
        let database = format!("{}/io.containerd.metadata.v1.bolt/meta.db", start.root);
        let file = std::fs::File::open(database).unwrap();
        file.lock().unwrap();
        let error = Standalone::start(start, host).unwrap_err();
        let text = error.one_line();
        assert!(
            text.contains("meta.db") && text.contains("process "),
            "{text}"
        );
        assert_eq!(inside.unit("LoadState"), "not-found");
    });
}

fn tells_why_it_did_not_start(machine: &Machine) {
    let root = format!("{STORES}/broken");
    let broken = Start {
        program: "/usr/local/bin/broken",
        root: &root,
    };
    // Twice: what failed does not stand in the way.
    for _ in 0..2 {
        within(machine, |inside| {
            let host = &inside.host;
            let error = Standalone::start(&broken, host).unwrap_err();
            let text = error.one_line();
            assert!(text.contains("cannot open the frobnicator"), "{text}");
            assert!(error.next_step().is_some(), "{text}");
        });
    }
    let missing = Start {
        program: "/no/such",
        ..broken
    };
    within(machine, |inside| {
        let host = &inside.host;
        let error = Standalone::start(&missing, host).unwrap_err();
        assert!(
            error.one_line().contains("/no/such"),
            "{}",
            error.one_line()
        );
        assert!(error.next_step().is_some());
    });
}
