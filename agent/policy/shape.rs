//! The fields of everything in a policy file that is not an entry: variables, exceptions, inventory, profiles.
//! It is separate because reading, the JSON Schema and the documentation share it, as they share the kinds' fields.

use super::variables::VarType;
use crate::resource::schema::{Check, Field, Type};

/// The version of the format that this tool reads.
pub(crate) const SCHEMA: i64 = 1;

/// The value of a variable, before its type is known.
const ANY_VALUE: Type = Type::Either(
    &Type::Str(Check::Any),
    &Type::Either(
        &Type::Bool,
        &Type::Either(
            &Type::Int(i64::MIN, i64::MAX),
            &Type::List(&Type::Str(Check::Any)),
        ),
    ),
);

/// `[variables.NAME]`.
pub(crate) const VARIABLE: &[Field] = &[
    Field::required("type", Type::Enum(VarType::WORDS), "What it holds."),
    Field::required(
        "description",
        Type::Str(Check::NotEmpty),
        "What it is for, in one sentence.",
    ),
    Field::optional(
        "default",
        ANY_VALUE,
        "Its value unless profile or --set give one. Without a default it must be set.",
    ),
];

/// `[[exception]]`.
pub(crate) const EXCEPTION: &[Field] = &[
    Field::required(
        "id",
        Type::Str(Check::NotEmpty),
        "Id of the entry whose finding is accepted, or `inventory:…` for one of the inventory.",
    ),
    Field::required("reason", Type::Str(Check::NotEmpty), "Why it is accepted."),
    Field::required("owner", Type::Str(Check::NotEmpty), "Who accepts it."),
    Field::required(
        "expires",
        Type::Str(Check::Date),
        "Last day on which it holds, YYYY-MM-DD.",
    ),
];

/// `[inventory]`.
pub(crate) const INVENTORY: &[Field] = &[
    Field::optional(
        "may-add-accounts",
        Type::List(&Type::Str(Check::Owner)),
        "Accounts that may appear on a node beside those of the image.",
    ),
    Field::optional(
        "may-enable-units",
        Type::List(&Type::Str(Check::UnitName)),
        "Units that may become enabled on a node.",
    ),
    Field::optional(
        "exclusive-units",
        Type::List(&Type::Str(Check::UnitName)),
        "Units of which at most one may be enabled, such as the two roles of RKE2.",
    ),
];

/// `[requires]` of a profile.
pub(crate) const REQUIRES: &[Field] = &[
    Field::required(
        "family",
        Type::Str(Check::Word),
        "ID in os-release, or one word of ID_LIKE: debian, rhel, ….",
    ),
    Field::required(
        "version",
        Type::Str(Check::Version),
        "VERSION_ID in os-release; \"9\" accepts \"9.4\" too.",
    ),
    Field::required(
        "arch",
        Type::List(&Type::Enum(&["x86_64", "aarch64"])),
        "Accepted machine types, as `uname -m` prints them.",
    ),
];

/// `images.lock`.
pub(crate) const LOCK_FILE: &[Field] = &[
    Field::required(
        "schema",
        Type::Int(SCHEMA, SCHEMA),
        "Version of the format: 1.",
    ),
    Field::required(
        "images",
        Type::Map(Check::ImageRef, &Type::Str(Check::Any)),
        "Digests by image, NAME:TAG = \"sha256:…\".",
    ),
];

/// A profile file.
pub(crate) const PROFILE: &[Field] = &[
    Field::required(
        "schema",
        Type::Int(SCHEMA, SCHEMA),
        "Version of the format: 1.",
    ),
    Field::required(
        "description",
        Type::Str(Check::NotEmpty),
        "What the profile makes, in one sentence.",
    ),
    Field::required(
        "proven",
        Type::Bool,
        "true: it was booted on its own OS. false is shown in every output.",
    ),
    Field::required(
        "fragments",
        Type::List(&Type::Str(Check::NotEmpty)),
        "File names of the fragments that make it up; they are read in the order of their names.",
    ),
    Field::required(
        "requires",
        Type::Table(REQUIRES),
        "What the machine must be.",
    ),
    Field::optional(
        "set",
        Type::Map(Check::Any, &ANY_VALUE),
        "Values of variables: NAME = value.",
    ),
];
