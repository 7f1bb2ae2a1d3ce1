//! Unit names: plain, template (`getty@.service`) and instance (`getty@tty1.service`), and what they are made of.
//! It is separate because it is pure, and every rule on symlinks is a rule on names.

/// Suffixes of all unit types.
const TYPES: &[&str] = &[
    "service",
    "socket",
    "target",
    "device",
    "mount",
    "automount",
    "swap",
    "timer",
    "path",
    "slice",
    "scope",
];

/// Unit types that may be known under a second name.
const MAY_ALIAS: &[&str] = &["service", "socket", "target", "device", "timer", "path"];

/// What a unit name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Template,
    Instance,
}

/// A valid unit name, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a> {
    /// What stands before the `@` or, without one, before the suffix.
    pub(super) prefix: &'a str,
    /// What stands between the `@` and the suffix.
    pub(super) instance: Option<&'a str>,
    /// The suffix without its dot.
    pub(super) kind: &'a str,
}

impl<'a> Name<'a> {
    /// Takes a name apart; none when it is not a valid one (systemd.unit(5)).
    pub(super) fn of(name: &'a str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":_.\\-@".contains(c);
        let (stem, kind) = name.rsplit_once('.')?;
        if name.len() > 255 || !name.chars().all(allowed) || !TYPES.contains(&kind) {
            return None;
        }
        let (prefix, instance) = match stem.split_once('@') {
            Some((prefix, instance)) => (prefix, Some(instance)),
            None => (stem, None),
        };
        (!prefix.is_empty()).then_some(Self {
            prefix,
            instance,
            kind,
        })
    }

    /// What the name is.
    pub(super) fn form(&self) -> Form {
        match self.instance {
            None => Form::Plain,
            Some("") => Form::Template,
            Some(_) => Form::Instance,
        }
    }

    /// The same name with another instance; unchanged for a plain name.
    pub(super) fn with_instance(&self, instance: &str) -> String {
        match self.instance {
            None => self.text(),
            Some(_) => format!("{}@{instance}.{}", self.prefix, self.kind),
        }
    }

    /// The name of the template that an instance is made of.
    pub(super) fn template(&self) -> Option<String> {
        (self.form() == Form::Instance).then(|| self.with_instance(""))
    }

    /// The whole name.
    pub(super) fn text(&self) -> String {
        match self.instance {
            None => format!("{}.{}", self.prefix, self.kind),
            Some(instance) => format!("{}@{instance}.{}", self.prefix, self.kind),
        }
    }

    /// Whether units of this type may be known under a second name.
    pub(super) fn has_aliases(&self) -> bool {
        MAY_ALIAS.contains(&self.kind)
    }

    /// Whether a symlink `self` may stand for the unit `target`: the same type, one that may have second names, and
    /// the same form; an instance may also stand for a template.
    pub(super) fn may_alias(&self, target: &Name<'_>) -> bool {
        if self.kind != target.kind || !self.has_aliases() {
            return false;
        }
        match (self.form(), target.form()) {
            (Form::Instance, Form::Instance) => self.instance == target.instance,
            (Form::Instance, Form::Template) => true,
            (own, other) => own == other,
        }
    }
}

/// Whether a text is a valid unit name.
pub(super) fn valid(name: &str) -> bool {
    Name::of(name).is_some()
}

/// The last part of a path.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The template of an instance's name; none for other names.
pub(super) fn template_of(name: &str) -> Option<String> {
    Name::of(name)?.template()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart() {
        let table = [
            ("ssh.service", Some(Form::Plain)),
            ("getty@.service", Some(Form::Template)),
            ("getty@tty1.service", Some(Form::Instance)),
            ("a@b@c.service", Some(Form::Instance)),
            ("dev-disk-by\\x2duuid.device", Some(Form::Plain)),
            ("@x.service", None),
            ("x", None),
            ("x.conf", None),
            ("a/b.service", None),
            (".service", None),
            ("a b.service", None),
        ];
        for (name, want) in table {
            assert_eq!(Name::of(name).map(|n| n.form()), want, "{name}");
        }
        assert_eq!(
            template_of("getty@tty1.service").as_deref(),
            Some("getty@.service")
        );
        assert_eq!(template_of("getty@.service"), None);
    }

    #[test]
    fn only_names_of_the_same_form_and_type_may_be_aliases() {
        let table = [
            ("a.service", "b.service", true),
            ("a.socket", "b.service", false),
            ("a.mount", "b.mount", false),
            ("a@.service", "b@.service", true),
            ("a@x.service", "b@x.service", true),
            ("a@x.service", "b@y.service", false),
            ("a@x.service", "b@.service", true),
            ("a@.service", "b.service", false),
            ("a.service", "b@x.service", false),
        ];
        for (alias, target, want) in table {
            let (alias, target) = (Name::of(alias).unwrap(), Name::of(target).unwrap());
            assert_eq!(alias.may_alias(&target), want, "{alias:?} {target:?}");
        }
    }
}
