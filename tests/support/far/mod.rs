//! Two namespaces with a long link between them: what is slow because of distance is slow there, with real TCP.
//! It is separate because it is the stand-in for netem, which not every kernel has.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use nix::unistd::{getpid, gettid};

use super::namespace::in_namespaces;

/// The address of the far side.
pub(crate) const THERE: &str = "10.99.0.2";

/// What a link is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Long {
    /// Milliseconds from end to end.
    pub(crate) delay: u32,
    /// Mbit a second.
    pub(crate) rate: u32,
    /// Packets of a million that are lost.
    pub(crate) lost: u32,
    /// TCP's congestion control, of those that the kernel lets everybody choose.
    pub(crate) control: &'static str,
    /// Bytes that one connection's sender has under way at most: 4 MiB with Linux, less with many a proxy.
    pub(crate) window: u32,
}

/// Runs `there` at one end of a link, and `here` at the other with what
/// `there` gave; that is dropped, in its own namespace, when `here` is done.
pub(crate) fn apart<S, T: Send>(
    link: Long,
    there: impl FnOnce() -> S + Send,
    tell: impl FnOnce(&S) -> String + Send,
    here: impl FnOnce(&str) -> T + Send,
) -> T {
    let (namespace, at_namespace) = mpsc::channel();
    let (up, is_up) = mpsc::channel::<()>();
    let (told, is_told) = mpsc::channel();
    let (over, is_over) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            in_namespaces(move || {
                namespace.send(own_namespace()).unwrap();
                is_up.recv().unwrap();
                let server = there();
                told.send(tell(&server)).unwrap();
                // The sender is dropped when all is done, also by a panic.
                is_over.recv().unwrap_or_default();
                drop(server);
            });
        });
        in_namespaces(move || {
            let _over = over;
            let theirs = at_namespace.recv().unwrap();
            let _link = Link::start(&own_namespace(), &theirs, link);
            up.send(()).unwrap();
            here(&is_told.recv().unwrap())
        })
    })
}

fn own_namespace() -> String {
    format!("/proc/{}/task/{}/ns/net", getpid(), gettid())
}

/// The program that carries packets; it ends with its stdin.
struct Link(Child);

impl Link {
    fn start(here: &str, there: &str, link: Long) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/far/link.py");
        let mut command = Command::new("python3");
        command.arg(program).args([here, there]);
        command.args([link.delay, link.rate, link.lost].map(|n| n.to_string()));
        command
            .args([link.control, &link.window.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("python3 is installed");
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the link does not come up");
        Self(child)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().map(drop).unwrap_or_default();
    }
}
