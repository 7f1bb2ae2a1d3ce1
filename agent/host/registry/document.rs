//! Manifests and indexes: fetched whole, bounded, and proved by their digest.
//! They are separate from blobs because they are small, have a media type, and may be asked for by a tag.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderName};
use serde::Deserialize;

use super::ask::{Question, ask, body, texts};
use super::fault::{Again, Fault};
use super::link::Link;
use super::route::Endpoint;
use super::turns::Turns;
use crate::host::failure::{Class, Failure};
use crate::host::oci::{Digest, Document, Fetched, LARGEST, Name};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What containerd asks for, without the `*/*` at its end.
const ACCEPT: &str = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

/// What the registry says the digest is.
const SAYS: HeaderName = HeaderName::from_static("docker-content-digest");

/// Fetches a document.
pub(super) async fn document(link: &Link, name: &Name, version: &str) -> Result<Fetched, Failure> {
    let doing = format!("fetch the manifest {version} of {name}");
    let endpoints = super::endpoints(link, name, &doing)?;
    let mut turns = Turns::new(doing, endpoints);
    loop {
        let tried = match turns.endpoint() {
            Some(endpoint) => once(link, endpoint, version).await,
            None => Err(Fault::lasting(Class::Registry, "there is no endpoint")),
        };
        match tried {
            Ok(fetched) => return Ok(fetched),
            Err(fault) => pause(turns.fail(fault, &link.shared.patience)?).await,
        }
    }
}

/// Waits, where there is something to wait for.
pub(super) async fn pause(wait: Duration) {
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
}

async fn once(link: &Link, endpoint: &Endpoint, version: &str) -> Result<Fetched, Fault> {
    let wanted = Digest::parse(version).ok();
    let tail = format!("manifests/{version}");
    let question = Question {
        tail: &tail,
        accept: Some(ACCEPT),
        range: None,
        proven: wanted.is_some(),
    };
    let mut response = ask(link, endpoint, &question).await?;
    let bytes = body(&mut response, LARGEST, &link.shared.patience).await?;
    let digest = Digest::of(&bytes);
    let said = texts(response.headers(), &SAYS).next();
    let said = said.and_then(|text| Digest::parse(text).ok());
    if let Some(wanted) = wanted.or(said)
        && wanted != digest
    {
        let said = format!("its digest is {digest}, not {wanted}");
        return Err(Fault::new(Class::Digest, Again::Once, said));
    }
    Ok(Fetched {
        media_type: media_type(&response, &bytes)?,
        digest,
        bytes,
    })
}

#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
}

fn media_type(response: &Response, bytes: &[u8]) -> Result<String, Fault> {
    let head = texts(response.headers(), &CONTENT_TYPE)
        .next()
        .unwrap_or_default();
    let head = head.split(';').next().unwrap_or_default().trim();
    kind(head, bytes)
}

/// A document's media type: the header's where it is one of a document, else what the document itself says or is.
/// Where both say something they must agree: one and the same bytes must not be two things (CVE-2021-41190).
fn kind(head: &str, bytes: &[u8]) -> Result<String, Fault> {
    let known = |text: &str| [INDEX, MANIFEST, DOCKER_LIST, DOCKER].contains(&text);
    let Ok(typed) = serde_json::from_slice::<Typed>(bytes) else {
        let said = format!("the answer is no manifest; its type is {:?}", short(head));
        return Err(Fault::lasting(Class::Registry, said)
            .hint("something between here and the registry answers in its place"));
    };
    match typed.media_type.filter(|text| !text.is_empty()) {
        Some(own) if known(head) && own != head => {
            let said = format!("it is sent as {head} and says of itself {:?}", short(&own));
            Err(Fault::lasting(Class::Image, said))
        }
        Some(own) if known(&own) => Ok(own),
        Some(own) => {
            let said = format!(
                "its type is {:?}, which containerd does not run",
                short(&own)
            );
            Err(Fault::lasting(Class::Image, said))
        }
        None if known(head) => Ok(head.to_owned()),
        None => match Document::parse(bytes) {
            Ok(Document::Index(_)) => Ok(INDEX.to_owned()),
            Ok(Document::Manifest(_)) => Ok(MANIFEST.to_owned()),
            Err(error) => Err(Fault::lasting(Class::Image, String::new()).because(error)),
        },
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_the_headers_or_the_documents_and_never_both() {
        let typed = |kind: &str| format!(r#"{{"mediaType":"{kind}"}}"#);
        let index = r#"{"schemaVersion":2,"manifests":[]}"#;
        let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        let table: [(&str, String, Result<&str, Class>); 11] = [
            (MANIFEST, "{}".to_owned(), Ok(MANIFEST)),
            (MANIFEST, typed(MANIFEST), Ok(MANIFEST)),
            ("application/json", typed(DOCKER), Ok(DOCKER)),
            ("", typed(DOCKER_LIST), Ok(DOCKER_LIST)),
            ("text/plain", index.to_owned(), Ok(INDEX)),
            (MANIFEST, typed(INDEX), Err(Class::Image)),
            (MANIFEST, typed("x"), Err(Class::Image)),
            ("", typed(schema1), Err(Class::Image)),
            (
                schema1,
                r#"{"schemaVersion":1}"#.to_owned(),
                Err(Class::Image),
            ),
            ("text/html", "<html>".to_owned(), Err(Class::Registry)),
            (MANIFEST, "<html>".to_owned(), Err(Class::Registry)),
        ];
        for (head, bytes, want) in table {
            let found = kind(head, bytes.as_bytes()).map_err(|fault| fault.class);
            assert_eq!(found, want.map(str::to_owned), "{head} {bytes}");
        }
    }
}
