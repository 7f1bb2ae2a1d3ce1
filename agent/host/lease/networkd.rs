//! The lease file of systemd-networkd.
//! It is separate because it is a text of its own, which systemd calls private and has kept the same since 2013.

use std::net::IpAddr;

use crate::error::Result;
use crate::host::Root;

/// Where networkd keeps one file an interface, by its number.
const DIR: &str = "/run/systemd/netif/leases";

pub(super) fn routers(root: &Root, link: u32) -> Result<Vec<IpAddr>> {
    let text = root.read_text(&format!("{DIR}/{link}"))?;
    Ok(text.as_deref().map(parse).unwrap_or_default())
}

/// `ROUTER=10.1.0.1 10.1.0.2`.
fn parse(text: &str) -> Vec<IpAddr> {
    let line = text.lines().find_map(|line| line.strip_prefix("ROUTER="));
    let words = line.unwrap_or_default().split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routers_stand_in_one_line() {
        let text = "# This is private data. Do not parse.\nADDRESS=10.1.0.10\nROUTER=10.1.0.1 10.1.0.2\nT1=1\n";
        assert_eq!(parse(text).len(), 2);
        assert_eq!(parse(text)[0].to_string(), "10.1.0.1");
        assert!(parse("ADDRESS=10.1.0.10\n").is_empty());
        assert!(parse("ROUTER=x\n").is_empty());
    }
}
