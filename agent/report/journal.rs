//! The report as fields of one message of the journal.
//! It is separate because field names and message identifiers are an interface: alerts and catalogs match on them.

use super::verdict::Word;
use super::{Report, lines};

/// A node reported.
pub const REPORTED: &str = "cd96d2b6561546a092ece654ed1d1822";
/// A node reported, and its identity is not proved.
pub const NOT_PROVED: &str = "71f8047eb3374e94ba7ff06292c7ddb9";
/// The report could not be handed on to one of those who were to get it.
pub const NOT_HANDED_ON: &str = "2f59eddc98ab4c70ba06c6be3a2059be";

/// One field.
pub type Field = (String, String);

/// The message of a report; `json` is the whole document.
pub fn report(report: &Report, json: &str) -> Vec<Field> {
    let (id, priority) = match report.verdict.result {
        Word::Proved => (REPORTED, "6"),
        Word::Failed => (NOT_PROVED, "3"),
        Word::Unknown => (NOT_PROVED, "4"),
    };
    let message = format!(
        "Image {}; {}",
        lines::image(&report.image),
        lines::verdict(report)
    );
    let mut fields = head(message, id, priority);
    let image = &report.image;
    let age = image.age_seconds.map(|age| age.to_string());
    let optional = [
        ("NODEAGENT_MACHINE", report.machine.clone()),
        ("NODEAGENT_IMAGE_NAME", image.name.clone()),
        ("NODEAGENT_IMAGE_MANIFEST", image.manifest.clone()),
        ("NODEAGENT_IMAGE_SEAL", Some(image.seal.clone())),
        ("NODEAGENT_IMAGE_BUILT_AT", image.built_at.clone()),
        ("NODEAGENT_IMAGE_AGE_SEC", age),
        ("NODEAGENT_PROFILE", image.profile.clone()),
        ("NODEAGENT_KUBERNETES", image.kubernetes.clone()),
        (
            "NODEAGENT_VERDICT",
            Some(report.verdict.result.word().to_owned()),
        ),
        ("NODEAGENT_VERDICT_WHY", report.verdict.why.clone()),
    ];
    for (name, value) in optional {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    }
    for point in &report.boot.milestones {
        let name = format!("NODEAGENT_BOOT_{}_USEC", upper(&point.name));
        fields.extend(point.micros.map(|micros| (name, micros.to_string())));
    }
    fields.push(("NODEAGENT_REPORT".to_owned(), json.to_owned()));
    fields
}

/// The message that one sink did not get its part.
pub fn not_handed_on(sink: &str, error: &str) -> Vec<Field> {
    let message = format!(
        "The report was not handed on to {sink}: {}",
        lines::plain(error)
    );
    let mut fields = head(message, NOT_HANDED_ON, "4");
    fields.push(("NODEAGENT_SINK".to_owned(), sink.to_owned()));
    fields
}

fn head(message: String, id: &str, priority: &str) -> Vec<Field> {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        ("MESSAGE".to_owned(), message),
        field("MESSAGE_ID", id),
        field("PRIORITY", priority),
        field("SYSLOG_IDENTIFIER", "nodeagent"),
    ]
}

fn upper(name: &str) -> String {
    let letter = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase(),
        false => '_',
    };
    name.chars().map(letter).collect()
}
