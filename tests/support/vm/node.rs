//! A clone of an image as a node: its own identity from the hypervisor and the cloud, two NICs, and what it proves.
//! Separate because a node is asked nothing: it tells by itself, as a cloud's nodes do.

use super::{
    disk,
    guest::Guest,
    qemu::{Hardware, Vm},
    seed::{self, Seed},
};
use crate::support::machine::{Result, doing, run};
use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

/// What a node runs at the end of its first boot.
const PROOF: &str = include_str!("../guest/proof.sh");
/// The user data that is shipped for workers.
const WORKER: &str = include_str!("../../../packaging/cloud-init/worker.yaml");
/// Router and client around the nodes' two networks. The router's strict reverse path filter drops what comes by a wrong way.
const WIRES: &str = "
mkdir -p /run/netns
ip link set lo up
for n in rtr cli; do ip netns add $n; ip -n $n link set lo up; done
ip netns exec rtr sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
for i in 0 1; do
  ip link add br$i type bridge
  ip link set br$i up
  ip link add r$i netns rtr type veth peer name p$i
  ip link set p$i master br$i up
  ip -n rtr addr add 10.$i.0.1/24 dev r$i
  ip -n rtr link set r$i up
done
ip addr add 10.0.0.250/24 dev br0
ip link add c0 netns cli type veth peer name rc netns rtr
ip -n rtr addr add 192.0.2.1/24 dev rc
ip -n rtr link set rc up
ip -n cli addr add 192.0.2.50/24 dev c0
ip -n cli link set c0 up
ip -n cli route add default via 192.0.2.1
";
const LIMIT: Duration = Duration::from_mins(1);

/// Makes the two networks, and a key for whoever has to log in. Only in a thread whose network and /run are its own.
pub(crate) fn wires(dir: &Path) -> Result<()> {
    shell(WIRES)?;
    let mut make = Command::new("ssh-keygen");
    make.args(["-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f"])
        .arg(dir.join("key"));
    run::ok(&mut make, LIMIT).map(|_| ())
}

/// What makes a node another than its siblings.
#[derive(Debug, Clone)]
pub(crate) struct Identity<'a> {
    /// Its name; the cloud's name for the instance is made of it.
    pub(crate) name: &'a str,
    /// What its hypervisor gives it.
    pub(crate) uuid: &'a str,
    /// Last number of its addresses, 10.0.0.N and 10.1.0.N.
    pub(crate) last: u8,
    /// More lines of user data.
    pub(crate) user_data: &'a str,
}

/// Boots a clone of a raw image as a worker, with both NICs on the networks of [`wires`], which was called for `dir`.
pub(crate) fn boot(guest: &Guest, image: &Path, who: &Identity<'_>, dir: &Path) -> Result<Vm> {
    let key = dir.join("key.pub");
    let key = fs::read_to_string(&key).map_err(|e| doing("reading", &key, &e))?;
    let user_data = worker(key.trim(), who.user_data)?;
    boot_with(guest, image, who, user_data, Vec::new(), dir)
}

/// [`boot`] with user data of the caller's own, and more of QEMU's arguments.
pub(crate) fn boot_with(
    guest: &Guest,
    image: &Path,
    who: &Identity<'_>,
    user_data: String,
    mut more: Vec<String>,
    dir: &Path,
) -> Result<Vm> {
    let Identity {
        name, uuid, last, ..
    } = *who;
    let system = dir.join(format!("{name}.qcow2"));
    disk::overlay(image, &system)?;
    let seed = Seed {
        name: name.to_owned(),
        network: seed::two_nics(last),
        user_data,
    }
    .disk(dir)?;
    for nic in 0..2 {
        shell(&format!(
            "ip tuntap add t{last}-{nic} mode tap; ip link set t{last}-{nic} master br{nic} up"
        ))?;
        more.push("-netdev".to_owned());
        more.push(format!(
            "tap,id=n{nic},ifname=t{last}-{nic},script=no,downscript=no"
        ));
        more.push("-device".to_owned());
        more.push(format!(
            "virtio-net-pci,netdev=n{nic},romfile=,mac=02:00:00:00:{nic:02x}:{last:02x}"
        ));
    }
    let hardware = Hardware {
        name,
        uuid,
        disk: &system,
        seed: &seed,
        more,
    };
    Vm::start(guest, &hardware, dir)
}

