//! The release's list of SHA-256 sums, as sha256sum(1) writes it.
//! It is separate because every mistake in it is told, and none may turn a check off.

use std::collections::BTreeMap;

/// The sums by file name, and what is wrong with the list.
pub(super) fn parse(text: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let mut sums: BTreeMap<String, String> = BTreeMap::new();
    let mut faults = Vec::new();
    for (line, number) in text.lines().zip(1usize..) {
        if line.trim().is_empty() {
            continue;
        }
        let Some((sum, name)) = split(line) else {
            faults.push(format!("line {number} is not `SHA256  NAME`"));
            continue;
        };
        let known = sums.insert(name.to_owned(), sum.clone());
        if known.is_some_and(|known| known != sum) {
            faults.push(format!("line {number} gives {name} a second sum"));
        }
    }
    if sums.is_empty() && faults.is_empty() {
        faults.push("it names no file".to_owned());
    }
    (sums, faults)
}

/// The sum in lower case and the name of one line.
fn split(line: &str) -> Option<(String, &str)> {
    let (sum, rest) = line.split_once(' ')?;
    let name = rest.strip_prefix([' ', '*'])?;
    let plain = !name.is_empty() && !name.contains('/') && name.trim() == name;
    (plain && is_sha256(sum)).then(|| (sum.to_ascii_lowercase(), name))
}

/// 64 hexadecimal digits.
pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_counts_and_every_mistake_is_told() {
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        let good = format!(
            "{a}  rke2.linux-amd64.tar.gz\n\n{b} *rke2-images.linux-amd64.tar.zst\n{a}  rke2.linux-amd64.tar.gz\n"
        );
        let (sums, faults) = parse(&good);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(sums["rke2-images.linux-amd64.tar.zst"], "b".repeat(64));
        let bad = format!(
            "{a} one\n{a}x  two\n{a}  dir/three\n{a}\n{a}  four\n{b}  four\nhtml\n{a}  five\r\r\n"
        );
        let (sums, faults) = parse(&bad);
        assert_eq!(sums.keys().collect::<Vec<_>>(), ["four"]);
        let lines: Vec<&str> = faults.iter().filter_map(|f| f.split(' ').nth(1)).collect();
        assert_eq!(lines, ["1", "2", "3", "4", "6", "7", "8"], "{faults:?}");
        assert_eq!(parse("\n").1, ["it names no file"]);
    }
}
