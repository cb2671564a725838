//! The part of the configuration that says where the API listens, and who is let in. In: flags, environment and
//! file. Out: an [`ApiConfig`] that other hosts can reach only with TLS and an access file, unless it was asked for
//! in plain words. What the certificates and the access file hold is read by the API.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use clap::Args;
use serde::Deserialize;

use super::ConfigError;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const DEFAULT_PORT: u16 = 50051;

/// Where the API listens, and who is let in.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Where; at least one.
    pub listen: Vec<Listen>,
    /// Names of this host that requests may use, in lower case, besides `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Encrypts what comes over TCP.
    pub tls: Option<TlsConfig>,
    /// Who is let in; without it everybody who reaches a port.
    pub access: Option<PathBuf>,
    /// Other hosts may come in although the above does not keep strangers out.
    pub insecure: bool,
}

/// The files that TLS needs, all PEM.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// The daemon's certificate, followed by those that lead to its authority.
    pub certificate: PathBuf,
    /// The private key of the certificate.
    pub key: PathBuf,
    /// Authorities that sign clients' certificates.
    pub client_ca: Option<PathBuf>,
}

/// One place where the API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Whether nobody outside of this host can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err("give the path of the socket, such as unix:/run/tcpviewer.sock");
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        text.parse().map(Self::Tcp).map_err(|_error| {
            "not an IP address and port such as 127.0.0.1:50051 or [::1]:50051, nor unix: and a path"
        })
    }
}

impl ApiConfig {
    /// This port of the loopback (0: any that is free), open to everybody on this host.
    pub fn loopback(port: u16) -> Self {
        Self {
            listen: vec![Listen::Tcp(SocketAddr::new(LOOPBACK, port))],
            hosts: vec![],
            tls: None,
            access: None,
            insecure: false,
        }
    }
}

/// Flags and environment variables about the API.
#[derive(Clone, Debug, Default, Args)]
pub struct ApiArgs {
    /// Address of the API and the dashboard, or unix: and the path of a socket. Can be given several times
    /// [default: 127.0.0.1:50051]
    #[arg(
        long,
        value_name = "ADDRESS:PORT|unix:PATH",
        env = "TCPVIEWER_LISTEN",
        value_delimiter = ','
    )]
    pub listen: Vec<String>,

    /// Name of this host that requests may use besides localhost and its address. Can be given several times
    #[arg(
        long = "host",
        value_name = "NAME",
        env = "TCPVIEWER_HOST",
        value_delimiter = ','
    )]
    pub hosts: Vec<String>,

    /// Certificate of this daemon (PEM), for TLS on every TCP port; read again when it changes, or on SIGHUP
    #[arg(long, value_name = "FILE", env = "TCPVIEWER_TLS_CERTIFICATE")]
    pub tls_certificate: Option<PathBuf>,

    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", env = "TCPVIEWER_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Authorities (PEM) whose client certificates are taken; their DNS names get roles in the access file
    #[arg(long, value_name = "FILE", env = "TCPVIEWER_CLIENT_CA")]
    pub client_ca: Option<PathBuf>,

    /// Who is let in, and for what (TOML): tokens, certificates, users; `tcpviewer token` makes an entry. Read
    /// again when it changes, or on SIGHUP
    #[arg(long, value_name = "FILE", env = "TCPVIEWER_ACCESS")]
    pub access: Option<PathBuf>,

    /// Listen on an address other hosts can reach, although anyone there could then read all connections
    #[arg(long, env = "TCPVIEWER_INSECURE")]
    pub insecure: bool,
}

impl ApiArgs {
    /// The configuration without a file.
    ///
    /// # Errors
    ///
    /// When a value does not fit, or strangers could come in.
    pub fn resolve(self) -> Result<ApiConfig, ConfigError> {
        resolve(self, ApiFile::default())
    }
}

/// What a configuration file may say about the API.
#[derive(Clone, Debug, Default)]
pub(super) struct ApiFile {
    pub(super) listen: Option<OneOrMore>,
    pub(super) host: Option<OneOrMore>,
    pub(super) tls_certificate: Option<PathBuf>,
    pub(super) tls_key: Option<PathBuf>,
    pub(super) client_ca: Option<PathBuf>,
    pub(super) access: Option<PathBuf>,
    pub(super) insecure: Option<bool>,
}

