//! Kind `trim`: unused blocks of the image's file systems are discarded, and on demand overwritten with zeros first.
//! It is separate because it changes no file: it is done once a run, last, and only its report can be looked at.
//!
//! `fstrim` (util-linux) does it: the FITRIM ioctl has no safe wrapper, and this program has no unsafe code.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Context as _, Error, Result};
use crate::host::root::Attr;
use crate::host::{Cmd, Host, Where, context};
use crate::resource::schema::{Field, Type};
use crate::resource::{Claim, Diff, Kind, Phase, Place};

/// What was done in this boot, one file a run; in memory, so that it is never part of the image.
const STATE: &str = "/run/nodeagent";
/// Unused blocks that zeros leave alone, so that no writer beside us finds a full disk.
const FLOOR: u64 = 256 << 20;
/// fstrim(8): some file systems were discarded, some not.
const SOME: i32 = 64;

/// Unused blocks are discarded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trim {
    /// What: `file-systems`.
    pub what: String,
    /// Whether unused blocks are overwritten with zeros before.
    #[serde(default)]
    pub zero_fill: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// There is nothing to discard here, and why.
    NotHere(&'static str),
    /// Not yet in this run; where zeros are written first.
    Open(Vec<String>),
    /// Done in this run, with its report.
    Done(String),
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes zeros to the unused blocks of the file system that holds a directory.
    Zeros(String),
    /// Discards unused blocks.
    Discard,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Zeros(at) => write!(f, "write zeros to unused blocks of {at}"),
            Action::Discard => f.write_str("discard unused blocks"),
        }
    }
}

impl Kind for Trim {
    const NAME: &'static str = "trim";
    const PHASE: Phase = Phase::Scrub;
    const DOC: &'static str = "Unused blocks of the machine's own file systems are discarded (fstrim), last; bytes are recorded.";
    const PLACES: &'static [Place] = &[Place::Image];
    const FIELDS: &'static [Field] = &[
        Field::required("what", Type::Enum(&["file-systems"]), "What is discarded."),
        Field::optional(
            "zero_fill",
            Type::Bool,
            "true: unused blocks are overwritten with zeros first, for storage that ignores discards. Slow. Default: false.",
        ),
    ];
    type Seen = Seen;
    type Action = Action;

    fn key(&self) -> String {
        self.what.clone()
    }

    fn claims(&self) -> Vec<Claim> {
        vec![Claim {
            fact: format!("trim:{}", self.what),
            value: self.zero_fill.to_string(),
        }]
    }

    fn observe(&self, host: &Host) -> Result<Seen> {
        if let Some(why) = foreign(host) {
            return Ok(Seen::NotHere(why));
        }
        if let Some(report) = host.root.read_text(&report_file(host))? {
            return Ok(Seen::Done(report));
        }
        // The closing run has a time limit and little left to remove: discarding is enough there.
        let fill = self.zero_fill && !host.closing;
        let mounts = host.root.read_text("/proc/self/mounts")?;
        Ok(Seen::Open(match fill {
            true => disks(&mounts.unwrap_or_default()),
            false => Vec::new(),
        }))
    }

    fn diff(&self, seen: &Seen, _place: Place) -> Diff<Action> {
        let mut diff = Diff::default();
        match seen {
            Seen::NotHere(why) => diff.skip("unused blocks", *why),
            Seen::Done(_) => {}
            Seen::Open(fill) => {
                diff.differs("unused blocks", "not discarded in this run", "discarded");
                diff.actions = fill.iter().cloned().map(Action::Zeros).collect();
                diff.actions.push(Action::Discard);
            }
        }
        diff
    }

    fn apply(batch: &[(&Self, &Action)], host: &Host) -> Result<()> {
        batch.iter().try_for_each(|(_, action)| match action {
            Action::Zeros(at) => zeros(at, host),
            Action::Discard => discard(host),
        })
    }
}

/// Why the disks below are not the image's own; none where they are.
fn foreign(host: &Host) -> Option<&'static str> {
    // The closing run treats the machine as a tree: where it really runs is asked again.
    let place = match host.closing {
        true => context::detect().place,
        false => host.context.place,
    };
    match place {
        Where::Booted => None,
        Where::Container => Some("the file system is the container host's"),
        Where::Chroot => Some("the file system is mounted by the machine outside of the chroot"),
        Where::Appliance => Some("virt-sparsify discards the unused blocks of the image file"),
        Where::Root => Some("the tree lies on a disk of the machine that builds it"),
    }
}

