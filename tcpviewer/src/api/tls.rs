//! TLS on the daemon's side. In: PEM files. Out: what a handshake needs, and what a client's certificate
//! proves. When the files are read, and what a name may do, is left to others.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::access::Certified;
use crate::config::TlsConfig;

/// What is wrong with the files of TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("read {what} {}: {reason}", path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The certificate cannot be used with the key.
    #[error("use certificate {} with key {}: {error}", certificate.display(), key.display())]
    Pair {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// Why.
        error: rustls::Error,
    },
}

/// Reads what handshakes need.
pub(super) fn read(files: &TlsConfig) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates("certificate", &files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unusable("private key", &files.key, pem_reason(&error)))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("certificate", &files.certificate, error.to_string()))?;
    let builder = match &files.client_ca {
        Some(path) => builder.with_client_cert_verifier(verifier(path)?),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::Pair {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            error,
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A certificate that is shown must be good; who shows none may still have a token.
fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let what = "client CA";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(what, path)? {
        roots
            .add(certificate)
            .map_err(|error| unusable(what, path, error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()))
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(what, path, error.to_string()))
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unusable(what, path, pem_reason(&error)))?;
    if certificates.is_empty() {
        return Err(unusable(what, path, String::from("no certificate (PEM) in it")));
    }
    Ok(certificates)
}

fn unusable(what: &'static str, path: &Path, reason: String) -> TlsError {
    TlsError::File {
        what,
        path: path.to_owned(),
        reason,
    }
}

fn pem_reason(error: &pem::Error) -> String {
    if let pem::Error::Io(error) = error {
        return error.to_string();
    }
    if matches!(error, pem::Error::NoItemsFound) {
        return "none (PEM, without a passphrase) in it".into();
    }
    error.to_string()
}

/// What the certificate proves that the client has shown and proved to hold: its DNS names. Wildcards are names like any
/// other here: one certificate must not stand for many entries of the access file.
pub(super) fn certified(connection: &ServerConnection) -> Option<Certified> {
    let certificate = connection.peer_certificates()?.first()?;
    let names = EndEntityCert::try_from(certificate).ok()?;
    let (_rest, parsed) = X509Certificate::from_der(certificate).ok()?;
    let until = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    Some(Certified {
        names: names.valid_dns_names().map(str::to_owned).collect(),
        until: SystemTime::UNIX_EPOCH + Duration::from_secs(until),
    })
}
