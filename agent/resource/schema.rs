//! The shape of a policy table as data: fields, types, checks and their meaning.
//! It is separate because one table serves parsing with exact positions, the JSON Schema and the documentation.

mod check;

/// What a string must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Anything.
    Any,
    /// Anything but the empty string.
    NotEmpty,
    /// An absolute path without `.` or `..` parts.
    AbsPath,
    /// The same, or the empty text where a variable switches something off.
    AbsPathOrEmpty,
    /// An absolute path that may hold `*`, `?` and `[…]` in its parts, or start with `~/` for every home.
    Glob,
    /// A file mode: three or four octal digits, as a string.
    Mode,
    /// A systemd unit name with its suffix.
    UnitName,
    /// A sysctl key with dots.
    SysctlKey,
    /// A keyword of a configuration file: letters and digits.
    Keyword,
    /// An argument of the kernel's command line.
    Karg,
    /// A kernel module name.
    ModuleName,
    /// A package name.
    PackageName,
    /// A package version.
    Version,
    /// A user or group name, or a number.
    Owner,
    /// `sha256:` and 64 hexadecimal digits.
    Digest,
    /// A lower-case word of letters, digits and dashes.
    Word,
    /// A date, YYYY-MM-DD.
    Date,
    /// A container image reference.
    ImageRef,
    /// Where a package repository is: a URL without credentials.
    Uri,
    /// A suite or component of an apt repository.
    Suite,
    /// The fingerprint of an OpenPGP key.
    Fingerprint,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub enum Type {
    /// A string.
    Str(Check),
    /// true or false.
    Bool,
    /// A whole number in this range.
    Int(i64, i64),
    /// One of these words.
    Enum(&'static [&'static str]),
    /// A list.
    List(&'static Type),
    /// A table with free keys (checked) and values of one type.
    Map(Check, &'static Type),
    /// A table of known fields.
    Table(&'static [Field]),
    /// Either of two types.
    Either(&'static Type, &'static Type),
}

/// One field of a table.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// Whether it must be there.
    pub required: bool,
    /// One sentence: what it means and, where there is one, its default.
    pub doc: &'static str,
}

impl Field {
    /// A field that must be there.
    pub const fn required(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Self {
            name,
            ty,
            required: true,
            doc,
        }
    }

    /// A field that may be left out.
    pub const fn optional(name: &'static str, ty: Type, doc: &'static str) -> Self {
        Self {
            name,
            ty,
            required: false,
            doc,
        }
    }
}

/// Fields that every entry of every kind has.
pub const COMMON: &[Field] = &[
    Field::required(
        "reason",
        Type::Str(Check::NotEmpty),
        "Why it is wanted: a sentence, a CIS or STIG id, a URL. Shown by plan and verify.",
    ),
    Field::optional(
        "place",
        Type::List(&Type::Enum(&["build", "image", "node"])),
        "Places where it is expected. Default: what the kind says.",
    ),
    Field::optional(
        "enforce",
        Type::Bool,
        "false: verify reports it, bake never changes it. Default: true.",
    ),
    Field::optional(
        "after",
        Type::List(&Type::Str(Check::NotEmpty)),
        "Ids of entries that bring what this one needs; plan shows them while they are missing.",
    ),
    Field::optional(
        "override",
        Type::Bool,
        "true in a site fragment: replaces the entry with the same id.",
    ),
];
