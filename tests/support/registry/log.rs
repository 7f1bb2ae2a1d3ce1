//! What a registry was asked, from its access log.
//! It is separate because «no blob was asked for» is a promise that only the registry can witness.

/// One answered request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// `GET`, `HEAD`, …
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) path: String,
    /// The status of the answer.
    pub(crate) status: u16,
    /// Bytes of the answer's body.
    pub(crate) bytes: u64,
}

impl Request {
    /// Whether a blob's bytes were asked for.
    pub(crate) fn is_blob(&self) -> bool {
        self.method == "GET" && self.path.contains("/blobs/sha256:")
    }
}

/// Reads lines of Apache's combined format; other lines are none of requests.
pub(super) fn read(text: &str) -> Vec<Request> {
    text.lines().filter_map(line).collect()
}

fn line(line: &str) -> Option<Request> {
    let mut parts = line.split('"');
    let mut asked = parts.nth(1)?.split(' ');
    let (method, path) = (asked.next()?, asked.next()?);
    let mut said = parts.next()?.split_whitespace();
    Some(Request {
        method: method.to_owned(),
        path: path.to_owned(),
        status: said.next()?.parse().ok()?,
        bytes: said.next()?.parse().unwrap_or(0),
    })
}
