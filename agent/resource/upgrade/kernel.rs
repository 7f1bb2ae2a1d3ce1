//! The newest installed kernel and the running one.
//! It is separate because an upgrade that brought a kernel is not in effect before the machine boots it.

use std::cmp::Ordering;

use serde::Serialize;

use crate::error::Result;
use crate::host::{Host, Where};
use crate::resource::Diff;

/// Where packages put what belongs to a kernel.
const MODULES: &str = "/usr/lib/modules";

/// Kernels of a machine that runs its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kernels {
    /// The running one.
    pub running: String,
    /// The newest installed one of the same flavour.
    pub newest: String,
}

impl Kernels {
    /// A newer one waits for a boot.
    pub(super) fn judge<A>(&self, diff: &mut Diff<A>) {
        if self.running != self.newest {
            let why = format!("{} is installed, {} runs", self.newest, self.running);
            diff.reboot("kernel", why);
        }
    }
}

/// The kernels; none where the running one is not this tree's, or has no modules here.
pub(super) fn look(host: &Host) -> Result<Option<Kernels>> {
    if host.context.place != Where::Booted || host.closing {
        return Ok(None);
    }
    let running = host.kernel.release()?;
    let mut installed = Vec::new();
    for name in host.root.list(MODULES)? {
        let images = [
            format!("/boot/vmlinuz-{name}"),
            format!("{MODULES}/{name}/vmlinuz"),
        ];
        for image in images {
            if host.root.present(&image)? {
                installed.push(name.clone());
                break;
            }
        }
    }
    let compare = |a: &String, b: &String| host.packages.compare(a, b);
    Ok(newest(&running, &installed, compare).map(|newest| Kernels { running, newest }))
}

fn newest(
    running: &str,
    installed: &[String],
    compare: impl Fn(&String, &String) -> Ordering,
) -> Option<String> {
    if !installed.iter().any(|name| name == running) {
        return None;
    }
    let same = |name: &&String| flavour(name) == flavour(running);
    installed
        .iter()
        .filter(same)
        .max_by(|a, b| compare(a, b))
        .cloned()
}

/// What tells kernels apart that are installed side by side: `generic`, `cloud-amd64`, `rt`; nothing on the EL family.
fn flavour(release: &str) -> String {
    let word = |part: &&str| !part.starts_with(|c: char| c.is_ascii_digit());
    let words: Vec<&str> = release.split('-').skip(1).filter(word).collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_the_running_flavour_is_found() {
        let table: [(&str, &[&str], Option<&str>); 6] = [
            (
                "5.15.0-9-generic",
                &["5.15.0-9-generic"],
                Some("5.15.0-9-generic"),
            ),
            (
                "5.15.0-9-generic",
                &["5.15.0-9-generic", "5.15.1-1-generic"],
                Some("5.15.1-1-generic"),
            ),
            (
                "6.1.0-8-cloud-amd64",
                &["6.1.0-9-amd64", "6.1.0-8-cloud-amd64"],
                Some("6.1.0-8-cloud-amd64"),
            ),
            (
                "5.14.0-362.el9.x86_64",
                &["5.14.0-362.el9.x86_64", "5.14.0-427.el9.x86_64"],
                Some("5.14.0-427.el9.x86_64"),
            ),
            // A newer one runs than is installed last, and one runs that is not from here.
            ("2-1", &["2-1", "1-1"], Some("2-1")),
            ("9-host", &["1-1"], None),
        ];
        for (running, installed, want) in table {
            let installed: Vec<String> = installed.iter().map(|s| (*s).to_owned()).collect();
            let found = newest(running, &installed, Ord::cmp);
            assert_eq!(found.as_deref(), want, "{running}");
        }
    }
}
