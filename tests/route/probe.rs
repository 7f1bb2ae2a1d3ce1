//! Probes: a TCP connection from one namespace to another, which only a right way there and back makes.
//! They are separate because a thread has to enter a namespace for each end.

use std::cell::Cell;
use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use tokio::net::TcpSocket;

/// How long an answer is waited for that should come: microseconds, on a loaded machine with a lost packet seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one is waited for that should not.
const SHORT: Duration = Duration::from_secs(2);

thread_local! {
    static LIMIT: Cell<Duration> = const { Cell::new(PATIENCE) };
}

/// Asks something whose answer should be no: nobody waits long for what should not come.
pub(super) fn doubtful<T>(ask: impl FnOnce() -> T) -> T {
    let before = LIMIT.replace(SHORT);
    let answer = ask();
    LIMIT.set(before);
    answer
}

/// Runs something in one of the lab's namespaces.
pub(super) fn within<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let path = format!("/run/netns/{namespace}");
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            setns(File::open(&path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Whether a client in a namespace reaches an address of the node.
pub(super) fn reaches(client: &str, to: &str) -> bool {
    connects(client, None, "node", to)
}

/// Whether it does not.
pub(super) fn is_cut_off(client: &str, to: &str) -> bool {
    !doubtful(|| reaches(client, to))
}

/// Whether a connection from one namespace, with this source, to an address in another is made.
pub(super) fn connects(client: &str, source: Option<&str>, server: &str, to: &str) -> bool {
    let to: IpAddr = to.parse().unwrap();
    let Ok(listener) = within(server, || TcpListener::bind((to, 0))) else {
        // The address is not there at all.
        return false;
    };
    let at = listener.local_addr().unwrap();
    let source: Option<IpAddr> = source.map(|text| text.parse().unwrap());
    let limit = LIMIT.get();
    within(client, || dial(source, at, limit))
}

fn dial(source: Option<IpAddr>, to: SocketAddr, limit: Duration) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = match to {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        };
        let client = client.unwrap();
        if source.is_some_and(|source| client.bind(SocketAddr::new(source, 0)).is_err()) {
            return false;
        }
        matches!(
            tokio::time::timeout(limit, client.connect(to)).await,
            Ok(Ok(_))
        )
    })
}

/// Sends the packet that opens a connection; an answer is not expected.
pub(super) fn knocks(client: &str, to: &str) -> bool {
    let to: SocketAddr = to.parse().unwrap();
    within(client, || dial(None, to, SHORT))
}
