//! Whom TLS believes: the system's authorities, those of `--ca`, and what a host's configuration says.
//! It is separate because reqwest would read the system's authorities again for every client, and refuses to be
//! made where there are none, even when all that is spoken to has no TLS.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::rke2::Tls;
use crate::error::{Context as _, Error, Result};

/// What all sessions share of TLS.
#[derive(Debug)]
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    /// Certificates of `--ca`.
    extra: Vec<CertificateDer<'static>>,
    /// The system's and `extra`; read when TLS is first spoken.
    roots: OnceLock<RootCertStore>,
    /// Made ones, so that sessions also share the tickets by which TLS resumes.
    made: Mutex<BTreeMap<Tls, ClientConfig>>,
}

impl Trust {
    /// Reads the files of `--ca`.
    pub(super) fn new(ca: &[std::path::PathBuf]) -> Result<Self> {
        let mut extra = Vec::new();
        for path in ca {
            extra.extend(certificates(path)?);
        }
        Ok(Self {
            provider: Arc::new(ring::default_provider()),
            extra,
            roots: OnceLock::new(),
            made: Mutex::default(),
        })
    }

    /// The configuration for hosts of this kind.
    pub(super) fn config(&self, tls: &Tls) -> Result<ClientConfig> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = made.get(tls) {
            return Ok(config.clone());
        }
        let config = self.make(tls)?;
        made.insert(tls.clone(), config.clone());
        Ok(config)
    }

    /// For clients that speak no TLS: it believes nobody, and reads nothing.
    pub(super) fn nobody(&self) -> Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .context(|| "set up TLS for registries")?;
        let builder = builder.with_root_certificates(RootCertStore::empty());
        Ok(builder.with_no_client_auth())
    }

    fn make(&self, tls: &Tls) -> Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .context(|| "set up TLS for registries")?;
        let builder = if tls.insecure {
            let anybody = Anybody(Arc::clone(&self.provider));
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(anybody))
        } else {
            builder.with_root_certificates(self.roots(tls)?)
        };
        let (Some(cert), Some(key)) = (&tls.cert_file, &tls.key_file) else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(cert)?;
        let bytes = super::file(key)?;
        let bad = || format!("use {} as a private key", key.display());
        let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
            Error::usage(bad()).hint("it must hold an unencrypted key in PEM format")
        })?;
        let config = builder.with_client_auth_cert(chain, key);
        config.context(|| format!("show {} to registries", cert.display()))
    }

    fn roots(&self, tls: &Tls) -> Result<Arc<RootCertStore>> {
        let mut roots = self.roots.get_or_init(|| self.system()).clone();
        if let Some(path) = &tls.ca_file {
            roots.add_parsable_certificates(certificates(path)?);
        }
        match roots.is_empty() {
            false => Ok(Arc::new(roots)),
            true => Err(Error::host("set up TLS for registries: no certificate authority is known").hint(
                "install the system's certificate authorities (ca-certificates), or name a file: SSL_CERT_FILE=CA.pem",
            )),
        }
    }

    fn system(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!("certificate authorities of the system: {error}");
        }
        roots.add_parsable_certificates(found.certs);
        roots.add_parsable_certificates(self.extra.iter().cloned());
        roots
    }
}

/// The certificates of a PEM file; at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = super::file(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .map_while(std::result::Result::ok)
        .collect();
    if found.is_empty() {
        return Err(Error::usage(format!(
            "use {} as a CA: it holds no certificate in PEM format",
            path.display()
        ))
        .hint("openssl x509 -inform der -in FILE converts one from DER"));
    }
    Ok(found)
}

/// Believes whoever answers; the handshake itself must still be in order.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
