//! A second report of the same boot keeps the milestones of the first.
//! It is separate because systemd knows only when a unit was last up: after a restart days later it would be taken
//! for a boot that took days.

use super::Report;
use super::boot::Point;

impl Report {
    /// Takes over what an earlier report of the same boot has measured.
    pub fn keep(&mut self, earlier: &Report) {
        let same = earlier.boot_id == self.boot_id && earlier.boot.origin == self.boot.origin;
        if same && earlier.schema == self.schema {
            points(&mut self.boot.milestones, &earlier.boot.milestones);
            points(&mut self.boot.durations, &earlier.boot.durations);
        }
    }
}

fn points(now: &mut [Point], earlier: &[Point]) {
    for point in now {
        let before = earlier.iter().find(|before| before.name == point.name);
        if let Some(before) = before.filter(|before| before.micros.is_some()) {
            point.clone_from(before);
        }
    }
}
