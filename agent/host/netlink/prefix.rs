//! A network: an address and how many of its leading bits count.
//! It is separate because routes, rules, addresses and configuration are all made of it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::Ipv4, Family::Ipv6];

    /// The family of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// Bits of an address.
    pub fn bits(self) -> u8 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }

    /// The network of all addresses.
    pub fn any(self) -> Prefix {
        match self {
            Self::Ipv4 => Prefix::new(Ipv4Addr::UNSPECIFIED.into(), 0),
            Self::Ipv6 => Prefix::new(Ipv6Addr::UNSPECIFIED.into(), 0),
        }
    }
}

/// A network; bits behind its length are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Prefix {
    ip: IpAddr,
    length: u8,
}

impl Prefix {
    /// The network of this length that holds this address; a length that is too long means the address alone.
    pub fn new(ip: IpAddr, length: u8) -> Self {
        let length = length.min(Family::of(ip).bits());
        let ip = match ip {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Self { ip, length }
    }

    /// One address alone.
    pub fn host(ip: IpAddr) -> Self {
        Self::new(ip, Family::of(ip).bits())
    }

    /// Its first address.
    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// How many bits count.
    pub fn length(self) -> u8 {
        self.length
    }

    /// Its family.
    pub fn family(self) -> Family {
        Family::of(self.ip)
    }

    /// Whether it is the network of all addresses.
    pub fn is_any(self) -> bool {
        self.length == 0
    }

    /// Whether it is one address alone.
    pub fn is_host(self) -> bool {
        self.length == self.family().bits()
    }

    /// Whether an address lies in it.
    pub fn contains(self, ip: IpAddr) -> bool {
        Family::of(ip) == self.family() && Self::new(ip, self.length) == self
    }

    /// Whether it has an address in common with another network.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.ip) || other.contains(self.ip)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.length)
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Prefix {
    type Err = String;

    /// `10.42.0.0/16`, or an address alone. Bits behind the length are refused: they tell of a typing mistake.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no network such as 10.42.0.0/16 or fd00:1::/64");
        let (ip, length) = match text.split_once('/') {
            Some((ip, length)) => (ip, Some(length)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let Some(length) = length else {
            return Ok(Self::host(ip));
        };
        let plain = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        let length: u8 = length.parse().map_err(|_| wrong())?;
        if !plain || length > Family::of(ip).bits() {
            return Err(wrong());
        }
        let prefix = Self::new(ip, length);
        if prefix.ip == ip {
            return Ok(prefix);
        }
        Err(format!(
            "{text:?} has bits behind its length; the network is {prefix}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_read_shown_and_compared() {
        for text in [
            "10.42.0.0/16",
            "0.0.0.0/0",
            "fd00:1::/64",
            "::/0",
            "10.1.0.1/32",
        ] {
            assert_eq!(text.parse::<Prefix>().unwrap().to_string(), text);
        }
        assert_eq!(
            "10.1.0.1".parse::<Prefix>().unwrap().to_string(),
            "10.1.0.1/32"
        );
        for text in [
            "10.42.0.1/16",
            "10.42.0.0/33",
            "10.42.0.0/+8",
            "10.42.0.0/",
            "x",
            "fd00::1/64",
            "",
        ] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        let net: Prefix = "10.1.0.0/24".parse().unwrap();
        assert!(net.contains("10.1.0.77".parse().unwrap()));
        assert!(!net.contains("10.1.1.77".parse().unwrap()));
        assert!(!net.contains("fd00::1".parse().unwrap()));
        assert!(net.overlaps("10.0.0.0/8".parse().unwrap()));
        assert!(net.overlaps("10.1.0.10/32".parse().unwrap()));
        assert!(!net.overlaps("10.1.8.0/24".parse().unwrap()));
    }
}
