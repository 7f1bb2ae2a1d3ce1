//! What the gate said on this boot, read from the result that it left.
//! It is separate because a result of another boot, or none, is an answer of its own and never taken for a proof.

use serde::{Deserialize, Serialize};

/// Whether the node's identity is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// The gate let RKE2 start.
    Proved,
    /// It did not.
    Failed,
    /// It has not said anything on this boot.
    Unknown,
}

impl Word {
    /// Every verdict.
    pub const ALL: [Word; 3] = [Word::Proved, Word::Failed, Word::Unknown];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Word::Proved => "proved",
            Word::Failed => "failed",
            Word::Unknown => "unknown",
        }
    }
}

/// The gate's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// In one word.
    pub result: Word,
    /// Why it is not `proved`.
    pub why: Option<String>,
    /// It was this machine's first boot.
    pub first_boot: Option<bool>,
    /// When the gate said it, RFC 3339 UTC.
    pub time: Option<String>,
    /// How long the gate held the boot up, in milliseconds.
    pub millis: Option<u64>,
    /// What did not hold: ids of entries.
    pub findings: Vec<String>,
}

/// The part of `firstboot.json` that is told on.
#[derive(Debug, Deserialize)]
struct Proof {
    ok: bool,
    first: bool,
    time: String,
    boot_id: String,
    millis: u64,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    verdict: Option<Judged>,
}

#[derive(Debug, Deserialize)]
struct Judged {
    #[serde(default)]
    findings: Vec<Finding>,
}

#[derive(Debug, Deserialize)]
struct Finding {
    id: String,
    status: String,
}

impl Verdict {
    /// Reads the gate's result; `boot_id` is this boot's, where that can be compared.
    pub fn read(bytes: Option<&[u8]>, boot_id: Option<&str>) -> Self {
        let Some(bytes) = bytes else {
            return Self::unknown("the gate left no result: see nodeagent-firstboot.service");
        };
        let proof: Proof = match serde_json::from_slice(bytes) {
            Ok(proof) => proof,
            Err(error) => {
                return Self::unknown(&format!("the gate's result cannot be read: {error}"));
            }
        };
        if boot_id.is_some_and(|boot_id| proof.boot_id != boot_id) {
            return Self::unknown("the gate's result is of another boot");
        }
        proof.into()
    }

    fn unknown(why: &str) -> Self {
        Self {
            result: Word::Unknown,
            why: Some(why.to_owned()),
            first_boot: None,
            time: None,
            millis: None,
            findings: Vec::new(),
        }
    }
}

impl From<Proof> for Verdict {
    fn from(proof: Proof) -> Self {
        let all = proof.verdict.into_iter().flat_map(|judged| judged.findings);
        let fine = ["conforms", "excepted", "not-applicable"];
        let bad = all.filter(|finding| !fine.contains(&finding.status.as_str()));
        let findings: Vec<String> = bad.map(|finding| finding.id).collect();
        let why = match (proof.ok, proof.error) {
            (true, _) => None,
            (false, Some(error)) => Some(error),
            (false, None) => Some(format!("it did not hold: {}", findings.join(", "))),
        };
        Self {
            result: if proof.ok { Word::Proved } else { Word::Failed },
            why,
            first_boot: Some(proof.first),
            time: Some(proof.time),
            millis: Some(proof.millis),
            findings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_result_of_this_boot_counts() {
        let proof = |ok: bool, more: &str| {
            format!(r#"{{"ok":{ok},"first":true,"time":"t","boot_id":"b","millis":9{more}}}"#)
        };
        let findings = r#","verdict":{"findings":[{"id":"identity:machine-id","status":"drift"},{"id":"x","status":"excepted"}]}"#;
        let table = [
            (None, Word::Unknown, "no result"),
            (Some("{".to_owned()), Word::Unknown, "cannot be read"),
            (
                Some(proof(true, "").replace("\"b\"", "\"a\"")),
                Word::Unknown,
                "another boot",
            ),
            (Some(proof(true, "")), Word::Proved, ""),
            (
                Some(proof(false, r#","error":"no seal""#)),
                Word::Failed,
                "no seal",
            ),
            (
                Some(proof(false, findings)),
                Word::Failed,
                "identity:machine-id",
            ),
        ];
        for (text, want, why) in table {
            let verdict = Verdict::read(text.as_deref().map(str::as_bytes), Some("b"));
            assert_eq!(verdict.result, want, "{text:?}");
            let said = verdict.why.unwrap_or_default();
            assert!(said.contains(why), "{said}");
            assert_eq!(said.is_empty(), why.is_empty(), "{said}");
        }
        let failed = Verdict::read(Some(proof(false, findings).as_bytes()), Some("b"));
        assert_eq!(failed.findings, ["identity:machine-id"]);
        assert_eq!(failed.millis, Some(9));
    }
}
