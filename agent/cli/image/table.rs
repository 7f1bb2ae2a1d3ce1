//! The end of a fill: a table of the images for people, or the same as JSON, and the exit code.
//! It is separate because pulls and imports end alike.

use serde::Serialize;

use crate::cli::meter::size;
use crate::cli::{Io, output};
use crate::error::{Exit, Result};
use crate::host::oci::Digest;
use crate::store::{Filler, ImageReport, Report};

/// One image as JSON.
#[derive(Debug, Serialize)]
struct Row<'a> {
    image: String,
    digest: Option<&'a str>,
    id: Option<&'a str>,
    size: u64,
    layers: usize,
    shared: usize,
    present: usize,
    seconds: f64,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
}

/// All of it as JSON.
#[derive(Debug, Serialize)]
struct Page<'a> {
    images: Vec<Row<'a>>,
    failed: usize,
    fetched_bytes: u64,
    written_bytes: u64,
    requests: u64,
    seconds: f64,
    phases: Vec<PhaseRow>,
    containerd: &'a str,
    containerd_program: Option<&'a str>,
    containerd_is_rke2s: bool,
    store: &'a str,
}

#[derive(Debug, Serialize)]
struct PhaseRow {
    phase: &'static str,
    seconds: f64,
}

/// Where it was done, and how long all of it took.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    /// The containerd.
    pub(super) containerd: Filler,
    /// The store's directory.
    pub(super) store: String,
    /// Seconds, with start and stop of the daemon.
    pub(super) seconds: f64,
}

/// Prints what became of all images; the exit code.
pub(super) fn print(io: &mut Io<'_>, report: &Report, ran: &Ran, json: bool) -> Result<Exit> {
    let failed = report.failed().count();
    if json {
        output::json(io, &page(report, ran))?;
    } else {
        output::text(io, &text(report, ran))?;
    }
    Ok(match failed {
        0 => Exit::Ok,
        _ => Exit::Failed,
    })
}

fn page<'a>(report: &'a Report, ran: &'a Ran) -> Page<'a> {
    let phase = |(phase, seconds): &(crate::store::Phase, f64)| PhaseRow {
        phase: phase.word(),
        seconds: *seconds,
    };
    Page {
        images: report.images.iter().map(row).collect(),
        failed: report.failed().count(),
        fetched_bytes: report.fetched,
        written_bytes: report.written,
        requests: report.requests,
        seconds: ran.seconds,
        phases: report.phases.iter().map(phase).collect(),
        containerd: &ran.containerd.version,
        containerd_program: ran.containerd.program.as_deref(),
        containerd_is_rke2s: ran.containerd.rke2,
        store: &ran.store,
    }
}

fn row(image: &ImageReport) -> Row<'_> {
    let failure = image.outcome.as_ref().err();
    Row {
        image: image.name.to_string(),
        digest: image.digest.as_ref().map(Digest::as_str),
        id: image.id.as_ref().map(Digest::as_str),
        size: image.size,
        layers: image.layers,
        shared: image.shared,
        present: image.present,
        seconds: image.seconds,
        outcome: failure.map_or("ok", |failure| failure.class.word()),
        error: failure.map(|failure| failure.error.one_line()),
        next: failure.and_then(|failure| failure.error.next_step()),
    }
}

/// The digest in the table: enough to recognize it.
const DIGEST: usize = 19;

fn text(report: &Report, ran: &Ran) -> String {
    let names: Vec<String> = report.images.iter().map(short).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0).max(5);
    let mut lines = vec![format!(
        "{:<width$}  {:<DIGEST$}  {:>8}  {:>6}  {:>6}  {:>7}",
        "IMAGE", "DIGEST", "SIZE", "LAYERS", "SHARED", "SECONDS"
    )];
    for (image, name) in report.images.iter().zip(&names) {
        let digest = image.digest.as_ref().map_or("", |digest| digest.as_str());
        let digest = digest.get(..DIGEST).unwrap_or(digest);
        let line = match &image.outcome {
            Ok(()) => format!(
                "{name:<width$}  {digest:<DIGEST$}  {:>8}  {:>6}  {:>6}  {:>7.2}",
                size(image.size),
                image.layers,
                image.shared,
                image.seconds
            ),
            Err(failure) => format!("{name:<width$}  failed: {}", failure.class),
        };
        lines.push(line);
    }
    for (image, failure) in report.failed() {
        lines.push(format!(
            "failed  {}: {}",
            image.name,
            failure.error.one_line()
        ));
        let next = failure.error.next_step();
        lines.extend(next.map(|next| format!("        next: {next}")));
    }
    lines.push(last(report, ran));
    lines.push(String::new());
    lines.join("\n")
}

/// The name without its digest, which has a column of its own.
fn short(image: &ImageReport) -> String {
    image.name.tagged().unwrap_or_else(|| image.name.base())
}

fn last(report: &Report, ran: &Ran) -> String {
    let failed = report.failed().count();
    format!(
        "{} images, {failed} failed, {} fetched, {} written, {:.2} s; containerd {} on {}",
        report.images.len(),
        size(report.fetched),
        size(report.written),
        ran.seconds,
        ran.containerd.version,
        ran.store
    )
}
