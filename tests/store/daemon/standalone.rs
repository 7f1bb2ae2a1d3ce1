//! A daemon of our own as a child: started, used, stopped, killed; and stores that are refused.
//! Separate because each test has a `/run` of its own, in a mount namespace.

use super::{NAMESPACE, digests, each_program, image, names, place};
use crate::sandbox::PROGRAM;
use crate::support::namespace::{empty, in_namespaces};
use crate::support::own_test;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nodeagent::error::Error;
use nodeagent::host::containerd::{Client, Containerd, Labels, Standalone, Start};
use nodeagent::host::{Context, Host, Where};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// This system without a manager, with a `/run` of its own.
pub(super) fn alone<T: Send>(test: impl FnOnce(&Host) -> T + Send) -> T {
    in_namespaces(|| {
        empty("/run");
        test(&host())
    })
}

pub(super) fn host() -> Host {
    let place = Context {
        place: Where::Chroot,
        evidence: "a test".to_owned(),
    };
    Host::open(Path::new("/"), place, Path::new(PROGRAM)).unwrap()
}

/// Processes in this thread's mount namespace that run this program.
pub(super) fn running(program: &str) -> Vec<i32> {
    let link = |path: String| std::fs::read_link(path).unwrap_or_default();
    let own = link("/proc/thread-self/ns/mnt".to_owned());
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| link(format!("/proc/{pid}/ns/mnt")) == own)
        .filter(|pid| link(format!("/proc/{pid}/exe")) == Path::new(program))
        .collect()
}

fn client(daemon: &Standalone<'_>) -> Client {
    Client::connect(daemon.socket(), NAMESPACE).unwrap()
}

/// Records an image, and a blob that only a lease keeps.
fn use_it(client: &mut Client) {
    client.make_namespace().unwrap();
    client.lease("nodeagent-test", 24).unwrap();
    let (kept, lost) = (place(client, b"a manifest"), place(client, b"lost"));
    for blob in [&kept, &lost] {
        client.adopt(blob, &Labels::new()).unwrap();
    }
    client.prepare("extract", None, &Labels::new()).unwrap();
    client
        .put_image(&image("example/kept:1", &kept, &[]))
        .unwrap();
}

pub(super) fn refused(error: &Error, why: &[&str]) {
    let text = error.one_line();
    assert!(why.iter().all(|word| text.contains(word)), "{text}");
    assert!(error.next_step().is_some(), "{text}");
}

#[test]
fn it_is_started_used_and_stopped_and_leaves_nothing_but_the_store() {
    each_program(|generation, program| {
        alone(|host| {
            let store = tempfile::tempdir().unwrap();
            let root = store.path().join("not/yet/there").display().to_string();
            let start = Start {
                program,
                root: &root,
            };
            let begun = Instant::now();
            let daemon = Standalone::start(&start, host).unwrap();
            let answered = begun.elapsed();
            use_it(&mut client(&daemon));
            let facts = client(&daemon).facts().unwrap();
            assert!(facts.version.contains(generation.name()), "{facts:?}");
            assert!(facts.content.starts_with(&root));

            let dir = daemon.socket().parent().unwrap();
            let mode = dir.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
            // Its own network namespace holds no listener but this thread's none.
            for kind in ["tcp", "tcp6", "udp", "udp6"] {
                let table = std::fs::read_to_string(format!("/proc/thread-self/net/{kind}"));
                assert_eq!(table.unwrap().lines().count(), 1, "{kind}");
            }
            assert_eq!(running(program).len(), 1);
            let asked = Instant::now();
            daemon.stop().unwrap();
            eprintln!(
                "{}: up in {answered:?}, down in {:?}",
                generation.name(),
                asked.elapsed()
            );
            assert_eq!(running(program), Vec::<i32>::new());
            let left: Vec<_> = std::fs::read_dir("/run/nodeagent").unwrap().collect();
            assert!(left.is_empty(), "{left:?}");

            // Another one on the same store knows all of it.
            let daemon = Standalone::start(&start, host).unwrap();
            assert_eq!(client(&daemon).images().unwrap().len(), 1);
        });
    });
}

