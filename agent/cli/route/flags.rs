//! Flags of `route`, and the file that gives what they leave out.
//! It is separate because apply, show and watch take the same ones.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::{Context as _, Error, Result};
use crate::host::netlink::Prefix;
use crate::host::root::Root;
use crate::route::config::{Config, FILE, Scoped};

/// What is to be routed how. A flag that is given replaces what the file says of it.
#[derive(Debug, Clone, Args)]
pub(super) struct Flags {
    /// The interface: name, other name, hardware address, or `second`; may be repeated.
    #[arg(long, value_name = "INTERFACE")]
    interface: Vec<String>,
    /// Its router, when its own default route or lease is not to be asked; one a family; may be repeated.
    #[arg(long, value_name = "[INTERFACE=]IP")]
    gateway: Vec<Scoped<IpAddr>>,
    /// A network of addresses that are announced on it; may be repeated.
    #[arg(long, value_name = "[INTERFACE=]PREFIX")]
    vip: Vec<Scoped<Prefix>>,
    /// A network that is always looked up in main, such as those of pods and services; may be repeated.
    #[arg(long, value_name = "PREFIX")]
    main_cidr: Vec<Prefix>,
    /// Table of the first interface; further ones have the numbers behind it [default: 21001].
    #[arg(long, value_name = "NUMBER")]
    table: Option<u32>,
    /// Priority of the rules for main; source rules come 10 later [default: 20500].
    #[arg(long, value_name = "NUMBER")]
    priority: Option<u32>,
    /// Set the reverse path filter of the interface to loose: needed where kube-proxy changes the destination first.
    #[arg(long)]
    loosen_rp_filter: bool,
    /// Read the values from FILE instead of /etc/nodeagent/route.toml.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Flags {
    /// The file's values with the flags in their place.
    pub(super) fn config(&self) -> Result<Config> {
        let mut config = self.file()?;
        if !self.interface.is_empty() {
            config.interfaces.clone_from(&self.interface);
        }
        if !self.gateway.is_empty() {
            config.gateways.clone_from(&self.gateway);
        }
        if !self.vip.is_empty() {
            config.vips.clone_from(&self.vip);
        }
        if !self.main_cidr.is_empty() {
            config.main_cidrs.clone_from(&self.main_cidr);
        }
        config.table = self.table.unwrap_or(config.table);
        config.priority = self.priority.unwrap_or(config.priority);
        config.loosen |= self.loosen_rp_filter;
        config.check()?;
        Ok(config)
    }

    /// A file that is named must be there; that of the policy need not.
    fn file(&self) -> Result<Config> {
        let root = Root::open(Path::new("/"))?;
        let Some(named) = &self.config else {
            let text = root.read_text(FILE)?;
            return text.map_or_else(|| Ok(Config::default()), |text| Config::read(&text));
        };
        let full = std::path::absolute(named).context(|| format!("find {}", named.display()))?;
        let shown = named.display();
        let path = full
            .to_str()
            .ok_or_else(|| Error::usage(format!("{shown} is no text")))?;
        let text = root.read_text(path)?;
        let text =
            text.ok_or_else(|| Error::usage(format!("read {shown}: there is no such file")))?;
        Config::read(&text)
    }
}
