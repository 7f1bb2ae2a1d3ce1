//! The report in a line or a few: for the login message, for a cloud's console, for a person's terminal.
//! It is separate because these are read by people, and what they show must never steer a terminal.

use super::boot::Point;
use super::verdict::Word;
use super::{Image, Report};

/// The image in a few words.
pub fn image(image: &Image) -> String {
    let name = image.name.clone().unwrap_or_else(|| match &image.profile {
        Some(profile) => format!("unnamed image of {profile}"),
        None => "no sealed image".to_owned(),
    });
    let edited = image.as_sealed == Some(false);
    plain(&match edited {
        true => format!("{name} (its manifest was edited after the seal)"),
        false => name,
    })
}

/// The verdict in a few words, with the reason where it is not the good one.
pub fn verdict(report: &Report) -> String {
    let words = match report.verdict.result {
        Word::Proved => "identity proved",
        Word::Failed => "identity NOT proved",
        Word::Unknown => "identity not judged",
    };
    plain(&match &report.verdict.why {
        Some(why) => format!("{words}: {why}"),
        None => words.to_owned(),
    })
}

/// What a login shows: image and verdict, nothing that tells machines apart.
pub fn motd(report: &Report) -> String {
    let next = match report.verdict.result {
        Word::Proved => "",
        _ => "See /run/nodeagent/firstboot.json and: systemctl status nodeagent-firstboot\n",
    };
    format!(
        "Image: {}; {}.\n{next}",
        image(&report.image),
        verdict(report)
    )
}

/// What a cloud's console shows.
pub fn console(report: &Report) -> String {
    let digest = report.image.manifest.as_deref().unwrap_or("no manifest");
    let host = plain(&report.host);
    let ready = ["rke2-ready", "multi-user"]
        .iter()
        .find_map(|name| Some((name, micros(report, name)?)))
        .map(|(name, micros)| format!(", {name} after {} s", seconds(micros, 1)));
    format!(
        "nodeagent: {host}: image {}, {digest}, {}{}\n",
        image(&report.image),
        verdict(report),
        ready.unwrap_or_default()
    )
}

/// The whole report for a terminal.
pub fn text(report: &Report) -> String {
    let some = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let age = report
        .image
        .age_seconds
        .map(|s| format!("{} days", s / 86_400));
    let mut lines = vec![
        format!("host        {}", report.host),
        format!("image       {}", image(&report.image)),
        format!("manifest    {}", some(&report.image.manifest)),
        format!("seal        {}", report.image.seal),
        format!("age         {}", some(&age)),
        format!("verdict     {}", verdict(report)),
        format!("machine     {}", some(&report.machine)),
    ];
    let points: Vec<&Point> = report
        .boot
        .durations
        .iter()
        .chain(&report.boot.milestones)
        .collect();
    match points.iter().any(|point| point.micros.is_some()) {
        true => lines.extend(points.into_iter().map(time)),
        false => lines.extend(
            points
                .first()
                .and_then(|p| p.why.clone())
                .map(|why| format!("boot        no times: {why}")),
        ),
    }
    for missing in &report.missing {
        lines.push(format!("missing     {}: {}", missing.what, missing.why));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A time, or why there is none.
fn time(point: &Point) -> String {
    match (point.micros, &point.why) {
        (Some(micros), _) => format!("{:>10} s  {}", seconds(micros, 3), point.name),
        (None, why) => {
            let why = why.as_deref().unwrap_or("not told");
            format!("           -  {}: {why}", point.name)
        }
    }
}

/// A milestone's time.
pub fn micros(report: &Report, name: &str) -> Option<u64> {
    let mut points = report.boot.milestones.iter();
    points.find(|point| point.name == name)?.micros
}

/// Microseconds as seconds with a fixed number of digits, rounded down.
pub fn seconds(micros: u64, digits: usize) -> String {
    let fraction = format!("{:06}", micros % 1_000_000);
    let shown = fraction.get(..digits).unwrap_or(&fraction);
    format!("{}.{shown}", micros / 1_000_000)
}

/// One line of printable text: names and reasons come from files and may hold any byte.
pub fn plain(text: &str) -> String {
    let harmless = |c: char| match c.is_control() || c == '\u{2028}' || c == '\u{2029}' {
        true => '\u{fffd}',
        false => c,
    };
    text.trim().chars().map(harmless).take(400).collect()
}
