//! The boot loader's side: entries named after this machine or the neutral token, and a command line without identity.
//! It is separate because a wrong name here boots the old kernel after an update, long after the first boot went well.

use serde::Serialize;

use crate::error::Result;
use crate::host::{Host, Root};
use crate::resource::{Diff, ENTRY};

const ENTRIES: &str = "/boot/loader/entries";
const TOKEN: &str = "/etc/kernel/entry-token";
const MACHINE: &str = "/etc/machine-id";
const LINE: &str = "kernel command line";
/// Words of the kernel's command line that are one machine's alone. systemd.machine_id= is judged with the machine-id.
const WORDS: [&str; 4] = [
    "systemd.hostname=",
    "rd.iscsi.initiator=",
    "rd.nvmf.hostnqn=",
    "rd.nvmf.hostid=",
];

/// What was found of boot loader entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BootEntries {
    /// How many entries there are.
    pub entries: usize,
    /// Entries that are named after another machine's identifier, by what follows it.
    pub foreign: Vec<String>,
    /// The token for new entries is another machine's identifier.
    pub foreign_token: bool,
}

pub(super) fn entries(root: &Root) -> Result<BootEntries> {
    let text = |path: &str| -> Result<String> {
        let bytes = root.read(path)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    let own = text(MACHINE)?;
    let names = root.list(ENTRIES)?;
    let entries: Vec<&str> = names
        .iter()
        .filter_map(|n| n.strip_suffix(".conf"))
        .collect();
    let foreign = |name: &&&str| {
        let prefix = name.split('-').next().unwrap_or_default();
        is_machine_id(prefix) && prefix != own
    };
    // The identifier itself is never shown.
    let rest = |name: &&str| name.split_once('-').map_or("", |(_, rest)| rest).to_owned();
    let token = text(TOKEN)?;
    Ok(BootEntries {
        entries: entries.len(),
        foreign: entries.iter().filter(foreign).map(rest).collect(),
        foreign_token: is_machine_id(&token) && token != own,
    })
}

fn is_machine_id(text: &str) -> bool {
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    text.len() == 32 && text.bytes().all(hex)
}

impl BootEntries {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if self.entries == 0 && !self.foreign_token {
            diff.skip(ENTRY, "there are no boot loader entries of this kind");
        }
        for rest in &self.foreign {
            let have = "named after another machine's identifier";
            let want = "this machine's identifier, or the token of /etc/kernel/entry-token";
            diff.differs(format!("{ENTRIES}/…-{rest}.conf"), have, want);
        }
        if self.foreign_token {
            diff.differs(TOKEN, "another machine's identifier", "a neutral token");
        }
    }
}

/// What was found on the kernel's command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CommandLine {
    /// Words that carry an identity, without their values.
    pub words: Vec<String>,
    /// Why the line is not this machine's.
    pub foreign: Option<&'static str>,
}

pub(super) fn command_line(host: &Host) -> Result<CommandLine> {
    let foreign = host.context.kernel_is_foreign(false);
    let line = match foreign {
        Some(_) => String::new(),
        None => host.kernel.command_line()?,
    };
    Ok(CommandLine {
        words: line.split_whitespace().filter_map(identity).collect(),
        foreign,
    })
}

/// The key of a word that makes machines alike; an address counts, `ip=dhcp` does not.
fn identity(word: &str) -> Option<String> {
    let (key, value) = word.split_once('=')?;
    let address = key == "ip" && value.starts_with(|c: char| c.is_ascii_digit() || c == '[');
    let named = WORDS.iter().any(|start| word.starts_with(start));
    (address || named).then(|| format!("{key}="))
}

impl CommandLine {
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if let Some(why) = self.foreign {
            diff.skip(ENTRY, why);
        }
        for word in &self.words {
            let have = format!("{word} is set");
            diff.differs(
                LINE,
                have,
                "no identity: every machine boots with the same line",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "fedcba9876543210fedcba9876543210";

    #[test]
    fn entries_of_another_machine_and_a_foreign_token_are_told() {
        let judged = |names: &[&str], token: &str| {
            let dir = tempfile::tempdir().unwrap();
            for at in ["boot/loader/entries", "etc/kernel"] {
                std::fs::create_dir_all(dir.path().join(at)).unwrap();
            }
            for name in names {
                let at = dir.path().join(&ENTRIES[1..]).join(name);
                std::fs::write(at, "").unwrap();
            }
            std::fs::write(dir.path().join(&MACHINE[1..]), format!("{OWN}\n")).unwrap();
            std::fs::write(dir.path().join(&TOKEN[1..]), token).unwrap();
            let seen = entries(&Root::open(dir.path()).unwrap()).unwrap();
            let mut diff = Diff::<()>::default();
            seen.judge(&mut diff);
            let told = serde_json::to_string(&(&seen, &diff)).unwrap();
            assert!(!told.contains(OTHER), "{told}");
            (diff.differences.len(), diff.not_applicable.len())
        };
        let own = format!("{OWN}-6.1.0.conf");
        let other = format!("{OTHER}-6.1.0.conf");
        assert_eq!(judged(&[], ""), (0, 1));
        assert_eq!(
            judged(&[&own, "Image-6.1.0.conf", "memtest.conf"], "Image\n"),
            (0, 0)
        );
        assert_eq!(judged(&[&own, &other], "Image\n"), (1, 0));
        assert_eq!(judged(&[], &format!("{OTHER}\n")), (1, 0));
        assert_eq!(judged(&[&own], OWN), (0, 0));
    }

    #[test]
    fn words_with_an_identity_are_told_and_their_values_are_not() {
        let told = |line: &str| line.split(' ').filter_map(identity).collect::<Vec<_>>();
        let fine = "root=/dev/vda1 rw console=ttyS0 net.ifnames=0 ip=dhcp ds=nocloud;s=/seed/ ip";
        assert!(told(fine).is_empty());
        for (word, key) in [
            ("ip=192.0.2.2::192.0.2.1:255.255.255.0:n:eth0", "ip="),
            ("ip=[2001:db8::2]::", "ip="),
            (
                "rd.iscsi.initiator=iqn.2005-03.org.x:1",
                "rd.iscsi.initiator=",
            ),
            ("systemd.hostname=builder", "systemd.hostname="),
            ("rd.nvmf.hostnqn=nqn.x", "rd.nvmf.hostnqn="),
            ("rd.nvmf.hostid=x", "rd.nvmf.hostid="),
        ] {
            assert_eq!(told(word), [key]);
        }
        let mut diff = Diff::<()>::default();
        let words = vec!["ip=".to_owned()];
        CommandLine {
            words,
            foreign: None,
        }
        .judge(&mut diff);
        assert_eq!(diff.differences.len(), 1);
    }
}
