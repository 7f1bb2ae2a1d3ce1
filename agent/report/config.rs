//! What is handed on to whom: a small file beside the unit, and flags that win over it.
//! It is separate because the unit's command line is the same on every node, and sites differ.

use toml::de::{DeTable, DeValue};

use super::sinks::Sink;
use crate::error::{Error, Result};
use crate::host::Root;

/// Where the file lies.
pub const FILE: &str = "/etc/nodeagent/report.toml";

/// The settings; a key that is left out or empty has its default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Names of sinks, separated by commas, or `none`.
    pub sinks: String,
    /// Directory of node_exporter's textfile collector.
    pub textfile_dir: String,
    /// Directory of Node Feature Discovery's feature files.
    pub nfd_dir: String,
    /// Directory of parts of the login message.
    pub motd_dir: String,
    /// Where the document is sent; empty: nowhere.
    pub url: String,
    /// PEM file of certificate authorities that are trusted for it; empty: the system's.
    pub ca: String,
    /// File with a token for it; empty: none.
    pub token_file: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sinks: Sink::ALL.map(Sink::word).join(","),
            textfile_dir: "/var/lib/prometheus/node-exporter".to_owned(),
            nfd_dir: "/etc/kubernetes/node-feature-discovery/features.d".to_owned(),
            motd_dir: "/run/motd.d".to_owned(),
            url: String::new(),
            ca: String::new(),
            token_file: String::new(),
        }
    }
}

impl Config {
    /// Reads the file; where there is none everything has its default.
    pub fn read(root: &Root, path: &str) -> Result<Self> {
        let text = root.read_text(path)?.unwrap_or_default();
        let read = Self::parse(&text).and_then(|read| {
            read.sinks()?;
            Ok(read)
        });
        read.map_err(|why| {
            Error::usage(format!("read {path}: {why}")).hint("docs/report.md has every key")
        })
    }

    /// A flat table of texts: `key = "value"`.
    fn parse(text: &str) -> std::result::Result<Self, String> {
        let table = DeTable::parse(text).map_err(|error| error.to_string())?;
        let mut read = Self::default();
        for (key, value) in table.get_ref() {
            let key = key.get_ref();
            let setting = match key.as_ref() {
                "sinks" => &mut read.sinks,
                "textfile_dir" => &mut read.textfile_dir,
                "nfd_dir" => &mut read.nfd_dir,
                "motd_dir" => &mut read.motd_dir,
                "url" => &mut read.url,
                "ca" => &mut read.ca,
                "token_file" => &mut read.token_file,
                _ => return Err(format!("there is no key {key}")),
            };
            match value.get_ref() {
                DeValue::String(value) if value.is_empty() => {}
                DeValue::String(value) => value.as_ref().clone_into(setting),
                _ => return Err(format!("{key} is not a text in quotes")),
            }
        }
        Ok(read)
    }

    /// The sinks that are wanted, in their own order.
    pub fn sinks(&self) -> std::result::Result<Vec<Sink>, String> {
        let mut wanted = Vec::new();
        let words = self.sinks.split(',').map(str::trim);
        for word in words.filter(|word| !word.is_empty() && *word != "none") {
            let found = Sink::ALL.into_iter().find(|sink| sink.word() == word);
            wanted.push(found.ok_or_else(|| {
                let known = Sink::ALL.map(Sink::word).join(", ");
                format!("there is no sink {word:?}; there are {known} and none")
            })?);
        }
        wanted.sort();
        wanted.dedup();
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("report.toml"), text).unwrap();
        Config::read(&Root::open(dir.path()).unwrap(), "/report.toml")
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        assert_eq!(read("").unwrap(), Config::default());
        let some =
            read("sinks = \"http, journal,http\"\nmotd_dir = \"\"\nurl = \"https://a/\"").unwrap();
        assert_eq!(some.sinks().unwrap(), [Sink::Journal, Sink::Http]);
        assert_eq!(some.motd_dir, "/run/motd.d");
        assert!(
            read("sinks = \"none\"")
                .unwrap()
                .sinks()
                .unwrap()
                .is_empty()
        );
        for wrong in ["sinks = \"mail\"", "sink = \"motd\"", "url = 1", "["] {
            let error = read(wrong).unwrap_err();
            assert_eq!(error.exit().code(), 2, "{wrong}");
        }
    }
}