/// A text or a list of texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::More(texts) => texts,
        }
    }
}

/// The configuration that flags and file ask for.
pub(super) fn resolve(args: ApiArgs, file: ApiFile) -> Result<ApiConfig, ConfigError> {
    let config = ApiConfig {
        listen: listen(&given(args.listen, file.listen))?,
        hosts: given(args.hosts, file.host)
            .iter()
            .map(|name| host(name.trim()))
            .collect::<Result<_, _>>()?,
        tls: tls(
            args.tls_certificate.or(file.tls_certificate),
            args.tls_key.or(file.tls_key),
            args.client_ca.or(file.client_ca),
        )?,
        access: args.access.or(file.access),
        insecure: args.insecure || file.insecure.unwrap_or(false),
    };
    check_certificates(&config)?;
    check_reach(&config)?;
    Ok(config)
}

/// Flags win over the file as a whole.
fn given(flags: Vec<String>, file: Option<OneOrMore>) -> Vec<String> {
    if flags.is_empty() {
        file.map(OneOrMore::into_vec).unwrap_or_default()
    } else {
        flags
    }
}

fn listen(given: &[String]) -> Result<Vec<Listen>, ConfigError> {
    if given.is_empty() {
        return Ok(vec![Listen::Tcp(SocketAddr::new(LOOPBACK, DEFAULT_PORT))]);
    }
    let parse = |text: &String| {
        let text = text.trim();
        text.parse().map_err(|reason| wrong("listen", text, reason))
    };
    given.iter().map(parse).collect()
}

fn host(name: &str) -> Result<String, ConfigError> {
    let fits = !name.is_empty()
        && name.parse::<IpAddr>().is_err()
        && name.split('.').all(|label| {
            let characters = label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            !label.is_empty() && characters
        });
    if fits {
        return Ok(name.to_ascii_lowercase());
    }
    Err(wrong(
        "host",
        name,
        "not a DNS name such as probe.example.org (no port, no wildcard, no address)",
    ))
}

fn tls(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
) -> Result<Option<TlsConfig>, ConfigError> {
    let shown = |path: PathBuf| path.display().to_string();
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(TlsConfig {
            certificate,
            key,
            client_ca,
        })),
        (Some(certificate), None) => Err(wrong(
            "tls-certificate",
            &shown(certificate),
            "needs its private key: add --tls-key",
        )),
        (None, Some(key)) => Err(wrong(
            "tls-key",
            &shown(key),
            "needs its certificate: add --tls-certificate",
        )),
        (None, None) => match client_ca {
            Some(client_ca) => Err(wrong(
                "client-ca",
                &shown(client_ca),
                "needs TLS: add --tls-certificate and --tls-key",
            )),
            None => Ok(None),
        },
    }
}

/// Which certificates may do what is in the access file.
fn check_certificates(config: &ApiConfig) -> Result<(), ConfigError> {
    let client_ca = config.tls.as_ref().and_then(|tls| tls.client_ca.as_ref());
    match client_ca {
        Some(client_ca) if config.access.is_none() => Err(wrong(
            "client-ca",
            &client_ca.display().to_string(),
            "needs --access, a file that gives the certificates their roles",
        )),
        Some(_) | None => Ok(()),
    }
}

fn check_reach(config: &ApiConfig) -> Result<(), ConfigError> {
    let reached = config.listen.iter().find(|listen| !listen.is_local());
    let missing = match (&config.tls, &config.access) {
        (Some(_), Some(_)) => return Ok(()),
        (Some(_), None) => "add --access",
        (None, Some(_)) => "add --tls-certificate and --tls-key",
        (None, None) => "add --tls-certificate, --tls-key and --access",
    };
    match reached {
        Some(listen) if !config.insecure => Err(wrong(
            "listen",
            &listen.to_string(),
            &format!(
                "other hosts could reach this address and read every connection of this one; {missing}, listen on \
                 a loopback address, or add --insecure if that is what you want"
            ),
        )),
        Some(_) | None => Ok(()),
    }
}

