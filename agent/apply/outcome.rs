//! What a run did and what is left: steps, failures, drift, and what waits for a boot.
//! It is separate because bake and generalize print it, and nothing of it takes part in the loop.

use serde::Serialize;

use crate::plan::Plan;

/// Something that did not become what the policy wants.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The entry.
    pub id: String,
    /// Why, on one line.
    pub error: String,
    /// The next step a person can take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A part of an entry that is configured and takes effect at the next boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// The entry.
    pub id: String,
    /// Which part of it.
    pub what: String,
    /// Why it takes a boot.
    pub why: String,
}

/// One step that was done.
#[derive(Debug, Serialize)]
pub struct Step {
    /// The entry.
    pub id: String,
    /// What was done.
    pub action: String,
    /// How long it took.
    pub seconds: f64,
    /// Retries and fallbacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What a run did and what is left.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// Entries that were looked at.
    pub entries: usize,
    /// Steps that were done.
    pub steps: Vec<Step>,
    /// What failed or was still different afterwards.
    pub failed: Vec<Failure>,
    /// Audit-only entries that differ.
    pub drift: Vec<String>,
    /// What takes effect at the next boot; the same run again goes on after it.
    pub reboot: Vec<Pending>,
}

/// What a plan waits for a boot for.
pub fn pending(plan: &Plan) -> impl Iterator<Item = Pending> + '_ {
    plan.waiting().flat_map(|item| {
        item.reboot.iter().map(|remark| Pending {
            id: item.id.clone(),
            what: remark.what.clone(),
            why: remark.why.clone(),
        })
    })
}
