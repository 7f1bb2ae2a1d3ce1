//! The report as metrics for node_exporter's textfile collector.
//! It is separate because names, units and labels are an interface, and alerts are written against them.

use std::fmt::Write as _;

use super::verdict::Word;
use super::{Report, lines};
use crate::manifest::canonical;

/// Name of the file; the collector reads what ends in `.prom`.
pub const FILE: &str = "nodeagent.prom";

/// The exposition format, version 0.0.4.
pub fn text(report: &Report) -> String {
    let mut text = Text::default();
    who(report, &mut text);
    verdict(report, &mut text);
    boot(report, &mut text);
    cloud_init(report, &mut text);
    let made = canonical::seconds(&report.time).map(|seconds| seconds.to_string());
    text.one(
        "nodeagent_report_timestamp_seconds",
        "When this report was made, in seconds since 1970.",
        made,
    );
    text.0
}

fn who(report: &Report, text: &mut Text) {
    let image = &report.image;
    let or_empty = |value: &Option<String>| value.clone().unwrap_or_default();
    let labels = [
        ("name", or_empty(&image.name)),
        ("manifest", or_empty(&image.manifest)),
        ("profile", or_empty(&image.profile)),
        ("kubernetes", or_empty(&image.kubernetes)),
        ("os", or_empty(&image.os)),
        ("kernel", or_empty(&image.kernel)),
        ("seal", image.seal.clone()),
    ];
    text.head(
        "nodeagent_image_info",
        "The image that this node was made from.",
    );
    text.sample("nodeagent_image_info", &labels, "1");
    text.one(
        "nodeagent_image_built_timestamp_seconds",
        "When the image was sealed, in seconds since 1970.",
        image
            .built_at
            .as_deref()
            .and_then(canonical::seconds)
            .map(|seconds| seconds.to_string()),
    );
    text.one(
        "nodeagent_image_as_sealed",
        "1 where the image manifest is the one that was sealed, 0 where it was edited since.",
        image.as_sealed.map(|sealed| u8::from(sealed).to_string()),
    );
    if let Some(digest) = &report.machine {
        text.head(
            "nodeagent_machine_info",
            "A digest of the machine-id, the same function on every node: two nodes with one digest are clones.",
        );
        text.sample("nodeagent_machine_info", &[("digest", digest.clone())], "1");
    }
}

fn verdict(report: &Report, text: &mut Text) {
    let name = "nodeagent_identity_verdict";
    text.head(
        name,
        "What the gate said on this boot: 1 at the verdict that holds.",
    );
    for word in Word::ALL {
        let value = if word == report.verdict.result {
            "1"
        } else {
            "0"
        };
        text.sample(name, &[("verdict", word.word().to_owned())], value);
    }
    let micros = report
        .verdict
        .millis
        .map(|millis| millis.saturating_mul(1000));
    text.one(
        "nodeagent_identity_check_duration_seconds",
        "How long the gate held the boot up.",
        micros.map(|micros| lines::seconds(micros, 3)),
    );
}

fn boot(report: &Report, text: &mut Text) {
    let families = [
        (
            "nodeagent_boot_milestone_seconds",
            "milestone",
            "When the boot reached a milestone, from the kernel's start.",
            &report.boot.milestones,
        ),
        (
            "nodeagent_boot_phase_duration_seconds",
            "phase",
            "How long a part of the boot took, as systemd-analyze counts.",
            &report.boot.durations,
        ),
    ];
    for (name, label, help, points) in families {
        let timed: Vec<_> = points
            .iter()
            .filter_map(|point| Some((&point.name, point.micros?)))
            .collect();
        if timed.is_empty() {
            continue;
        }
        text.head(name, help);
        for (point, micros) in timed {
            text.sample(name, &[(label, point.clone())], &lines::seconds(micros, 6));
        }
    }
}

fn cloud_init(report: &Report, text: &mut Text) {
    let Some(cloud_init) = &report.cloud_init else {
        return;
    };
    let name = "nodeagent_cloud_init_stage_duration_seconds";
    if !cloud_init.stages.is_empty() {
        text.head(
            name,
            "How long a stage of cloud-init took, by the wall clock.",
        );
    }
    for stage in &cloud_init.stages {
        let labels = [("stage", stage.name.clone())];
        text.sample(name, &labels, &lines::seconds(stage.micros, 6));
    }
    let name = "nodeagent_cloud_init_errors";
    text.head(name, "Errors of cloud-init on this boot.");
    for (kind, count) in [
        ("fatal", cloud_init.errors),
        ("recoverable", cloud_init.recoverable),
    ] {
        text.sample(name, &[("kind", kind.to_owned())], &count.to_string());
    }
}

/// Metrics as they are written.
#[derive(Default)]
struct Text(String);

impl Text {
    /// A family begins. Writing to a String cannot fail.
    fn head(&mut self, name: &str, help: &str) {
        writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
    }

    fn sample(&mut self, name: &str, labels: &[(&str, String)], value: &str) {
        let pair = |(name, value): &(&str, String)| format!("{name}=\"{}\"", escaped(value));
        let labels: Vec<String> = labels.iter().map(pair).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        writeln!(self.0, "{name}{labels} {value}").unwrap_or_default();
    }

    /// A family of one sample, left out where there is no value.
    fn one(&mut self, name: &str, help: &str, value: Option<String>) {
        if let Some(value) = value {
            self.head(name, help);
            self.sample(name, &[], &value);
        }
    }
}

fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}
