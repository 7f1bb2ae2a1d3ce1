//! One question to one endpoint: login, redirects, and what its answer's head means.
//! It is separate because documents and blobs are asked for alike, and because logins must not follow redirects.

use std::collections::BTreeSet;
use std::time::Instant;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, RANGE, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use tokio::time::timeout;

use super::challenge::Challenge;
use super::fault::{Fault, of_status};
use super::link::Link;
use super::patience::{Patience, retry_after};
use super::route::{Endpoint, authority};
use crate::host::failure::Class;

/// Most redirects that are followed; real registries have one.
const REDIRECTS: usize = 5;

/// Most of an error's body that is read.
const WORDS: u64 = 16 << 10;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Question<'q> {
    /// `manifests/…` or `blobs/…`.
    pub(super) tail: &'q str,
    /// Media types that are welcome.
    pub(super) accept: Option<&'static str>,
    /// `bytes=…`.
    pub(super) range: Option<String>,
    /// The digest of what comes is known: it may come over an address without TLS.
    pub(super) proven: bool,
}

/// An answer, and whether the endpoint itself gave it.
struct Answered {
    response: Response,
    own: bool,
}

/// Asks; what comes back is 200 or 206.
pub(super) async fn ask(
    link: &Link,
    endpoint: &Endpoint,
    question: &Question<'_>,
) -> Result<Response, Fault> {
    let tokens = &link.shared.tokens;
    let mut header = tokens.header(endpoint);
    let mut logged_in = 0;
    loop {
        let Answered { response, own } = follow(link, endpoint, question, header.as_ref()).await?;
        let status = response.status();
        if matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT) {
            return Ok(response);
        }
        // A token that was good before may have expired: two logins cover that, too.
        if status == StatusCode::UNAUTHORIZED && own && logged_in < 2 {
            logged_in += 1;
            let challenge = Challenge::best(texts(response.headers(), &WWW_AUTHENTICATE));
            header = Some(
                tokens
                    .answer(link, endpoint, challenge, header.as_ref())
                    .await?,
            );
            continue;
        }
        return Err(refused(link, response, own).await);
    }
}

/// Sends the question and follows redirects. The login goes to the endpoint's own origin alone, and to nobody once
/// another was asked.
async fn follow(
    link: &Link,
    endpoint: &Endpoint,
    question: &Question<'_>,
    login: Option<&HeaderValue>,
) -> Result<Answered, Fault> {
    let mut url = endpoint.url(question.tail);
    let mut seen = BTreeSet::new();
    let mut own = true;
    loop {
        own = own && url.origin() == endpoint.base.origin();
        let tls = match own {
            true => endpoint.tls.clone(),
            false => link.shared.routes.tls(&authority(&url)),
        };
        let mut headers = question.headers();
        if let (Some(login), true) = (login, own) {
            headers.insert(AUTHORIZATION, login.clone());
        }
        let response = send(link, &url, &tls, headers).await?;
        if !is_redirect(response.status()) {
            return Ok(Answered { response, own });
        }
        let next = target(&url, &response)?;
        if !seen.insert(url.to_string()) || seen.len() > REDIRECTS {
            let said = format!("redirected more than {REDIRECTS} times, or in a circle");
            return Err(Fault::lasting(Class::Registry, said));
        }
        if url.scheme() == "https" && next.scheme() == "http" && !question.proven {
            let said = format!("redirected to {} without TLS", authority(&next));
            return Err(Fault::lasting(Class::Tls, said));
        }
        url = next;
    }
}

impl Question<'_> {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(accept) = self.accept {
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
        }
        let range = self.range.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(range)) = range {
            headers.insert(RANGE, range);
        }
        headers
    }
}

