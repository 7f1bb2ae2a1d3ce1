//! Policy loading from outside: the shipped profiles load, and bad policies are told what would be right.
//! It is apart from unit tests because it sees only what other modules see.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser as _;
use nodeagent::cli::{Cli, Io};
use nodeagent::error::Exit;
use nodeagent::policy::{Layer, Loaded, Mistakes, Policy, Request, Sources, profiles, resolve};
use serde_json::{Value, json};
use toml::de::{DeTable, DeValue};

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

fn shipped(profile: &str) -> Policy {
    let sources = Sources::shipped();
    let request = Request {
        profile,
        self_sha256: SELF,
        unset_is_fine: true,
        ..Request::default()
    };
    match resolve(&sources, &request) {
        Ok(loaded) => {
            assert_eq!(loaded.warnings, [], "{profile}");
            loaded.policy
        }
        Err(error) => panic!("{error}\n{}", Mistakes::of(&error).unwrap()),
    }
}

#[test]
fn every_shipped_profile_loads_without_a_warning() {
    let names = profiles(&Sources::shipped());
    assert!(names.contains(&"debian12-base".to_owned()), "{names:?}");
    for profile in &names {
        let policy = shipped(profile);
        let again = Policy::from_json(&policy.to_json().unwrap()).unwrap();
        assert_eq!(again, policy, "{profile}");
        assert_eq!(again.digest().unwrap(), policy.digest().unwrap());
    }
}

fn run(args: &[&str]) -> (Exit, String) {
    let cli = Cli::try_parse_from([&["nodeagent"], args].concat()).unwrap();
    let mut out = Vec::new();
    let exit = cli
        .run(&mut Io {
            out: &mut out,
            terminal: false,
            stop: &|| None,
        })
        .unwrap();
    (exit, String::from_utf8(out).unwrap())
}

#[test]
fn check_follows_a_folder_of_folders_and_exits_2() {
    let cases = cases();
    let (exit, out) = run(&["policy", "check", "--json", cases.to_str().unwrap()]);
    assert_eq!(exit, Exit::Usage);
    let report: Value = serde_json::from_str(&out).unwrap();
    let mistakes = report["mistakes"].as_array().unwrap();
    assert!(
        report["errors"].as_u64().unwrap() > 80,
        "{}",
        report["errors"]
    );
    for entry in std::fs::read_dir(&cases).unwrap() {
        let case = entry.unwrap().path();
        let bad = read(&case, "expected.txt").unwrap().starts_with("exit 2");
        // What is wrong only with --set or on another machine is right by itself.
        if !bad || case.join("set").exists() || case.ends_with("required-variable") {
            continue;
        }
        let folder = format!("{}/", case.display());
        let found = mistakes.iter().any(|m| {
            let file = m["at"]["file"].as_str().unwrap();
            file.starts_with(&folder) && m["severity"] == "error"
        });
        assert!(found, "nothing was found in {folder}");
    }
}

#[test]
fn check_of_what_is_shipped_says_so_in_one_line_a_profile() {
    let (exit, out) = run(&["policy", "check"]);
    assert_eq!(exit, Exit::Ok);
    let line = out
        .lines()
        .find(|l| l.starts_with("profile debian12-base: "));
    assert!(line.unwrap().contains(" 0 warnings; debian 12"), "{out}");
    assert_eq!(out.lines().count(), profiles(&Sources::shipped()).len());
}

#[test]
fn show_prints_the_policy_that_bake_would_keep() {
    let args = [
        "policy",
        "show",
        "--profile",
        "debian12-base",
        "--set",
        "chrony_unit=ntp.service",
    ];
    let (exit, json) = run(&[&args[..], &["--json"]].concat());
    assert_eq!(exit, Exit::Ok);
    let policy = Policy::from_json(json.as_bytes()).unwrap();
    assert!(policy.entries.iter().any(|e| e.id == "unit:ntp.service"));
    assert_eq!(policy.variables["chrony_unit"].from, "--set");
    let (_, text) = run(&args);
    for entry in &policy.entries {
        assert!(
            text.contains(&entry.id) && text.contains(&entry.reason),
            "{}",
            entry.id
        );
    }
    assert!(text.contains(&policy.digest().unwrap()));
}

/// TOML as JSON, for the schema.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => json!(number.as_str().parse::<i64>().unwrap()),
        DeValue::Boolean(value) => json!(value),
        DeValue::Array(list) => list.iter().map(|v| json(v.get_ref())).collect(),
        DeValue::Table(table) => object(table),
        other => panic!("{other:?}"),
    }
}

fn object(table: &DeTable<'_>) -> Value {
    let pairs = table
        .iter()
        .map(|(k, v)| (k.get_ref().to_string(), json(v.get_ref())));
    Value::Object(pairs.collect())
}

