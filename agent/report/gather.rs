//! Gathers a report from a node: every part for itself, so that a missing one is told and stops nothing.
//! It is separate because it is the part that reads; what is read is judged elsewhere.

use super::boot::{self, Boot};
use super::cloud_init::{self, CloudInit};
use super::verdict::Verdict;
use super::{Image, Missing, RESULT, Report, machine};
use crate::error::{Error, Result};
use crate::host::root::sha256;
use crate::host::systemd::boot::BootTimes;
use crate::host::{Host, Where};
use crate::manifest::Manifest;
use crate::manifest::canonical::{rfc3339, seconds};
use crate::record::{MANIFEST, seal};

/// Where the gate leaves its result.
pub const PROOF: &str = "/run/nodeagent/firstboot.json";

/// What only the caller can get.
pub struct Given<'a> {
    /// systemd's times, or why there are none.
    pub times: Result<BootTimes, String>,
    /// The name of the image with this manifest.
    pub name: &'a dyn Fn(&Manifest) -> Result<String>,
}

impl std::fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given")
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// What could not be told so far.
#[derive(Default)]
struct Gaps(Vec<Missing>);

impl Gaps {
    /// The value; or none, and the reason is kept.
    fn or<T>(&mut self, what: &str, found: Result<Option<T>>, absent: &str) -> Option<T> {
        let why = match found {
            Ok(Some(value)) => return Some(value),
            Ok(None) => absent.to_owned(),
            Err(error) => error.one_line(),
        };
        self.tell(what, why);
        None
    }

    fn tell(&mut self, what: &str, why: String) {
        let what = what.to_owned();
        self.0.push(Missing { what, why });
    }
}

/// Makes the report.
pub fn gather(host: &Host, given: &Given<'_>) -> Report {
    let mut gaps = Gaps::default();
    let boot_id = gaps.or("boot_id", host.kernel.boot_id().map(Some), "");
    let boot_id = boot_id.unwrap_or_default();
    let now = host.clock.now();
    let mut report = Report {
        schema: 1,
        time: rfc3339(now),
        host: name_of_host(host, &mut gaps),
        machine: machine_digest(host, &mut gaps),
        image: image(host, given, now, &mut gaps),
        verdict: verdict(host, &boot_id, &mut gaps),
        boot: times(host, given),
        cloud_init: cloud_init(host, &mut gaps),
        boot_id,
        missing: gaps.0,
    };
    if let Some(earlier) = earlier(host) {
        report.keep(&earlier);
    }
    report
}

fn name_of_host(host: &Host, gaps: &mut Gaps) -> String {
    let text = host.root.read_text("/proc/sys/kernel/hostname");
    let name = gaps.or("host", text, "the kernel tells none");
    name.unwrap_or_default().trim().to_owned()
}

fn machine_digest(host: &Host, gaps: &mut Gaps) -> Option<String> {
    let text = host.root.read_text("/etc/machine-id");
    let digest = text.map(|text| text.and_then(|text| machine::digest(&text)));
    gaps.or("machine", digest, "/etc/machine-id holds no identifier")
}

fn times(host: &Host, given: &Given<'_>) -> Boot {
    let container = host.context.place == Where::Container;
    boot::tell(given.times.as_ref().map_err(String::as_str), container)
}

fn verdict(host: &Host, boot_id: &str, gaps: &mut Gaps) -> Verdict {
    let bytes = match host.root.read(PROOF) {
        Ok(bytes) => bytes,
        Err(error) => {
            gaps.tell("verdict", error.one_line());
            None
        }
    };
    // A container has an identifier of its own mounted over the kernel's, and the gate's sandbox a /proc without it.
    let comparable = host.context.place != Where::Container;
    Verdict::read(bytes.as_deref(), comparable.then_some(boot_id))
}

fn cloud_init(host: &Host, gaps: &mut Gaps) -> Option<CloudInit> {
    let read = || {
        let Some(status) = host.root.read(cloud_init::STATUS)? else {
            return Ok(None);
        };
        let result = host.root.read(cloud_init::RESULT)?;
        let told = cloud_init::read(&status, result.as_deref()).map_err(Error::host)?;
        Ok(Some(told))
    };
    let absent = "cloud-init did not run: it is not installed, or disabled";
    gaps.or("cloud_init", read(), absent)
}

fn image(host: &Host, given: &Given<'_>, now: u64, gaps: &mut Gaps) -> Image {
    let mut image = Image {
        seal: "none".to_owned(),
        ..Image::default()
    };
    let sealed = match seal::read(&host.root) {
        Ok(seal) => seal,
        Err(error) => {
            gaps.tell("image.seal", error.one_line());
            "broken".clone_into(&mut image.seal);
            None
        }
    };
    if let Some(seal) = &sealed {
        seal.state.word().clone_into(&mut image.seal);
    }
    let absent = "the image has no manifest: it was not generalized";
    let Some(bytes) = gaps.or("image.manifest", host.root.read(MANIFEST), absent) else {
        return image;
    };
    let digest = sha256(&bytes);
    image.as_sealed = sealed
        .and_then(|seal| seal.digests)
        .map(|digests| digests.manifest == digest);
    image.manifest = Some(format!("sha256:{digest}"));
    let parsed = serde_json::from_slice::<Manifest>(&bytes)
        .map(Some)
        .map_err(|error| Error::host(format!("read {MANIFEST} as a manifest")).because(error));
    if let Some(manifest) = gaps.or("image", parsed, "") {
        let name = (given.name)(&manifest).map(Some);
        image.name = gaps.or("image.name", name, "");
        fill(&mut image, manifest, now);
    }
    image
}

fn fill(image: &mut Image, manifest: Manifest, now: u64) {
    // A clock that is behind the seal knows no age.
    image.age_seconds = seconds(&manifest.built_at).and_then(|built| now.checked_sub(built));
    image.built_at = Some(manifest.built_at);
    image.profile = Some(manifest.nodeagent.profile);
    image.kubernetes = Some(manifest.kubernetes.version);
    image.os = Some(manifest.os.pretty_name);
    image.kernel = Some(manifest.os.kernel);
    image.fips = Some(manifest.fips_enabled);
    image.tool = Some(manifest.nodeagent.version);
}

/// The last report of this boot; one that cannot be understood counts as none.
fn earlier(host: &Host) -> Option<Report> {
    let bytes = host.root.read(RESULT).ok()??;
    serde_json::from_slice(&bytes).ok()
}
