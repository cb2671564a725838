//! Who may ask: requests that name this host, from its own pages. A web page elsewhere must not read a host's
//! connections through a visitor's browser, neither directly (Origin) nor through a name that it has pointed at
//! 127.0.0.1 (Host). In: the head of a request. Out: nothing, or why it is refused.

use std::net::{IpAddr, SocketAddr};

use http::{
    HeaderMap, Request,
    header::{HOST, ORIGIN},
    uri::Authority,
};

/// The hosts that requests may name.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    /// Where the daemon listens; `None` for a Unix socket, which ssh can make a port of somebody's loopback.
    listen: Option<IpAddr>,
    /// Further names, in lower case.
    names: Vec<String>,
    /// Whether requests come through TLS.
    secure: bool,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the request names no host")]
    NoHost,
    #[error(
        "host {0:?} is not this daemon; use localhost, the address it listens on, or a name given with --host"
    )]
    Host(String),
    #[error("origin {0:?} is not this daemon")]
    Origin(String),
}

impl Hosts {
    /// For requests that come in at `listen`, through TLS if it is `secure`.
    pub(super) fn new(listen: Option<SocketAddr>, names: Vec<String>, secure: bool) -> Self {
        Self {
            listen: listen.map(|address| address.ip().to_canonical()),
            names,
            secure,
        }
    }

    /// Whether a request may pass: every host it names is this one, and its origin, if it has one, is that host.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let host = self.check_host(request)?;
        self.check_origin(request.headers(), &host)
    }

    fn check_host<B>(&self, request: &Request<B>) -> Result<Authority, Refusal> {
        let mut host = None;
        // HTTP/2 has the host in `:authority`, HTTP/1.1 in `Host` or in an absolute target: all must be good.
        if let Some(authority) = request.uri().authority() {
            self.check_authority(authority)?;
            host = Some(authority.clone());
        }
        for value in request.headers().get_all(HOST) {
            let authority = Authority::try_from(value.as_bytes())
                .map_err(|_invalid| Refusal::Host(String::from_utf8_lossy(value.as_bytes()).into_owned()))?;
            self.check_authority(&authority)?;
            host.get_or_insert(authority);
        }
        host.ok_or(Refusal::NoHost)
    }

    fn check_authority(&self, authority: &Authority) -> Result<(), Refusal> {
        let host = authority.host();
        let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let known = match address {
            // Only a name can be pointed elsewhere, so behind a wildcard any address is as good as its own.
            Some(address) => {
                address.to_canonical().is_loopback()
                    || self
                        .listen
                        .is_some_and(|listen| listen == address.to_canonical() || listen.is_unspecified())
            }
            None => {
                let given = |name: &String| host.eq_ignore_ascii_case(name);
                host.eq_ignore_ascii_case("localhost") || self.names.iter().any(given)
            }
        };
        if known && !authority.as_str().contains('@') {
            Ok(())
        } else {
            Err(Refusal::Host(authority.to_string()))
        }
    }

    /// Browsers send an origin with everything but plain navigation: it must be the page of the host asked. Behind
    /// TLS that page must have come through TLS as well, or anybody on its way could have written it.
    fn check_origin(&self, headers: &HeaderMap, host: &Authority) -> Result<(), Refusal> {
        for origin in headers.get_all(ORIGIN) {
            let origin = String::from_utf8_lossy(origin.as_bytes());
            let plain = origin.strip_prefix("http://").filter(|_authority| !self.secure);
            let authority = plain.or_else(|| origin.strip_prefix("https://"));
            if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_str())) {
                return Err(Refusal::Origin(origin.into_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_name_another_host_or_origin_are_refused() {
        let check = |listen: &str, host: &str, origin: Option<&str>| {
            let mut request = Request::builder().uri("/").header(HOST, host);
            if let Some(origin) = origin {
                request = request.header(ORIGIN, origin);
            }
            Hosts::new(Some(listen.parse().unwrap()), vec![], false)
                .check(&request.body(()).unwrap())
                .is_ok()
        };
        let loopback = "127.0.0.1:50051";
        for (listen, host, origin, expected) in [
            (loopback, "127.0.0.1:50051", None, true),
            (loopback, "localhost:8080", None, true),
            (loopback, "LOCALHOST", Some("http://localhost"), true),
            (loopback, "[::1]:50051", Some("http://[::1]:50051"), true),
            (loopback, "127.8.9.1", None, true),
            (loopback, "localhost:5173", Some("https://localhost:5173"), true),
            (loopback, "evil.example", None, false),
            (loopback, "localhost.evil.example", None, false),
            (loopback, "127.0.0.1.evil.example:50051", None, false),
            (loopback, "localhost@evil.example", None, false),
            (loopback, "evil.example@localhost", None, false),
            (loopback, "10.0.0.1:50051", None, false),
            (loopback, "", None, false),
            (loopback, "localhost:50051", Some("http://localhost:5173"), false),
            (loopback, "localhost:50051", Some("http://evil.example"), false),
            (loopback, "localhost:50051", Some("ftp://localhost:50051"), false),
            (loopback, "localhost:50051", Some("null"), false),
            (loopback, "localhost:50051", Some(""), false),
            ("10.0.0.1:50051", "10.0.0.1:50051", None, true),
            ("10.0.0.1:50051", "10.0.0.2:50051", None, false),
            ("0.0.0.0:50051", "10.0.0.2:50051", None, true),
            ("0.0.0.0:50051", "evil.example", None, false),
        ] {
            assert_eq!(
                check(listen, host, origin),
                expected,
                "listen {listen}, host {host}, origin {origin:?}"
            );
        }
    }

    #[test]
    fn a_request_without_a_host_is_refused() {
        let hosts = Hosts::new(Some("127.0.0.1:1".parse().unwrap()), vec![], false);

        let outcome = hosts.check(&Request::builder().uri("/").body(()).unwrap());

        assert_eq!(outcome, Err(Refusal::NoHost));
    }

    #[test]
    fn an_absolute_target_counts_as_host_beside_the_header() {
        let hosts = Hosts::new(Some("127.0.0.1:1".parse().unwrap()), vec![], false);
        let request = Request::builder()
            .uri("http://evil.example/")
            .header(HOST, "localhost")
            .body(())
            .unwrap();

        assert_eq!(hosts.check(&request), Err(Refusal::Host("evil.example".into())));
    }

    #[test]
    fn names_that_were_given_pass_and_a_page_without_tls_does_not_reach_behind_it() {
        let check = |secure, host: &str, origin: &str| {
            let request = Request::builder()
                .uri("/")
                .header(HOST, host)
                .header(ORIGIN, origin);
            let names = vec!["probe.example.org".to_owned()];
            Hosts::new(None, names, secure)
                .check(&request.body(()).unwrap())
                .is_ok()
        };
        for (secure, host, origin, expected) in [
            (true, "probe.example.org", "https://probe.example.org", true),
            (
                true,
                "Probe.Example.ORG:443",
                "https://probe.example.org:443",
                true,
            ),
            (true, "probe.example.org", "http://probe.example.org", false),
            (false, "probe.example.org", "http://probe.example.org", true),
            (true, "localhost:1", "https://localhost:1", true),
            (true, "localhost:1", "http://localhost:1", false),
            (true, "other.example.org", "https://other.example.org", false),
            (true, "x.probe.example.org", "https://x.probe.example.org", false),
            (false, "10.0.0.1", "http://10.0.0.1", false),
        ] {
            assert_eq!(check(secure, host, origin), expected, "{secure} {host} {origin}");
        }
    }
}
