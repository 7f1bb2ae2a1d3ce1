//! Every sink with a fault of its own: the others get their part, and the journal hears of it.
//! It is separate because faults come from a fake, and here alone.

use std::cell::RefCell;
use std::path::Path;

use nodeagent::error::{Error, Result};
use nodeagent::host::Root;
use nodeagent::host::outlet::{Outlets, Target};
use nodeagent::report::config::Config;
use nodeagent::report::journal::{NOT_HANDED_ON, NOT_PROVED, REPORTED};
use nodeagent::report::sinks::{Sink, hand_on};

use super::{BOOT, node, proof, report};
use crate::support::offline::{code, command, json};

/// Outlets that keep what they get, and fail where they are told to.
#[derive(Debug, Default)]
struct Fake {
    broken: Vec<&'static str>,
    got: RefCell<Vec<(String, String)>>,
}

impl Fake {
    fn take(&self, outlet: &'static str, what: String) -> Result<()> {
        if self.broken.contains(&outlet) {
            return Err(Error::host(format!("{outlet}: injected fault")).hint("mend it"));
        }
        self.got.borrow_mut().push((outlet.to_owned(), what));
        Ok(())
    }

    fn of(&self, outlet: &str) -> Vec<String> {
        let got = self.got.borrow();
        let of = got.iter().filter(|(name, _)| name == outlet);
        of.map(|(_, what)| what.clone()).collect()
    }
}

impl Outlets for Fake {
    fn journal(&self, fields: &[(String, String)]) -> Result<()> {
        let lines = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"));
        self.take("journal", lines.collect())
    }

    fn console(&self, line: &str) -> Result<()> {
        self.take("console", line.to_owned())
    }

    fn post(&self, target: &Target, json: &str) -> Result<()> {
        self.take("http", format!("{} {json}", target.url))
    }
}

fn config() -> Config {
    Config {
        textfile_dir: "/metrics".to_owned(),
        nfd_dir: "/features".to_owned(),
        url: "https://inventory.example/".to_owned(),
        ..Config::default()
    }
}

/// Files that sinks leave below a tree.
const FILES: [(Sink, &str); 4] = [
    (Sink::Record, "run/nodeagent/report.json"),
    (Sink::Textfile, "metrics/nodeagent.prom"),
    (Sink::Nfd, "features/nodeagent"),
    (Sink::Motd, "run/motd.d/50-nodeagent"),
];

fn left(root: &Path) -> Vec<Sink> {
    let there = FILES.iter().filter(|(_, path)| root.join(path).exists());
    there.map(|(sink, _)| *sink).collect()
}

#[test]
fn every_sink_gets_its_part_and_each_can_be_left_out() {
    let mini = node();
    let report = report(mini.path());
    let root = Root::open(mini.path()).unwrap();
    for only in Sink::ALL {
        for (_, path) in FILES {
            std::fs::remove_file(mini.path().join(path)).unwrap_or_default();
        }
        let fake = Fake::default();
        let config = Config {
            sinks: only.word().to_owned(),
            ..config()
        };
        let handed = hand_on(&report, &config, &root, &fake).unwrap();
        assert_eq!(handed.len(), 1);
        assert!(handed[0].ok, "{:?}", handed[0].error);
        let outlets = ["journal", "console", "http"].map(|outlet| fake.of(outlet).len());
        let wanted = [Sink::Journal, Sink::Console, Sink::Http].map(|s| usize::from(s == only));
        assert_eq!(outlets, wanted, "{only:?}");
        let files: Vec<Sink> = FILES
            .map(|(sink, _)| sink)
            .into_iter()
            .filter(|s| *s == only)
            .collect();
        assert_eq!(left(mini.path()), files);
    }
    let nobody = Config {
        url: String::new(),
        sinks: "http".to_owned(),
        ..config()
    };
    let handed = hand_on(&report, &nobody, &root, &Fake::default()).unwrap();
    assert!(
        handed.is_empty(),
        "without an address there is nobody to ask"
    );
}

