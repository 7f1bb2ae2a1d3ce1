//! The order of versions, judged by dpkg itself over some hundred pairs.
//! Separate because it makes its own input.

use super::{Bench, apt, debian};
use nodeagent::host::Packages as _;
use std::cmp::Ordering;
use std::process::Command;

/// Numbers that look random and are the same in every run.
struct Digits(u64);

impl Digits {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn version(&mut self) -> String {
        const PARTS: &[&str] = &[
            "0", "1", "2", "9", "10", "00", "007", ".", ".", "~", "+", "a", "b", "rc", "Z", "-1",
            "~~",
        ];
        let epoch = ["", "", "", "0:", "1:", "12:"][self.below(6)];
        let body: String = (0..=self.below(6))
            .map(|_| PARTS[self.below(PARTS.len())])
            .collect();
        format!(
            "{epoch}{}{body}{}",
            self.below(10),
            ["", "-1", "-0", "-1~deb12u1", "-0ubuntu1"][self.below(5)]
        )
    }
}

#[test]
fn versions_are_ordered_as_dpkg_orders_them() {
    let mut digits = Digits(42);
    let tree = debian("apt-versions");
    let Bench { apt, .. } = apt(&tree);
    let pairs: Vec<(String, String)> = (0..600)
        .map(|i| {
            let a = digits.version();
            // Every third pair differs in one place only: such pairs find more than strangers do.
            let b = if i % 3 == 0 {
                format!("{a}{}", ["~", "0", "a", "+1", ".0"][digits.below(5)])
            } else {
                digits.version()
            };
            (a, b)
        })
        .collect();
    let script: String = pairs
        .iter()
        .map(|(a, b)| format!("if dpkg --compare-versions '{a}' lt '{b}'; then echo lt; elif dpkg --compare-versions '{a}' eq '{b}'; then echo eq; else echo gt; fi\n"))
        .collect();
    let out = Command::new("sh").args(["-c", &script]).output().unwrap();
    let answers = String::from_utf8(out.stdout).unwrap();
    let warnings = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(answers.lines().count(), pairs.len(), "{warnings}");
    let mut counts = [0; 3];
    for ((a, b), answer) in pairs.iter().zip(answers.lines()) {
        let want = match answer {
            "lt" => Ordering::Less,
            "eq" => Ordering::Equal,
            _ => Ordering::Greater,
        };
        counts[usize::try_from(want as i8 + 1).unwrap()] += 1;
        assert_eq!(apt.compare(a, b), want, "{a} {b}");
    }
    assert!(
        counts[0] > 100 && counts[2] > 100 && counts[1] > 3,
        "{counts:?}"
    );
}
