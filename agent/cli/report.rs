//! `report`: what image this node is, whether it proved itself, when its boot reached what; handed on to who asks.
//! It is separate from the gate because it may be slow, and nothing of the boot waits for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::{Io, image_name, output};
use crate::error::{Error, Exit, Result};
use crate::host::outlet::LiveOutlets;
use crate::host::systemd::{BUS, boot::BootTimes, boot::boot_times};
use crate::host::{Host, Root};
use crate::manifest::Manifest;
use crate::report::config::{Config, FILE};
use crate::report::gather::{Given, gather};
use crate::report::sinks::{Handed, Sink, hand_on};
use crate::report::{Report, SCHEMA, boot, lines};

/// Arguments of `report`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  nodeagent report                    what nodeagent-report.service hands on after every boot\n  nodeagent report --to none --json   the document alone\n  nodeagent report --to http --url https://inventory.example/nodes --ca /etc/site-ca.pem\n  nodeagent report --schema > report.schema.json\n\nSinks: record, journal, textfile, nfd, motd, console, http. Which are served and where stands in\n/etc/nodeagent/report.toml; flags win. Exit code 1: at least one sink did not get its part."
)]
pub struct ReportArgs {
    /// Print the document as JSON, with what became of each sink.
    #[arg(long)]
    json: bool,
    /// Print the document's JSON Schema and do nothing else.
    #[arg(long)]
    schema: bool,
    /// Serve these sinks instead of those of the settings, separated by commas; `none` serves nobody.
    #[arg(long, value_name = "SINKS")]
    to: Option<String>,
    /// Wait at most so many seconds until no job of the boot is left.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u32,
    /// Read the settings from another file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of node_exporter's textfile collector.
    #[arg(long, value_name = "DIR")]
    textfile_dir: Option<String>,
    /// Directory of Node Feature Discovery's feature files.
    #[arg(long, value_name = "DIR")]
    nfd_dir: Option<String>,
    /// Directory of parts of the login message.
    #[arg(long, value_name = "DIR")]
    motd_dir: Option<String>,
    /// Send the document here by HTTP POST.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Trust the certificate authorities in this PEM file instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<String>,
    /// Send the token in this file as `Authorization: Bearer`; only with https.
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
}

/// The document and what became of it.
#[derive(Debug, Serialize)]
struct View<'a> {
    #[serde(flatten)]
    report: &'a Report,
    sinks: &'a [Handed],
}

/// Gathers, prints, hands on.
pub fn run(args: &ReportArgs, root: Option<&Path>, io: &mut Io<'_>) -> Result<Exit> {
    if args.schema {
        output::text(io, SCHEMA)?;
        return Ok(Exit::Ok);
    }
    if root.is_some() {
        return Err(Error::usage("report: --root has no meaning here")
            .hint("use `nodeagent --root DIR manifest` for what an image is"));
    }
    let host = Host::live()?;
    let config = settings(args, &host.root)?;
    let name = |manifest: &Manifest| image_name::name(&host.root, manifest, None);
    let given = Given {
        times: times(&host, args.wait),
        name: &name,
    };
    let report = gather(&host, &given);
    let handed = hand_on(&report, &config, &host.root, &LiveOutlets)?;
    for failed in handed.iter().filter(|handed| !handed.ok) {
        let why = failed.error.as_deref().unwrap_or_default();
        let next = failed.next.as_deref();
        let next = next.map_or_else(String::new, |next| format!("; next: {next}"));
        tracing::warn!("{} got nothing: {why}{next}", failed.sink.word());
    }
    let view = View {
        report: &report,
        sinks: &handed,
    };
    if args.json {
        output::json(io, &view)?;
    } else {
        output::text(io, &lines::text(&report))?;
    }
    Ok(match handed.iter().all(|handed| handed.ok) {
        true => Exit::Ok,
        false => Exit::Failed,
    })
}

/// The file's settings, then the flags.
fn settings(args: &ReportArgs, root: &Root) -> Result<Config> {
    let named = args.config.as_ref().map(|path| path.to_string_lossy());
    let path = named.as_deref().unwrap_or(FILE);
    if named.is_some() && !root.present(path)? {
        return Err(Error::usage(format!("read {path}: it does not exist"))
            .hint("name a file by its whole path, or leave --config out"));
    }
    let mut config = Config::read(root, path)?;
    for (flag, setting) in [
        (&args.to, &mut config.sinks),
        (&args.textfile_dir, &mut config.textfile_dir),
        (&args.nfd_dir, &mut config.nfd_dir),
        (&args.motd_dir, &mut config.motd_dir),
        (&args.url, &mut config.url),
        (&args.ca, &mut config.ca),
        (&args.token_file, &mut config.token_file),
    ] {
        if let Some(value) = flag {
            setting.clone_from(value);
        }
    }
    let sinks = config
        .sinks()
        .map_err(|why| Error::usage(format!("report --to: {why}")))?;
    if args.to.is_some() && sinks.contains(&Sink::Http) && config.url.is_empty() {
        return Err(Error::usage("report --to http: there is no address")
            .hint(format!("give --url, or url = \"…\" in {FILE}")));
    }
    Ok(config)
}

/// systemd's times; one that does not answer is a reason that the report tells, and never its end.
fn times(host: &Host, wait: u32) -> std::result::Result<BootTimes, String> {
    if !host.context.has_manager() {
        return Err(format!("no systemd runs here: {}", host.context.evidence));
    }
    let wait = Duration::from_secs(wait.into());
    boot_times(Path::new(BUS), &boot::units(), wait).map_err(|error| error.one_line())
}
