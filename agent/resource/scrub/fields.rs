//! The fields of a scrub entry in a policy.
//! It is separate because it is data: the loader, the schema and the documentation read it.

use crate::resource::schema::{Check, Field, Type};

pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "name",
        Type::Str(Check::Word),
        "A name for the id, --list and --skip.",
    ),
    Field::required(
        "paths",
        Type::List(&Type::Str(Check::Glob)),
        "Paths or patterns; ~/ stands for every home in /etc/passwd, ** for any depth.",
    ),
    Field::optional(
        "except",
        Type::List(&Type::Str(Check::Glob)),
        "Paths or patterns that stay, with what lies below them.",
    ),
    Field::required(
        "action",
        Type::Enum(&[
            "remove",
            "empty-dir",
            "truncate",
            "write",
            "symlink",
            "drop-lines",
            "boot-entries",
        ]),
        "remove: the path with all it holds. empty-dir: what it holds. truncate: regular files to zero bytes, owner and mode kept. write: content. symlink: to content. drop-lines: those that match content or lines. boot-entries: the machine-id in names of boot loader entries, and in what refers to them, becomes the token in content.",
    ),
    Field::optional(
        "content",
        Type::Str(Check::Any),
        "What write leaves in the file, where symlink leads, the pattern of the lines that drop-lines removes, or the token of boot-entries.",
    ),
    Field::optional(
        "lines",
        Type::List(&Type::Str(Check::NotEmpty)),
        "Patterns of the lines that drop-lines removes, beside content.",
    ),
    Field::optional(
        "create",
        Type::Bool,
        "true: write and symlink also make a path that is missing. Default: false.",
    ),
    Field::optional(
        "mode",
        Type::Str(Check::Mode),
        "Mode that truncate and write leave. Default: as found, else 0644.",
    ),
    Field::optional(
        "tombstone",
        Type::Enum(&[
            "machine-id",
            "ssh-host-key",
            "iscsi-name",
            "nvme-host",
            "nm-secret-key",
            "cattle-id",
            "hostname",
            "cloud-instance",
            "authorized-key",
        ]),
        "The identifier that the paths hold; its keyed digest is recorded before. ssh-host-key adds the keys that sshd_config names to the paths.",
    ),
    Field::optional(
        "stop",
        Type::List(&Type::Str(Check::UnitName)),
        "Writers that are stopped first, where a manager runs.",
    ),
    Field::optional(
        "when",
        Type::Enum(&["generalize", "close"]),
        "close: on a running machine it is left to the closing unit, after sshd and the network. Default: generalize.",
    ),
];
