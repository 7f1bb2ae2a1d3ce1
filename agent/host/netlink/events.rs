//! Wakes whoever waits when a link, an address, a route or a rule changes.
//! It is separate because it never reads what changed: whoever is woken looks at everything anew, so that a lost or
//! misread event cannot lead to a wrong table, and a flood of events costs no memory.

use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtnetlink::MulticastGroup;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::error::{Context as _, Result};

/// Everything that routing depends on. Addresses and links above all: the kernel tells nobody of the IPv4 routes that
/// it drops when a link goes down.
const GROUPS: [MulticastGroup; 7] = [
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// Messages that are taken in before whoever waits is told; a flood must not keep it waiting.
const AT_ONCE: usize = 4096;

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something changed.
    Changed,
    /// So much changed that the kernel threw events away.
    Overrun,
    /// Nothing changed in that time.
    Quiet,
}

/// A subscription; events queue in the kernel from the moment it is made.
#[derive(Debug)]
pub struct Events {
    socket: Socket,
}

impl Events {
    /// Subscribes in the network namespace of this thread.
    pub fn subscribe() -> Result<Self> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.set_non_blocking(true)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            for group in GROUPS {
                socket.add_membership(group as u32)?;
            }
            Ok::<_, std::io::Error>(socket)
        };
        let socket = open().context(|| "subscribe to netlink events")?;
        Ok(Self { socket })
    }

    /// Makes room for so many bytes of events (the kernel takes double); what comes beyond is an overrun.
    pub fn limit(&self, bytes: u32) -> Result<()> {
        self.socket
            .set_rx_buf_sz(bytes)
            .context(|| "set the size of the netlink event buffer")
    }

    /// Waits for an event, at most this long. Everything that has queued up by then is taken in as one.
    pub fn wait(&mut self, at_most: Duration) -> Result<Wake> {
        let millis = i32::try_from(at_most.as_millis()).unwrap_or(i32::MAX);
        let time = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, time) {
            // A signal whose handler came back; whoever waits looks at its own reasons to stop.
            Ok(0) | Err(Errno::EINTR) => return Ok(Wake::Quiet),
            Ok(_) => {}
            Err(errno) => return Err(errno).context(|| "wait for netlink events"),
        }
        let mut wake = Wake::Quiet;
        for _ in 0..AT_ONCE {
            match self.take()? {
                Wake::Quiet => break,
                Wake::Changed => {
                    wake = if wake == Wake::Overrun {
                        wake
                    } else {
                        Wake::Changed
                    }
                }
                Wake::Overrun => wake = Wake::Overrun,
            }
        }
        Ok(wake)
    }

    /// Takes one message out of the queue. Its text is not looked at: the rest of it is thrown away by the kernel.
    fn take(&self) -> Result<Wake> {
        let mut space = [0u8; 16];
        let mut room = space.as_mut_slice();
        let taken = self.socket.recv(&mut room, 0);
        let errno = match taken {
            Ok(_) => return Ok(Wake::Changed),
            Err(error) => Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        };
        match errno {
            Errno::EAGAIN => Ok(Wake::Quiet),
            Errno::EINTR => Ok(Wake::Changed),
            Errno::ENOBUFS => Ok(Wake::Overrun),
            errno => Err(errno).context(|| "read netlink events"),
        }
    }
}
