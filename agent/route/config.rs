//! What is to be routed how: from the file that the policy writes, or from a person's flags.
//! It is separate because both are read into the same value and judged by the same rules.

use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

use super::select::Which;
use super::{PRIORITY, SOURCE_STEP, TABLE};
use crate::error::{Error, Kind, Result};
use crate::host::netlink::Prefix;

/// Where the policy writes it.
pub const FILE: &str = "/etc/nodeagent/route.toml";

/// More NICs than any node has; the table numbers of all lie behind the first.
const MAX_NICS: usize = 16;

/// Tables that the kernel owns.
const KERNEL_TABLES: [u32; 4] = [0, 253, 254, 255];

/// Lowest priorities of the kernel's own rules for main and default.
const KERNEL_PRIORITY: u32 = 32766;

/// What is to be routed how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The NICs, in the order of their tables: by name, other name, hardware address, or `second`.
    pub interfaces: Vec<String>,
    /// Routers.
    pub gateways: Vec<Scoped<IpAddr>>,
    /// Networks of addresses that are announced on a NIC without being on it.
    pub vips: Vec<Scoped<Prefix>>,
    /// Networks that are always looked up in main: those of pods and services.
    pub main_cidrs: Vec<Prefix>,
    /// Table of the first NIC; each further one has the next.
    pub table: u32,
    /// Priority of the exceptions; the source rules come right behind.
    pub priority: u32,
    /// Set the reverse path filter of the NICs to loose.
    pub loosen: bool,
}

/// A value for one NIC, `eth2=10.2.0.1`, or for the one that it fits, `10.2.0.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scoped<T> {
    /// The NIC as it is named in `interfaces`.
    pub nic: Option<String>,
    /// The value.
    pub value: T,
}

impl<T: FromStr> FromStr for Scoped<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (nic, value) = match text.split_once('=') {
            Some((nic, value)) => (Some(nic.to_owned()), value),
            None => (None, text),
        };
        let value = value
            .parse()
            .map_err(|_| format!("{value:?} is none; write it as VALUE or as INTERFACE=VALUE"))?;
        Ok(Self { nic, value })
    }
}

impl Default for Config {
    /// What the source routes, and where: eth1.
    fn default() -> Self {
        Self {
            interfaces: vec!["eth1".to_owned()],
            gateways: Vec::new(),
            vips: Vec::new(),
            main_cidrs: Vec::new(),
            table: TABLE,
            priority: PRIORITY,
            loosen: false,
        }
    }
}

/// The file. Texts alone, so that a policy's variables fill it; an empty one means nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    interfaces: Option<Words>,
    gateways: Option<Words>,
    vips: Option<Words>,
    main_cidrs: Option<Words>,
    table: Option<u32>,
    priority: Option<u32>,
    rp_filter: Option<Filter>,
}

/// A list, or one text with commas.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Words {
    List(Vec<String>),
    Text(String),
}

