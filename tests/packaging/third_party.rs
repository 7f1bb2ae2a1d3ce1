//! The notices of everything that is linked into the program: `packaging/THIRD-PARTY` is made here, and must be current.
//! It is separate because cargo alone knows which crates those are; `NODEAGENT_BLESS=1` writes the file anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::{source, text};
use crate::support::machine::run::ok;

const FILE: &str = "packaging/THIRD-PARTY";
/// Licences under which a crate may be taken, the first one where there is a choice.
const ACCEPTED: [&str; 8] = [
    "Apache-2.0",
    "MIT",
    "ISC",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Zlib",
    "Unicode-3.0",
    "BSL-1.0",
];
/// What stands before the list: also what no crate brings.
const HEAD: &str = "\
Third-party software in nodeagent

The program is linked statically. Besides its own code, which is under the Apache License 2.0 (its text: LICENSE), it
contains what is listed here; where a work may be had under several licences, the one it is taken under is named.
The texts of all licences but Apache's, and all notices, follow below.

Not from crates:

  the GNU C Library        LGPL-2.1-or-later; the program's source is public, so that it can be linked anew with any
                           other version of the library (make static)
  parts of GCC's libgcc    GPL-3.0-or-later WITH GCC-exception-3.1: the exception allows it in any program
  Rust's standard library  taken under Apache-2.0 (MIT OR Apache-2.0)

Crates:

";
/// For crates that state MIT and carry no text.
const MIT: &str = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated \
documentation files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to \
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the \
Software is furnished to do so, subject to the following conditions:\n\nThe above copyright notice and this permission notice shall \
be included in all copies or substantial portions of the Software.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY \
KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND \
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER \
IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS \
IN THE SOFTWARE.";

/// A crate that is linked in.
struct Crate {
    name: String,
    licence: String,
    authors: String,
    folder: PathBuf,
}

/// What cargo says of all crates, as the shipped program is built.
fn metadata() -> Value {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(source("."));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    cargo.args([
        "--features",
        "isal",
        "--filter-platform",
        "x86_64-unknown-linux-gnu",
    ]);
    serde_json::from_str(&ok(&mut cargo, Duration::from_mins(2)).unwrap()).unwrap()
}

/// The ids of what the root needs to run, at any depth: neither what only builds nor what only tests.
fn linked(metadata: &Value) -> BTreeSet<&str> {
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let nodes: BTreeMap<_, _> = nodes
        .iter()
        .map(|node| (node["id"].as_str(), node))
        .collect();
    let root = metadata["resolve"]["root"].as_str().unwrap();
    let (mut found, mut open) = (BTreeSet::new(), vec![root]);
    while let Some(id) = open.pop() {
        for needed in nodes[&Some(id)]["deps"].as_array().unwrap() {
            let kinds = needed["dep_kinds"].as_array().unwrap();
            let id = needed["pkg"].as_str().unwrap();
            if kinds.iter().any(|kind| kind["kind"].is_null()) && found.insert(id) {
                open.push(id);
            }
        }
    }
    found
}

fn crates(metadata: &Value) -> Vec<Crate> {
    let linked = linked(metadata);
    let all = metadata["packages"].as_array().unwrap().iter();
    let word = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let mut crates: Vec<Crate> = all
        .filter(|package| linked.contains(package["id"].as_str().unwrap()))
        .map(|package| Crate {
            name: format!("{} {}", word(package, "name"), word(package, "version")),
            licence: word(package, "license"),
            authors: serde_json::from_value::<Vec<String>>(package["authors"].clone())
                .unwrap()
                .join(", "),
            folder: Path::new(&word(package, "manifest_path"))
                .parent()
                .unwrap()
                .to_owned(),
        })
        .collect();
    crates.sort_by(|a, b| a.name.cmp(&b.name));
    crates
}

/// The licences under which an expression allows a work to be taken; none where one of its parts is not accepted.
fn taken(expression: &str) -> Option<Vec<&'static str>> {
    let parts = expression.split(" AND ");
    let chosen = parts.map(|part| choice(part.trim_matches(['(', ')'])));
    let mut chosen: Vec<_> = chosen.collect::<Option<_>>()?;
    chosen.sort_unstable();
    chosen.dedup();
    Some(chosen)
}

fn choice(part: &str) -> Option<&'static str> {
    let part = part.replace('/', " OR ");
    let offered: Vec<&str> = part.split(" OR ").map(str::trim).collect();
    ACCEPTED
        .into_iter()
        .find(|licence| offered.contains(licence))
}

