//! The VM rig: QEMU without hardware virtualization, disks, seeds and a network of their own.
//! Separate from the machine rig because a container has the host's kernel, and a VM has its own.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the rig drives real files and processes of the test host; the bans protect the agent"
)]
#![allow(
    dead_code,
    reason = "compiled into several programs, the tests and the drivers, and each uses its own part"
)]

pub(crate) mod builder;
pub(crate) mod disk;
pub(crate) mod golden;
pub(crate) mod guest;
pub(crate) mod node;
pub(crate) mod qemu;
pub(crate) mod qmp;
pub(crate) mod seed;
pub(crate) mod tools;