async fn send(
    link: &Link,
    url: &Url,
    tls: &super::rke2::Tls,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let client = link.client(url, tls)?;
    let sent = client.get(url.clone()).headers(headers).send();
    let patience = &link.shared.patience;
    let begun = Instant::now();
    match timeout(patience.connect + patience.answer, sent).await {
        Ok(Ok(response)) => {
            link.shared.pace.answered(&authority(url), begun.elapsed());
            Ok(response)
        }
        Ok(Err(error)) => Err(Fault::of_transport("", error)),
        Err(_) => Err(Fault::passing(
            Class::Timeout,
            format!("no answer within {} s", patience.answer.as_secs_f32()),
        )),
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn target(from: &Url, response: &Response) -> Result<Url, Fault> {
    let to = texts(response.headers(), &LOCATION).next();
    let next = to.and_then(|to| from.join(to).ok());
    let web = next.filter(|next| matches!(next.scheme(), "http" | "https") && next.has_host());
    web.ok_or_else(|| Fault::lasting(Class::Registry, "redirected to no address of the web"))
}

/// A header's values that are text.
pub(super) fn texts<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
}

/// The fault of an answer that is none of the wanted.
async fn refused(link: &Link, mut response: Response, own: bool) -> Fault {
    let status = response.status();
    let wait = texts(response.headers(), &RETRY_AFTER)
        .next()
        .and_then(retry_after);
    let host = authority(response.url());
    if !own {
        // The address was signed for a while; the endpoint gives another.
        let mut fault = of_status(status, wait, &format!("from {host}, to which it redirects"));
        if matches!(fault.class, Class::Auth | Class::NotFound) {
            fault = Fault::passing(Class::Registry, fault.text());
        }
        return fault;
    }
    let said = match body(&mut response, WORDS, &link.shared.patience).await {
        Ok(bytes) => words(&bytes),
        Err(_) => String::new(),
    };
    of_status(status, wait, &said)
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<OneError>,
}

#[derive(Deserialize)]
struct OneError {
    code: String,
}

/// The codes of a registry's error (OCI distribution specification, "Error codes"). Its messages are free text,
/// in which a hostile one could send back what it was sent.
fn words(bytes: &[u8]) -> String {
    let Ok(read) = serde_json::from_slice::<Errors>(bytes) else {
        return String::new();
    };
    let good = |code: &String| {
        code.len() <= 40 && code.bytes().all(|c| c.is_ascii_uppercase() || c == b'_')
    };
    let codes: Vec<String> = read
        .errors
        .into_iter()
        .map(|e| e.code)
        .filter(good)
        .take(3)
        .collect();
    codes.join(", ")
}

/// A body of at most `largest` bytes.
pub(super) async fn body(
    response: &mut Response,
    largest: u64,
    patience: &Patience,
) -> Result<Vec<u8>, Fault> {
    let large = || {
        let said = format!("the answer has more than {largest} bytes");
        Fault::lasting(Class::Image, said)
    };
    if response
        .content_length()
        .is_some_and(|length| length > largest)
    {
        return Err(large());
    }
    let mut bytes = Vec::new();
    let read = async {
        while let Some(piece) = response
            .chunk()
            .await
            .map_err(|e| Fault::of_transport("", e))?
        {
            if (bytes.len() + piece.len()) as u64 > largest {
                return Err(large());
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(())
    };
    match timeout(patience.answer, read).await {
        Ok(done) => done.map(|()| bytes),
        Err(_) => Err(Fault::passing(
            Class::Timeout,
            "the answer did not end in time",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn only_codes_of_an_error_are_told() {
        let table = [
            (
                r#"{"errors":[{"code":"DENIED","message":"Bearer abc"}]}"#,
                "DENIED",
            ),
            (r#"{"errors":[{"code":"A_B"},{"code":"C"}]}"#, "A_B, C"),
            (r#"{"errors":[{"code":"Basic dXNlcjpz"}]}"#, ""),
            (r#"{"errors":[{"code":1}]}"#, ""),
            ("<html>", ""),
        ];
        for (text, want) in table {
            assert_eq!(words(text.as_bytes()), want);
        }
    }
}
