//! A source in memory that fails, lies or stalls when told.
//! Separate because a real registry neither fails at a certain read nor sends wrong bytes once.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use nodeagent::error::Error;
use nodeagent::host::failure::{Class, Failure};
use nodeagent::host::oci::{Descriptor, Digest, Fetched, Name, Session, Source};
use nodeagent::store::Wanted;

use crate::support::images::{Document, Image};

/// Bytes that one read gives at most.
const READ: usize = 16_000;

/// The host in its images' names.
pub(crate) const HOST: &str = "registry.example";

/// What is done to a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// One byte in the middle is another, so many times.
    Wrong(usize),
    /// The disk that it is read from fails.
    Io,
}

/// The source.
#[derive(Default)]
pub(crate) struct Feed {
    documents: BTreeMap<String, (String, Vec<u8>)>,
    blobs: BTreeMap<String, Vec<u8>>,
    pub(crate) lies: Mutex<BTreeMap<String, Lie>>,
    /// The call or read that fails, counted from 1; 0 for none.
    pub(crate) fails_at: AtomicUsize,
    pub(crate) calls: AtomicUsize,
    pub(crate) asked: AtomicUsize,
}

impl Feed {
    pub(crate) fn of(images: &[Image]) -> Self {
        let mut feed = Self::default();
        for image in images {
            feed.document(&image.top, &image.tag, &image.repository);
            for variant in &image.variants {
                feed.document(&variant.manifest, &image.tag, "");
                let config = &variant.config;
                feed.blobs
                    .insert(config.digest.clone(), config.bytes.clone());
                for layer in &variant.layers {
                    feed.blobs
                        .insert(layer.blob.digest.clone(), layer.blob.bytes.clone());
                }
            }
        }
        feed
    }

    fn document(&mut self, document: &Document, tag: &str, repository: &str) {
        let held = (document.media_type.clone(), document.bytes.clone());
        self.documents.insert(document.digest.clone(), held.clone());
        self.documents.insert(format!("{repository}:{tag}"), held);
    }

    fn call(&self) -> Result<(), Failure> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match call == self.fails_at.load(Ordering::SeqCst) {
            true => Err(Failure::new(
                Class::Timeout,
                Error::host("the source is told to fail"),
            )),
            false => Ok(()),
        }
    }

    /// What is wanted of all of them, pinned.
    pub(crate) fn wanted(images: &[Image]) -> Vec<Wanted> {
        let name = |image: &Image| Name::parse(&image.pinned(HOST)).unwrap();
        images
            .iter()
            .map(|image| Wanted::new(name(image)))
            .collect()
    }
}

struct Feeding<'f>(&'f Feed);

impl Source for Feed {
    fn session(&self) -> Result<Box<dyn Session + '_>, Failure> {
        self.call()?;
        Ok(Box::new(Feeding(self)))
    }
}

impl Session for Feeding<'_> {
    fn document(&mut self, name: &Name, version: &str) -> Result<Fetched, Failure> {
        self.0.call()?;
        let tagged = format!("{}:{version}", name.repository());
        let documents = &self.0.documents;
        let found = documents.get(version).or_else(|| documents.get(&tagged));
        let Some((media_type, bytes)) = found else {
            return Err(Failure::new(Class::NotFound, Error::host("not there")));
        };
        Ok(Fetched {
            bytes: bytes.clone(),
            media_type: media_type.clone(),
            digest: Digest::of(bytes),
        })
    }

    fn blob(&mut self, _: &Name, blob: &Descriptor) -> Result<Box<dyn Read + '_>, Failure> {
        self.0.call()?;
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let Some(bytes) = self.0.blobs.get(blob.digest.as_str()) else {
            return Err(Failure::new(Class::NotFound, Error::host("not there")));
        };
        let mut bytes = bytes.clone();
        let mut lies = self.0.lies.lock().unwrap();
        let mut io = false;
        match lies.get_mut(blob.digest.as_str()) {
            Some(Lie::Wrong(times)) if *times > 0 => {
                *times -= 1;
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x55;
            }
            Some(Lie::Io) => io = true,
            _ => {}
        }
        Ok(Box::new(Stream {
            feed: self.0,
            bytes,
            at: 0,
            io,
        }))
    }
}

struct Stream<'f> {
    feed: &'f Feed,
    bytes: Vec<u8>,
    at: usize,
    io: bool,
}

impl Read for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.feed.call()?;
        if self.io && self.at > 0 {
            return Err(io::Error::from_raw_os_error(5));
        }
        let count = (self.bytes.len() - self.at).min(into.len()).min(READ);
        into[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
