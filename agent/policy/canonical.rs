//! The policy as bytes: canonical JSON, its digest, and reading it back with suspicion.
//! It is separate because a node reads policy.json years later, from a disk that others could write to.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::entry::{Entry, Policy};
use crate::error::{Context as _, Error, Result};
use crate::host::root::sha256;
use crate::resource::Resource;

/// Larger than any policy; a bigger file is not ours.
const MAX_BYTES: usize = 16 * 1024 * 1024;

impl Policy {
    /// Canonical JSON: sorted keys, no white space. Equal policies have equal bytes.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        // A Value's maps are sorted, whatever the order of the fields.
        let value = serde_json::to_value(self).context(|| "write the policy as JSON")?;
        serde_json::to_vec(&value).context(|| "write the policy as JSON")
    }

    /// SHA-256 of the canonical JSON, in hex: what manifest and seal name the policy by.
    pub fn digest(&self) -> Result<String> {
        Ok(sha256(&self.to_json()?))
    }

    /// Reads policy.json. What this version does not know is an error, not a surprise at verify.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let broken = |why: String| {
            Error::host(format!("read the baked policy: {why}")).hint(
                "policy.json is written by bake and never edited; compare with `policy show --profile NAME --json`, or use the nodeagent that baked the image",
            )
        };
        if bytes.len() > MAX_BYTES {
            return Err(broken(format!("{} bytes are too many", bytes.len())));
        }
        let value: Json =
            serde_json::from_slice(bytes).map_err(|e| broken(format!("it is not JSON: {e}")))?;
        let schema = value.get("schema").and_then(Json::as_u64);
        if schema != Some(1) {
            let found = value
                .get("schema")
                .map_or_else(|| "none".to_owned(), Json::to_string);
            return Err(broken(format!(
                "its schema is {found}, this version reads 1"
            )));
        }
        let policy: Policy = serde_json::from_value(value.clone())
            .map_err(|e| broken(format!("it has another shape: {e}")))?;
        let again = serde_json::to_value(&policy).context(|| "check the baked policy")?;
        if let Some(path) = unknown(&value, &again, String::new()) {
            return Err(broken(format!(
                "{path} is not known here or has another form"
            )));
        }
        policy.coherent().map_err(broken)?;
        Ok(policy)
    }

    /// Whether parts that must agree do.
    fn coherent(&self) -> std::result::Result<(), String> {
        let mut seen = BTreeSet::new();
        for entry in &self.entries {
            let Entry { id, resource, .. } = entry;
            if *id != resource.id() {
                return Err(format!("the entry {id} is about {}", resource.id()));
            }
            for place in &entry.places {
                if !seen.insert((id, place)) {
                    return Err(format!("{id} is there twice at place {}", place.word()));
                }
            }
            if let Resource::File(file) = resource
                && let Some(content) = &file.content
                && sha256(content.as_bytes()) != file.sha256
            {
                return Err(format!("the content of {id} does not have its digest"));
            }
        }
        if self.entries.is_empty() {
            return Err("it has no entries".to_owned());
        }
        Ok(())
    }
}

/// Path of the first thing in `found` that reading and writing again does not give back.
fn unknown(found: &Json, again: &Json, path: String) -> Option<String> {
    match (found, again) {
        (Json::Object(a), Json::Object(b)) => a.iter().find_map(|(key, value)| {
            let path = format!("{path}/{key}");
            match b.get(key) {
                Some(other) => unknown(value, other, path),
                None => Some(path),
            }
        }),
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(index, (x, y))| unknown(x, y, format!("{path}/{index}"))),
        (a, b) => (a != b).then_some(path),
    }
}

#[cfg(test)]
mod tests;
