//! COVERAGE.md against what exists: every row has a place and a proof, and what it names is really there.
//! It is separate because it is the one test whose subject is a document about all others.

use std::collections::BTreeSet;
use std::path::Path;

/// The words for an item that no code can hold.
const DOCUMENTED: &str = "documented only: ";
/// Beginnings of cells that stand for a test named at the top of the page, or for the row above.
const SHORT: [&str; 5] = ["base", "hardening", "dirt", "forbidden", "the same"];
/// Endings of the files that a row may name.
const FILES: [&str; 6] = [".toml", ".md", ".hcl", ".tf", ".yaml", ".rs"];

/// What the tests of this repository are called, by function and by module.
struct Tests {
    functions: BTreeSet<String>,
    modules: BTreeSet<String>,
}

impl Tests {
    fn read(dir: &Path, into: &mut Self) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                Self::read(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") {
                into.take(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    fn take(&mut self, code: &str) {
        let mut test = false;
        for line in code.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("fn ")
                && test
            {
                let name = rest.split('(').next().unwrap_or_default();
                self.functions.insert(name.to_owned());
            }
            test = line == "#[test]" || (test && line.starts_with("#["));
            let module = line.strip_prefix("pub(crate) ").unwrap_or(line);
            if let Some(name) = module.strip_prefix("mod ") {
                self.modules
                    .insert(name.trim_end_matches([';', ' ', '{']).to_owned());
            }
        }
    }

    /// `kinds::fips` is all tests of a module, `kinds::fips::name` one.
    fn holds(&self, name: &str) -> bool {
        let path = name.trim_end_matches("::…");
        let mut parts = path.rsplit("::");
        let last = parts.next().unwrap_or_default();
        let modules = |name: &str| self.modules.contains(name);
        name == "make demo"
            || ((modules(last) || self.functions.contains(last)) && parts.all(modules))
    }
}

/// The rows of all tables: source, item, where it is stated, what proves it.
fn rows(text: &str) -> Vec<[String; 4]> {
    let lines = text.lines().filter(|line| line.starts_with('|'));
    let cells = lines.map(|line| {
        let inner = line.strip_prefix('|').and_then(|l| l.strip_suffix('|'));
        let cells = inner.unwrap_or_default().split('|');
        let cells: Vec<String> = cells.map(|cell| cell.trim().to_owned()).collect();
        <[String; 4]>::try_from(cells).unwrap_or_else(|c| panic!("{} cells: {line}", c.len()))
    });
    let heading = |row: &[String; 4]| row[0] == "source" || row[0].starts_with("---");
    cells.filter(|row| !heading(row)).collect()
}

/// What stands in backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// What is wrong with one row; `exists` tells of a file, `tested` of a test.
fn faults(
    row: &[String; 4],
    exists: &dyn Fn(&str) -> bool,
    tested: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let [source, item, place, proof] = row;
    let mut faults = Vec::new();
    if [source, item, place].iter().any(|cell| cell.is_empty()) {
        faults.push(format!("{item}: an empty cell"));
    }
    let only = place.starts_with(DOCUMENTED);
    let short = SHORT.iter().any(|word| proof.starts_with(word));
    if !only && !short && named(proof).next().is_none() {
        faults.push(format!("{item}: no proof"));
    }
    let is_file = |name: &&str| !name.starts_with('/') && FILES.iter().any(|e| name.ends_with(e));
    for name in named(place).filter(is_file).filter(|name| !exists(name)) {
        faults.push(format!("{item}: {name} does not exist"));
    }
    for name in named(proof).filter(|name| !tested(name)) {
        faults.push(format!("{item}: there is no test {name}"));
    }
    faults
}

#[test]
fn every_item_of_the_sources_has_its_place_and_its_proof() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(repository.join("policy/COVERAGE.md")).unwrap();
    let mut tests = Tests {
        functions: BTreeSet::new(),
        modules: BTreeSet::new(),
    };
    for dir in ["tests", "agent"] {
        Tests::read(&repository.join(dir), &mut tests);
    }
    let folders = ["policy", "", "packaging/packer", "packaging/cloud-init"];
    let exists = |name: &str| {
        folders
            .iter()
            .any(|dir| repository.join(dir).join(name).exists())
    };
    let rows = rows(&text);
    let faults: Vec<String> = rows
        .iter()
        .flat_map(|row| faults(row, &exists, &|name| tests.holds(name)))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let only = rows
        .iter()
        .filter(|row| row[2].starts_with(DOCUMENTED))
        .count();
    let (all, proved) = (rows.len(), rows.len() - only);
    println!("{all} items: {proved} stated and proved, {only} documented only");
    assert!(all > 120, "{all} items are not both documents");
}

#[test]
fn every_kind_of_gap_is_seen() {
    let row = |cells: [&str; 4]| cells.map(str::to_owned);
    let exists = |name: &str| name == "a.toml";
    let mut tests = Tests {
        functions: BTreeSet::new(),
        modules: BTreeSet::new(),
    };
    tests.take("mod t;\n#[test]\n#[ignore = \"x\"]\nfn f() {\n}\nfn g() {\n");
    let table = [
        (["U 1", "x", "`a.toml`", "`t::f`"], ""),
        (["U 1", "x", "`a.toml`", "`t`, `t::…`"], ""),
        (["U 1", "x", "`a.toml`", "base"], ""),
        (["", "x", "`a.toml`", "`t::f`"], "x: an empty cell"),
        (["U 1", "x", "`a.toml`", ""], "x: no proof"),
        (["U 1", "x", "`a.toml`", "tests of it"], "x: no proof"),
        (
            ["U 1", "x", "`b.toml`", "`t::f`"],
            "x: b.toml does not exist",
        ),
        (
            ["U 1", "x", "`a.toml`", "`t::g`"],
            "x: there is no test t::g",
        ),
        (
            ["U 1", "x", "`a.toml`", "`u::f`"],
            "x: there is no test u::f",
        ),
        (["U 1", "x", "documented only", ""], "x: no proof"),
        (["U 1", "x", "documented only: a person decides", ""], ""),
    ];
    for (cells, want) in table {
        let found = faults(&row(cells), &exists, &|name| tests.holds(name));
        assert_eq!(found.join("; "), want, "{cells:?}");
    }
}
