//! Directories on file systems that are mounted noexec: by fstab, by a mount unit, or now.
//! It is separate because the mount that covers a path is the deepest one above it, wherever it is written.

use super::{Obstacle, Seen};
use crate::error::Result;
use crate::host::{Host, Root};

/// A mount: where, whether noexec, and who says so.
struct Mount {
    at: String,
    noexec: bool,
    file: String,
}

/// Which of these directories lie on a noexec mount.
pub(super) fn noexec(host: &Host, dirs: &[String]) -> Result<Seen> {
    let mut seen = Seen::new();
    let planned = planned(&host.root)?;
    let now = match host.context.kernel_is_foreign(false) {
        Some(why) => {
            seen.not_running = Some(why.to_owned());
            Vec::new()
        }
        None => table(&host.root, "/proc/self/mounts")?,
    };
    for dir in dirs {
        for (mounts, runtime) in [(&planned, false), (&now, true)] {
            seen.obstacles
                .extend(covering(mounts, dir).map(|mount| Obstacle {
                    of: dir.clone(),
                    have: format!("{} is noexec in {}", mount.at, mount.file),
                    runtime,
                }));
        }
    }
    Ok(seen)
}

/// The deepest mount above a path, if it is noexec; of several at one place the last.
fn covering<'m>(mounts: &'m [Mount], path: &str) -> Option<&'m Mount> {
    let above = |mount: &&Mount| {
        let at = mount.at.trim_end_matches('/');
        path.strip_prefix(at)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let deepest = mounts
        .iter()
        .filter(above)
        .max_by_key(|mount| mount.at.trim_end_matches('/').len());
    deepest.filter(|mount| mount.noexec)
}

/// What the next boot mounts.
fn planned(root: &Root) -> Result<Vec<Mount>> {
    let mut mounts = table(root, "/etc/fstab")?;
    for name in root.list("/etc/systemd/system")? {
        if name.as_bytes().ends_with(b".mount") {
            mounts.extend(unit(root, &format!("/etc/systemd/system/{name}"))?);
        }
    }
    Ok(mounts)
}

/// Mounts of fstab, or of the kernel's table, which looks the same.
fn table(root: &Root, path: &str) -> Result<Vec<Mount>> {
    let bytes = root.read(path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mounts = text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let at = fields
            .get(1)
            .filter(|_| !line.trim_start().starts_with('#'))?;
        Some(Mount {
            at: (*at).to_owned(),
            noexec: is_noexec(fields.get(3)?),
            file: path.to_owned(),
        })
    });
    Ok(mounts.collect())
}

/// A mount unit.
fn unit(root: &Root, path: &str) -> Result<Option<Mount>> {
    if root
        .meta_followed(path)?
        .is_none_or(|meta| meta.kind != crate::host::FileKind::File)
    {
        return Ok(None);
    }
    let bytes = root.read(path)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let value = |key: &str| {
        let lines = text.lines().rev().map(str::trim);
        let mut values =
            lines.filter_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
        values.next().map(|value| value.trim().to_owned())
    };
    Ok(value("Where").map(|at| Mount {
        at,
        noexec: is_noexec(&value("Options").unwrap_or_default()),
        file: path.to_owned(),
    }))
}

/// The last of exec and noexec counts; `user` and its like imply noexec (mount(8)).
fn is_noexec(options: &str) -> bool {
    let words = options.split(',').map(str::trim);
    let mut last = words.rev().filter_map(|word| match word {
        "noexec" | "user" | "users" => Some(true),
        "exec" | "defaults" => Some(false),
        _ => None,
    });
    last.next().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_above_a_path_decides() {
        let mount = |at: &str, noexec| Mount {
            at: at.into(),
            noexec,
            file: "f".into(),
        };
        let mounts = [
            mount("/", false),
            mount("/var", true),
            mount("/var/lib", false),
            mount("/opt", true),
        ];
        for (path, want) in [
            ("/var/lib/rancher", None),
            ("/var/log", Some("/var")),
            ("/variable", None),
            ("/opt", Some("/opt")),
            ("/usr/bin", None),
        ] {
            assert_eq!(
                covering(&mounts, path).map(|m| m.at.as_str()),
                want,
                "{path}"
            );
        }
    }

    #[test]
    fn the_last_word_about_it_counts() {
        for (options, want) in [
            ("nodev,noexec,nosuid", true),
            ("defaults,noexec", true),
            ("noexec,exec", false),
            ("users", true),
            ("users,exec", false),
            ("", false),
        ] {
            assert_eq!(is_noexec(options), want, "{options}");
        }
    }
}
