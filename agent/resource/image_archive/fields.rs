//! The policy fields of kind `image-archive`, and what is wrong with them together.
//! They are separate because they are a table to be read by itself.

use super::ImageArchive;
use crate::resource::Fault;
use crate::resource::image_store::{self, CONTAINERD, STORE};
use crate::resource::schema::{Check, Field, Type};

/// The fields.
pub(super) const FIELDS: &[Field] = &[
    Field::required(
        "path",
        Type::Str(Check::AbsPath),
        "The archive: as `docker save`, `crane pull` or an RKE2 release has it, or an OCI layout; plain, gzip or zstd. It may be gone after the build.",
    ),
    Field::optional(
        "sha256",
        Type::Str(Check::Any),
        "SHA-256 that the archive must have. Default: none; the digests of its images are checked all the same.",
    ),
    Field::optional(
        "images",
        Type::List(&Type::Str(Check::ImageRef)),
        "Only these images of it. Default: all that are for the platform.",
    ),
    Field::optional(
        "platform",
        Type::Str(Check::NotEmpty),
        "Operating system and architecture, such as linux/arm64. Default: this program's.",
    ),
    STORE,
    CONTAINERD,
    Field::optional(
        "cache",
        Type::Bool,
        "true: RKE2 finds noted beside the archive (.cache.json) that it has imported it, and does not do it again. Default: false.",
    ),
];

/// What is wrong with an entry as a whole.
pub(super) fn faults(archive: &ImageArchive) -> Vec<Fault> {
    let platform = archive.platform.as_deref();
    let mut faults = Vec::from_iter(image_store::no_platform(platform));
    let digit = |c: u8| c.is_ascii_hexdigit();
    let pin = archive.pin();
    if pin.is_some_and(|pin| pin.len() != 64 || !pin.bytes().all(digit)) {
        let message = "this is no SHA-256 digest";
        let help = "right is what `sha256sum` prints of the archive: 64 hexadecimal digits";
        faults.push(Fault::new("sha256", message, help));
    }
    faults
}
