//! What safety tests are made of: an authority that signs certificates, a daemon behind TLS with an access file, and
//! clients that show what the test says.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use prost::Message as _;
use prost_types::FileDescriptorSet;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use sha2::{Digest as _, Sha256};
use tcpviewer::{
    config::{ApiConfig, Listen, TlsConfig},
    proto::DESCRIPTORS,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::{
    Request, Status,
    client::Grpc,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::support::{Daemon, INSTANCE, PATIENCE};

/// Tokens of the access file, by role.
pub(crate) const CONNECTIONS: &str = "token-for-connections";
pub(crate) const PACKETS: &str = "token-for-packets";
pub(crate) const CONTROL: &str = "token-for-control";

const SERVICE: &str = "/tcpviewer.v1.TcpViewerService/";

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
    der: CertificateDer<'static>,
    key_der: Vec<u8>,
}

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn sign(&self, names: &[&str]) -> Pair {
        self.sign_as(names, |_params| {})
    }

    /// The same, but it was good for one year only, long ago.
    pub(crate) fn sign_expired(&self, names: &[&str]) -> Pair {
        self.sign_as(names, |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        })
    }

    /// The same, good up to this moment, whole seconds.
    pub(crate) fn sign_until(&self, names: &[&str], until: SystemTime) -> Pair {
        self.sign_as(names, |params| params.not_after = until.into())
    }

    fn sign_as(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
            key_der: key.serialize_der(),
        }
    }
}

/// A folder with an authority, a certificate for the loopback, and an access file.
pub(crate) struct Site {
    pub(crate) authority: Authority,
    pub(crate) folder: TempDir,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Other users must reach the socket in it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let site = Self {
            authority: Authority::new(),
            folder,
        };
        fs::write(site.path("ca.pem"), site.authority.pem()).unwrap();
        site.certify(&site.authority.sign(&["localhost", "127.0.0.1"]));
        site.allow(
            &[
                (CONNECTIONS, "connections"),
                (PACKETS, "packets"),
                (CONTROL, "control"),
            ],
            "",
        );
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts another certificate in the place of the daemon's.
    pub(crate) fn certify(&self, pair: &Pair) {
        replace(&self.path("certificate.pem"), &pair.certificate);
        replace(&self.path("key.pem"), &pair.key);
    }

    /// Puts another access file in its place, with these tokens and these further lines.
    pub(crate) fn allow(&self, tokens: &[(&str, &str)], further: &str) {
        let tokens = tokens.iter().map(|(token, role)| {
            let hash = hash(token);
            format!("[[token]]\nname = \"the one for {role}\"\nsha256 = \"{hash}\"\nrole = \"{role}\"\n")
        });
        replace(
            &self.path("access.toml"),
            &format!("{}{further}", tokens.collect::<String>()),
        );
    }

    /// TLS with client certificates on a port, and a Unix socket, for those of the access file.
    pub(crate) fn config(&self) -> ApiConfig {
        ApiConfig {
            listen: vec![
                "127.0.0.1:0".parse().unwrap(),
                Listen::Unix(self.path("api.sock")),
            ],
            tls: Some(TlsConfig {
                certificate: self.path("certificate.pem"),
                key: self.path("key.pem"),
                client_ca: Some(self.path("ca.pem")),
            }),
            access: Some(self.path("access.toml")),
            ..ApiConfig::loopback(0)
        }
    }

    pub(crate) async fn start(&self) -> Daemon {
        Daemon::start_from(INSTANCE, true, &self.config()).await
    }

    /// A client that trusts the authority, and shows this certificate.
    pub(crate) async fn connect(&self, daemon: &Daemon, shown: Option<&Pair>) -> Channel {
        let ca = Certificate::from_pem(self.authority.pem());
        let mut tls = ClientTlsConfig::new().ca_certificate(ca);
        if let Some(pair) = shown {
            tls = tls.identity(Identity::from_pem(&pair.certificate, &pair.key));
        }
        let endpoint = Endpoint::from_shared(format!("https://{}", daemon.address)).unwrap();
        endpoint.tls_config(tls).unwrap().connect().await.unwrap()
    }

    /// A TLS connection without HTTP on it yet.
    pub(crate) async fn shake_hands(
        &self,
        daemon: &Daemon,
        shown: Option<&Pair>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            Some(pair) => {
                let key = PrivateKeyDer::try_from(pair.key_der.clone()).unwrap();
                builder
                    .with_client_auth_cert(vec![pair.der.clone()], key)
                    .unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let stream = TcpStream::connect(daemon.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// Waits until new handshakes show this certificate.
    pub(crate) async fn wait_for_certificate(&self, daemon: &Daemon, pair: &Pair) {
        wait_for("the new certificate", async || {
            let stream = self.shake_hands(daemon, None).await.unwrap();
            stream.get_ref().1.peer_certificates().unwrap()[0] == pair.der
        })
        .await;
    }
}

/// As careful programs do it: readers find the old file or the new one.
pub(crate) fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(new, path).unwrap();
}

pub(crate) fn hash(token: &str) -> String {
    Sha256::digest(token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(crate) async fn wait_for(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !condition().await {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what} did not come");
}

/// A request without content that shows this token.
pub(crate) fn with_token<T>(message: T, token: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

/// Calls whatever method it is with an empty message, and waits for the head of the answer.
pub(crate) async fn call(channel: &Channel, path: &str, token: Option<&str>) -> Result<(), Status> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let path = path.parse().unwrap();
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let answer = grpc.server_streaming(with_token((), token), path, codec).await?;
    // A refusal may come behind the head as well.
    let first = timeout(Duration::from_millis(200), answer.into_inner().message()).await;
    first.map_or(Ok(()), |message| message.map(|_message| ()))
}

pub(crate) fn method(name: &str) -> String {
    format!("{SERVICE}{name}")
}

/// The paths of all methods of the contract.
pub(crate) fn methods() -> Vec<String> {
    let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap().file;
    let methods = files
        .iter()
        .flat_map(|file| &file.service)
        .flat_map(|service| &service.method);
    methods.map(|known| method(known.name())).collect()
}

/// Sends one HTTP/1.1 request and returns the answer to its end.
pub(crate) async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    head: &str,
    body: &[u8],
) -> String {
    let head = format!(
        "{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.expect("an end of the answer").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
