//! The documents of all images: from the store where it has them, else from the source, several at a time.
//! They are separate because nothing of a layer is asked for before every image's documents were checked.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::place::Rooms;
use super::resolved::{self, Documents, Resolved, broken};
use super::{Options, Wanted};
use crate::error::{Error, Result};
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Descriptor, Digest, Document, LARGEST, Name, Session, Source};

/// Sessions that ask for documents at a time.
const SESSIONS: usize = 8;

/// An image's documents, or why they cannot be had.
pub(super) type Outcome = Result<Resolved, Failure>;

/// What the store has and the source gives.
pub(super) struct Library<'l> {
    /// The store's directories.
    pub(super) rooms: &'l Rooms,
    /// Sizes of recorded blobs.
    pub(super) recorded: &'l BTreeMap<Digest, u64>,
    /// Where the rest comes from.
    pub(super) source: &'l dyn Source,
    /// How.
    pub(super) options: &'l Options,
    /// Bytes that came from the source.
    pub(super) fetched: AtomicU64,
    /// Blobs that were asked for.
    pub(super) requests: AtomicU64,
}

/// What was found: an outcome for each image, and the documents that the store lacks.
pub(super) struct Found {
    pub(super) images: Vec<Outcome>,
    pub(super) documents: Documents,
}

impl Library<'_> {
    /// The documents of all images.
    pub(super) fn all(&self, wanted: &[Wanted]) -> Found {
        let next = AtomicUsize::new(0);
        let shelf = Shelf {
            documents: Mutex::new(Documents::new()),
            room: AtomicU64::new(self.options.memory / 4),
        };
        let outcomes: Vec<Mutex<Option<Outcome>>> =
            wanted.iter().map(|_| Mutex::new(None)).collect();
        let work = || {
            let mut desk = Desk {
                library: self,
                session: None,
                shelf: &shelf,
            };
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let (Some(wanted), Some(slot)) = (wanted.get(at), outcomes.get(at)) else {
                    return;
                };
                let outcome = desk.image(wanted);
                *slot
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(outcome);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..SESSIONS.min(wanted.len()) {
                scope.spawn(work);
            }
            work();
        });
        let images = outcomes.into_iter().map(|slot| {
            let outcome = slot.into_inner();
            let outcome = outcome.unwrap_or_else(std::sync::PoisonError::into_inner);
            outcome.unwrap_or_else(|| Err(broken(Error::host("read the image's documents"))))
        });
        Found {
            images: images.collect(),
            documents: (shelf.documents.into_inner())
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }
}

/// Documents that came from the source, and how many bytes more may be kept.
struct Shelf {
    documents: Mutex<Documents>,
    room: AtomicU64,
}

/// One thread's work.
struct Desk<'l> {
    library: &'l Library<'l>,
    session: Option<Box<dyn Session + 'l>>,
    shelf: &'l Shelf,
}

impl<'l> Desk<'l> {
    fn image(&mut self, wanted: &Wanted) -> Outcome {
        let name = &wanted.name;
        let platform = &self.library.options.platform;
        let (bytes, digest, said) = self.target(name)?;
        let (target, document) = resolved::read(&bytes, &digest, &said)?;
        let (descriptor, manifest) = match document {
            Document::Manifest(manifest) => (target.clone(), manifest),
            Document::Index(children) => {
                let child = resolved::choose(&children, platform)?.manifest.clone();
                let bytes = self.manifest(name, &child)?;
                let (read, document) = resolved::read(&bytes, &child.digest, &child.media_type)?;
                match document {
                    Document::Manifest(manifest) => (read, manifest),
                    Document::Index(_) => {
                        let error = Error::host("read the image's index: it holds a further index");
                        return Err(broken(error));
                    }
                }
            }
        };
        let config = self.config(name, resolved::config_of(&manifest)?)?;
        resolved::assemble(wanted, target, (descriptor, manifest), &config, platform)
    }

