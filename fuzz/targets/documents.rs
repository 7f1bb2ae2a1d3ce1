//! Documents and names of images as a registry sends them: no panic, and what is read reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nodeagent::host::oci::{Digest, Document, ImageConfig, Name, Platform, chain_ids};

fn texts(text: &str) {
    if let Ok(name) = Name::parse(text) {
        let again = Name::parse(&name.to_string()).expect("a name that was read");
        assert_eq!(again, name);
    }
    if let Ok(platform) = Platform::parse(text) {
        let again = Platform::parse(&platform.to_string()).expect("a platform that was read");
        assert!(again.is(&platform) && platform.is(&again));
    }
    if let Ok(digest) = Digest::parse(text) {
        assert_eq!(digest.as_str(), text);
        assert!(digest.hex().len() == 64 && !digest.hex().contains(['/', '.']));
    }
}

fuzz_target!(|bytes: &[u8]| {
    match Document::parse(bytes) {
        Ok(Document::Manifest(manifest)) => {
            for layer in manifest.layers.iter().chain([&manifest.config]) {
                texts(layer.digest.as_str());
            }
        }
        Ok(Document::Index(children)) => {
            for child in children {
                texts(child.manifest.digest.as_str());
            }
        }
        Err(_) => {}
    }
    if let Ok(config) = ImageConfig::parse(bytes) {
        assert_eq!(chain_ids(&config.diff_ids).len(), config.diff_ids.len());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        texts(text);
    }
});
