//! Who is let in, as strangers, holders of tokens and certificates, and users of this host meet it: a real server
//! behind TLS and on a Unix socket, and real clients.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

#[path = "support/guarded.rs"]
#[expect(dead_code, reason = "each file of tests uses its part")]
mod guarded;

use std::{
    env, fs,
    os::unix::process::CommandExt as _,
    process::{Command, Output},
    time::{Duration, Instant},
};

use guarded::{
    Authority, CONNECTIONS, CONTROL, PACKETS, Site, call, exchange, hash, method, methods, with_token,
};
use rustix::process::geteuid;
use support::{Daemon, INSTANCE};
use tcpviewer::{
    api,
    config::{ApiConfig, Listen},
    proto::tcp_viewer_service_client::TcpViewerServiceClient,
};
use tokio::net::{TcpStream, UnixStream};
use tonic::Code;

const HEALTH: &str = "/grpc.health.v1.Health/Check";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const UNAUTHENTICATED: &str = "a valid token or client certificate is needed";

/// Every path that there is, and some that there are not.
fn all_paths() -> Vec<String> {
    let further = [
        HEALTH,
        REFLECTION,
        "/tcpviewer.v1.TcpViewerService/None",
        "/a.Service/Call",
    ];
    let mut paths = methods();
    paths.extend(further.map(str::to_owned));
    paths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_hosts_and_origins_are_refused_on_every_path_of_every_entrance() {
    let site = Site::new();
    let guarded = site.start().await;
    let open = Daemon::start().await;
    let send = async |entrance: &str, head: &str, body: &[u8]| match entrance {
        "tcp" => exchange(TcpStream::connect(open.address).await.unwrap(), head, body).await,
        "tls" => exchange(site.shake_hands(&guarded, None).await.unwrap(), head, body).await,
        _unix => {
            exchange(
                UnixStream::connect(site.path("api.sock")).await.unwrap(),
                head,
                body,
            )
            .await
        }
    };
    let posts = all_paths().into_iter().flat_map(|path| {
        ["application/grpc", "application/grpc-web+proto"].map(|content| ("POST", path.clone(), content))
    });
    let gets = ["/", "/assets/index.js", "/connections/1", "/favicon.svg"]
        .into_iter()
        .chain([
            "/tcpviewer.v1.TcpViewerService/GetStatus",
            "/api/traffic",
            "/api/other",
        ])
        .map(|path| ("GET", path.to_owned(), "text/html"));
    for (verb, path, content) in posts.chain(gets) {
        for entrance in ["tcp", "tls", "unix"] {
            let scheme = if entrance == "tls" { "https" } else { "http" };
            for (host, origin, expected) in [
                ("localhost", None, true),
                ("localhost", Some(format!("{scheme}://localhost")), true),
                ("evil.example", None, false),
                ("evil.example", Some(format!("{scheme}://evil.example")), false),
                ("localhost", Some(format!("{scheme}://evil.example")), false),
                ("localhost", Some("null".to_owned()), false),
            ] {
                // Nothing that lasts: what passes is refused for its token, or is no stream.
                if expected && (entrance == "tcp" || path == HEALTH) && verb == "POST" {
                    continue;
                }
                let origin = origin
                    .map(|origin| format!("\r\nOrigin: {origin}"))
                    .unwrap_or_default();
                // The best of tokens does not help, for a browser may hold it.
                let token = if expected { "wrong" } else { CONTROL };
                let head = format!(
                    "{verb} {path} HTTP/1.1\r\nHost: {host}{origin}\r\nContent-Type: {content}\r\n\
                     Authorization: Bearer {token}"
                );
                let answer = send(entrance, &head, &[0; 5]).await;
                let refused = answer.replace("%20", " ").contains("is not this daemon");
                assert_eq!(refused, !expected, "{entrance} {head}: {answer}");
                if refused && content == "application/grpc" {
                    assert!(answer.contains("grpc-status: 7"), "{entrance} {head}: {answer}");
                } else if refused {
                    assert!(answer.starts_with("HTTP/1.1 403"), "{entrance} {head}: {answer}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_covers_its_methods_and_those_of_the_weaker_ones() {
    let site = Site::new();
    let mut daemon = site.start().await;
    daemon.change([1]);
    let channel = site.connect(&daemon, None).await;
    let roles = ["connections", "packets", "control"];
    let needed = |path: &str| match path {
        HEALTH => None,
        _ if path.ends_with("/None") || path.starts_with("/a.") => Some(2),
        _ if path.ends_with("/WatchPackets") || path.ends_with("/CapturePcap") => Some(1),
        _ => Some(0),
    };

    for path in all_paths() {
        for token in [None, Some("wrong"), Some("")] {
            let outcome = call(&channel, &path, token).await;
            match needed(&path) {
                None => assert!(outcome.is_ok(), "{path} {token:?}: {outcome:?}"),
                Some(_) => {
                    let status = outcome.unwrap_err();
                    assert_eq!(
                        (status.code(), status.message()),
                        (Code::Unauthenticated, UNAUTHENTICATED),
                        "{path} {token:?}"
                    );
                }
            }
        }
        for (given, token) in [CONNECTIONS, PACKETS, CONTROL].into_iter().enumerate() {
            let outcome = call(&channel, &path, Some(token)).await;
            let code = outcome.as_ref().map_or_else(tonic::Status::code, |()| Code::Ok);
            match needed(&path) {
                Some(needed) if needed > given => {
                    let message = format!("this needs the role {}; yours is {}", roles[needed], roles[given]);
                    let status = outcome.unwrap_err();
                    assert_eq!(
                        (code, status.message()),
                        (Code::PermissionDenied, message.as_str()),
                        "{path}"
                    );
                }
                _covered => assert!(
                    !matches!(code, Code::Unauthenticated | Code::PermissionDenied),
                    "{path} {token}: {outcome:?}"
                ),
            }
        }
    }
}

#[tokio::test]
async fn the_dashboard_itself_needs_no_token_and_grpc_web_gets_refusals_in_its_own_form() {
    let site = Site::new();
    let daemon = site.start().await;
    let send = async |head: &str, body: &[u8]| {
        exchange(site.shake_hands(&daemon, None).await.unwrap(), head, body).await
    };

    let page = send("GET / HTTP/1.1\r\nHost: localhost", b"").await;
    assert!(page.contains("content-security-policy:"), "{page}");
    for (name, token, code) in [
        ("GetStatus", "", 16),
        ("GetStatus", "\r\nAuthorization: Bearer wrong", 16),
        (
            "WatchPackets",
            &format!("\r\nAuthorization: Bearer {CONNECTIONS}"),
            7,
        ),
        (
            "GetStatus",
            &format!("\r\nAuthorization: Bearer {CONNECTIONS}"),
            0,
        ),
    ] {
        let path = method(name);
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost{token}\r\nContent-Type: application/grpc-web+proto"
        );
        let answer = send(&head, &[0; 5]).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.contains("content-type: application/grpc-web+proto"),
            "{answer}"
        );
        let status = [format!("grpc-status: {code}"), format!("grpc-status:{code}")];
        assert!(
            status.iter().any(|status| answer.contains(status)),
            "{head}: {answer}"
        );
    }
}

#[tokio::test]
async fn json_for_scripts_needs_the_role_that_packets_need() {
    let site = Site::new();
    let mut daemon = site.start().await;
    daemon.change([1]);
    let unauthenticated = format!("{{\"error\":\"{UNAUTHENTICATED}\"}}");
    for (path, token, further, code, words) in [
        ("/api/traffic", None, "", 401, unauthenticated.as_str()),
        ("/api/traffic", Some("wrong"), "", 401, &unauthenticated),
        (
            "/api/traffic",
            Some(CONNECTIONS),
            "",
            403,
            "{\"error\":\"this needs the role packets; yours is connections\"}",
        ),
        ("/api/traffic", Some(PACKETS), "", 200, "\"connection_id\":1,"),
        (
            "/api/traffic",
            Some(CONTROL),
            "\r\nSec-Fetch-Site: none",
            200,
            "\"connection_id\":1,",
        ),
        (
            "/api/traffic",
            Some(CONTROL),
            "\r\nSec-Fetch-Site: cross-site",
            403,
            "of another origin",
        ),
        (
            "/api/traffic",
            Some(CONTROL),
            "\r\nSec-Fetch-Site: same-site",
            403,
            "of another origin",
        ),
        ("/api/other", None, "", 401, &unauthenticated),
        (
            "/api/other",
            Some(PACKETS),
            "",
            403,
            "this needs the role control",
        ),
        ("/api/other", Some(CONTROL), "", 404, "{\"error\":\"not found\"}"),
    ] {
        let token = token
            .map(|token| format!("\r\nAuthorization: Bearer {token}"))
            .unwrap_or_default();
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost{token}{further}");
        let answer = exchange(site.shake_hands(&daemon, None).await.unwrap(), &head, b"").await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {code}")),
            "{head}: {answer}"
        );
        assert!(answer.contains(words), "{head}: {answer}");
        assert_eq!(
            answer.contains("www-authenticate: Bearer"),
            code == 401,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn nothing_tells_which_tokens_or_methods_exist() {
    let site = Site::new();
    let daemon = site.start().await;
    let channel = site.connect(&daemon, None).await;
    // What a client of gRPC-Web gets, and what one of gRPC gets, but for the time.
    let web = async |path: &str, authorization: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost{authorization}\r\n\
             Content-Type: application/grpc-web+proto"
        );
        let answer = exchange(site.shake_hands(&daemon, None).await.unwrap(), &head, &[0; 5]).await;
        let lines = answer.lines().filter(|line| !line.starts_with("date:"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let native = async |path: &str, token: Option<&str>| {
        let status = call(&channel, path, token).await.unwrap_err();
        let mut metadata = status.metadata().clone().into_headers();
        metadata.remove("date");
        (
            status.code(),
            status.message().to_owned(),
            format!("{metadata:?}"),
        )
    };
    let paths = [
        method("GetStatus"),
        method("WatchPackets"),
        method("None"),
        REFLECTION.into(),
    ];
    let (web_without, native_without) = (web(&paths[0], "").await, native(&paths[0], None).await);
    assert!(
        web_without.contains(&"grpc-status: 16".to_owned()),
        "{web_without:?}"
    );
    assert_eq!(native_without.0, Code::Unauthenticated);

    for token in [
        "wrong".to_owned(),
        CONTROL[..CONTROL.len() - 1].to_owned(),
        format!("{CONTROL}x"),
        CONTROL.to_uppercase(),
        hash(CONTROL),
        "the one for control".to_owned(),
        "x".repeat(8_000),
    ] {
        for path in &paths {
            let authorization = format!("\r\nAuthorization: Bearer {token}");
            assert_eq!(web(path, &authorization).await, web_without, "{path} {token}");
            assert_eq!(native(path, Some(&token)).await, native_without, "{path} {token}");
        }
    }
    for authorization in [
        format!("\r\nAuthorization: Basic {CONTROL}"),
        format!("\r\nAuthorization: {CONTROL}"),
        format!("\r\nAuthorization: Bearer {CONTROL}\r\nAuthorization: Bearer {CONTROL}"),
    ] {
        for path in &paths {
            assert_eq!(
                web(path, &authorization).await,
                web_without,
                "{path} {authorization}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_certificate_has_the_role_of_its_name() {
    let site = Site::new();
    site.allow(
        &[(CONTROL, "control")],
        "[[certificate]]\nname = \"Ops.example.org\"\nrole = \"packets\"\n",
    );
    let daemon = site.start().await;
    let ops = site.authority.sign(&["laptop.example.org", "ops.example.org"]);

    let channel = site.connect(&daemon, Some(&ops)).await;
    for (name, token, expected) in [
        ("GetStatus", None, Code::Ok),
        ("WatchPackets", None, Code::Ok),
        ("Attach", None, Code::PermissionDenied),
        ("Attach", Some(CONTROL), Code::Unimplemented),
        ("GetStatus", Some("wrong"), Code::Unauthenticated),
    ] {
        let outcome = call(&channel, &method(name), token).await;
        let code = outcome.as_ref().map_or_else(tonic::Status::code, |()| Code::Ok);
        assert_eq!(code, expected, "{name} {token:?}: {outcome:?}");
    }
    for names in [&["laptop.example.org"][..], &["*.example.org"], &[]] {
        let channel = site.connect(&daemon, Some(&site.authority.sign(names))).await;
        let refused = call(&channel, &method("GetStatus"), None).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::Unauthenticated, UNAUTHENTICATED)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_expired_or_missing_is_refused_whatever_role_it_had() {
    let site = Site::new();
    let roles = ["connections", "packets", "control"];
    let entry = |role: &str, token: &str, expires: &str| {
        let hash = hash(token);
        format!(
            "[[token]]\nname = \"{token}\"\nsha256 = \"{hash}\"\nrole = \"{role}\"\nexpires = {expires}\n\
             [[certificate]]\nname = \"{token}.example.org\"\nrole = \"{role}\"\n"
        )
    };
    let entries = roles.map(|role| {
        entry(role, &format!("good-{role}"), "2999-01-01T00:00:00Z")
            + &entry(role, &format!("old-{role}"), "2021-01-01T00:00:00Z")
    });
    site.allow(&[], &entries.concat());
    let daemon = site.start().await;
    let covered = ["GetStatus", "WatchPackets", "None"].map(method);
    let code = async |shown: Option<&guarded::Pair>, path: &str, token: Option<&str>| {
        let channel = site.connect(&daemon, shown).await;
        let outcome = call(&channel, path, token).await;
        outcome.as_ref().map_or_else(tonic::Status::code, |()| Code::Ok)
    };

    for (role, path) in roles.into_iter().zip(&covered) {
        let (good, old) = (format!("good-{role}"), format!("old-{role}"));
        let certified = |authority: &Authority| authority.sign(&[&format!("{good}.example.org")]);
        let expected = if role == "control" {
            Code::Unimplemented
        } else {
            Code::Ok
        };
        assert_eq!(code(None, path, Some(&good)).await, expected, "{role}");
        assert_eq!(
            code(Some(&certified(&site.authority)), path, None).await,
            expected,
            "{role}"
        );
        for token in [None, Some(old.as_str()), Some("wrong")] {
            assert_eq!(
                code(None, path, token).await,
                Code::Unauthenticated,
                "{role} {token:?}"
            );
        }
        // A token that counts no longer is not made good by a certificate.
        let certificate = certified(&site.authority);
        assert_eq!(
            code(Some(&certificate), path, Some(&old)).await,
            Code::Unauthenticated,
            "{role}"
        );
        let unknown = site.authority.sign(&[&format!("{good}.example.com")]);
        assert_eq!(
            code(Some(&unknown), path, None).await,
            Code::Unauthenticated,
            "{role}"
        );
        for (bad, what) in [
            (certified(&Authority::new()), "a stranger"),
            (
                site.authority.sign_expired(&[&format!("{good}.example.org")]),
                "the past",
            ),
        ] {
            // With TLS 1.3 the client learns that when it reads.
            let told = match site.shake_hands(&daemon, Some(&bad)).await {
                Ok(mut stream) => tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1])
                    .await
                    .map(|_count| ()),
                Err(error) => Err(error),
            };
            assert!(told.is_err(), "a certificate of {what} was taken for {role}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_goes_by_the_user_at_the_other_end() {
    if !geteuid().is_root() {
        let reason = "needs root to become another user; cargo xtask test gets it";
        assert!(
            env::var_os("TCPVIEWER_REQUIRE_ROOT").is_none_or(|value| value != "1"),
            "{reason}"
        );
        println!("skipped: {reason}");
        return;
    }
    let site = Site::new();
    let nobody = 65_534;
    let listed = format!("[[user]]\nuid = {nobody}\nrole = \"connections\"\n");
    for (access, uid, token, name, expected) in [
        (None, 0, "", "GetStatus", 0),
        (None, nobody, "", "GetStatus", 7),
        (None, nobody, CONTROL, "GetStatus", 7),
        (Some(""), 0, "", "GetStatus", 16),
        (Some(""), nobody, "", "GetStatus", 16),
        (Some(""), nobody, CONTROL, "GetStatus", 0),
        (Some(listed.as_str()), nobody, "", "GetStatus", 0),
        (Some(listed.as_str()), nobody, "", "WatchPackets", 7),
        (Some(listed.as_str()), nobody, "wrong", "GetStatus", 16),
        (Some(listed.as_str()), nobody - 1, "", "GetStatus", 16),
    ] {
        let config = ApiConfig {
            access: access.map(|_lines| site.path("access.toml")),
            tls: None,
            ..site.config()
        };
        site.allow(&[(CONTROL, "control")], access.unwrap_or_default());
        let daemon = Daemon::start_from(INSTANCE, true, &config).await;
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--include",
            "--max-time",
            "20",
            "--unix-socket",
        ])
        .arg(site.path("api.sock"))
        .args([
            "--header",
            "content-type: application/grpc-web+proto",
            "--data-binary",
            "@-",
        ])
        .arg(format!("http://localhost{}", method(name)))
        .uid(uid)
        .gid(uid);
        if !token.is_empty() {
            curl.args(["--header", &format!("authorization: Bearer {token}")]);
        }
        let answer = output(curl, &[0; 5]).await;
        let text = String::from_utf8_lossy(&answer.stdout);
        let status = [
            format!("grpc-status: {expected}"),
            format!("grpc-status:{expected}"),
        ];
        assert!(
            status.iter().any(|status| text.contains(status)),
            "{access:?} {uid} {token:?} {name}: {text} {}",
            String::from_utf8_lossy(&answer.stderr)
        );
        daemon.stop().await.unwrap();
        assert!(!site.path("api.sock").exists());
    }
}

/// Runs a program with this input to its end, beside the daemon.
async fn output(mut command: Command, input: &[u8]) -> Output {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), input).unwrap();
    command.stdin(file.reopen().unwrap());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_and_buf_come_in_with_a_token_and_the_authority() {
    let site = Site::new();
    let mut daemon = site.start().await;
    daemon.change([1]);
    let url = format!(
        "https://localhost:{}{}",
        daemon.address.port(),
        method("ListConnections")
    );
    let ca = site.path("ca.pem").display().to_string();
    let bearer = |token| format!("authorization: Bearer {token}");
    for (version, token, expected) in [
        ("--http2", CONNECTIONS, "enp0s31f6"),
        ("--http1.1", CONNECTIONS, "enp0s31f6"),
        ("--http2", "wrong", "grpc-status: 16"),
    ] {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--ipv4",
            "--include",
            "--max-time",
            "20",
            version,
            "--cacert",
            &ca,
        ])
        .args([
            "--header",
            &bearer(token),
            "--header",
            "content-type: application/grpc-web+proto",
        ])
        .args(["--data-binary", "@-", &url]);
        let answer = output(curl, &[0; 5]).await;
        let text = String::from_utf8_lossy(&answer.stdout);
        let errors = String::from_utf8_lossy(&answer.stderr);
        assert!(text.contains(expected), "{version} {token}: {text} {errors}");
    }
    // It learns the contract by reflection, with the same token.
    let mut buf = Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../web/node_modules/.bin/buf"
    ));
    buf.args([
        "curl",
        "--protocol",
        "grpc",
        "--cacert",
        &ca,
        "--header",
        &bearer(CONNECTIONS),
    ])
    .args(["--reflect-header", &bearer(CONNECTIONS), "--data", "{}", &url]);
    let answer = output(buf, b"").await;
    let text = String::from_utf8_lossy(&answer.stdout);
    assert!(
        text.contains("enp0s31f6"),
        "{text} {}",
        String::from_utf8_lossy(&answer.stderr)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_that_do_not_end_hold_up_nobody() {
    let site = Site::new();
    let daemon = site.start().await;
    let mut silent = Vec::new();
    for _number in 0..200 {
        silent.push(TcpStream::connect(daemon.address).await.unwrap());
    }

    let channel = site.connect(&daemon, None).await;
    let status = call(&channel, &method("GetStatus"), Some(CONNECTIONS)).await;
    let start = Instant::now();
    daemon.stop().await.unwrap();

    assert!(status.is_ok(), "{status:?}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn requests_beyond_the_limit_are_refused() {
    let site = Site::new();
    let daemon = site.start().await;
    let mut client = TcpViewerServiceClient::new(site.connect(&daemon, None).await);
    let mut list = async |length| {
        let request = tcpviewer::proto::ListConnectionsRequest {
            page_token: "x".repeat(length),
            ..Default::default()
        };
        client
            .list_connections(with_token(request, Some(CONNECTIONS)))
            .await
            .unwrap_err()
            .code()
    };

    assert_eq!(list(4 * 1024).await, Code::InvalidArgument);
    assert_eq!(list(70 * 1024).await, Code::OutOfRange);
}

#[tokio::test]
async fn other_hosts_need_somebody_who_is_let_in() {
    let site = Site::new();
    let bind = async |listen: &str, with_certificates: bool| {
        let mut config = site.config();
        config.listen = vec![listen.parse::<Listen>().unwrap()];
        if let Some(tls) = config.tls.as_mut().filter(|_tls| !with_certificates) {
            tls.client_ca = None;
        }
        api::bind(&config).await.err().map(|error| error.to_string())
    };
    let certificate = "[[certificate]]\nname = \"a\"\nrole = \"control\"\n";
    let user = "[[user]]\nuid = 0\nrole = \"control\"\n";
    for (tokens, lines, with_certificates, expected) in [
        (&[(CONTROL, "control")][..], "", false, true),
        (&[], certificate, true, true),
        (&[], certificate, false, false),
        (&[], user, true, false),
        (&[], "", true, false),
    ] {
        site.allow(tokens, lines);
        let error = bind("0.0.0.0:0", with_certificates).await;
        assert_eq!(error.is_none(), expected, "{lines:?}: {error:?}");
        assert!(
            error.is_none_or(|error| error.contains("lets none of them in")),
            "{lines:?}"
        );
        assert_eq!(bind("127.0.0.1:0", with_certificates).await, None, "{lines:?}");
    }
}