    /// What the name resolves to: its bytes, their digest and media type.
    fn target(&mut self, name: &Name) -> Result<(Vec<u8>, Digest, String), Failure> {
        if let Some(pin) = name.digest() {
            if let Some(bytes) = self.stored(pin) {
                return Ok((bytes, pin.clone(), String::new()));
            }
        } else if !self.library.options.allow_tag {
            let error = Error::refused(format!("fetch {name}: it is not pinned to a digest"));
            let hint = "write it as name:tag@sha256:…, or allow tags to be taken as they are now";
            return Err(Failure::new(Class::Image, error.hint(hint)));
        }
        let fetched = self.ask(name, name.version())?;
        let want = name.digest().unwrap_or(&fetched.1).clone();
        self.keep(&want, &fetched.0, None, name)?;
        Ok((fetched.0, want, fetched.2))
    }

    /// The manifest that an index names.
    fn manifest(&mut self, name: &Name, child: &Descriptor) -> Result<Vec<u8>, Failure> {
        if let Some(bytes) = self.stored(&child.digest) {
            return Ok(bytes);
        }
        let (bytes, _, _) = self.ask(name, child.digest.as_str())?;
        self.keep(&child.digest, &bytes, Some(child.size), name)?;
        Ok(bytes)
    }

    fn ask(&mut self, name: &Name, version: &str) -> Result<(Vec<u8>, Digest, String), Failure> {
        let fetched = self.session()?.document(name, version)?;
        let count = fetched.bytes.len() as u64;
        self.library.fetched.fetch_add(count, Ordering::Relaxed);
        Ok((fetched.bytes, fetched.digest, fetched.media_type))
    }

    fn config(&mut self, name: &Name, config: &Descriptor) -> Result<Vec<u8>, Failure> {
        if let Some(bytes) = self.stored(&config.digest) {
            return Ok(bytes);
        }
        self.library.requests.fetch_add(1, Ordering::Relaxed);
        let mut bytes = Vec::new();
        let mut stream = self.session()?.blob(name, config)?.take(LARGEST);
        let read = stream.read_to_end(&mut bytes);
        read.map_err(|error| Failure::of_io(error, format!("read the configuration of {name}")))?;
        drop(stream);
        let count = bytes.len() as u64;
        self.library.fetched.fetch_add(count, Ordering::Relaxed);
        self.keep(&config.digest, &bytes, Some(config.size), name)?;
        Ok(bytes)
    }

    /// The document as the store has it, if it is recorded and whole.
    fn stored(&self, digest: &Digest) -> Option<Vec<u8>> {
        let size = *self.library.recorded.get(digest)?;
        let bytes = self.library.rooms.document(digest, LARGEST).ok()??;
        (bytes.len() as u64 == size && Digest::of(&bytes) == *digest).then_some(bytes)
    }

    /// Checks what came, and keeps it to be put in the store.
    fn keep(
        &self,
        want: &Digest,
        bytes: &[u8],
        size: Option<u64>,
        name: &Name,
    ) -> Result<(), Failure> {
        let got = Digest::of(bytes);
        let length = bytes.len() as u64;
        if got != *want || size.is_some_and(|size| size != length) {
            let error = Error::host(format!(
                "fetch a document of {name}: wanted {want} ({} bytes), got {got} ({length} bytes)",
                size.map_or("any number of".to_owned(), |size| size.to_string()),
            ));
            let hint = "something between here and the registry changes what it sends";
            return Err(Failure::new(Class::Digest, error.hint(hint)));
        }
        let room = self
            .shelf
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| {
                room.checked_sub(length)
            });
        if room.is_err() {
            let error = Error::host(format!(
                "fetch a document of {name}: together they need more memory than is allowed"
            ));
            return Err(broken(
                error.hint("allow more memory, or pull fewer images at a time"),
            ));
        }
        let mut documents =
            (self.shelf.documents.lock()).unwrap_or_else(std::sync::PoisonError::into_inner);
        documents.insert(got, bytes.to_vec());
        Ok(())
    }

    fn session(&mut self) -> Result<&mut Box<dyn Session + 'l>, Failure> {
        if self.session.is_none() {
            self.session = Some(self.library.source.session()?);
        }
        (self.session.as_mut()).ok_or_else(|| broken(Error::host("open a session")))
    }
}
