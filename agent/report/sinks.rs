//! Hands the report on: each sink for itself, and what one of them could not do is told and stops no other.
//! It is separate because the order counts: what is quick and local comes first, the network last.

use serde::Serialize;

use super::config::Config;
use super::{RESULT, Report, journal, lines, nfd, prometheus};
use crate::error::{Context as _, Error, Result};
use crate::host::Root;
use crate::host::outlet::{Limits, Outlets, Target};
use crate::host::root::Attr;

/// Who gets a part of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sink {
    /// The whole document, in a file of this boot.
    Record,
    /// The journal: structured fields.
    Journal,
    /// node_exporter's textfile collector.
    Textfile,
    /// Node Feature Discovery: labels of the node.
    Nfd,
    /// The message that a login shows.
    Motd,
    /// The console, which clouds show without a login.
    Console,
    /// A site's own server: the whole document.
    Http,
}

impl Sink {
    /// All of them, in the order in which they are served.
    pub const ALL: [Sink; 7] = [
        Sink::Record,
        Sink::Journal,
        Sink::Textfile,
        Sink::Nfd,
        Sink::Motd,
        Sink::Console,
        Sink::Http,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Sink::Record => "record",
            Sink::Journal => "journal",
            Sink::Textfile => "textfile",
            Sink::Nfd => "nfd",
            Sink::Motd => "motd",
            Sink::Console => "console",
            Sink::Http => "http",
        }
    }
}

/// What became of one sink.
#[derive(Debug, Serialize)]
pub struct Handed {
    /// Which.
    pub sink: Sink,
    /// It got its part.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a person does next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Serves every sink of the settings; without an address nobody is asked to take it over HTTP.
pub fn hand_on(
    report: &Report,
    config: &Config,
    root: &Root,
    outlets: &dyn Outlets,
) -> Result<Vec<Handed>> {
    let json = serde_json::to_string(report).context(|| "write the report as JSON")?;
    let wanted = config.sinks().map_err(Error::usage)?;
    let wanted = wanted
        .into_iter()
        .filter(|sink| *sink != Sink::Http || !config.url.is_empty());
    let serving = Serving {
        report,
        config,
        root,
        outlets,
        json,
    };
    let handed: Vec<Handed> = wanted.map(|sink| serving.serve(sink)).collect();
    serving.tell(&handed);
    Ok(handed)
}

struct Serving<'a> {
    report: &'a Report,
    config: &'a Config,
    root: &'a Root,
    outlets: &'a dyn Outlets,
    json: String,
}

impl Serving<'_> {
    fn serve(&self, sink: Sink) -> Handed {
        let done = self.one(sink);
        let error = done.err();
        Handed {
            sink,
            ok: error.is_none(),
            next: error
                .as_ref()
                .and_then(|e| e.next_step().map(str::to_owned)),
            error: error.map(|e| e.one_line()),
        }
    }

    fn one(&self, sink: Sink) -> Result<()> {
        let config = self.config;
        match sink {
            Sink::Record => {
                let mut pretty = serde_json::to_string_pretty(self.report)
                    .context(|| "write the report as JSON")?;
                pretty.push('\n');
                let (dir, name) = RESULT.rsplit_once('/').unwrap_or(("/run", RESULT));
                self.file(dir, name, &pretty)
            }
            Sink::Journal => self
                .outlets
                .journal(&journal::report(self.report, &self.json)),
            Sink::Textfile => {
                let text = prometheus::text(self.report);
                self.file(&config.textfile_dir, prometheus::FILE, &text)
            }
            Sink::Nfd => self.file(&config.nfd_dir, nfd::FILE, &nfd::text(self.report)),
            Sink::Motd => self.file(&config.motd_dir, "50-nodeagent", &lines::motd(self.report)),
            Sink::Console => self.outlets.console(&lines::console(self.report)),
            Sink::Http => self.outlets.post(&target(config), &self.json),
        }
    }

    /// Readers see the old file or the new one, never half of it, and are looked for in no other place.
    fn file(&self, dir: &str, name: &str, text: &str) -> Result<()> {
        let path = format!("{}/{name}", dir.trim_end_matches('/'));
        let doing = || format!("leave {path}");
        if !dir.starts_with('/') {
            return Err(Error::usage(doing()).hint("name the directory by its whole path"));
        }
        self.root
            .make_dir(dir, Attr::root(0o755))
            .and_then(|()| self.root.write(&path, text.as_bytes(), Attr::root(0o644)))
            .context(doing)
    }

    /// Whoever watches the journal hears of every other sink that did not get its part.
    fn tell(&self, handed: &[Handed]) {
        let journal = |handed: &Handed| handed.sink == Sink::Journal && handed.ok;
        if !handed.iter().any(journal) {
            return;
        }
        for failed in handed {
            if let Some(error) = &failed.error {
                let fields = journal::not_handed_on(failed.sink.word(), error);
                if let Err(error) = self.outlets.journal(&fields) {
                    tracing::warn!("{}", error.one_line());
                }
            }
        }
    }
}

fn target(config: &Config) -> Target {
    let file = |text: &String| (!text.is_empty()).then(|| text.into());
    Target {
        url: config.url.clone(),
        ca: file(&config.ca),
        token_file: file(&config.token_file),
        limits: Limits::default(),
    }
}
