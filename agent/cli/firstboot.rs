//! `firstboot`: the gate. Proves on every boot that this node's identity is its own, and says so in a file.
//! It is separate because it blocks the boot: it reads a handful of files, starts no child and asks nobody.

mod prove;

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::{Io, output};
use crate::error::{Context as _, Error, Exit, Result};
use crate::host::root::Attr;
use crate::host::{Host, Root, glob};
use crate::manifest::canonical::rfc3339;
use crate::record::stamp;
use crate::verify::{Status, Verdict};

/// Where the result of the last proof lies; gone with the boot.
pub const RESULT: &str = "/run/nodeagent/firstboot.json";

/// What to do about an identity that is not this node's own.
const REPAIR: &str = "make this node again from the image, or make anew what is named above and then: systemctl start nodeagent-firstboot.service";
/// By what the image's policy binds RKE2 to the gate.
const DROP_INS: &str = "/usr/lib/systemd/system/rke2-*.service.d/50-nodeagent.conf";
/// In such a file: without a proof nothing starts.
const REQUIRED: &str = "Requires=nodeagent-firstboot.service";

/// Arguments of `firstboot`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  nodeagent firstboot      what nodeagent-firstboot.service runs on every boot\n\nThe result is in /run/nodeagent/firstboot.json. It fails without a closed seal."
)]
pub struct FirstbootArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Proof<'a> {
    ok: bool,
    first: bool,
    time: String,
    boot_id: String,
    millis: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What a person does next; none when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// What is worth knowing although it is no fault.
    notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'a Verdict>,
    observed: Vec<serde_json::Value>,
}

/// Proves, writes the result, stamps.
pub fn run(args: &FirstbootArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    if root.is_some() {
        return Err(Error::usage("firstboot: --root has no meaning here")
            .hint("use `nodeagent verify --root DIR --place node`"));
    }
    let mut host = Host::live()?;
    let proved = prove::prove(&mut host);
    let (found, error, hint) = match &proved {
        Ok(found) => (Some(found), None, None),
        Err(error) => (None, Some(error.one_line()), error.next_step()),
    };
    let verdict = found.map(|found| &found.verdict);
    let exit = verdict.map_or(Exit::Failed, |verdict| verdict.exit);
    let proof = Proof {
        ok: exit == Exit::Ok,
        first: found.is_none_or(|found| found.new_stamp.is_some()),
        time: rfc3339(host.clock.now()),
        boot_id: host.kernel.boot_id()?,
        millis: u64::try_from(host.clock.elapsed().as_millis()).unwrap_or(u64::MAX),
        error,
        next: match exit {
            Exit::Ok => None,
            _ => Some(next(hint.unwrap_or(REPAIR), required(&host.root).ok())),
        },
        notes: found.map(|found| found.notes.clone()).unwrap_or_default(),
        verdict,
        observed: found
            .map(|found| found.observed.clone())
            .unwrap_or_default(),
    };
    leave(&proof, &host)?;
    if let (true, Some(new)) = (proof.ok, found.and_then(|found| found.new_stamp.as_ref())) {
        stamp::write(&host.root, new)?;
    }
    if args.json {
        output::json(io, &proof)?;
    } else {
        output::text(io, &show(&proof))?;
    }
    match proved {
        Err(error) => Err(error),
        Ok(_) if exit == Exit::Ok => Ok(Exit::Ok),
        // A gate has two answers: whatever is wrong with the identity, the node must not join.
        Ok(_) => Ok(Exit::Failed),
    }
}

/// The next step, after what the verdict means on this node: a site may have chosen only to be told.
fn next(step: &str, required: Option<bool>) -> String {
    match required {
        Some(true) => format!("RKE2 stays stopped on this node; {step}"),
        Some(false) => format!("nothing of this image keeps RKE2 from starting; {step}"),
        // What cannot be read here must not hide the verdict.
        None => step.to_owned(),
    }
}

/// Whether the image binds RKE2's start to the proof.
fn required(root: &Root) -> Result<bool> {
    for path in glob::expand(root, &[DROP_INS.to_owned()])?.paths {
        let text = root.read_text(&path)?.unwrap_or_default();
        if text.lines().any(|line| line == REQUIRED) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn leave(proof: &Proof<'_>, host: &Host) -> Result<()> {
    host.root.make_dir("/run/nodeagent", Attr::root(0o755))?;
    let mut bytes = serde_json::to_vec_pretty(proof).context(|| "write the proof as JSON")?;
    bytes.push(b'\n');
    host.root.write(RESULT, &bytes, Attr::root(0o644))
}

fn show(proof: &Proof<'_>) -> String {
    let mut lines = Vec::new();
    if let Some(verdict) = proof.verdict {
        for finding in &verdict.findings {
            let word = match finding.status {
                // Nothing is wrong with what this machine has none of.
                Status::Conforms | Status::NotApplicable => continue,
                Status::Excepted => "excepted ",
                Status::Drift | Status::RebootNeeded | Status::CouldNotCheck => "failed  ",
            };
            for d in &finding.differences {
                lines.push(format!(
                    "{word}{}: {}: {} instead of {}",
                    finding.id, d.what, d.have, d.want
                ));
            }
            for r in &finding.remarks {
                lines.push(format!("{word}{}: {}: {}", finding.id, r.what, r.why));
            }
        }
    }
    lines.extend(proof.notes.iter().map(|note| format!("note    {note}")));
    // An error's own next step is printed with the error.
    let next = proof.next.iter().filter(|_| proof.error.is_none());
    lines.extend(next.map(|next| format!("next    {next}")));
    let word = if proof.ok {
        "identity proved"
    } else {
        "identity NOT proved"
    };
    let boot = if proof.first {
        "first boot"
    } else {
        "later boot"
    };
    lines.push(format!("{word} ({boot}, {} ms)", proof.millis));
    lines.push(String::new());
    lines.join("\n")
}