fn report_file(host: &Host) -> String {
    let run = if host.closing { "close" } else { "generalize" };
    format!("{STATE}/trimmed-{run}")
}

/// Where disks with a file system that takes nameless files are mounted for writing, each disk once.
fn disks(mounts: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let mut at = Vec::new();
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(dir), Some(kind)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let writable = words
            .next()
            .is_some_and(|o| o.split(',').any(|o| o == "rw"));
        let fits = matches!(kind, "ext2" | "ext3" | "ext4" | "xfs" | "btrfs");
        // A path with a blank is written with a backslash (proc_mounts(5)); such a mount is none of an image's.
        if fits && writable && !dir.contains('\\') && !seen.contains(&device) {
            seen.push(device);
            at.push(dir.to_owned());
        }
    }
    at
}

fn zeros(at: &str, host: &Host) -> Result<()> {
    let bytes = host.root.fill_with_zeros(at, FLOOR)?;
    host.notes
        .add(format!("{at}: {bytes} bytes overwritten with zeros"));
    Ok(())
}

fn discard(host: &Host) -> Result<()> {
    let cmd = Cmd::new(["fstrim", "--all", "--verbose"]);
    let doing = || format!("discard unused blocks: {}", cmd.line());
    let output = host.exec.run(&cmd).context(doing)?;
    let said = output.errors().trim().to_owned();
    if !output.ok() && output.code != SOME {
        return Err(
            Error::host(format!("{} ended with {}: {said}", doing(), output.code))
                .hint("the image works without: leave it out with --skip trim:file-systems"),
        );
    }
    let mut report = trimmed(&output.text());
    if report.is_empty() {
        let none = "no mounted disk takes discards: what was deleted is still in the unused blocks; zero_fill overwrites it";
        report.push(none.to_owned());
    }
    if output.code == SOME {
        report.push(format!("not discarded everywhere: {said}"));
    }
    for line in &report {
        host.notes.add(line.clone());
    }
    host.root.make_dir(STATE, Attr::root(0o755))?;
    let text = report.join("\n") + "\n";
    host.root
        .write(&report_file(host), text.as_bytes(), Attr::root(0o644))
}

/// `DIR: BYTES bytes discarded` of lines such as `/: 1.2 GiB (1288490188 bytes) trimmed on /dev/vda1`.
fn trimmed(text: &str) -> Vec<String> {
    let one = |line: &str| {
        let (dir, rest) = line.split_once(": ")?;
        let (_, rest) = rest.split_once('(')?;
        let (bytes, _) = rest.split_once(" bytes)")?;
        let bytes: u64 = bytes.parse().ok()?;
        Some(format!("{dir}: {bytes} bytes discarded"))
    };
    text.lines().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_each_file_system_are_read() {
        let text = "/boot: 0 B (0 bytes) trimmed on /dev/vda2\n/: 1.2 GiB (1288490188 bytes) trimmed on /dev/vda1\nfstrim: x\n";
        let want = ["/boot: 0 bytes discarded", "/: 1288490188 bytes discarded"];
        assert_eq!(trimmed(text), want);
    }

    #[test]
    fn zeros_go_to_each_writable_disk_once() {
        let mounts = "/dev/vda1 / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\n/dev/vda1 /srv ext4 rw 0 0\n\
            /dev/vdb /var xfs rw 0 0\n/dev/vdc /ro ext4 ro,noatime 0 0\n/dev/vda15 /boot/efi vfat rw 0 0\n\
            /dev/vdd /a\\040b ext4 rw 0 0\nbroken\n";
        assert_eq!(disks(mounts), ["/", "/var"]);
    }

    #[test]
    fn what_is_not_here_is_told_and_what_is_open_is_done() {
        let entry = Trim {
            what: "file-systems".to_owned(),
            zero_fill: true,
        };
        let diff = entry.diff(&Seen::NotHere("why"), Place::Image);
        assert!(diff.conforms() && diff.not_applicable.len() == 1 && diff.actions.is_empty());
        let diff = entry.diff(&Seen::Open(vec!["/".to_owned()]), Place::Image);
        assert!(!diff.conforms());
        assert_eq!(
            diff.actions,
            [Action::Zeros("/".to_owned()), Action::Discard]
        );
        let diff = entry.diff(&Seen::Done(String::new()), Place::Image);
        assert!(diff.conforms() && diff.actions.is_empty());
    }
}
