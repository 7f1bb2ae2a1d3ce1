//! Registries over the OCI distribution API: which digest a tag stands for now.
//! It is separate because it is the only part that speaks to the network by itself, and it is asynchronous inside.

mod auth;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use oci_distribution::Reference;
use oci_distribution::client::{
    Certificate, CertificateEncoding, Client, ClientConfig, ClientProtocol,
};
use oci_distribution::errors::{OciDistributionError, OciErrorCode};
use tokio::task::JoinSet;

use super::Root;
use crate::error::{Context as _, Error, Result};
use auth::Logins;

/// No registry that works takes longer to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// No answer about one image takes longer, redirects and login included; it also bounds how much one can send.
const ANSWER: Duration = Duration::from_secs(60);

/// Questions that are asked at the same time.
const PARALLEL: usize = 8;

/// How registries are reached.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// `host[:port]` of registries without TLS.
    pub plain_http: Vec<String>,
    /// PEM files with certificate authorities that are trusted beside the system's.
    pub ca: Vec<PathBuf>,
    /// A docker config file with logins.
    pub auth_file: Option<PathBuf>,
}

/// A client for all registries.
pub struct Registries {
    runtime: tokio::runtime::Runtime,
    client: Client,
    logins: Logins,
}

impl std::fmt::Debug for Registries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registries")
            .field("logins", &self.logins)
            .finish_non_exhaustive()
    }
}

impl Registries {
    /// A client with this access; nothing is connected before it is needed.
    pub fn new(access: &Access) -> Result<Self> {
        let root = Root::open(std::path::Path::new("/"))?;
        let mut certificates = Vec::new();
        for path in &access.ca {
            certificates.push(certificate(&root, path)?);
        }
        let logins = match &access.auth_file {
            Some(path) => Logins::parse(&file(&root, path)?)
                .context(|| format!("use {} as a docker config file", path.display()))?,
            None => Logins::default(),
        };
        // The process has one provider; one that is already there is as good.
        if rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
        {
            tracing::debug!("a TLS provider was there before");
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context(|| "start a runtime for registries")?;
        Ok(Self {
            runtime,
            client: client(access, certificates)?,
            logins,
        })
    }

    /// The digest of each image; all are asked, whatever becomes of the others.
    pub fn digests(&self, images: &BTreeSet<String>) -> BTreeMap<String, Result<String>> {
        let images: Vec<&String> = images.iter().collect();
        let mut found = BTreeMap::new();
        for some in images.chunks(PARALLEL) {
            self.runtime.block_on(async {
                let mut asked = JoinSet::new();
                for image in some {
                    asked.spawn(digest(
                        self.client.clone(),
                        self.logins.clone(),
                        (*image).clone(),
                    ));
                }
                while let Some(Ok((image, answer))) = asked.join_next().await {
                    found.insert(image, answer);
                }
            });
        }
        found
    }
}

/// A client that trusts the system's authorities and these.
fn client(access: &Access, certificates: Vec<Certificate>) -> Result<Client> {
    let config = |certificates| ClientConfig {
        protocol: ClientProtocol::HttpsExcept(access.plain_http.clone()),
        extra_root_certificates: certificates,
        connect_timeout: Some(CONNECT),
        read_timeout: Some(ANSWER),
        user_agent: concat!("nodeagent/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    };
    let doing = "set up TLS for registries";
    // Without authorities of its own first: where the system has none this is an error, and with some given the
    // library would panic, because it also makes a client by default that it then throws away.
    Client::try_from(config(Vec::new())).map_err(|error| {
        Error::host(doing).because(error).hint(
            "install the system's certificate authorities (ca-certificates), or name a file: SSL_CERT_FILE=CA.pem",
        )
    })?;
    Client::try_from(config(certificates)).map_err(|error| {
        let hint = "the file of --ca must hold certificates in PEM format";
        Error::host(doing).because(error).hint(hint)
    })
}

async fn digest(client: Client, logins: Logins, image: String) -> (String, Result<String>) {
    let doing = format!("ask for the digest of {image}");
    let reference = match Reference::try_from(image.as_str()) {
        Ok(reference) => reference,
        Err(error) => return (image, Err(Error::host(doing).because(error))),
    };
    let login = logins.of(reference.resolve_registry());
    let ask = client.fetch_manifest_digest(&reference, &login);
    let answer = match tokio::time::timeout(ANSWER, ask).await {
        Ok(Ok(digest)) if is_sha256(&digest) => Ok(digest),
        Ok(Ok(digest)) => Err(Error::host(format!(
            "{doing}: the registry answered {digest:?}, which is no SHA-256 digest"
        ))
        .hint("something between here and the registry answers in its place")),
        Ok(Err(error)) => Err(told(doing, error)),
        Err(_) => Err(
            Error::host(format!("{doing}: no answer within {} s", ANSWER.as_secs()))
                .hint("try it again when the registry is less busy"),
        ),
    };
    (image, answer)
}

fn told(doing: String, error: OciDistributionError) -> Error {
    let hint = match &error {
        OciDistributionError::RequestError(_) => {
            "check that the registry answers there; --ca FILE trusts its CA, --plain-http HOST is for one without TLS"
        }
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_) => {
            "the registry wants a login that may read this repository: --auth-file FILE, in docker's config format"
        }
        _ if missing(&error) => {
            "nothing has this name and tag: correct the entry, or push the image first"
        }
        _ => "ask the registry's operator what this answer means",
    };
    Error::host(doing).because(error).hint(hint)
}

fn missing(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::RegistryError { envelope, .. } => envelope.errors.iter().any(|e| {
            matches!(
                e.code,
                OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound
            )
        }),
        OciDistributionError::ServerError { code, .. } => *code == 404,
        OciDistributionError::ImageManifestNotFoundError(_) => true,
        _ => false,
    }
}

fn is_sha256(digest: &str) -> bool {
    let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    let body = digest.strip_prefix("sha256:");
    body.is_some_and(|body| body.len() == 64 && body.bytes().all(hex))
}

fn file(root: &Root, path: &std::path::Path) -> Result<Vec<u8>> {
    let full = std::path::absolute(path).context(|| format!("find {}", path.display()))?;
    let bytes = root.read(&full.to_string_lossy())?;
    bytes.ok_or_else(|| {
        Error::usage(format!("read {}: it does not exist", path.display()))
            .hint("name a file that exists")
    })
}

fn certificate(root: &Root, path: &std::path::Path) -> Result<Certificate> {
    let data = file(root, path)?;
    let pem = data
        .windows(27)
        .any(|w| w == b"-----BEGIN CERTIFICATE-----");
    if !pem {
        return Err(Error::usage(format!(
            "use {} as a CA: it holds no certificate in PEM format",
            path.display()
        ))
        .hint("openssl x509 -inform der -in FILE converts one from DER"));
    }
    Ok(Certificate {
        encoding: CertificateEncoding::Pem,
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::is_sha256;

    #[test]
    fn only_a_whole_lower_case_digest_is_taken() {
        let good = format!("sha256:{}", "0a".repeat(32));
        assert!(is_sha256(&good));
        for bad in [
            good.to_uppercase(),
            good.replace("sha256", "sha512"),
            good[..70].to_owned(),
            format!("{good}0"),
            good.replace('a', "g"),
            String::new(),
        ] {
            assert!(!is_sha256(&bad), "{bad}");
        }
    }
}