/// Files of a crate that hold a licence or a notice; those of code it carries lie deeper.
fn notices(folder: &Path) -> Vec<PathBuf> {
    let mut find = Command::new("find");
    find.arg(folder).args([
        "-maxdepth",
        "5",
        "-type",
        "f",
        "(",
        "-name",
        "LICEN[SC]E*",
        "-o",
        "-name",
        "NOTICE*",
    ]);
    find.args([
        "-o",
        "-name",
        "COPYRIGHT*",
        "-o",
        "-name",
        "UNLICENSE*",
        ")",
    ]);
    let said = ok(&mut find, Duration::from_mins(1)).unwrap();
    let mut files: Vec<_> = said.lines().map(PathBuf::from).collect();
    files.sort();
    files
}

/// The texts that have to go with a crate: not Apache's, which goes with ours, and of several offered none but the taken.
fn texts(one: &Crate) -> Vec<String> {
    let apache = taken(&one.licence).unwrap() == ["Apache-2.0"];
    let mut texts = Vec::new();
    for path in notices(&one.folder) {
        let own = path.parent() == Some(&one.folder);
        let notice = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("NOTICE");
        let words = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).replace('\r', "");
        let head = words
            .trim_start()
            .lines()
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        if !(head == "Apache License" || own && apache && !notice) {
            texts.push(trimmed(&words));
        }
    }
    if texts.is_empty() && !apache {
        texts.push(format!("Copyright (c) {}\n\n{MIT}", one.authors));
    }
    texts
}

fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.trim_matches('\n').lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// The whole file.
fn file(crates: &[Crate]) -> String {
    let mut file = HEAD.to_owned();
    let mut by_text: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for one in crates {
        let Crate { name, licence, .. } = one;
        let taken = taken(licence).unwrap_or_else(|| panic!("{name}: may {licence} be shipped?"));
        let taken = taken.join(" AND ");
        let offered = if taken == *licence {
            String::new()
        } else {
            format!(" ({licence})")
        };
        writeln!(file, "  {name}  {taken}{offered}").unwrap();
        for text in texts(one) {
            by_text.entry(text).or_default().push(name);
        }
    }
    let mut texts: Vec<_> = by_text
        .into_iter()
        .map(|(text, names)| (names, text))
        .collect();
    texts.sort();
    let lgpl = trimmed(&text("packaging/LGPL-2.1"));
    texts.push((vec!["the GNU C Library"], lgpl));
    for (names, text) in texts {
        write!(
            file,
            "\n{}\n{}:\n\n{text}\n",
            "-".repeat(100),
            names.join(", ")
        )
        .unwrap();
    }
    file
}

#[test]
fn every_crate_that_is_linked_in_is_named_with_its_licence() {
    let crates = crates(&metadata());
    assert!(crates.len() > 100, "{} crates", crates.len());
    let want = file(&crates);
    let path = source(FILE);
    if std::env::var_os("NODEAGENT_BLESS").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    for Crate { name, .. } in &crates {
        assert!(
            found.contains(&format!("\n  {name}  ")),
            "{FILE} lacks {name}: NODEAGENT_BLESS=1"
        );
    }
    assert!(
        found == want,
        "{FILE} is not current: NODEAGENT_BLESS=1 writes it"
    );
    // What the .rpm says of itself holds for all of it.
    let licences = crates.iter().flat_map(|one| taken(&one.licence).unwrap());
    let mut licences: BTreeSet<_> = licences.collect();
    licences.insert("LGPL-2.1-or-later");
    let licences: Vec<_> = licences.into_iter().collect();
    let line = format!("License:        {}", licences.join(" AND "));
    assert!(text("rpm.spec").lines().any(|l| l == line), "{line}");
}

#[test]
fn a_licence_that_was_not_weighed_is_refused() {
    for (expression, want) in [
        ("MIT OR Apache-2.0", Some(vec!["Apache-2.0"])),
        ("Unlicense/MIT", Some(vec!["MIT"])),
        ("Apache-2.0 / MIT", Some(vec!["Apache-2.0"])),
        (
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            Some(vec!["Apache-2.0", "Unicode-3.0"]),
        ),
        (
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            Some(vec!["Apache-2.0"]),
        ),
        (
            "(MIT OR Apache-2.0) AND Apache-2.0",
            Some(vec!["Apache-2.0"]),
        ),
        ("GPL-3.0-only", None),
        ("MIT AND GPL-2.0-only", None),
        ("", None),
    ] {
        assert_eq!(taken(expression), want, "{expression}");
    }
}
