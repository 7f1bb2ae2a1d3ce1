//! Pushes images over a registry's own API.
//! It is separate because a registry that only serves needs none of it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use nodeagent::host::root::sha256;

use super::Registry;
use crate::support::images::{Document, Image};

impl Registry {
    /// Pushes an image, all its platforms, and its index if it has one; gives the digest that its tag resolves to.
    /// For registries without TLS and login: others share the storage of one.
    pub(crate) fn push(&self, image: &Image) -> String {
        let name = &image.repository;
        for variant in &image.variants {
            for layer in &variant.layers {
                self.put_blob(name, &layer.blob.bytes);
            }
            self.put_blob(name, &variant.config.bytes);
            let manifest = &variant.manifest;
            self.put_manifest(name, &manifest.digest, manifest);
        }
        self.put_manifest(name, &image.tag, &image.top);
        image.top.digest.clone()
    }

    /// Pushes any bytes as a blob of a repository and gives their digest.
    pub(crate) fn put_blob(&self, name: &str, bytes: &[u8]) -> String {
        let digest = format!("sha256:{}", sha256(bytes));
        if self.has(name, &digest) {
            return digest;
        }
        let begun = self.ask("POST", &format!("/v2/{name}/blobs/uploads/"), "", &[]);
        let location = begun.lines().find_map(|l| l.strip_prefix("Location: "));
        let location = location.unwrap_or_else(|| panic!("{begun}"));
        let path = &location[location.find("/v2/").unwrap()..];
        let path = format!("{path}&digest={digest}");
        self.ask("PUT", &path, "application/octet-stream", bytes);
        digest
    }

    /// Pushes a manifest or index under a tag or its digest.
    pub(crate) fn put_manifest(&self, name: &str, version: &str, document: &Document) {
        let path = format!("/v2/{name}/manifests/{version}");
        self.ask("PUT", &path, &document.media_type, &document.bytes);
    }

    fn has(&self, name: &str, digest: &str) -> bool {
        let path = format!("/v2/{name}/blobs/{digest}");
        let answer = self.answer("HEAD", &path, "", &[]);
        answer.starts_with("HTTP/1.1 200")
    }

    /// One request; anything but success ends the test.
    fn ask(&self, verb: &str, path: &str, kind: &str, body: &[u8]) -> String {
        let answer = self.answer(verb, path, kind, body);
        assert!(answer.starts_with("HTTP/1.1 20"), "{verb} {path}: {answer}");
        answer
    }

    /// One request over a connection of its own.
    fn answer(&self, verb: &str, path: &str, kind: &str, body: &[u8]) -> String {
        let (host, size) = (&self.host, body.len());
        let head = format!(
            "{verb} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Type: {kind}\r\nContent-Length: {size}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.replace('\r', "")
    }
}