/// The shipped user data of a worker, its start of RKE2, and the script that proves.
fn worker(key: &str, more: &str) -> Result<String> {
    let known = WORKER
        .replace(
            "${jsonencode(ssh_authorized_keys)}",
            &format!("[\"{key}\"]"),
        )
        .replace("${package_update}", "false");
    if known.contains("${") {
        return Err(format!(
            "the worker's user data has a value that nobody gave: {known}"
        ));
    }
    Ok(format!(
        "{known}\n{more}\nruncmd:\n  - systemctl enable --now --no-block rke2-agent.service\n{}",
        proving()?
    ))
}

/// The line of a `runcmd` that starts the script that proves, beside the boot.
pub(crate) fn proving() -> Result<String> {
    let script = serde_json::to_string(PROOF).map_err(|e| format!("quoting a script: {e}"))?;
    Ok(format!(
        "  - [systemd-run, --quiet, --no-block, --collect, --unit=proof, sh, -c, {script}]\n"
    ))
}

/// What a node told: by name, exit code and text.
#[derive(Debug)]
pub(crate) struct Told(BTreeMap<String, (String, String)>);

impl Told {
    /// Waits until a node has told everything.
    pub(crate) fn by(vm: &mut Vm) -> Result<Self> {
        let text = vm.wait("proof", |vm| {
            vm.proof()
                .contains("=== end\n=== exit 0\n")
                .then(|| vm.proof())
        })?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut all = BTreeMap::new();
        let (mut name, mut body) = (String::new(), String::new());
        for line in text.lines() {
            match line.strip_prefix("=== ") {
                Some(mark) => match mark.strip_prefix("exit ") {
                    Some(code) => {
                        all.insert(
                            std::mem::take(&mut name),
                            (code.to_owned(), std::mem::take(&mut body)),
                        );
                    }
                    None => mark.clone_into(&mut name),
                },
                None => body = body + line + "\n",
            }
        }
        Self(all)
    }

    /// What a part said.
    pub(crate) fn text(&self, part: &str) -> &str {
        self.0.get(part).map_or("", |(_, text)| text)
    }

    /// A property of a unit, of a part with several.
    pub(crate) fn property(&self, part: &str, name: &str) -> &str {
        let mut found = self.text(part).lines();
        found
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap_or_default()
    }

    /// A property that is a time in microseconds, in seconds; 0: it never was.
    pub(crate) fn seconds(&self, part: &str, name: &str) -> f64 {
        self.property(part, name).parse::<f64>().unwrap_or(0.0) / 1e6
    }

    /// The exit code of a part.
    pub(crate) fn exit(&self, part: &str) -> &str {
        self.0.get(part).map_or("", |(code, _)| code)
    }

    /// A part as JSON; null when it is none. A log before the document is passed over.
    pub(crate) fn json(&self, part: &str) -> serde_json::Value {
        let text = self.text(part);
        let start = text.find('{').unwrap_or_default();
        text.get(start..)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }
}

/// What a client behind the router is greeted with at an address: sshd's first words, or nothing. sshd starts itself anew for
/// every client, which takes emulation a second or two on a machine that is not busy.
pub(crate) fn greeting(address: &str) -> Result<String> {
    shell(&format!(
        "ip netns exec cli timeout 30 bash -c 'exec 3<>/dev/tcp/{address}/22 && head -n 1 <&3' 2>/dev/null || true"
    ))
}

/// Runs a script in the thread's network.
pub(crate) fn shell(script: &str) -> Result<String> {
    run::ok(Command::new("sh").args(["-ec", script]), LIMIT)
}
