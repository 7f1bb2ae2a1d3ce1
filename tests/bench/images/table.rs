//! The table that people read: medians of what was measured, and how many times as long each took as we.
//! It is separate because it is arithmetic and words, which a test can hold without running anything.

use std::fmt::Write as _;

use super::contender::Contender;
use super::runs::Measured;

/// All runs of one contender.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) contender: Contender,
    pub(crate) runs: Vec<Measured>,
}

impl Row {
    /// The median of a figure.
    fn median(&self, of: impl Fn(&Measured) -> f64) -> Option<f64> {
        let mut all: Vec<f64> = self.runs.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    }

    fn wall(&self) -> Option<f64> {
        self.median(|m| m.wall.as_secs_f64())
    }
}

/// The rows as text, a line each, with one column of ratios for each of our binaries.
pub(crate) fn told(rows: &[Row]) -> String {
    let ours: Vec<&Row> = rows
        .iter()
        .filter(|row| matches!(row.contender, Contender::Ours(_)))
        .collect();
    let mut out = format!(
        "  {:<44}{:>8}{:>16}{:>8}{:>9}{:>8}",
        "", "wall s", "least–most", "CPU s", "peak MB", "start s"
    );
    for row in &ours {
        let Contender::Ours(ours) = &row.contender else {
            continue;
        };
        write!(out, "{:>12}", format!("× {}", ours.name)).unwrap_or_default();
    }
    out.push('\n');
    for row in rows {
        line(&mut out, row, &ours);
    }
    out + &verdict(rows)
}

fn line(out: &mut String, row: &Row, ours: &[&Row]) {
    let Some(wall) = row.wall() else { return };
    let walls = row.runs.iter().map(|m| m.wall.as_secs_f64());
    let (least, most) = (
        walls.clone().fold(f64::MAX, f64::min),
        walls.fold(0.0, f64::max),
    );
    let cpu = row.median(|m| m.cpu.as_secs_f64()).unwrap_or_default();
    let peak =
        row.median(|m| u32::try_from(m.peak >> 10).map_or(0.0, |kib| f64::from(kib) / 1024.0));
    let start = row
        .median(|m| m.start.unwrap_or_default().as_secs_f64())
        .filter(|s| *s > 0.0);
    let start = start.map_or_else(String::new, |start| format!("{start:.2}"));
    write!(
        out,
        "  {:<44}{wall:>8.2}{:>16}{cpu:>8.2}{:>9.0}{start:>8}",
        row.contender.name(),
        format!("{least:.2}–{most:.2}"),
        peak.unwrap_or_default(),
    )
    .unwrap_or_default();
    for ours in ours {
        let ratio = ours.wall().map(|ours| wall / ours);
        let shown = ratio.filter(|_| row.contender.fills() || row.contender == Contender::Floor);
        let shown = shown.map_or_else(String::new, |ratio| format!("{ratio:.2}×"));
        write!(out, "{shown:>12}").unwrap_or_default();
    }
    out.push('\n');
}

/// Against the slowest way that people use, and against the fastest of all.
fn verdict(rows: &[Row]) -> String {
    let ctr = |row: &&Row| matches!(row.contender, Contender::Ctr(..));
    let alone = |row: &&Row| matches!(row.contender, Contender::Ctr(_, 1));
    let first = rows.iter().find(alone).and_then(Row::wall);
    let best = rows
        .iter()
        .filter(ctr)
        .filter_map(Row::wall)
        .min_by(f64::total_cmp);
    let floor = rows
        .iter()
        .find(|row| row.contender == Contender::Floor)
        .and_then(Row::wall);
    let mut out = String::new();
    for row in rows
        .iter()
        .filter(|row| matches!(row.contender, Contender::Ours(_)))
    {
        let Some(wall) = row.wall() else { continue };
        let against = |other: Option<f64>| {
            other.map_or_else(|| "–".to_owned(), |other| format!("{:.2}×", other / wall))
        };
        let over = floor.map_or_else(|| "–".to_owned(), |floor| format!("{:.2}×", wall / floor));
        writeln!(
            out,
            "  {}: {} as fast as ctr one by one, {} as the best ctr; takes {over} the floor",
            row.contender.name(),
            against(first),
            against(best),
        )
        .unwrap_or_default();
    }
    out
}
