//! A slow link: two network namespaces and between them a wire of 1 Gbit/s on which a round trip takes 20 ms.
//! It is separate because it is made of real interfaces and real TCP, which has nothing to do with images.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;

use crate::registry::{Registry, Setup, Storage};
use crate::rig::{Result, doing, run};

/// Milliseconds that a packet takes one way.
const DELAY: &str = "10";
/// The registry's address.
const FAR: &str = "10.9.0.1";
/// What moves the packets.
const SCRIPT: &str = include_str!("wire.py");

/// The wire; it is gone with the value.
#[derive(Debug)]
pub(crate) struct Wire {
    child: Child,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}

/// Moves the calling thread, and what it starts, into a namespace whose only way out is a slow wire to a registry.
pub(crate) fn registry(storage: &Storage, dir: &Path) -> Result<(Registry, Wire)> {
    own_network()?;
    let (tell, told) = channel();
    let (go, gone) = channel();
    std::thread::scope(|scope| {
        let server = scope.spawn(move || {
            own_network()?;
            tell.send(gettid().to_string()).map_err(|e| e.to_string())?;
            serve(storage, &gone)
        });
        let far = told
            .recv()
            .map_err(|_| "no second network namespace".to_owned())?;
        let wire = wire(dir, &far)?;
        go.send(()).map_err(|e| e.to_string())?;
        let registry = server
            .join()
            .map_err(|_| "the registry's thread panicked".to_owned())??;
        Ok((registry, wire))
    })
}

fn own_network() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| format!("making a network namespace: {e}"))
}

/// Lays the wire: one end here, the other in the namespace of another thread.
fn wire(dir: &Path, far: &str) -> Result<Wire> {
    let script = dir.join("wire.py");
    fs::write(&script, SCRIPT).map_err(|e| doing("writing", &script, &e))?;
    let mut command = Command::new("python3");
    command
        .arg(&script)
        .arg(DELAY)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|e| format!("starting python3: {e}"))?;
    let out = child.stdout.take();
    let wire = Wire { child };
    let mut line = String::new();
    let read = out.map(|out| BufReader::new(out).read_line(&mut line));
    if !matches!(read, Some(Ok(count)) if count > 0) {
        return Err("the wire was not laid: it needs python3 and /dev/net/tun".to_owned());
    }
    ip(&["link", "set", "far", "netns", far])?;
    end("near", "10.9.0.2/30")?;
    Ok(wire)
}

fn serve(storage: &Storage, laid: &Receiver<()>) -> Result<Registry> {
    laid.recv().map_err(|_| "no wire".to_owned())?;
    end("far", &format!("{FAR}/30"))?;
    let setup = Setup {
        ip: Some(FAR.to_owned()),
        ..Setup::default()
    };
    Ok(Registry::start(storage, &setup))
}

/// Large packets, because each costs the wire the same; TCP begins with as many bytes as with usual ones.
fn end(name: &str, address: &str) -> Result<()> {
    ip(&["link", "set", name, "mtu", "9000", "txqueuelen", "20000"])?;
    ip(&["address", "add", address, "dev", name])?;
    ip(&["link", "set", name, "up"])?;
    ip(&[
        "route",
        "change",
        "10.9.0.0/30",
        "dev",
        name,
        "initcwnd",
        "2",
        "initrwnd",
        "8",
    ])?;
    let mut shape = Command::new("tc");
    shape.args(["qdisc", "add", "dev", name, "root", "tbf", "rate", "1gbit"]);
    shape.args(["burst", "64kb", "limit", "8mb"]);
    run::ok(&mut shape, Duration::from_secs(20)).map(|_| ())
}

fn ip(args: &[&str]) -> Result<()> {
    run::ok(Command::new("ip").args(args), Duration::from_secs(20)).map(|_| ())
}
