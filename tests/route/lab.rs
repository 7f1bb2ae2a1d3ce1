//! The lab: node (eth0 10.0.0.10, eth1 10.1.0.10), router with a strict reverse path filter on every port, client.
//! It is separate because every test of routing begins with it, anew, in namespaces that end with its thread.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rtnetlink::packet_route::route::RouteProtocol;
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute};

use super::probe::within;
use super::watch::until;
use crate::support::namespace::{bind, empty, in_namespaces};

const WIRES: &str = "
set -e
mkdir -p /run/netns
for n in node rtr cli; do ip netns add $n; ip -n $n link set lo up; done
ip netns exec rtr sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
ip netns exec node sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.ip_forward=1
ip link add eth0 netns node type veth peer name r0 netns rtr
ip link add eth1 address 02:00:00:00:00:01 netns node type veth peer name r1 netns rtr
ip link add c0 netns cli type veth peer name rc netns rtr
ip -n node -b - <<E
addr add 10.0.0.10/24 dev eth0
addr add 10.1.0.10/24 dev eth1
link set eth0 up
link set eth1 up
route add default via 10.0.0.1 dev eth0 metric 100
route add default via 10.1.0.1 dev eth1 metric 101
E
ip -n rtr -b - <<E
addr add 10.0.0.1/24 dev r0
addr add 10.1.0.1/24 dev r1
addr add 192.0.2.1/24 dev rc
link set r0 up
link set r1 up
link set rc up
E
ip -n cli -b - <<E
addr add 192.0.2.50/24 dev c0
link set c0 up
route add default via 192.0.2.1
E
";

/// Hardware address of the node's eth1.
pub(super) const ETH1: &str = "02:00:00:00:00:01";

/// Flags that the standard case has.
pub(super) const CLUSTER: [&str; 4] =
    ["--main-cidr", "10.42.0.0/16", "--main-cidr", "10.43.0.0/16"];

/// The program under test.
pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_nodeagent");

/// The program that is run: another build of it where one is named, for figures.
fn program() -> OsString {
    std::env::var_os("NODEAGENT_PROGRAM").unwrap_or_else(|| PROGRAM.into())
}

/// A lab; it lasts as long as the thread that [`in_lab`] runs.
pub(super) struct Lab {
    _tables: tempfile::TempDir,
}

/// Runs a test in a lab of its own. Nothing of it reaches the machine.
pub(super) fn in_lab<T: Send>(test: impl FnOnce(&Lab) -> T + Send) -> T {
    in_namespaces(|| {
        empty("/run");
        // The script writes there.
        let tables = tempfile::tempdir().unwrap();
        for file in fs::read_dir("/etc/iproute2").unwrap() {
            let file = file.unwrap().path();
            if file.is_file() {
                fs::copy(&file, tables.path().join(file.file_name().unwrap())).unwrap();
            }
        }
        bind(tables.path(), "/etc/iproute2");
        let lab = Lab { _tables: tables };
        lab.sh(WIRES);
        lab.settled();
        test(&lab)
    })
}

/// What a program said, or why it failed.
pub(super) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[allow(
    clippy::unused_self,
    reason = "whoever has a lab is in its namespaces; without one these would act on the machine"
)]
impl Lab {
    /// Runs a shell script; all of it must succeed.
    pub(super) fn sh(&self, script: &str) -> String {
        let done = Command::new("sh").args(["-ec", script]).output().unwrap();
        assert!(
            done.status.success(),
            "{script}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        text(&done)
    }

    /// `ip` in a namespace.
    pub(super) fn ip(&self, namespace: &str, words: &str) -> String {
        self.sh(&format!("ip -n {namespace} {words}"))
    }

    /// `ip` on the node.
    pub(super) fn node(&self, words: &str) -> String {
        self.ip("node", words)
    }

    /// The program on the node.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(words)
            .stdin(Stdio::null())
            .env_remove("NOTIFY_SOCKET");
        command
    }

