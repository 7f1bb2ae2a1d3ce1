//! Archives of images as a source to fill a store from: what `docker save` writes, and OCI image layouts in a tar.
//! They are separate because an archive is read once from start to end, while a store is filled from any place at once.
//!
//! Sources: containerd core/images/archive/importer.go (which files count, and the manifest that is made for an archive
//! without one), OCI image specification image-layout.md, docker's image/spec v1.2.

mod ahead;
mod docker;
mod held;
mod layout;
mod list;
pub mod remembered;
mod scan;

use std::collections::BTreeMap;
use std::io::{self, Read};

use held::{Held, Store};
pub use list::Listed;
use list::Named;

use crate::error::Error;
use crate::host::Root;
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Descriptor, Digest, Fetched, LARGEST, Name, Platform, Session, Source};

/// The annotation by which containerd and docker name an image of a layout.
const WHOLE_NAME: &str = "io.containerd.image.name";

/// The annotation by which other tools do, with a whole name or with a tag alone.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// An archive that was gone through once. Its blobs are read from the archive itself where it is not packed, else from a
/// nameless copy on the store's file system.
#[derive(Debug)]
pub struct Tarball {
    /// Its name in messages.
    name: String,
    store: Store,
    /// Blobs by digest.
    blobs: BTreeMap<Digest, Held>,
    /// Manifests and indexes that it holds or that were made for it, by digest.
    documents: BTreeMap<Digest, Fetched>,
    /// Bytes of them.
    held: usize,
    /// Its images.
    named: Vec<Named>,
}

/// Most bytes of manifests and indexes; those of a release have some hundred kB.
const DOCUMENTS: usize = 64 << 20;

/// Where an archive lies, and where a packed one may be unpacked to.
#[derive(Debug, Clone, Copy)]
pub struct Archive<'r> {
    /// The tree that it lies in.
    pub root: &'r Root,
    /// Its path there.
    pub path: &'r str,
    /// The tree of the directory for the copy.
    pub scratch: &'r Root,
    /// The directory: on the file system of the store.
    pub scratch_dir: &'r str,
}

impl Tarball {
    /// Goes through an archive. What is wrong with it as a whole is an error; nothing was written under a name then.
    pub fn open(archive: &Archive<'_>) -> Result<Self, Failure> {
        let (store, files) = scan::scan(archive)?;
        let mut tarball = Self {
            name: archive.path.to_owned(),
            store,
            blobs: BTreeMap::new(),
            documents: BTreeMap::new(),
            held: 0,
            named: Vec::new(),
        };
        tarball.named = match (&files.layout, &files.manifest) {
            (Some(version), _) => layout::read(&mut tarball, version, &files)?,
            (None, Some(manifest)) => docker::read(&mut tarball, manifest, &files)?,
            (None, None) => {
                return Err(tarball.bad(
                    "it holds neither manifest.json nor oci-layout: it is no archive of images",
                ));
            }
        };
        Ok(tarball)
    }

    /// All its images, and which of them are for a platform. One for it that is not whole is an error.
    pub fn list(&self, platform: &Platform) -> Result<Vec<Listed>, Failure> {
        list::list(self, platform)
    }

    /// The images for a platform as a fill wants them, each under all its names; `only` leaves out others and may name
    /// one that has no name in the archive by its digest. Nothing for the platform at all is an error.
    pub fn wanted(
        &self,
        platform: &Platform,
        only: &[Name],
    ) -> Result<Vec<crate::store::Wanted>, Failure> {
        list::wanted(self, platform, only)
    }

    /// Takes in a manifest or index whose digest was checked.
    fn put(&mut self, media_type: &str, digest: &Digest, bytes: Vec<u8>) -> Result<(), Failure> {
        self.held = self.held.saturating_add(bytes.len());
        if self.held > DOCUMENTS {
            return Err(self.bad("its manifests are larger than all of a release's together"));
        }
        let fetched = Fetched {
            bytes,
            media_type: media_type.to_owned(),
            digest: digest.clone(),
        };
        self.documents.insert(digest.clone(), fetched);
        Ok(())
    }

