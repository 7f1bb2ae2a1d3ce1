//! The policy fields of kind `image`, their defaults, and what is wrong with them together.
//! They are separate because they are a table to be read by itself.

use super::Image;
use crate::resource::Fault;
use crate::resource::image_store::{self, CONTAINERD, STORE};
use crate::resource::schema::{Check, Field, Type};

/// A default that is on.
pub(super) fn yes() -> bool {
    true
}

/// The fields.
pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "ref",
        Type::Str(Check::ImageRef),
        "The image to fetch: registry/name:tag@digest.",
    ),
    Field::optional(
        "as",
        Type::Str(Check::ImageRef),
        "The name under which the node asks for it, beside its own. Default: none.",
    ),
    Field::optional(
        "allow_tag",
        Type::Bool,
        "true: a reference without digest is accepted and pinned later. Default: false.",
    ),
    Field::optional(
        "on_failure",
        Type::Enum(&["fail", "record"]),
        "What becomes of a bake that cannot have it; \"record\" goes on, and manifest and verify say so. Default: fail.",
    ),
    STORE,
    CONTAINERD,
    Field::optional(
        "platform",
        Type::Str(Check::NotEmpty),
        "Operating system and architecture, such as linux/arm64; another one is an error. Default: this program's.",
    ),
    Field::optional(
        "registries",
        Type::Str(Check::AbsPathOrEmpty),
        "Mirrors, rewrites, logins and TLS in the format of RKE2's registries.yaml. Default: none.",
    ),
    Field::optional(
        "auth_file",
        Type::Str(Check::AbsPathOrEmpty),
        "Logins in the format of docker's config.json. Default: none.",
    ),
    Field::optional(
        "plain_http",
        Type::Bool,
        "true: the registry has no TLS. Default: false.",
    ),
    Field::optional(
        "insecure_tls",
        Type::Bool,
        "true: the registry's certificate is not checked; a CA (kind trust) is the better way. Default: false.",
    ),
    Field::optional(
        "keep_layers",
        Type::Bool,
        "false: only the unpacked files stay, which saves a fifth and keeps the image from being exported. Default: true.",
    ),
];

/// What is wrong with an entry as a whole.
pub(super) fn faults(image: &Image) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !image.allow_tag && !image.reference.contains("@sha256:") {
        let message = "an image needs a digest: what a tag names can change";
        let help = "write ref = \"…@sha256:…\" (`skopeo inspect` prints it), or allow_tag = true";
        faults.push(Fault::new("ref", message, help));
    }
    faults.extend(image_store::no_platform(image.way.platform.as_deref()));
    if image.way.plain_http && image.way.insecure_tls {
        let message = "plain_http and insecure_tls exclude each other";
        faults.push(Fault::new("insecure_tls", message, "leave one of them out"));
    }
    faults
}
