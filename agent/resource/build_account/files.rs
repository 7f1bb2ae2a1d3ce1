//! What is left of an account database or of sudo's rules when one account is taken out. Pure text.
//! It is separate because a mistake here locks people out, so every line is judged by a table of its own.

use crate::host::accounts::Account;

/// The file without the account's lines and memberships; every other byte stays.
pub(super) fn without(path: &str, text: &[u8], name: &str, all: &[Account]) -> Vec<u8> {
    text.split_inclusive(|byte| *byte == b'\n')
        .filter_map(|line| {
            let shown = String::from_utf8_lossy(line);
            match judge(path, shown.trim_end_matches('\n'), name, all) {
                Line::Stays => Some(line.to_vec()),
                Line::Goes => None,
                Line::Becomes(new) => Some((new + "\n").into_bytes()),
            }
        })
        .flatten()
        .collect()
}

/// Whether nothing but blanks and comments is left.
pub(super) fn is_void(text: &[u8]) -> bool {
    String::from_utf8_lossy(text)
        .lines()
        .map(str::trim)
        .all(|line| line.is_empty() || (line.starts_with('#') && !line.starts_with("#include")))
}

enum Line {
    Stays,
    Goes,
    Becomes(String),
}

fn judge(path: &str, line: &str, name: &str, all: &[Account]) -> Line {
    let own = all.iter().find(|account| account.name == name);
    let first = line.split(':').next().unwrap_or_default();
    let goes = match path {
        "/etc/passwd" | "/etc/shadow" => first == name,
        // subuid(5): by name or by number.
        "/etc/subuid" | "/etc/subgid" => {
            first == name || own.is_some_and(|account| account.uid.to_string() == first)
        }
        "/etc/group" | "/etc/gshadow" => return group(line, name, all),
        _ => line
            .split_whitespace()
            .next()
            .is_some_and(|who| who == name || who.strip_prefix('%') == Some(name)),
    };
    if goes { Line::Goes } else { Line::Stays }
}

/// group(5), gshadow(5): the account's own group goes where nobody else is in it; elsewhere it is a member no more.
fn group(line: &str, name: &str, all: &[Account]) -> Line {
    let fields: Vec<&str> = line.split(':').collect();
    let [group, password, third, members] = fields[..] else {
        return Line::Stays;
    };
    let rest = |list: &str| -> String {
        let others = list.split(',').filter(|member| *member != name);
        others.collect::<Vec<_>>().join(",")
    };
    // The third field is a number in group, and a list of administrators in gshadow.
    let gid = third.parse::<u32>().ok();
    let shared = all
        .iter()
        .any(|other| other.name != name && gid.is_some_and(|gid| other.gid == gid));
    let third = if gid.is_some() {
        third.to_owned()
    } else {
        rest(third)
    };
    let left = rest(members);
    if group == name && left.is_empty() && !shared {
        return Line::Goes;
    }
    let new = [group, password, &third, &left].join(":");
    if new == line {
        Line::Stays
    } else {
        Line::Becomes(new)
    }
}