fn wrong(name: &'static str, value: &str, reason: &str) -> ConfigError {
    ConfigError::Value {
        name,
        value: value.to_owned(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(listen: &[&str]) -> ApiArgs {
        ApiArgs {
            listen: listen.iter().map(ToString::to_string).collect(),
            ..ApiArgs::default()
        }
    }

    fn error(args: ApiArgs) -> String {
        resolve(args, ApiFile::default()).unwrap_err().to_string()
    }

    #[test]
    fn ports_and_sockets_are_taken_together() {
        let given = [
            "127.0.0.1:1",
            " [::1]:2",
            "unix:/run/t.sock",
            "unix:///run/u.sock",
        ];

        let config = resolve(args(&given), ApiFile::default()).unwrap();

        let shown: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["127.0.0.1:1", "[::1]:2", "unix:/run/t.sock", "unix:/run/u.sock"]
        );
        assert!(config.listen.iter().all(Listen::is_local));
    }

    #[test]
    fn without_a_word_it_is_the_loopback() {
        let config = resolve(ApiArgs::default(), ApiFile::default()).unwrap();

        assert_eq!(config.listen, ["127.0.0.1:50051".parse().unwrap()]);
    }

    #[test]
    fn other_hosts_come_in_only_with_tls_and_an_access_file_or_plain_words() {
        for listen in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[2001:db8::1]:1"] {
            for (tls, access, insecure, expected) in [
                (
                    false,
                    false,
                    false,
                    Some("add --tls-certificate, --tls-key and --access"),
                ),
                (true, false, false, Some("add --access")),
                (false, true, false, Some("add --tls-certificate and --tls-key")),
                (true, true, false, None),
                (false, false, true, None),
            ] {
                let file = || Some(PathBuf::from("/file"));
                let args = ApiArgs {
                    tls_certificate: tls.then(file).flatten(),
                    tls_key: tls.then(file).flatten(),
                    access: access.then(file).flatten(),
                    insecure,
                    // A place that is fine does not excuse the other.
                    ..args(&["127.0.0.1:1", listen])
                };
                match (resolve(args, ApiFile::default()), expected) {
                    (Ok(_), None) => {}
                    (Err(error), Some(words)) => {
                        let error = error.to_string();
                        assert!(error.starts_with(&format!("listen {listen:?}: ")), "{error}");
                        assert!(error.contains(words) && error.contains("--insecure"), "{error}");
                    }
                    (outcome, _) => assert!(outcome.is_ok() == expected.is_none(), "{listen} {expected:?}"),
                }
            }
        }
    }

    #[test]
    fn what_does_not_belong_together_is_named() {
        let file = || Some(PathBuf::from("/file"));
        for (args, words) in [
            (
                args(&["localhost:1"]),
                "listen \"localhost:1\": not an IP address and port",
            ),
            (args(&["unix:"]), "give the path of the socket"),
            (
                ApiArgs {
                    tls_certificate: file(),
                    ..args(&[])
                },
                "add --tls-key",
            ),
            (
                ApiArgs {
                    tls_key: file(),
                    ..args(&[])
                },
                "add --tls-certificate",
            ),
            (
                ApiArgs {
                    client_ca: file(),
                    ..args(&[])
                },
                "needs TLS",
            ),
            (
                ApiArgs {
                    client_ca: file(),
                    tls_key: file(),
                    tls_certificate: file(),
                    ..args(&[])
                },
                "needs --access",
            ),
        ] {
            let error = error(args);
            assert!(error.contains(words), "{error}");
        }
        for name in [
            "",
            "10.0.0.1",
            "::1",
            "a:80",
            "*.example.org",
            "a..b",
            "a b",
            "http://a",
        ] {
            let error = error(ApiArgs {
                hosts: vec![name.into()],
                ..args(&[])
            });
            assert!(error.contains("not a DNS name"), "{name:?}: {error}");
        }
    }
}
