//! Policy routing in network namespaces: a node with two NICs, a client, and between them a router that drops every
//! reply which comes back another way. It is separate because that router is the judge, and needs no machine.

mod bench;
pub(crate) mod booted;
mod chosen;
mod dhcp;
mod faults;
mod lab;
mod lease;
mod probe;
mod scenarios;
mod table;
pub(crate) mod watch;