/// Whether a value fits a schema, as far as the words go that ours uses; patterns are left to other validators.
fn fits(schema: &Value, value: &Value) -> bool {
    let each = |word: &str| schema[word].as_array().into_iter().flatten();
    let right_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64(),
        Some(other) => panic!("{other}"),
        None => true,
    };
    let bound = |word: &str| schema[word].as_i64().zip(value.as_i64());
    right_type
        && schema.get("const").is_none_or(|c| c == value)
        && schema
            .get("enum")
            .is_none_or(|_| each("enum").any(|e| e == value))
        && schema
            .get("anyOf")
            .is_none_or(|_| each("anyOf").any(|s| fits(s, value)))
        && bound("minimum").is_none_or(|(low, v)| v >= low)
        && bound("maximum").is_none_or(|(high, v)| v <= high)
        && each("required").all(|key| value.get(key.as_str().unwrap()).is_some())
        && value
            .as_array()
            .into_iter()
            .flatten()
            .all(|v| fits(&schema["items"], v))
        && value.as_object().into_iter().flatten().all(|(key, v)| {
            match schema["properties"].get(key) {
                Some(inner) => fits(inner, v),
                None => match &schema["additionalProperties"] {
                    Value::Bool(allowed) => *allowed,
                    inner => fits(inner, v),
                },
            }
        })
}

fn toml_json(bytes: &[u8]) -> Value {
    let text = std::str::from_utf8(bytes).unwrap();
    object(DeTable::parse(text).unwrap().get_ref())
}

#[test]
fn the_json_schema_accepts_what_is_shipped() {
    let (_, fragment) = run(&["policy", "schema"]);
    let (_, profile) = run(&["policy", "schema", "profile"]);
    let fragment: Value = serde_json::from_str(&fragment).unwrap();
    let profile: Value = serde_json::from_str(&profile).unwrap();
    for kind in nodeagent::resource::KINDS {
        let items = &fragment["properties"][kind.name]["items"];
        assert!(
            items["required"]
                .as_array()
                .unwrap()
                .contains(&json!("reason"))
        );
    }
    let mut count = 0;
    for (path, bytes) in &Sources::shipped().layers[0].files {
        let schema = match path.split_once('/') {
            None if path.ends_with(".toml") => &fragment,
            Some(("profiles", _)) => &profile,
            _ => continue,
        };
        assert!(fits(schema, &toml_json(bytes)), "{path}");
        count += 1;
    }
    assert!(count >= 7, "only {count} files were checked");
}

#[test]
fn the_json_schema_refuses_what_loading_refuses() {
    let (_, schema) = run(&["policy", "schema"]);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    for case in [
        "unknown-key",
        "wrong-type",
        "missing-reason",
        "missing-schema",
    ] {
        let bytes = std::fs::read(cases().join(case).join("policy/10-case.toml")).unwrap();
        assert!(!fits(&schema, &toml_json(&bytes)), "{case}");
    }
}

#[test]
fn the_base_profile_holds_what_both_sources_ask_for() {
    let policy = shipped("debian12-base");
    let fact = |id: &str| {
        let entry = policy.entries.iter().find(|e| e.id == id);
        serde_json::to_value(&entry.unwrap_or_else(|| panic!("{id} is missing")).resource).unwrap()
    };
    let packages = "qemu-guest-agent multipath-tools open-iscsi nfs-common cryptsetup conntrack socat ebtables ethtool chrony";
    for name in packages.split(' ') {
        fact(&format!("package:{name}"));
    }
    let modules = &fact("module:/etc/modules-load.d/rke2.conf")["modules"];
    for name in "br_netfilter overlay nf_conntrack ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh".split(' ') {
        assert!(modules[name]["reason"].is_string(), "{name}");
    }
    let sysctls = [
        ("90-rke2", "net.bridge.bridge-nf-call-iptables", "1"),
        ("90-rke2", "net.bridge.bridge-nf-call-ip6tables", "1"),
        ("90-rke2", "net.ipv4.ip_forward", "1"),
        ("90-rke2", "net.netfilter.nf_conntrack_max", "1048576"),
        ("90-rke2", "vm.overcommit_memory", "1"),
        ("90-rke2", "kernel.panic", "10"),
        ("90-rke2", "fs.inotify.max_user_instances", "8192"),
        ("90-rke2", "fs.inotify.max_user_watches", "524288"),
        ("90-arp", "net.ipv4.conf.all.arp_ignore", "1"),
        ("90-arp", "net.ipv4.conf.all.arp_announce", "2"),
    ];
    for (file, key, value) in sysctls {
        let keys = &fact(&format!("sysctl:/etc/sysctl.d/{file}.conf"))["keys"];
        assert_eq!(keys[key]["value"], value, "{key}");
    }
    assert_eq!(fact("swap:off")["state"], "off");
    for unit in ["ufw", "firewalld", "apparmor"] {
        let unit = fact(&format!("unit:{unit}.service"));
        assert_eq!(
            (&unit["enabled"], &unit["missing"]),
            (&json!("disabled"), &json!("fine"))
        );
    }
    assert_eq!(fact("unit:chrony.service")["active"], "started");
    let sshd = fact("file:/etc/ssh/sshd_config.d/00-nodeagent.conf");
    let sshd = sshd["content"].as_str().unwrap();
    for line in [
        "PermitRootLogin no",
        "PasswordAuthentication no",
        "X11Forwarding no",
    ] {
        assert!(sshd.lines().any(|l| l == line), "{line}");
    }
    for path in [
        "/var/lib/rancher/rke2/server/manifests",
        "/etc/packer-build",
    ] {
        fact(&format!("directory:{path}"));
    }
}
