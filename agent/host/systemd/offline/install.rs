//! The [Install] section of unit files and drop-ins, and its %-specifiers.
//! It is separate because it is pure; nothing else of a unit file matters for what is started at boot.

use crate::error::{Error, Result};
use crate::host::systemd::name::{Form, Name};

/// The section's settings, merged from a unit file and its drop-ins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Install {
    pub(super) alias: Vec<String>,
    pub(super) wanted_by: Vec<String>,
    pub(super) required_by: Vec<String>,
    pub(super) upheld_by: Vec<String>,
    pub(super) also: Vec<String>,
    pub(super) default_instance: Option<String>,
}

impl Install {
    /// Whether enabling would make any symlink for the unit itself.
    pub(super) fn has_rules(&self) -> bool {
        [
            &self.alias,
            &self.wanted_by,
            &self.required_by,
            &self.upheld_by,
        ]
        .iter()
        .any(|list| !list.is_empty())
    }

    /// Adds what a file says; lines of other sections and unknown settings are left out.
    pub(super) fn merge(&mut self, text: &str) {
        let mut inside = false;
        for line in logical_lines(text) {
            if line.starts_with('[') {
                inside = line == "[Install]";
            } else if inside && let Some((key, value)) = line.split_once('=') {
                self.set(key.trim(), value.trim());
            }
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        let list = match key {
            "Alias" => &mut self.alias,
            "WantedBy" => &mut self.wanted_by,
            "RequiredBy" => &mut self.required_by,
            "UpheldBy" => &mut self.upheld_by,
            "Also" => &mut self.also,
            "DefaultInstance" => {
                self.default_instance = (!value.is_empty()).then(|| value.to_owned());
                return;
            }
            _ => return,
        };
        // An empty assignment forgets what came before (systemd.unit(5)); Also= only ever grows.
        if value.is_empty() && key != "Also" {
            list.clear();
        }
        let words = value.split_ascii_whitespace();
        list.extend(words.map(|word| word.trim_matches(['"', '\'']).to_owned()));
    }
}

/// Lines without comments; one that ends with a backslash goes on in the next.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for raw in text.lines() {
        let line = raw.trim();
        if line.starts_with(['#', ';']) || (line.is_empty() && open.is_empty()) {
            continue;
        }
        match line.strip_suffix('\\') {
            Some(start) => {
                open.push_str(start);
                open.push(' ');
            }
            None => lines.push(std::mem::take(&mut open) + line),
        }
    }
    if !open.is_empty() {
        lines.push(open);
    }
    lines
}

/// Fills in the specifiers that follow from the unit's name. Others depend on the running system, which an
/// unbooted tree has not, so they are an error.
pub(super) fn expand(text: &str, unit: &str, default_instance: Option<&str>) -> Result<String> {
    let Some(name) = Name::of(unit) else {
        return Err(Error::host(format!(
            "use the unit name {unit}: it is not valid"
        )));
    };
    let instance = match (name.form(), default_instance) {
        (Form::Template, Some(default)) => default,
        _ => name.instance.unwrap_or_default(),
    };
    let full = name.with_instance(instance);
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('i') => out.push_str(instance),
            Some('n') => out.push_str(&full),
            Some('N') => out.push_str(
                full.rsplit_once('.')
                    .map_or(full.as_str(), |(stem, _)| stem),
            ),
            Some('p') => out.push_str(name.prefix),
            Some('j') => out.push_str(name.prefix.rsplit('-').next().unwrap_or_default()),
            Some('%') => out.push('%'),
            other => {
                let what = other.map_or_else(|| "%".to_owned(), |c| format!("%{c}"));
                return Err(Error::host(format!(
                    "resolve {what} in \"{text}\" of {unit}: only a running system knows it"
                )));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_install_section_counts() {
        let mut install = Install::default();
        install.merge(
            "[Unit]\nWantedBy=no.target\n[Install]\n# c\nWantedBy=a.target \\\n ; comment\n b.target\nAlias=x.service\n\
             WantedBy=\nWantedBy=\"c.target\"\nAlso=s.socket\nDefaultInstance=tty1\nOther=1\n[Service]\nAlias=y.service\n",
        );
        assert_eq!(install.wanted_by, ["c.target"]);
        assert_eq!(
            (install.alias.as_slice(), install.also.as_slice()),
            (&["x.service".to_owned()][..], &["s.socket".to_owned()][..])
        );
        assert_eq!(install.default_instance.as_deref(), Some("tty1"));
        install.merge("[Install]\nWantedBy=d.target\nAlso=\n");
        assert_eq!(install.wanted_by, ["c.target", "d.target"]);
        assert_eq!(install.also.len(), 1);
    }

    #[test]
    fn specifiers_follow_from_the_name() {
        let table = [
            ("%n", "a-b@x.service", None, "a-b@x.service"),
            ("%N %p %i %j %%", "a-b@x.service", None, "a-b@x a-b x b %"),
            ("%i", "a@.service", Some("d"), "d"),
            ("%n", "a@.service", Some("d"), "a@d.service"),
            ("%n", "a@.service", None, "a@.service"),
        ];
        for (text, unit, default, want) in table {
            assert_eq!(expand(text, unit, default).unwrap(), want);
        }
        assert!(expand("%H", "a.service", None).is_err());
        assert!(expand("%", "a.service", None).is_err());
    }
}
