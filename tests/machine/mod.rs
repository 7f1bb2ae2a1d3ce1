//! The machine tier: a booted Debian 12 with real systemd, D-Bus, containerd and apt.
//! Separate because it needs root and a bootstrapped root file system.

mod rig;