    /// Runs the program on the node: exit code and what it said.
    pub(super) fn ours(&self, words: &[&str]) -> (i32, String) {
        let done = within("node", || self.command(words).output().unwrap());
        let code = done.status.code().unwrap_or(-1);
        assert!(
            code != 1 && code != 2,
            "{words:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        (code, text(&done))
    }

    /// `route apply` with flags.
    pub(super) fn apply(&self, flags: &[&str]) -> (i32, String) {
        let mut words = vec!["route", "apply", "--json"];
        words.extend(CLUSTER);
        words.extend(flags);
        self.ours(&words)
    }

    /// The source's script, as NetworkManager would call it.
    pub(super) fn theirs(&self, interface: &str, action: &str) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/route/10-ingress-routing");
        within("node", || {
            let mut command = Command::new("bash");
            command.arg(&script).args([interface, action]);
            // Its own exit code says nothing: every failure in it is thrown away.
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
        });
    }

    /// Adds our source rule once more: the kernel takes it from whoever does not ask for an exclusive one.
    pub(super) fn double_rule(&self) {
        within("node", || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let (connection, handle, _) = rtnetlink::new_connection().unwrap();
                tokio::spawn(connection);
                let rule = handle
                    .rule()
                    .add()
                    .v4()
                    .source_prefix([10, 1, 0, 0].into(), 24);
                let mut rule = rule
                    .priority(20510)
                    .table_id(21001)
                    .action(RuleAction::ToTable)
                    .replace();
                let ours = RuleAttribute::Protocol(RouteProtocol::from(154));
                rule.message_mut().attributes.push(ours);
                rule.execute().await.unwrap();
            });
        });
    }

    /// Which way the node sends: the interface of `ip route get`, or `unreachable`.
    pub(super) fn way(&self, to_from: &str) -> String {
        let command = format!("ip -n node route get {to_from} 2>&1 || true");
        let said = self.sh(&command);
        let mut words = said.split_whitespace();
        match words.find(|word| *word == "dev") {
            Some(_) => words.next().unwrap().to_owned(),
            None => "unreachable".to_owned(),
        }
    }

    /// Waits until the kernel has told everybody of each cable: it does so later, by and by, and until then a route may
    /// be marked as one of a dead link.
    pub(super) fn settled(&self) {
        for namespace in ["node", "rtr", "cli"] {
            until("all cables are in", || {
                let told =
                    self.ip(namespace, "-o link") + &self.ip(namespace, "route show table all");
                !["NO-CARRIER", "LOWERLAYERDOWN", "linkdown"]
                    .iter()
                    .any(|word| told.contains(word))
            });
        }
    }

    /// How often a namespace dropped a packet because its answer would go another way.
    pub(super) fn dropped(&self, namespace: &str) -> u64 {
        let text = self.sh(&format!("ip netns exec {namespace} cat /proc/net/netstat"));
        let mut rows = text.lines().map(str::split_whitespace);
        let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
        let mut named = names.zip(values);
        let (_, value) = named
            .find(|(name, _)| *name == "IPReversePathFilter")
            .unwrap();
        value.parse().unwrap()
    }

    /// A counter of a file below /proc/net or /sys/class/net of a namespace.
    pub(super) fn packets_out(&self, link: &str) -> u64 {
        let text = within("node", || {
            fs::read_to_string("/proc/thread-self/net/dev").unwrap()
        });
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("{link}:")))
            .unwrap();
        line.split_whitespace().nth(10).unwrap().parse().unwrap()
    }

    /// Our rules and the first table as `ip` shows them, one line each.
    pub(super) fn found(&self) -> Vec<String> {
        // Those of one priority stand in the order in which they came, which means nothing.
        let rules = self.node("rule | grep 'proto 154' | sort || true");
        let routes = self.node("route show table 21001 2>/dev/null || true");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        rules.lines().chain(routes.lines()).map(words).collect()
    }
}

/// As on distributions that no longer ship the tables' names: not even the directory is there.
pub(super) fn hide_tables() {
    // awk is found through it.
    fs::create_dir("/run/alternatives").unwrap();
    bind(Path::new("/etc/alternatives"), "/run/alternatives");
    empty("/etc");
    std::os::unix::fs::symlink("/run/alternatives", "/etc/alternatives").unwrap();
}