#[test]
fn what_it_does_not_need_is_off_and_nothing_is_made_elsewhere() {
    each_program(|generation, program| {
        alone(|host| {
            let store = tempfile::tempdir().unwrap();
            let root = store.path().display().to_string();
            let opt = Path::new("/opt/containerd").exists();
            let daemon = Standalone::start(
                &Start {
                    program,
                    root: &root,
                },
                host,
            )
            .unwrap();
            let mut ctr = Command::new(generation.programs().unwrap().ctr);
            let out = ctr
                .arg("-a")
                .arg(daemon.socket())
                .args(["plugins", "ls"])
                .output();
            let plugins = String::from_utf8(out.unwrap().stdout).unwrap();
            assert!(plugins.contains("overlayfs"), "{plugins}");
            for off in [
                "cri", "nri", "task", "runtime", "monitor", "tracing", "transfer", "opt",
            ] {
                assert!(!plugins.contains(off), "{off}\n{plugins}");
            }
            let all_well = plugins
                .lines()
                .skip(1)
                .all(|line| line.trim_end().ends_with("ok"));
            assert!(all_well, "{plugins}");
            assert_eq!(Path::new("/opt/containerd").exists(), opt);
            drop(daemon);
        });
    });
}

#[test]
fn nothing_is_collected_before_it_is_asked_for() {
    each_program(|_, program| {
        alone(|host| {
            let store = tempfile::tempdir().unwrap();
            let root = store.path().display().to_string();
            let start = Start {
                program,
                root: &root,
            };
            let daemon = Standalone::start(&start, host).unwrap();
            let first = client(&daemon);
            first.make_namespace().unwrap();
            // Without a lease or an image: the next collection takes it.
            let nobodys = place(&first, b"nobody's");
            first.adopt(&nobodys, &Labels::new()).unwrap();
            daemon.stop().unwrap();
            let daemon = Standalone::start(&start, host).unwrap();
            let second = client(&daemon);
            let blob = place(&second, b"a manifest");
            second.adopt(&blob, &Labels::new()).unwrap();
            // More than what usually makes it collect, and long after its start.
            for number in 0..200 {
                let name = format!("example/{number}:1");
                second.put_image(&image(&name, &blob, &[])).unwrap();
            }
            assert_eq!(digests(&second).len(), 2);
            second.remove_image("example/0:1").unwrap();
            assert_eq!(digests(&second), [blob.digest]);
        });
    });
}

#[test]
fn a_killed_daemon_is_followed_by_one_that_knows_what_was_told() {
    each_program(|_, program| {
        alone(|host| {
            let store = tempfile::tempdir().unwrap();
            let root = store.path().display().to_string();
            let start = Start {
                program,
                root: &root,
            };
            let daemon = Standalone::start(&start, host).unwrap();
            use_it(&mut client(&daemon));
            let [pid] = running(program).try_into().unwrap();
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
            let error = daemon.stop().unwrap_err();
            refused(&error, &["137"]);

            let daemon = Standalone::start(&start, host).unwrap();
            let mut client = client(&daemon);
            assert_eq!((digests(&client).len(), names(&client).len()), (2, 1));
            assert_eq!(client.leases().unwrap(), ["nodeagent-test"]);
            client.end_lease("nodeagent-test").unwrap();
            assert_eq!((digests(&client).len(), names(&client).len()), (1, 0));
        });
    });
}

/// Runs as a process of its own, which is killed: what it started is asked to end.
#[test]
#[ignore = "it is the parent that another test kills"]
fn parent_that_is_killed() {
    let (Ok(program), Ok(root)) = (std::env::var("STORE_PROGRAM"), std::env::var("STORE_ROOT"))
    else {
        return;
    };
    let host = host();
    let daemon = Standalone::start(
        &Start {
            program: &program,
            root: &root,
        },
        &host,
    )
    .unwrap();
    use_it(&mut client(&daemon));
    println!("it runs");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Starts [`parent_that_is_killed`] and kills it when its daemon has records.
fn kill_parent(program: &str, root: &str) {
    let mut parent = own_test("store::daemon::standalone::parent_that_is_killed")
        .arg("--nocapture")
        .envs([("STORE_PROGRAM", program), ("STORE_ROOT", root)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(parent.stdout.take().unwrap()).lines();
    let runs = said
        .map_while(Result::ok)
        .any(|line| line.contains("it runs"));
    assert!(runs);
    assert_eq!(running(program).len(), 1);
    parent.kill().unwrap();
    parent.wait().unwrap();
}

#[test]
fn it_is_asked_to_end_when_we_are_killed_and_the_store_is_free_for_the_next() {
    each_program(|_, program| {
        alone(|host| {
            let store = tempfile::tempdir().unwrap();
            let root = store.path().display().to_string();
            let start = Start {
                program,
                root: &root,
            };
            kill_parent(program, &root);
            // At once: the one that is about to end is waited for.
            let daemon = Standalone::start(&start, host).unwrap();
            let client = client(&daemon);
            assert_eq!(client.images().unwrap().len(), 1);
            assert_eq!(running(program).len(), 1);
        });
    });
}
