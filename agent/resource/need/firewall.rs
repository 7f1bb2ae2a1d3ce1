//! Rules that the boot loads and that drop what is forwarded: pods behind them cannot reach each other.
//! It is separate because every family and tool has its own file for them.

use super::{Obstacle, Seen};
use crate::error::Result;
use crate::host::Root;

/// Files that a service of the distribution loads at boot; in the format of iptables-save.
const SAVED: [&str; 4] = [
    "/etc/sysconfig/iptables",
    "/etc/sysconfig/ip6tables",
    "/etc/iptables/rules.v4",
    "/etc/iptables/rules.v6",
];
/// The same, in the format of nft.
const NFT: [&str; 2] = ["/etc/nftables.conf", "/etc/sysconfig/nftables.conf"];

/// How a file is written.
#[derive(Clone, Copy)]
enum Format {
    Saved,
    Nft,
}

impl Format {
    /// Numbers of the lines that refuse what is forwarded.
    fn refusals(self, text: &str) -> Vec<usize> {
        match self {
            Format::Saved => saved(text),
            Format::Nft => nft(text),
        }
    }
}

/// Which of these files drop forwarded packets, and where.
pub(super) fn dropping(root: &Root) -> Result<Seen> {
    let mut seen = Seen::new();
    let saved_files = SAVED.iter().map(|path| (path, Format::Saved));
    let nft_files = NFT.iter().map(|path| (path, Format::Nft));
    for (&path, format) in saved_files.chain(nft_files) {
        let bytes = root.read(path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        for number in format.refusals(&text) {
            let line = text.lines().nth(number - 1).unwrap_or_default();
            seen.obstacles.push(Obstacle {
                of: path.to_owned(),
                have: format!("`{}` in line {number}", line.trim()),
                runtime: false,
            });
        }
    }
    Ok(seen)
}

/// Lines of the table filter that refuse forwarded packets whatever they are.
fn saved(text: &str) -> Vec<usize> {
    let mut table = "";
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1usize..) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('*') {
            table = name;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let refuses = match words.as_slice() {
            [":FORWARD", policy, ..] => *policy == "DROP",
            ["-A" | "-I", "FORWARD", "-j", target, ..] => matches!(*target, "DROP" | "REJECT"),
            _ => false,
        };
        if refuses && table == "filter" {
            found.push(number);
        }
    }
    found
}

/// Lines that give a chain at the forward hook the policy drop; the two may stand on lines of their own.
fn nft(text: &str) -> Vec<usize> {
    let mut forward = false;
    let mut found = Vec::new();
    for (line, number) in text.lines().zip(1usize..) {
        let code = line.split('#').next().unwrap_or_default();
        for statement in code.split_inclusive([';', '{', '}']) {
            let words: Vec<&str> = statement
                .split([' ', '\t', ';', '{', '}'])
                .filter(|w| !w.is_empty())
                .collect();
            let has = |a: &str, b: &str| words.windows(2).any(|pair| pair == [a, b]);
            if words.first() == Some(&"chain") {
                forward = false;
            }
            forward |= has("hook", "forward");
            if forward && has("policy", "drop") {
                found.push(number);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refuses_everything_forwarded_is_found() {
        let table: &[(&str, &[usize])] = &[
            (
                "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n",
                &[],
            ),
            ("*filter\n:FORWARD DROP [0:0]\nCOMMIT\n", &[2]),
            (
                "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n",
                &[3],
            ),
            ("*filter\n-A FORWARD -s 192.0.2.1 -j DROP\n", &[]),
            ("*mangle\n:FORWARD DROP [0:0]\n", &[]),
        ];
        for (text, want) in table {
            assert_eq!(saved(text), *want, "{text}");
        }
        let table: &[(&str, &[usize])] = &[
            (
                "chain forward {\n type filter hook forward priority filter; policy drop;\n}\n",
                &[2],
            ),
            (
                "chain forward {\n type filter hook forward priority filter;\n policy drop;\n}\n",
                &[3],
            ),
            (
                "chain forward { type filter hook forward priority 0; }\nchain input { type filter hook input priority 0; policy drop; }\n",
                &[],
            ),
            ("# hook forward policy drop\n", &[]),
        ];
        for (text, want) in table {
            assert_eq!(nft(text), *want, "{text}");
        }
    }
}
