//! The fields of an identity entry in a policy, and which belong together.
//! It is separate because it is data: the loader, the schema and the documentation read it.

use super::Identity;
use crate::resource::Fault;
use crate::resource::fault::empty;
use crate::resource::schema::{Check, Field, Type};

pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "what",
        Type::Enum(&[
            "machine-id",
            "dbus-id",
            "ssh-host-keys",
            "hostname",
            "cloud-instance",
            "iscsi-name",
            "nvme-host",
            "file-system",
            "nm-secret-key",
            "cattle-id",
            "boot-entries",
            "command-line",
            "never-joined",
            "authorized-keys",
            "build-account",
            "initramfs",
        ]),
        "Which identifier; docs/identity.md says what is checked of each. initramfs is for place image.",
    ),
    Field::optional(
        "paths",
        Type::List(&Type::Str(Check::Glob)),
        "never-joined: what a cluster leaves; initramfs: the images.",
    ),
    Field::optional(
        "account",
        Type::Str(Check::Any),
        "build-account: its login name; empty where there is none.",
    ),
    Field::optional(
        "strict",
        Type::Bool,
        "authorized-keys: true: a key that opened the build machine fails the proof. Default: false, it is noted.",
    ),
];

/// Fields that mean nothing for this identifier, or that it lacks.
pub(super) fn faults(identity: &Identity) -> Vec<Fault> {
    let mut faults = Vec::new();
    let what = identity.what.as_str();
    let listed = matches!(what, "never-joined" | "initramfs");
    let mut excess = |field: &'static str, given: bool, fits: bool| {
        if given && !fits {
            let message = format!("`{field}` means nothing for {what}");
            faults.push(Fault::new(field, message, "remove it"));
        }
    };
    excess("paths", !identity.paths.is_empty(), listed);
    excess(
        "account",
        identity.account.is_some(),
        what == "build-account",
    );
    excess("strict", identity.strict, what == "authorized-keys");
    if listed && identity.paths.is_empty() {
        faults.push(empty("paths"));
    }
    if what == "build-account" && identity.account.is_none() {
        let help = "write account = \"${build_account}\"";
        faults.push(Fault::new("account", "`account` is missing", help));
    }
    faults
}