impl Words {
    fn list(&self) -> Vec<String> {
        let all = match self {
            Self::List(list) => list.clone(),
            Self::Text(text) => text.split(',').map(str::to_owned).collect(),
        };
        let words = all.iter().map(|word| word.trim());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Filter {
    Keep,
    Loose,
}

impl Config {
    /// Reads the file's text.
    pub fn read(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| wrong(error.to_string().trim()))?;
        if file.schema != 1 {
            return Err(wrong(&format!(
                "schema is {}, and this program knows 1",
                file.schema
            )));
        }
        let standard = Self::default();
        let list = |words: &Option<Words>| words.as_ref().map(Words::list);
        let config = Self {
            interfaces: list(&file.interfaces).unwrap_or(standard.interfaces),
            gateways: parse("gateways", list(&file.gateways))?,
            vips: parse("vips", list(&file.vips))?,
            main_cidrs: parse("main_cidrs", list(&file.main_cidrs))?,
            table: file.table.unwrap_or(TABLE),
            priority: file.priority.unwrap_or(PRIORITY),
            loosen: matches!(file.rp_filter, Some(Filter::Loose)),
        };
        config.check().map_err(|error| wrong(&error.one_line()))?;
        Ok(config)
    }

    /// What no value by itself tells: numbers of others, NICs that are not named.
    pub fn check(&self) -> Result<()> {
        let count = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        if self.interfaces.len() > MAX_NICS {
            return Err(Error::usage(format!(
                "{count} interfaces; more than {MAX_NICS} are a mistake"
            )));
        }
        for name in &self.interfaces {
            Which::of(name).map_err(Error::usage)?;
        }
        let Some(end) = self.table.checked_add(count.max(1)) else {
            return Err(Error::usage(format!(
                "table {} leaves no numbers behind it",
                self.table
            )));
        };
        if KERNEL_TABLES
            .iter()
            .any(|table| (self.table..end).contains(table))
        {
            return Err(Error::usage(format!(
                "table {} is one of the kernel's own",
                self.table
            )));
        }
        let source = self.priority.checked_add(SOURCE_STEP);
        if self.priority == 0 || source.is_none_or(|source| source >= KERNEL_PRIORITY) {
            return Err(Error::usage(format!(
                "priority {} is not between the kernel's rules for local and for main",
                self.priority
            )));
        }
        self.scopes_are_known()
    }

    fn scopes_are_known(&self) -> Result<()> {
        let gateways = self.gateways.iter().map(|it| &it.nic);
        for nic in gateways.chain(self.vips.iter().map(|it| &it.nic)).flatten() {
            if !self.interfaces.contains(nic) {
                return Err(Error::usage(format!(
                    "{nic} is none of the interfaces: {}",
                    self.interfaces.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// Priority of the source rules.
    pub fn source_priority(&self) -> u32 {
        self.priority.saturating_add(SOURCE_STEP)
    }

    /// The table of the n-th NIC.
    pub fn table_of(&self, n: usize) -> u32 {
        self.table.saturating_add(u32::try_from(n).unwrap_or(0))
    }

    /// Tables of all NICs.
    pub fn tables(&self) -> Vec<u32> {
        (0..self.interfaces.len())
            .map(|n| self.table_of(n))
            .collect()
    }
}

fn parse<T: FromStr>(field: &str, words: Option<Vec<String>>) -> Result<Vec<T>>
where
    T::Err: std::fmt::Display,
{
    let read = |word: &String| {
        word.parse()
            .map_err(|error| wrong(&format!("{field}: {error}")))
    };
    words.unwrap_or_default().iter().map(read).collect()
}

fn wrong(what: &str) -> Error {
    Error::new(Kind::Policy, format!("read {FILE}: {what}")).hint(
        "nodeagent-route(1) names its fields; `nodeagent route show` says what it makes of them",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_lists_and_with_texts() {
        let text = "schema = 1\ninterfaces = \"eth1, second\"\ngateways = [\"eth1=10.1.0.1\"]\nvips = \"203.0.113.200/29,10.1.0.200\"\nmain_cidrs = [\"10.42.0.0/16\"]\nrp_filter = \"loose\"\n";
        let config = Config::read(text).unwrap();
        assert_eq!(config.interfaces, ["eth1", "second"]);
        assert_eq!(config.tables(), [21001, 21002]);
        assert_eq!(config.gateways[0].nic.as_deref(), Some("eth1"));
        assert_eq!(config.vips[1].value.to_string(), "10.1.0.200/32");
        assert!(config.loosen);
        assert_eq!(
            Config::read("schema = 1\nvips = \"\"\n").unwrap(),
            Config::default()
        );
        assert!(
            Config::read("schema = 1\ninterfaces = \"\"")
                .unwrap()
                .interfaces
                .is_empty()
        );
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("", "schema"),
            ("schema = 2", "schema is 2"),
            ("schema = 1\nvip = \"\"", "unknown field"),
            ("schema = 1\nvips = \"10.0.0.1/8\"", "vips"),
            (
                "schema = 1\ngateways = \"eth9=10.0.0.1\"",
                "eth9 is none of the interfaces",
            ),
            ("schema = 1\ntable = 254", "kernel's own"),
            (
                "schema = 1\ntable = 252\ninterfaces = \"a,b\"",
                "kernel's own",
            ),
            ("schema = 1\ntable = 4294967295", "no numbers"),
            ("schema = 1\npriority = 0", "priority 0"),
            ("schema = 1\npriority = 32760", "priority 32760"),
            ("schema = 1\ninterfaces = \"a/b\"", "a/b"),
        ] {
            let error = Config::read(text).unwrap_err();
            assert_eq!(error.kind(), Kind::Policy, "{text}");
            assert!(
                error.one_line().contains(told),
                "{text}: {}",
                error.one_line()
            );
        }
    }
}
