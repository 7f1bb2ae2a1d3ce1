//! The machine tier: a booted Debian 12 with real systemd, D-Bus, containerd and apt.
//! Separate because it needs root and a bootstrapped root file system.

mod crash;
#[path = "demo/identity.rs"]
#[expect(
    dead_code,
    reason = "only the demo reads a running machine; its comparisons are tested here"
)]
mod demo_identity;
#[path = "demo/summary.rs"]
mod demo_summary;
mod gate;
mod rig;
mod static_binary;
mod ubuntu;
mod waiting;
