//! A real registry with TLS of a private CA and a login.
//! It is separate because it starts Debian's docker-registry, which must be installed.

use nodeagent::host::failure::Class;
use nodeagent::host::oci::{Descriptor, Digest, Document, Name};
use nodeagent::host::registry::{Access, Puller};

use super::{access, blob, document, is_whole, puller, said};
use crate::support::images::{Dialect, Entry, Image, Layer, Packing};
use crate::support::registry::{PASSWORD, Registry, Storage, USER};

/// A storage with an image, and its name without the host.
fn stored(dir: &std::path::Path) -> (Storage, Image) {
    let storage = Storage::new(dir);
    let noise = super::noise(20 << 20);
    let layer = Layer::new(Packing::Plain, &[Entry::file("noise", &noise)]);
    let image = Image::single("k8s/a:1", Dialect::Oci, &[layer]);
    Registry::plain(&storage).push(&image);
    (storage, image)
}

/// Fetches manifest, configuration and layers.
fn all(
    puller: &Puller,
    host: &str,
    image: &Image,
) -> Result<Vec<Descriptor>, nodeagent::host::failure::Failure> {
    let name = Name::parse(&image.pinned(host)).unwrap();
    let fetched = document(puller, &name, name.version())?;
    assert_eq!(fetched.digest.as_str(), image.top.digest);
    let Ok(Document::Manifest(manifest)) = Document::parse(&fetched.bytes) else {
        panic!("a manifest");
    };
    let blobs: Vec<Descriptor> = manifest
        .layers
        .into_iter()
        .chain([manifest.config])
        .collect();
    for wanted in &blobs {
        is_whole(&blob(puller, &name, wanted)?, wanted);
    }
    Ok(blobs)
}

#[test]
fn an_image_comes_whole_with_and_without_tls_and_login() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, image) = stored(dir.path());
    let plain = Registry::plain(&storage);
    let mut open = access(&[]);
    open.plain_http.push(plain.host().to_owned());
    assert_eq!(all(&puller(&open), plain.host(), &image).unwrap().len(), 2);

    let locked = Registry::locked(&storage);
    let host = locked.host();
    let auth = dir.path().join("auth.json");
    let text = format!(
        "{{\"auths\": {{\"{host}\": {{\"username\": \"{USER}\", \"password\": \"{PASSWORD}\"}}}}}}"
    );
    std::fs::write(&auth, text).unwrap();
    let yaml = dir.path().join("registries.yaml");
    let text = format!(
        "configs:\n  {host:?}:\n    auth:\n      username: {USER}\n      password: {PASSWORD}\n    tls:\n      ca_file: {}\n",
        storage.ca()
    );
    std::fs::write(&yaml, text).unwrap();
    let by_flags = Access {
        ca: vec![storage.ca().into()],
        auth_file: Some(auth.clone()),
        ..access(&[])
    };
    let by_file = Access {
        registries: Some(yaml),
        ..access(&[])
    };
    let unchecked = Access {
        insecure_tls: vec![host.to_owned()],
        auth_file: Some(auth.clone()),
        ..access(&[])
    };
    for access in [by_flags, by_file, unchecked] {
        assert_eq!(all(&puller(&access), host, &image).unwrap().len(), 2);
    }
    let stranger = Access {
        auth_file: Some(auth),
        ..access(&[])
    };
    let anonymous = Access {
        ca: vec![storage.ca().into()],
        ..access(&[])
    };
    let confused = Access {
        plain_http: vec![host.to_owned()],
        ..access(&[])
    };
    let table = [
        (stranger, Class::Tls, "certificate"),
        (anonymous, Class::Auth, "HTTP 401"),
        (confused, Class::Registry, "HTTP 400"),
    ];
    for (access, class, part) in table {
        let failure = all(&puller(&access), host, &image).unwrap_err();
        let text = said(&failure);
        assert_eq!(failure.class, class, "{text}");
        assert!(text.contains(part) && !text.contains(PASSWORD), "{text}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, image) = stored(dir.path());
    let registry = Registry::plain(&storage);
    let mut access = access(&[]);
    access.plain_http.push(registry.host().to_owned());
    let puller = puller(&access);
    let name = |text: &str| Name::parse(&format!("{}/{text}", registry.host())).unwrap();
    let missing = Digest::of(b"nothing");
    let table = [
        document(&puller, &name("k8s/a:2"), "2").map(drop),
        document(&puller, &name("k8s/none:1"), "1").map(drop),
        document(&puller, &name("k8s/a:1"), missing.as_str()).map(drop),
        blob(
            &puller,
            &name("k8s/a:1"),
            &Descriptor {
                media_type: String::new(),
                digest: missing.clone(),
                size: 7,
            },
        )
        .map(drop),
    ];
    for got in table {
        let failure = got.unwrap_err();
        assert_eq!(failure.class, Class::NotFound, "{}", said(&failure));
    }
    assert!(all(&puller, registry.host(), &image).is_ok());
}
