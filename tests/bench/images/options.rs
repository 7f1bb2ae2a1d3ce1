//! The benchmark's arguments.
//! It is separate because they are few and plain, and main tells the story.

use std::path::PathBuf;

use super::contender::Ours;
use super::link::Kind;
use crate::generations::Generation;
use crate::rig::cache;

/// How to call it.
pub(crate) const USAGE: &str = "usage: bench-images [--runs N] [--generation 1.6|1.7|2] [--link plain|tls|slow] [--only WORDS]\n\
    \u{20}                   [--dir DIR] [--ours NAME=PROGRAM]…\n\
    Fills containerd stores with the same 15 images in every way there is, and prints what each way took.\n\
    --only  contenders whose name holds the words; may be repeated\n\
    --dir   where stores are filled (target/bench); its file system is what is measured\n\
    --ours  a nodeagent binary and what the table calls it; may be repeated";

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) runs: usize,
    pub(crate) generations: Vec<Generation>,
    pub(crate) links: Vec<Kind>,
    pub(crate) only: Vec<String>,
    pub(crate) dir: PathBuf,
    pub(crate) ours: Vec<Ours>,
}

impl Options {
    /// Reads arguments, without the program's name.
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut read = Self {
            runs: 3,
            generations: Vec::new(),
            links: Vec::new(),
            only: Vec::new(),
            dir: cache::target_dir().join("bench"),
            ours: Vec::new(),
        };
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} has no value"))?;
            read.take(&name, value)?;
        }
        if read.generations.is_empty() {
            read.generations = Generation::ALL.to_vec();
        }
        if read.links.is_empty() {
            read.links = Kind::ALL.to_vec();
        }
        Ok(read)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        let wrong = || format!("{name} {value}: no such value");
        match name {
            "--runs" => self.runs = value.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?,
            "--generation" => {
                let found = Generation::ALL.into_iter().find(|g| g.name() == value);
                self.generations.push(found.ok_or_else(wrong)?);
            }
            "--link" => {
                let found = Kind::ALL.into_iter().find(|kind| kind.name() == value);
                self.links.push(found.ok_or_else(wrong)?);
            }
            "--only" => self.only.push(value),
            "--dir" => self.dir = PathBuf::from(value),
            "--ours" => {
                let (name, program) = value.split_once('=').ok_or_else(wrong)?;
                self.ours.push(Ours {
                    name: name.to_owned(),
                    program: PathBuf::from(program),
                });
            }
            _ => return Err(format!("{name}: no such option")),
        }
        Ok(())
    }
}
