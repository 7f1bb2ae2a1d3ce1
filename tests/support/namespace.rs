//! Namespaces of a test's own: what is mounted or set in them ends with the thread.
//! They are separate because tests in them touch /proc/sys and mounts and must never reach the machine's.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Runs a test in a thread with its own network, and its own mounts of which none reaches the machine.
pub(crate) fn in_namespaces<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    own(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS, test)
}

fn own<T: Send>(what: CloneFlags, test: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            unshare(what).expect("own namespaces need root");
            let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
            mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
                .expect("mounts become private");
            test()
        });
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Runs a test in a thread with its own mounts, of which none reaches the machine; the network is the machine's.
pub(crate) fn in_namespaces_of_mounts<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    own(CloneFlags::CLONE_NEWNS, test)
}

/// Binds one directory or file over another.
pub(crate) fn bind(from: &std::path::Path, over: &str) {
    mount(
        Some(from),
        over,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .unwrap_or_else(|error| panic!("bind {} over {over}: {error}", from.display()));
}

/// Mounts an empty file system in memory.
pub(crate) fn empty(over: &str) {
    mount(
        Some("none"),
        over,
        Some("tmpfs"),
        MsFlags::empty(),
        None::<&str>,
    )
    .unwrap_or_else(|error| panic!("mount over {over}: {error}"));
}