    /// A manifest or index of it.
    fn document(&self, digest: &Digest) -> Option<&Fetched> {
        self.documents.get(digest)
    }

    /// The bytes of a small blob, their digest checked.
    fn small(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Failure> {
        let Some(held) = self.blobs.get(digest) else {
            return Ok(None);
        };
        let bytes = self.all_of(*held)?;
        if Digest::of(&bytes) != *digest {
            return Err(self.other_digest(digest));
        }
        Ok(Some(bytes))
    }

    /// The bytes of a small file.
    fn all_of(&self, held: Held) -> Result<Vec<u8>, Failure> {
        if held.size > LARGEST {
            return Err(self.bad(format!("a document in it has {} bytes", held.size)));
        }
        let mut bytes = Vec::new();
        let mut reader = self.store.reader(held);
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| of_io(&self.name, error))?;
        Ok(bytes)
    }

    /// A name as it stands in the archive, made whole.
    fn name_of(&self, text: &str) -> Result<Name, Failure> {
        Name::parse(text).map_err(|error| {
            let what = format!("read the archive {}: a name in it", self.name);
            Failure::new(Class::Image, Error::host(what).because(error))
        })
    }

    fn other_size(&self, blob: &Descriptor, have: u64) -> Failure {
        let what = format!(
            "read the archive {}: the blob {} has {have} bytes, its image says {}",
            self.name, blob.digest, blob.size
        );
        Failure::new(Class::Digest, Error::host(what).hint(AGAIN))
    }

    fn other_digest(&self, digest: &Digest) -> Failure {
        let what = format!(
            "read the archive {}: the bytes of {digest} have another digest",
            self.name
        );
        Failure::new(Class::Digest, Error::host(what).hint(AGAIN))
    }

    /// The failure of an archive that is not as it must be.
    fn bad(&self, what: impl std::fmt::Display) -> Failure {
        bad(&self.name, what)
    }
}

/// What helps against a broken archive.
const AGAIN: &str = "copy or make the archive again and compare its checksum";

/// The failure of an archive that is not as it must be.
fn bad(name: &str, what: impl std::fmt::Display) -> Failure {
    let error = Error::host(format!("read the archive {name}: {what}"));
    Failure::new(Class::Image, error.hint(AGAIN))
}

/// An error in reading an archive: the file system's own, or one of what stands in it.
fn of_io(name: &str, error: io::Error) -> Failure {
    let doing = format!("read the archive {name}");
    if error.raw_os_error().is_some() {
        return Failure::of_io(error, doing);
    }
    Failure::new(Class::Image, Error::host(doing).because(error).hint(AGAIN))
}

impl Source for Tarball {
    fn session(&self) -> Result<Box<dyn Session + '_>, Failure> {
        Ok(Box::new(Reader(self)))
    }
}

/// One thread's way to an archive.
struct Reader<'t>(&'t Tarball);

impl Session for Reader<'_> {
    fn document(&mut self, name: &Name, version: &str) -> Result<Fetched, Failure> {
        let tarball = self.0;
        let digest = match Digest::parse(version) {
            Ok(digest) => Some(digest),
            Err(_) => tarball.digest_of(name),
        };
        let found = digest.and_then(|digest| tarball.document(&digest).cloned());
        found.ok_or_else(|| missing(tarball, &format!("the image {name}")))
    }

    fn blob(&mut self, _: &Name, blob: &Descriptor) -> Result<Box<dyn Read + '_>, Failure> {
        let tarball = self.0;
        if let Some(document) = tarball.document(&blob.digest) {
            return Ok(Box::new(document.bytes.as_slice()));
        }
        let Some(held) = tarball.blobs.get(&blob.digest) else {
            return Err(missing(tarball, &format!("the blob {}", blob.digest)));
        };
        if held.size != blob.size {
            return Err(tarball.other_size(blob, held.size));
        }
        Ok(Box::new(tarball.store.reader(*held)))
    }
}

fn missing(tarball: &Tarball, what: &str) -> Failure {
    let error = Error::host(format!("read {}: it does not hold {what}", tarball.name));
    Failure::new(Class::NotFound, error.hint(AGAIN))
}
