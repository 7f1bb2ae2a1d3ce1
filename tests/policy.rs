//! Policy loading from outside: bad policies are told what would be right.
//! It is apart from unit tests because it sees only what other modules see.

mod hardening;
mod images;
mod rke2;
mod rocky;
mod schema;
pub(crate) mod shipped;
mod verbs;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use nodeagent::policy::{Layer, Loaded, Mistakes, Request, Sources, resolve};

/// The digest that stands for the running binary.
const SELF: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/policy")
}

/// The text of an optional file of a case.
fn read(case: &Path, name: &str) -> Option<String> {
    std::fs::read_to_string(case.join(name)).ok()
}

fn layer(folder: &Path, name: &str) -> Layer {
    let mut files = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let key = path.strip_prefix(folder).unwrap().to_str().unwrap();
                files.insert(key.to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    Layer {
        name: name.to_owned(),
        files,
    }
}

/// What loading a case prints: mistakes, or warnings and what was loaded, and whether the machine fits.
fn outcome(case: &Path) -> String {
    let mut sources = Sources::default();
    for name in ["policy", "site"] {
        if case.join(name).is_dir() {
            sources = sources.with(layer(&case.join(name), name));
        }
    }
    let sets: Vec<String> = read(case, "set")
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect();
    let request = Request {
        profile: "case",
        sets: &sets,
        self_sha256: SELF,
        unset_is_fine: false,
    };
    match resolve(&sources, &request) {
        Ok(loaded) => success(case, loaded),
        Err(error) => {
            let mistakes = Mistakes::of(&error).expect("a policy error has its mistakes");
            format!("exit {}\n{error}\n\n{mistakes}", error.exit().code())
        }
    }
}

fn success(case: &Path, loaded: Loaded) -> String {
    let Loaded {
        policy, warnings, ..
    } = loaded;
    if let Some(os_release) = read(case, "os-release") {
        let arch = read(case, "arch").unwrap();
        let error = policy.requires.check(&os_release, arch.trim()).unwrap_err();
        return format!("exit {}\n{error}\n", error.exit().code());
    }
    let mut text = format!("exit 0\n{}", Mistakes(warnings));
    for fragment in &policy.fragments {
        let short = fragment.split(" sha256:").next().unwrap();
        writeln!(text, "fragment {short}").unwrap();
    }
    for entry in &policy.entries {
        let fact = serde_json::to_string(&entry.resource).unwrap();
        let (id, origin) = (&entry.id, &entry.origin);
        let over = entry.overrides.as_ref();
        let over = over.map_or(String::new(), |o| format!(" overrides {o}"));
        writeln!(text, "{id} from {origin}{over}: {}: {fact}", entry.reason).unwrap();
    }
    text
}

#[test]
fn every_bad_policy_is_told_what_would_be_right() {
    let bless = std::env::var_os("NODEAGENT_BLESS").is_some();
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(cases()).unwrap() {
        let case = entry.unwrap().path();
        let found = outcome(&case);
        let golden = case.join("expected.txt");
        if bless {
            std::fs::write(&golden, &found).unwrap();
        }
        let wanted = read(&case, "expected.txt").unwrap_or_default();
        if found != wanted {
            wrong.push(format!(
                "{}\nwanted:\n{wanted}\nfound:\n{found}",
                case.display()
            ));
        }
        count += 1;
    }
    assert!(count >= 30, "only {count} cases were found");
    assert!(
        wrong.is_empty(),
        "NODEAGENT_BLESS=1 takes these over:\n{}",
        wrong.join("\n")
    );
}
