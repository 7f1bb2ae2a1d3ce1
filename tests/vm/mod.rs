//! The VM tier: Debian 12 with its own kernel in QEMU, from the build machine to two nodes.
//! Separate because it is the one tier in which modules, boot order, power loss and two NICs are real.

mod bench;
mod image;
mod lab;
mod nodes;
mod rig;
mod sabotage;
