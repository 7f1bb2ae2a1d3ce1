//! The driver of `make bench-images`: one set of images, every generation of containerd, every way to fill its store.
//! It is separate from the tests because it takes minutes, wants a quiet machine, and asserts no time.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a driver on the host that reads its arguments, starts programs and talks"
)]

mod contender;
mod floor;
#[path = "../../support/generations/mod.rs"]
mod generations;
mod group;
#[path = "../../support/images/mod.rs"]
mod images;
mod link;
mod options;
#[path = "../../support/registry/mod.rs"]
mod registry;
#[path = "../../support/machine/mod.rs"]
mod rig;
mod runs;
mod set;
mod sources;
mod table;
mod wire;

/// The names under which the test program has what it shares with this one.
mod support {
    pub(crate) use crate::{images, rig as machine};
}

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use contender::Contender;
use generations::Generation;
use link::{Kind, Link};
use options::Options;
use rig::Result;
use runs::Field;
use set::Set;
use table::Row;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    let done = if args.next_if(|first| first == "floor").is_some() {
        let mut path = || args.next().map(PathBuf::from).unwrap_or_default();
        floor::run(&path(), &path())
    } else {
        match Options::parse(args) {
            Ok(options) => bench(&options),
            Err(wrong) => {
                eprintln!("{wrong}\n{}", options::USAGE);
                return ExitCode::from(2);
            }
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("The benchmark stopped: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<()> {
    rig::need_root()?;
    rig::cgroup::sweep();
    let set = Set::open()?;
    println!("{}", described(&set));
    let work = options.dir.join(format!("run-{}", std::process::id()));
    let done = options.links.iter().try_for_each(|kind| {
        // A thread of its own: a link may change the network of the thread that opens it.
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| over(options, &set, *kind, &work));
            thread
                .join()
                .map_err(|_| "a link's thread panicked".to_owned())?
        })
    });
    rig::cache::remove(&work)?;
    done
}

/// All generations over one link.
fn over(options: &Options, set: &Set, kind: Kind, work: &Path) -> Result<()> {
    let link = Link::open(kind, set, &work.join(kind.name()))?;
    let mut generations = options.generations.iter();
    generations.try_for_each(|generation| compare(options, set, &link, *generation, work))
}

/// All contenders of one generation, one after the other, and that as often as asked for.
fn compare(
    options: &Options,
    set: &Set,
    link: &Link,
    generation: Generation,
    work: &Path,
) -> Result<()> {
    let igzip = match generation {
        Generation::V2 if cfg!(target_arch = "x86_64") => Some(generations::igzip()?),
        _ => None,
    };
    let field = Field {
        generation,
        link,
        set,
        store: work.join("store"),
        igzip,
    };
    let all = Contender::all(generation, &options.ours);
    let asked = |c: &Contender| {
        options.only.is_empty()
            || options
                .only
                .iter()
                .any(|word| c.name().contains(word.as_str()))
    };
    let mut rows: Vec<Row> = all
        .into_iter()
        .filter(asked)
        .map(|contender| Row {
            contender,
            runs: Vec::new(),
        })
        .collect();
    for number in 0..options.runs {
        // There and back: who comes late in a run meets what the ones before left in memory and on the disk.
        let mut order: Vec<&mut Row> = rows.iter_mut().collect();
        if number % 2 == 1 {
            order.reverse();
        }
        for row in order {
            let name = row.contender.name();
            eprint!(
                "\r\x1b[Kcontainerd {}, {}: run {}, {name} ",
                generation.name(),
                link.kind.name(),
                number + 1
            );
            let measured = field
                .run(&row.contender, number == 0)
                .map_err(|e| format!("{name}: {e}"))?;
            row.runs.push(measured);
        }
    }
    let helped = if field.igzip.is_some() {
        " with igzip"
    } else {
        ""
    };
    println!(
        "\ncontainerd {}{helped}, {}, {} runs, medians:\n{}",
        version(generation)?,
        link.kind.told(),
        options.runs,
        table::told(&rows)
    );
    Ok(())
}

fn version(generation: Generation) -> Result<String> {
    let program = generation.programs()?.containerd;
    let limit = std::time::Duration::from_secs(20);
    let said = rig::run::ok(std::process::Command::new(program).arg("--version"), limit)?;
    Ok(said.split_whitespace().nth(2).unwrap_or("?").to_owned())
}

fn described(set: &Set) -> String {
    let layers = &set.facts.layers;
    let sum = |of: fn(&set::LayerFacts) -> u64| layers.iter().map(of).sum::<u64>();
    format!(
        "{} images, {} layers, {} MB packed, {} MB unpacked, {} files and directories; {} cores",
        set.facts.images.len(),
        layers.len(),
        sum(|l| l.packed) / 1_000_000,
        sum(|l| l.unpacked) / 1_000_000,
        sum(|l| l.entries),
        std::thread::available_parallelism().map_or(1, usize::from),
    )
}
