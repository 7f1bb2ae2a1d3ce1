//! The names of what an archive would put in place: none leads outside, none stands twice, none lies in a file.
//! They are separate because they must be known good before the first file is written.

use std::collections::BTreeSet;
use std::io;

use super::bad;

/// Longest path.
const LONGEST: usize = 1024;

/// Names that were seen, as files and as directories.
#[derive(Debug, Clone, Default)]
pub struct Names {
    files: BTreeSet<String>,
    dirs: BTreeSet<String>,
}

impl Names {
    /// Adds a file. A second one of that name, or one where a directory is, is an error.
    pub fn file(&mut self, path: &str) -> io::Result<()> {
        self.lead_to(path)?;
        if self.dirs.contains(path) || !self.files.insert(path.to_owned()) {
            return Err(bad(format!("{path} stands in it twice")));
        }
        Ok(())
    }

    /// Adds a directory; it may stand there often.
    pub fn dir(&mut self, path: &str) -> io::Result<()> {
        self.lead_to(&format!("{path}/x"))
    }

    /// Notes the directories above a path.
    fn lead_to(&mut self, path: &str) -> io::Result<()> {
        for (at, _) in path.match_indices('/') {
            let above = path.get(..at).unwrap_or_default();
            if self.files.contains(above) {
                return Err(bad(format!("{above} is a file and a directory in it")));
            }
            self.dirs.insert(above.to_owned());
        }
        Ok(())
    }
}

/// A path as it counts from where the archive is unpacked; empty for that place itself.
pub(super) fn inside(path: &str) -> io::Result<String> {
    if path.starts_with('/') {
        return Err(bad(format!("{path:?} is an absolute path")));
    }
    if path.len() > LONGEST || path.chars().any(char::is_control) {
        let short: String = path.chars().take(60).collect();
        return Err(bad(format!("{short:?}… is no usable path")));
    }
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    if parts.contains(&"..") {
        return Err(bad(format!("{path:?} leads outside")));
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside() {
        let table = [
            ("./", Some("")),
            ("./bin/rke2", Some("bin/rke2")),
            ("bin//rke2/", Some("bin/rke2")),
            ("/bin/rke2", None),
            ("bin/../../etc/passwd", None),
            ("..", None),
            ("a\nb", None),
            ("a\0b", None),
        ];
        for (path, want) in table {
            assert_eq!(inside(path).ok().as_deref(), want, "{path:?}");
        }
        assert!(inside(&"a".repeat(LONGEST + 1)).is_err());
    }

    #[test]
    fn no_name_stands_twice_or_lies_in_a_file() {
        let mut names = Names::default();
        names.file("bin/a").unwrap();
        names.dir("bin").unwrap();
        names.dir("bin").unwrap();
        assert!(names.file("bin/a").is_err());
        assert!(names.file("bin").is_err());
        assert!(names.file("bin/a/b").is_err());
        assert!(names.dir("bin/a").is_err());
        names.file("bin/b").unwrap();
    }
}
