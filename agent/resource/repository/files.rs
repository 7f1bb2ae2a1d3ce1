//! The files of a package source, as apt and as dnf want them, and what a policy may say of one.
//! It is separate because it is pure text, and each family's own.

use super::Repository;
use crate::host::Manager;
use crate::resource::Fault;
use crate::resource::schema::{Check, Field, Type};

/// Begins every file, so that a person who edits it knows.
const HEAD: &str = "# Written by nodeagent: the next bake undoes what is changed here.\n";

pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "name",
        Type::Str(Check::Word),
        "Name of its files in /etc/apt/sources.list.d or /etc/yum.repos.d.",
    ),
    Field::optional(
        "uris",
        Type::List(&Type::Str(Check::Uri)),
        "apt: where it is.",
    ),
    Field::optional(
        "suites",
        Type::List(&Type::Str(Check::Suite)),
        "apt: suites such as \"stable\", or folders that end in \"/\".",
    ),
    Field::optional(
        "components",
        Type::List(&Type::Str(Check::Suite)),
        "apt: components of the suites, such as \"main\".",
    ),
    Field::optional("baseurl", Type::Str(Check::Uri), "dnf: where it is."),
    Field::optional(
        "signed_metadata",
        Type::Bool,
        "dnf: true: its metadata is signed and checked, too. Default: false.",
    ),
    Field::optional(
        "key",
        Type::Str(Check::NotEmpty),
        "The key, as armoured text.",
    ),
    Field::optional(
        "key_file",
        Type::Str(Check::AbsPath),
        "A file with the key in the tree that is built; needed until the key is in place.",
    ),
    Field::optional(
        "fingerprint",
        Type::Str(Check::Fingerprint),
        "Fingerprint of the primary key; a file with another key, or with more than one, is refused.",
    ),
    Field::optional(
        "unsigned",
        Type::Bool,
        "true: nothing from here is signed; plan and verify --json remark it. Default: false.",
    ),
];

/// What is wrong with a repository as a whole.
pub(super) fn faults(repository: &Repository) -> Vec<Fault> {
    let r = repository;
    let flat = r.suites.iter().filter(|suite| suite.ends_with('/')).count();
    let keys = usize::from(r.key.is_some()) + usize::from(r.key_file.is_some());
    let rules: [(bool, &'static str, &str, &str); 8] = [
        (
            r.uris.is_empty() && r.baseurl.is_none(),
            "name",
            "a repository is somewhere",
            "give `uris` and `suites` for apt, or `baseurl` for dnf",
        ),
        (
            r.uris.is_empty() != r.suites.is_empty(),
            "uris",
            "`uris` and `suites` go together",
            "give both; a flat repository has suites = [\"./\"]",
        ),
        (
            flat > 0 && flat < r.suites.len(),
            "suites",
            "suites and folders do not mix",
            "make two repositories of it",
        ),
        (
            !r.suites.is_empty() && (flat == 0) == r.components.is_empty(),
            "components",
            "suites have `components`, and folders have none",
            "give components = [\"main\"] for a suite, and none for a folder that ends in \"/\"",
        ),
        (
            !r.unsigned && keys != 1,
            "key",
            "exactly one of `key` and `key_file` is needed",
            "give one of them; where nothing is signed say unsigned = true",
        ),
        (
            !r.unsigned && r.fingerprint.is_none(),
            "fingerprint",
            "`fingerprint` is missing: a key that is not pinned is anybody's",
            "take it from where the key's owner states it; gpg --show-keys FILE shows a file's",
        ),
        (
            r.unsigned && (keys > 0 || r.fingerprint.is_some()),
            "unsigned",
            "an unsigned repository has no key",
            "remove `unsigned`, or the key and its fingerprint",
        ),
        (
            r.unsigned && r.signed_metadata,
            "signed_metadata",
            "nothing of an unsigned repository is signed",
            "remove one of the two",
        ),
    ];
    rules
        .into_iter()
        .filter(|(wrong, ..)| *wrong)
        .map(|(_, field, message, help)| Fault::new(field, message, help))
        .collect()
}

impl Repository {
    /// The source file.
    pub(super) fn source_path(&self, manager: Manager) -> String {
        match manager {
            Manager::Apt => format!("/etc/apt/sources.list.d/{}.sources", self.name),
            Manager::Dnf => format!("/etc/yum.repos.d/{}.repo", self.name),
        }
    }

    /// The key file.
    pub(super) fn key_path(&self, manager: Manager) -> String {
        match manager {
            Manager::Apt => format!("/etc/apt/keyrings/{}.asc", self.name),
            Manager::Dnf => format!("/etc/pki/rpm-gpg/RPM-GPG-KEY-{}", self.name),
        }
    }

    /// Content of the source file; none where the policy names no source for this package manager.
    pub(super) fn source_text(&self, manager: Manager) -> Option<String> {
        match manager {
            Manager::Apt if self.uris.is_empty() => None,
            Manager::Apt => Some(self.sources()),
            Manager::Dnf => Some(self.repo(self.baseurl.as_ref()?)),
        }
    }

    /// deb822 (sources.list(5)).
    fn sources(&self) -> String {
        let components = match self.components.as_slice() {
            [] => String::new(),
            list => format!("Components: {}\n", list.join(" ")),
        };
        let trust = if self.unsigned {
            "Trusted: yes".to_owned()
        } else {
            format!("Signed-By: {}", self.key_path(Manager::Apt))
        };
        format!(
            "{HEAD}Types: deb\nURIs: {}\nSuites: {}\n{components}{trust}\n",
            self.uris.join(" "),
            self.suites.join(" ")
        )
    }

    /// A .repo file (dnf.conf(5)).
    fn repo(&self, baseurl: &str) -> String {
        let flag = u8::from;
        let key = if self.unsigned {
            String::new()
        } else {
            format!("gpgkey=file://{}\n", self.key_path(Manager::Dnf))
        };
        format!(
            "{HEAD}[{0}]\nname={0}\nbaseurl={baseurl}\nenabled=1\ngpgcheck={1}\nrepo_gpgcheck={2}\n{key}",
            self.name,
            flag(!self.unsigned),
            flag(self.signed_metadata)
        )
    }
}
