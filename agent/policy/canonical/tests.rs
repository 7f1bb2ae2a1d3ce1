//! What comes back from policy.json, and what edited or foreign files are told.
//! They are apart because they need a whole policy.

use super::*;
use crate::policy::{Layer, Request, Sources, resolve};

const FRAGMENT: &str = "schema = 1\n\
[[file]]\npath = \"/etc/motd\"\ncontent = \"hello\"\nreason = \"r\"\n\
[[unit]]\nname = \"a.service\"\nenabled = \"enabled\"\nreason = \"r\"\n";
const PROFILE: &str = "schema = 1\ndescription = \"d\"\nproven = false\nfragments = [\"10-a.toml\"]\n\
[requires]\nfamily = \"debian\"\nversion = \"12\"\narch = [\"x86_64\"]\n";

fn policy() -> Policy {
    let files = [("10-a.toml", FRAGMENT), ("profiles/p.toml", PROFILE)];
    let sources = Sources::default().with(Layer::new("", files));
    let request = Request {
        profile: "p",
        ..Request::default()
    };
    resolve(&sources, &request).unwrap().policy
}

fn sorted(value: &Json) -> bool {
    match value {
        Json::Object(map) => {
            let keys: Vec<&String> = map.keys().collect();
            keys.is_sorted() && map.values().all(sorted)
        }
        Json::Array(list) => list.iter().all(sorted),
        _ => true,
    }
}

#[test]
fn a_policy_survives_the_way_to_disk_and_back() {
    let policy = policy();
    let bytes = policy.to_json().unwrap();
    let value: Json = serde_json::from_slice(&bytes).unwrap();
    assert!(sorted(&value));
    assert_eq!(serde_json::to_vec(&value).unwrap(), bytes);
    assert_eq!(Policy::from_json(&bytes).unwrap(), policy);
    assert_eq!(policy.digest().unwrap(), sha256(&bytes));
}

#[test]
fn an_edited_policy_is_caught() {
    let text = String::from_utf8(policy().to_json().unwrap()).unwrap();
    let table = [
        (
            "hello",
            "hullo",
            "the content of file:/etc/motd does not have its digest",
        ),
        (
            "\"path\":\"/etc/motd\"",
            "\"path\":\"/etc/passwd\"",
            "is about file:/etc/passwd",
        ),
        ("\"schema\":1", "\"schema\":2", "schema is 2"),
        ("\"schema\":1", "\"schemas\":1", "schema is none"),
        (
            "\"mode\":\"0644\"",
            "\"mode\":\"0644\",\"suid\":true",
            "/entries/0/suid",
        ),
        (
            "\"enabled\":\"enabled\"",
            "\"enabld\":\"enabled\"",
            "/entries/1/enabld",
        ),
        ("\"proven\":false", "\"proven\":\"no\"", "another shape"),
        ("\"kind\":\"unit\"", "\"kind\":\"unix\"", "another shape"),
        (
            "\"reason\":\"r\",\"sha256\"",
            "\"sha256\"",
            "missing field `reason`",
        ),
    ];
    for (from, to, want) in table {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from} is not in {text}");
        let error = Policy::from_json(edited.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(want), "{to}: {error}");
        assert!(error.next_step().is_some());
    }
}

#[test]
fn torn_and_foreign_files_are_refused() {
    let bytes = policy().to_json().unwrap();
    assert!(Policy::from_json(&bytes[..bytes.len() - 1]).is_err());
    assert!(Policy::from_json(b"").is_err());
    assert!(Policy::from_json(b"\xff\xfe").is_err());
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(Policy::from_json(deep.as_bytes()).is_err());
    let error = Policy::from_json(&vec![b' '; MAX_BYTES + 1]).unwrap_err();
    assert!(error.to_string().contains("too many"), "{error}");
}
