//! The order of RPM versions: epoch, version, release, each by rpm's own segment rules with `~` and `^`.
//! It is separate because it is pure, and asking rpm for every bound would cost a process each.

use std::cmp::Ordering;

/// Compares `[epoch:]version[-release]`; where one side names no release, any release will do, as in rpm's dependencies.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Parts::of(a), Parts::of(b));
    let release = match (a.release, b.release) {
        (Some(a), Some(b)) => segments(a, b),
        _ => Ordering::Equal,
    };
    segments(a.epoch, b.epoch)
        .then_with(|| segments(a.version, b.version))
        .then(release)
}

struct Parts<'a> {
    epoch: &'a str,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) if epoch.bytes().all(|c| c.is_ascii_digit()) => (epoch, rest),
            _ => ("0", text),
        };
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        Self {
            epoch: if epoch.is_empty() { "0" } else { epoch },
            version,
            release,
        }
    }
}

/// rpm's comparison of one part: runs of digits or letters from the left until one differs; all else only separates.
fn segments(mut a: &str, mut b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let counts = |c: char| c.is_ascii_alphanumeric() || matches!(c, '~' | '^');
    loop {
        a = a.trim_start_matches(|c| !counts(c));
        b = b.trim_start_matches(|c| !counts(c));
        // A tilde sorts before everything, even the end: 1.0~rc1 is older than 1.0.
        match (a.strip_prefix('~'), b.strip_prefix('~')) {
            (Some(rest_a), Some(rest_b)) => (a, b) = (rest_a, rest_b),
            (Some(_), None) => return Ordering::Less,
            (None, Some(_)) => return Ordering::Greater,
            (None, None) => match caret(&mut a, &mut b) {
                Some(Ordering::Equal) => {}
                Some(order) => return order,
                None if a.is_empty() || b.is_empty() => return a.len().cmp(&b.len()),
                None => match run(&mut a, &mut b) {
                    Ordering::Equal => {}
                    order => return order,
                },
            },
        }
    }
}

/// A caret sorts after the end and before everything else: 1.0 < 1.0^git1 < 1.0.1. None where neither has one.
fn caret(a: &mut &str, b: &mut &str) -> Option<Ordering> {
    match (a.strip_prefix('^'), b.strip_prefix('^')) {
        (Some(rest_a), Some(rest_b)) => {
            (*a, *b) = (rest_a, rest_b);
            Some(Ordering::Equal)
        }
        (Some(_), None) if b.is_empty() => Some(Ordering::Greater),
        (None, Some(_)) if a.is_empty() => Some(Ordering::Less),
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (None, None) => None,
    }
}

/// Takes one run off both: of digits where the left side begins with one, else of letters. Digits beat letters.
fn run(a: &mut &str, b: &mut &str) -> Ordering {
    let digits = a.starts_with(|c: char| c.is_ascii_digit());
    let (run_a, run_b) = (take(a, digits), take(b, digits));
    if !digits {
        return match run_b {
            "" => Ordering::Less,
            _ => run_a.cmp(run_b),
        };
    }
    if run_b.is_empty() {
        return Ordering::Greater;
    }
    let (run_a, run_b) = (run_a.trim_start_matches('0'), run_b.trim_start_matches('0'));
    run_a.len().cmp(&run_b.len()).then_with(|| run_a.cmp(run_b))
}

fn take<'a>(text: &mut &'a str, digits: bool) -> &'a str {
    let of = |c: char| {
        if digits {
            c.is_ascii_digit()
        } else {
            c.is_ascii_alphabetic()
        }
    };
    let (head, rest) = text.split_at(text.find(|c| !of(c)).unwrap_or(text.len()));
    *text = rest;
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_rpms() {
        let table = [
            ("1.0", "1.0", Ordering::Equal),
            ("1.0", "1_0", Ordering::Equal),
            ("1.00", "1.0", Ordering::Equal),
            ("1.0", "1.0.1", Ordering::Less),
            ("2.9", "2.10", Ordering::Less),
            ("1.0a", "1.0.1", Ordering::Less),
            ("1.0", "1.0a", Ordering::Less),
            ("a", "1", Ordering::Less),
            ("1.0~rc1", "1.0", Ordering::Less),
            ("1.0~rc1", "1.0~rc2", Ordering::Less),
            ("1.0~~", "1.0~", Ordering::Less),
            ("1.0^git1", "1.0", Ordering::Greater),
            ("1.0^git1", "1.0.1", Ordering::Less),
            ("1.0^git1~pre", "1.0^git1", Ordering::Less),
            ("1.0^git1", "1.0^git2", Ordering::Less),
            ("1:0.1", "9.9", Ordering::Greater),
            ("0:1.0", "1.0", Ordering::Equal),
            ("1.0-2", "1.0-10", Ordering::Less),
            ("1.0-2", "1.0", Ordering::Equal),
            ("1.1", "1.0-9", Ordering::Greater),
            ("0.18-1.el9", "0.17-9.el9", Ordering::Greater),
            (
                "99999999999999999999999",
                "100000000000000000000000",
                Ordering::Less,
            ),
            ("1.0.", "1.0", Ordering::Equal),
            ("1.0é", "1.0", Ordering::Equal),
            ("", "0", Ordering::Less),
        ];
        for (a, b, want) in table {
            assert_eq!(compare(a, b), want, "{a} {b}");
            assert_eq!(compare(b, a), want.reverse(), "{b} {a}");
        }
    }
}
