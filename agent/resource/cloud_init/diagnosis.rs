//! Why cloud-init hangs: stage, running units and queued jobs, the data source it tries, the end of its log.
//! It is separate because it is read once, at the end of a wait, and everything of it is printed.

use std::time::Duration;

use super::status::{Seen, State};
use crate::error::Result;
use crate::host::{Cmd, Host};

const LOG: &str = "/var/log/cloud-init.log";
/// Its units under the names of all versions, and what they wait for.
const UNITS: &[&str] = &[
    "cloud-init-local.service",
    "cloud-init-main.service",
    "cloud-init-network.service",
    "cloud-init.service",
    "cloud-config.service",
    "cloud-final.service",
    "systemd-networkd-wait-online.service",
    "NetworkManager-wait-online.service",
    "network-online.target",
];
/// Lines of the log that are printed, and characters of each.
const LINES: usize = 5;
const WIDTH: usize = 200;
/// A line with one of these may hold a secret.
const SECRET: &[&str] = &[
    "passw",
    "secret",
    "token",
    "key",
    "credential",
    "authorization",
    "cookie",
];

/// Everything that tells why it hangs, on one line.
pub(super) fn text(host: &Host, seen: &Seen) -> Result<String> {
    let mut parts = Vec::new();
    if let State::Running(stage) = &seen.state {
        parts.push(stage.clone());
    }
    let busy = activating(host)?;
    parts.push(match busy.is_empty() {
        true => "no unit of it is starting".to_owned(),
        false => format!("still starting: {}", busy.join(", ")),
    });
    let jobs = jobs(host)?;
    if !jobs.is_empty() {
        parts.push(format!("jobs of systemd: {}", jobs.join(", ")));
    }
    let log = host.root.read_text(LOG).ok().flatten().unwrap_or_default();
    parts.extend(source(&log));
    parts.extend(seen.errors.iter().map(|error| format!("error: {error}")));
    let last = last_lines(&log);
    if !last.is_empty() {
        parts.push(format!("end of {LOG}: {}", last.join(" | ")));
    }
    Ok(parts.join("; "))
}

/// Whether one of its units is still being started, or waits for its turn.
pub(super) fn comes_to_an_end(host: &Host) -> Result<bool> {
    Ok(!activating(host)?.is_empty() || !jobs(host)?.is_empty())
}

fn activating(host: &Host) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for unit in UNITS {
        if host.units.state(unit)?.active.as_deref() == Some("activating") {
            found.push((*unit).to_owned());
        }
    }
    Ok(found)
}

/// Jobs that systemd has queued or runs, the running ones first.
fn jobs(host: &Host) -> Result<Vec<String>> {
    let cmd = Cmd::new(["systemctl", "list-jobs", "--no-legend", "--no-pager"]);
    let listed = host.exec.run(&cmd.timeout(Duration::from_secs(10)))?;
    let text = listed.text();
    let job = |line: &str| {
        let mut words = line.split_whitespace();
        let (_, unit, _, state) = (words.next()?, words.next()?, words.next()?, words.next()?);
        Some((state != "running", format!("{unit} ({state})")))
    };
    let mut found: Vec<(bool, String)> = text.lines().filter_map(job).collect();
    found.sort();
    Ok(found.into_iter().map(|(_, text)| text).take(8).collect())
}

/// The data source that was tried last, and the last answer of its server.
fn source(log: &str) -> Vec<String> {
    let last = |word: &str| log.lines().rfind(|line| line.contains(word));
    let mut found = Vec::new();
    // …'cloudinit.sources.DataSourceOpenStack.DataSourceOpenStackLocal'>
    if let Some(line) = last("get any data from <class") {
        let name = line.split("DataSource").last().unwrap_or_default();
        let name: String = name
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        found.push(format!("data source being tried: {name}"));
    }
    if let Some(line) = last("Calling '") {
        let from = line.find("Calling '").and_then(|at| line.get(at..));
        found.push(clean(from.unwrap_or_default()));
    }
    found
}

fn last_lines(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LINES);
    lines.iter().skip(from).map(|line| clean(line)).collect()
}

/// A line as it may be printed: of bounded length, without credentials in addresses, not at all if it may hold a secret.
pub(super) fn clean(line: &str) -> String {
    let lower = line.to_lowercase();
    if SECRET.iter().any(|word| lower.contains(word)) {
        return "(a line that may hold a secret)".to_owned();
    }
    let words = line
        .split_whitespace()
        .map(|word| match word.split_once("://") {
            Some((scheme, rest)) => {
                let end = rest.find(['/', '\'', '"']).unwrap_or(rest.len());
                let (host, path) = rest.split_at(end);
                let host = host.rsplit('@').next().unwrap_or(host);
                let path = path.split('?').next().unwrap_or(path);
                format!("{scheme}://{host}{path}")
            }
            None => word.to_owned(),
        });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_may_be_secret_is_printed() {
        let long = "x".repeat(500);
        let cut = format!("{}…", &long[..WIDTH]);
        let table = [
            (
                "Calling 'http://169.254.169.254/openstack' failed [3/120s]",
                "Calling 'http://169.254.169.254/openstack' failed [3/120s]",
            ),
            (
                "get https://user:pw@host.example/a?b=c",
                "get https://host.example/a",
            ),
            ("chpasswd: root:hunter2", "(a line that may hold a secret)"),
            ("X-Auth-Token abc", "(a line that may hold a secret)"),
            (
                "ssh_authorized_keys: ssh-ed25519 AAAA",
                "(a line that may hold a secret)",
            ),
            (&long, &cut),
            (&long[..WIDTH], &long[..WIDTH]),
        ];
        for (line, want) in table {
            assert_eq!(clean(line), want);
        }
    }

    #[test]
    fn the_log_tells_the_source_and_its_last_answer() {
        let log = "a\nSeeing if we can get any data from <class 'cloudinit.sources.DataSourceNoCloud.DataSourceNoCloud'>\n\
                   Seeing if we can get any data from <class 'cloudinit.sources.DataSourceOpenStack.DataSourceOpenStackLocal'>\n\
                   url_helper.py[WARNING]: Calling 'http://169.254.169.254/openstack' failed [0/-1s]: request error\n";
        assert_eq!(
            source(log),
            [
                "data source being tried: OpenStackLocal",
                "Calling 'http://169.254.169.254/openstack' failed [0/-1s]: request error"
            ]
        );
        assert!(source("").is_empty());
        let many: String = (0..9).map(|n| format!("line {n}\n\n")).collect();
        assert_eq!(last_lines(&many).first().unwrap(), "line 4");
        assert_eq!(last_lines(&many).len(), LINES);
    }
}
