//! The report as labels, in a feature file of Node Feature Discovery's local source.
//! It is separate because Kubernetes takes only a narrow form of label values, and rejects a whole set for one wrong.

use super::Report;

/// Name of the file.
pub const FILE: &str = "nodeagent";

/// The longest value of a label.
const LONGEST: usize = 63;

/// One `name=value` a line; the worker puts `feature.node.kubernetes.io/` in front.
pub fn text(report: &Report) -> String {
    let image = &report.image;
    let day = image.built_at.as_deref().and_then(|time| time.get(..10));
    // A digest is one digit longer than a label's value may be; half of it tells images apart.
    let manifest = image
        .manifest
        .as_deref()
        .and_then(|digest| digest.strip_prefix("sha256:")?.get(..32));
    let labels = [
        ("image", image.name.as_deref()),
        ("image-manifest", manifest),
        ("image-built", day),
        ("image-seal", Some(image.seal.as_str())),
        ("profile", image.profile.as_deref()),
        ("identity", Some(report.verdict.result.word())),
        ("machine", report.machine.as_deref()),
    ];
    let line = |(name, value): (&str, Option<&str>)| {
        let value = label(value?);
        (!value.is_empty()).then(|| format!("nodeagent-{name}={value}\n"))
    };
    labels.into_iter().filter_map(line).collect()
}

/// A text as the value of a label: letters, digits and `-_.`, with a letter or digit at both ends.
fn label(text: &str) -> String {
    let letter = |c: char| match c.is_ascii_alphanumeric() || "-_.".contains(c) {
        true => c,
        false => '-',
    };
    let end = |c: char| !c.is_ascii_alphanumeric();
    let cut: String = text
        .trim_matches(end)
        .chars()
        .map(letter)
        .take(LONGEST)
        .collect();
    cut.trim_matches(end).to_owned()
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn any_text_becomes_a_value_that_kubernetes_takes() {
        let table = [
            ("rke2-node-v1.28-20260407", "rke2-node-v1.28-20260407"),
            ("v1.34.2+rke2r1", "v1.34.2-rke2r1"),
            ("  a b\nc=d ", "a-b-c-d"),
            ("..-", ""),
            ("ä", ""),
        ];
        for (text, want) in table {
            assert_eq!(label(text), want);
        }
        let cut = label(&format!("{}-x", "a".repeat(62)));
        assert_eq!(cut, "a".repeat(62));
    }
}
