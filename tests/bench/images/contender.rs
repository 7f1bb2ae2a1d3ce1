//! Who is measured: every way to fill a store that this machine has, ours among them.
//! It is separate because it is read as a list: what is missing here was not compared.

use std::path::PathBuf;

use crate::generations::Generation;

/// One of our own binaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ours {
    /// How it inflates: `zlib-rs`, `ISA-L`.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
}

/// How `ctr images pull` pulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Through {
    /// The client fetches, as it always does before 2.0.
    Client,
    /// The daemon's transfer service, with its defaults.
    Transfer,
    /// The same with its knobs on.
    Tuned,
}

/// A way to fill a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Contender {
    /// `ctr images pull`, so many at once.
    Ctr(Through, usize),
    /// `skopeo copy` to an OCI layout one by one: no unpacking, for reference.
    Skopeo,
    /// Ours, with a private daemon.
    Ours(Ours),
    /// Ours again, everything present, with a private daemon.
    Again(Ours),
    /// Ours again, everything present, with the daemon running.
    Online(Ours),
    /// The least that is to be done.
    Floor,
}

impl Contender {
    /// Everybody, for one generation.
    pub(crate) fn all(generation: Generation, ours: &[Ours]) -> Vec<Self> {
        let through: &[Through] = match generation {
            Generation::V2 => &[Through::Client, Through::Transfer, Through::Tuned],
            _ => &[Through::Client],
        };
        let mut all = Vec::new();
        for through in through {
            all.extend([1, 4, 15].map(|at_once| Self::Ctr(*through, at_once)));
        }
        all.extend([Self::Skopeo, Self::Floor]);
        for ours in ours {
            all.push(Self::Ours(ours.clone()));
        }
        if let Some(ours) = ours.first() {
            all.push(Self::Again(ours.clone()));
            all.push(Self::Online(ours.clone()));
        }
        all
    }

    /// Its name in the table; `--only` looks for words of it.
    pub(crate) fn name(&self) -> String {
        let at_once = |count: &usize| match count {
            1 => "one by one".to_owned(),
            count => format!("{count} at once"),
        };
        match self {
            Self::Ctr(Through::Client, count) => format!("ctr, {}", at_once(count)),
            Self::Ctr(Through::Transfer, count) => format!("ctr by transfer, {}", at_once(count)),
            Self::Ctr(Through::Tuned, count) => {
                format!("ctr by transfer tuned, {}", at_once(count))
            }
            Self::Skopeo => "skopeo copy (nothing unpacked)".to_owned(),
            Self::Ours(ours) => format!("nodeagent, {}", ours.name),
            Self::Again(ours) => format!("nodeagent again, {}", ours.name),
            Self::Online(ours) => format!("nodeagent again, daemon running, {}", ours.name),
            Self::Floor => "floor".to_owned(),
        }
    }

    /// Whether its time is one of filling an empty store, which ratios are made of.
    pub(crate) fn fills(&self) -> bool {
        matches!(self, Self::Ctr(..) | Self::Ours(_))
    }
}
