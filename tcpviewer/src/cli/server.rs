//! Where the daemon is, and what is shown to get in. In: options, and a token from a file or the environment, never
//! from the command line, which every user of a host can read. Out: an endpoint to connect to, and the metadata of
//! each call. A token is not sent where others could read it on its way.

use std::{
    env, fmt, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use http::Uri;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity},
};

use super::client::{ClientError, io_reason};

/// Where a token is looked for when no file is named.
const TOKEN_VARIABLE: &str = "TCPVIEWER_TOKEN";

/// Where the daemon listens.
#[derive(Clone, Debug)]
pub enum Server {
    /// A port, with or without TLS.
    Port(Uri),
    /// A Unix socket.
    Unix(PathBuf),
}

/// What a client shows to be let in.
#[derive(Args, Clone, Debug, Default)]
pub struct CredentialArgs {
    /// Authority of the daemon's certificate (PEM) [default: those that this system trusts]
    #[arg(long, value_name = "FILE", env = "TCPVIEWER_CA")]
    pub ca: Option<PathBuf>,
    /// Certificate of this client (PEM).
    #[arg(long, value_name = "FILE", env = "TCPVIEWER_CERTIFICATE", requires = "key")]
    pub certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM).
    #[arg(long, value_name = "FILE", env = "TCPVIEWER_KEY", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// File with the token [default: the token in TCPVIEWER_TOKEN, if there is one]
    #[arg(long, value_name = "FILE", env = "TCPVIEWER_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Without the slash that URLs end with.
            Self::Port(uri) => formatter.write_str(uri.to_string().trim_end_matches('/')),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err("give the path of the socket, such as unix:/run/tcpviewer.sock".into());
            }
            return Ok(Self::Unix(path.into()));
        }
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let uri: Uri = with_scheme
            .parse()
            .map_err(|error| format!("not a URL: {error}"))?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            Some(other) => {
                return Err(format!(
                    "{other}:// is not supported, use http://, https:// or unix:"
                ));
            }
            None => return Err("not a URL: it has no scheme".into()),
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err("give scheme, host and port only, such as http://127.0.0.1:50051".into());
        }
        Ok(Self::Port(uri))
    }
}

impl Server {
    /// Whether what is sent there can be read on its way.
    fn is_open_to_others(&self) -> bool {
        let Self::Port(uri) = self else { return false };
        let host = uri.host().unwrap_or_default();
        let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let local = match address {
            Some(address) => address.to_canonical().is_loopback(),
            None => host.eq_ignore_ascii_case("localhost"),
        };
        uri.scheme_str() != Some("https") && !local
    }

    /// The way there.
    pub(super) fn endpoint(&self, credentials: &CredentialArgs) -> Result<Endpoint, ClientError> {
        let wrong =
            |error: tonic::transport::Error| ClientError::Options(format!("connect to {self}: {error}"));
        match self {
            // Over a socket, too, a request names a host.
            Self::Unix(path) => Ok(Endpoint::from_shared(format!("unix:{}", path.display()))
                .map_err(wrong)?
                .origin(Uri::from_static("http://localhost"))),
            Self::Port(uri) if uri.scheme_str() == Some("https") => {
                let endpoint = Endpoint::from(uri.clone());
                endpoint.tls_config(credentials.tls()?).map_err(wrong)
            }
            Self::Port(uri) => Ok(Endpoint::from(uri.clone())),
        }
    }
}

impl CredentialArgs {
    fn tls(&self) -> Result<ClientTlsConfig, ClientError> {
        let mut tls = match &self.ca {
            Some(path) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("the CA", path)?)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            let certificate = read("the certificate", certificate)?;
            tls = tls.identity(Identity::from_pem(certificate, read("the key", key)?));
        }
        Ok(tls)
    }

    /// The token for this server, if there is one; read anew each time, for it may have been replaced.
    pub(super) fn token(&self, server: &Server) -> Result<Token, ClientError> {
        let (source, token) = match &self.token_file {
            Some(path) => (path.display().to_string(), read("the token", path)?),
            None => match env::var_os(TOKEN_VARIABLE).filter(|token| !token.is_empty()) {
                Some(token) => (TOKEN_VARIABLE.to_owned(), token.into_encoded_bytes()),
                None => return Ok(Token(None)),
            },
        };
        if server.is_open_to_others() {
            return Err(ClientError::Options(format!(
                "send a token to {server}: without TLS everybody on the way could read it; use https://"
            )));
        }
        let token = token.trim_ascii();
        let mut value = MetadataValue::try_from([b"Bearer ", token].concat())
            .ok()
            .filter(|_value| !token.is_empty())
            .ok_or_else(|| {
                ClientError::Options(format!("read the token from {source}: there is none in it"))
            })?;
        value.set_sensitive(true);
        Ok(Token(Some(value)))
    }
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>, ClientError> {
    fs::read(path).map_err(|error| {
        ClientError::Options(format!("read {what} {}: {}", path.display(), io_reason(&error)))
    })
}

/// The header that a token goes into, or nothing.
#[derive(Clone, Debug)]
pub(super) struct Token(Option<MetadataValue<Ascii>>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_ports_or_sockets() {
        for (text, expected) in [
            ("127.0.0.1:1", Ok("http://127.0.0.1:1")),
            ("http://localhost:1/", Ok("http://localhost:1")),
            ("https://probe.example.org", Ok("https://probe.example.org")),
            ("unix:/run/a", Ok("unix:/run/a")),
            ("unix:///run/a", Ok("unix:/run/a")),
            ("unix:", Err("path of the socket")),
            ("ftp://a", Err("ftp:// is not supported")),
            ("https://a/b", Err("scheme, host and port only")),
            ("", Err("not a URL")),
        ] {
            match (text.parse::<Server>(), expected) {
                (Ok(server), Ok(expected)) => assert_eq!(server.to_string(), expected),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{text:?}: {error}"),
                (parsed, _) => assert!(parsed.is_ok() == expected.is_ok(), "{text:?}"),
            }
        }
    }

    #[test]
    fn a_token_goes_to_this_host_or_through_tls() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "secret\n").unwrap();
        let credentials = CredentialArgs {
            token_file: Some(file.path().to_owned()),
            ..CredentialArgs::default()
        };
        for (server, expected) in [
            ("http://127.0.0.1:1", true),
            ("http://[::1]:1", true),
            ("http://[::ffff:127.0.0.1]:1", true),
            ("http://localhost:1", true),
            ("unix:/run/a", true),
            ("https://10.0.0.1:1", true),
            ("https://probe.example.org", true),
            ("http://10.0.0.1:1", false),
            ("http://probe.example.org", false),
            ("http://localhost.example.org", false),
            ("http://[2001:db8::1]:1", false),
        ] {
            let token = credentials.token(&server.parse().unwrap());
            assert_eq!(token.is_ok(), expected, "{server}");
        }
    }

    #[test]
    fn a_file_without_a_token_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let server: Server = "https://a".parse().unwrap();
        for content in ["", " \n", "a\nb"] {
            fs::write(file.path(), content).unwrap();
            let credentials = CredentialArgs {
                token_file: Some(file.path().to_owned()),
                ..CredentialArgs::default()
            };
            let error = credentials.token(&server).unwrap_err().to_string();
            assert!(error.contains(&file.path().display().to_string()), "{error}");
        }
    }
}