#[test]
fn one_that_fails_stops_no_other_and_the_journal_hears_of_it() {
    let mini = node();
    let report = report(mini.path());
    let root = Root::open(mini.path()).unwrap();
    for (broken, sink) in [
        ("console", Sink::Console),
        ("http", Sink::Http),
        ("journal", Sink::Journal),
    ] {
        let fake = Fake {
            broken: vec![broken],
            ..Fake::default()
        };
        let handed = hand_on(&report, &config(), &root, &fake).unwrap();
        assert_eq!(handed.len(), Sink::ALL.len());
        let failed: Vec<_> = handed.iter().filter(|handed| !handed.ok).collect();
        assert_eq!(failed.len(), 1, "{failed:?}");
        assert_eq!(
            (failed[0].sink, failed[0].next.as_deref()),
            (sink, Some("mend it"))
        );
        let told = fake.of("journal");
        if sink == Sink::Journal {
            assert!(told.is_empty());
        } else {
            assert!(told[0].contains(REPORTED));
            assert!(told[1].contains(NOT_HANDED_ON));
            assert!(told[1].contains(&format!("NODEAGENT_SINK={broken}\n")));
        }
    }
    // A directory in the way of each file.
    for (sink, path) in FILES {
        let at = mini.path().join(path);
        std::fs::remove_file(&at).unwrap_or_default();
        std::fs::create_dir_all(at.join("in-the-way")).unwrap();
        let handed = hand_on(&report, &config(), &root, &Fake::default()).unwrap();
        let failed: Vec<Sink> = handed.iter().filter(|h| !h.ok).map(|h| h.sink).collect();
        assert_eq!(failed, [sink]);
        std::fs::remove_dir_all(&at).unwrap();
    }
}

#[test]
fn a_node_that_is_not_proved_says_so_everywhere() {
    let mini = node();
    mini.put(
        "run/nodeagent/firstboot.json",
        &proof(false, BOOT).replace("no seal", "no\\u001b[2J seal"),
    );
    let report = report(mini.path());
    let root = Root::open(mini.path()).unwrap();
    let fake = Fake::default();
    hand_on(&report, &config(), &root, &fake).unwrap();
    assert!(fake.of("journal")[0].contains(NOT_PROVED));
    assert!(fake.of("console")[0].contains("identity NOT proved"));
    let motd = mini.text("run/motd.d/50-nodeagent");
    assert!(
        motd.contains("rke2-node-v1.34-20260407; identity NOT proved: there is no"),
        "{motd}"
    );
    assert!(!motd.contains('\u{1b}'), "{motd:?}");
    assert!(!fake.of("console")[0].contains('\u{1b}'));
    assert!(
        mini.text("features/nodeagent")
            .contains("nodeagent-identity=failed\n")
    );
    assert!(
        mini.text("metrics/nodeagent.prom")
            .contains("{verdict=\"failed\"} 1\n")
    );
}

#[test]
fn the_verb_serves_who_is_named_and_its_exit_tells_of_failures() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let run = |args: &[&str]| {
        let mut all = vec!["report", "--config"];
        let config = at("report.toml");
        all.push(&config);
        all.extend(args);
        command(&all).output().unwrap()
    };
    std::fs::write(at("report.toml"), "sinks = \"motd\"\n").unwrap();
    let motd = format!("--motd-dir={}", at("motd"));
    let out = run(&["--json", &motd]);
    assert_eq!(code(&out), 0);
    let document = json(&out);
    assert_eq!(super::document::unfit(&document), Vec::<String>::new());
    assert_eq!(
        document["sinks"],
        serde_json::json!([{"sink": "motd", "ok": true}])
    );
    std::fs::write(at("file"), "").unwrap();
    let out = run(&[
        "--to=textfile,motd",
        &motd,
        &format!("--textfile-dir={}/x", at("file")),
    ]);
    assert_eq!(code(&out), 1);
    assert!(String::from_utf8_lossy(&out.stderr).contains("textfile got nothing"));
    for wrong in [
        &["--to=mail"][..],
        &["--to=http"],
        &["--to=motd", "--motd-dir=relative"],
        &["--root=/tmp"],
    ] {
        let code = code(&run(wrong));
        assert_eq!(code, if wrong.len() == 2 { 1 } else { 2 }, "{wrong:?}");
    }
    std::fs::remove_file(at("report.toml")).unwrap();
    assert_eq!(
        code(&run(&["--to=none"])),
        2,
        "a file that was named must exist"
    );
}
