//! A finding: one check and how it ended, with the reason of its entry and the exception that covers it.
//! It is separate because every output format is made of these values alone.

use serde::Serialize;

use crate::policy::Exception;
use crate::resource::{Difference, Remark};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As wanted.
    Conforms,
    /// Not as wanted.
    Drift,
    /// Not as wanted, and accepted until a date.
    Excepted,
    /// Configured; a part of it takes effect at the next boot.
    RebootNeeded,
    /// It could not be judged.
    CouldNotCheck,
    /// There is no such fact here.
    NotApplicable,
}

impl Status {
    /// The word used in output.
    pub fn word(self) -> &'static str {
        match self {
            Status::Conforms => "conforms",
            Status::Drift => "drift",
            Status::Excepted => "excepted",
            Status::RebootNeeded => "reboot-needed",
            Status::CouldNotCheck => "could-not-check",
            Status::NotApplicable => "not-applicable",
        }
    }
}

/// How soon an image is to be baked anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Urgency {
    /// With the next one that is due.
    Low,
    /// Soon.
    Medium,
    /// At once.
    High,
}

impl Urgency {
    /// The word used in output.
    pub fn word(self) -> &'static str {
        match self {
            Urgency::Low => "low",
            Urgency::Medium => "medium",
            Urgency::High => "high",
        }
    }
}

/// One check and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Id of the entry, or of an inventory or integrity check.
    pub id: String,
    /// How it ended.
    pub status: Status,
    /// An unjudged required check fails the audit.
    pub required: bool,
    /// Why it is wanted.
    pub reason: String,
    /// Where the entry stands in the policy.
    pub origin: String,
    /// What differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What was not judged, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<Remark>,
    /// Of a reason to bake anew: how soon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Urgency>,
    /// The exception that covers it, or the one that no longer does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<Exception>,
}

impl Finding {
    /// A check beside the entries that conforms until it differs.
    pub fn check(id: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            status: Status::Conforms,
            required: true,
            reason: reason.into(),
            origin: "nodeagent".to_owned(),
            differences: Vec::new(),
            remarks: Vec::new(),
            urgency: None,
            exception: None,
        }
    }

    /// Notes a difference.
    #[must_use]
    pub fn differs(
        mut self,
        what: impl Into<String>,
        have: impl Into<String>,
        want: impl Into<String>,
    ) -> Self {
        self.status = Status::Drift;
        self.differences.push(Difference {
            what: what.into(),
            have: have.into(),
            want: want.into(),
        });
        self
    }

    /// Notes that it could not be judged.
    #[must_use]
    pub fn unknown(mut self, what: impl Into<String>, why: impl Into<String>) -> Self {
        self.status = Status::CouldNotCheck;
        self.remarks.push(Remark {
            what: what.into(),
            why: why.into(),
        });
        self
    }

    /// Drift that an unexpired exception names becomes excepted; an expired one is shown and covers nothing.
    pub(super) fn except(&mut self, exceptions: &[Exception], today: &str) {
        let Some(exception) = exceptions.iter().find(|e| e.id == self.id) else {
            return;
        };
        if self.status != Status::Drift {
            return;
        }
        self.exception = Some(exception.clone());
        if exception.expires.as_str() >= today {
            self.status = Status::Excepted;
        } else {
            self.remarks.push(Remark {
                what: "exception".to_owned(),
                why: format!("expired on {}", exception.expires),
            });
        }
    }

    /// Whether it stands against sealing: drift, a boot that is waited for, or a required check that could not be made.
    pub fn fails(&self) -> bool {
        matches!(self.status, Status::Drift | Status::RebootNeeded)
            || (self.required && self.status == Status::CouldNotCheck)
    }

    pub(super) fn is_worth_a_line(&self) -> bool {
        self.status != Status::Conforms
    }
}

/// How many checks ended how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// As wanted.
    pub conforms: usize,
    /// Not as wanted.
    pub drift: usize,
    /// Accepted.
    pub excepted: usize,
    /// Waiting for a boot.
    pub reboot_needed: usize,
    /// Could not be judged.
    pub could_not_check: usize,
    /// No such fact here.
    pub not_applicable: usize,
}

impl Counts {
    /// Counts findings.
    pub fn of(findings: &[Finding]) -> Self {
        let mut counts = Self::default();
        for finding in findings {
            *match finding.status {
                Status::Conforms => &mut counts.conforms,
                Status::Drift => &mut counts.drift,
                Status::Excepted => &mut counts.excepted,
                Status::RebootNeeded => &mut counts.reboot_needed,
                Status::CouldNotCheck => &mut counts.could_not_check,
                Status::NotApplicable => &mut counts.not_applicable,
            } += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exception(expires: &str) -> Exception {
        Exception {
            id: "unit:apparmor.service".into(),
            reason: "r".into(),
            owner: "o".into(),
            expires: expires.into(),
        }
    }

    #[test]
    fn an_exception_covers_drift_until_its_last_day() {
        let drift =
            || Finding::check("unit:apparmor.service", "why").differs("enabled", "no", "yes");
        let table = [
            ("2026-01-01", Status::Drift),
            ("2026-06-01", Status::Excepted),
            ("2026-06-02", Status::Excepted),
        ];
        for (expires, status) in table {
            let mut finding = drift();
            finding.except(&[exception(expires)], "2026-06-01");
            assert_eq!(finding.status, status, "{expires}");
        }
        let mut other = Finding::check("unit:other", "why").differs("a", "b", "c");
        other.except(&[exception("2030-01-01")], "2026-06-01");
        assert_eq!(other.status, Status::Drift);
    }
}
