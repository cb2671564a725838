//! Certificates and access files that change while the daemon runs: new ones are in force for whoever asks next, broken
//! ones are not, and streams go on for as long as their readers have a right to them.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

#[path = "support/guarded.rs"]
#[expect(dead_code, reason = "each file of tests uses its part")]
mod guarded;

use std::{
    fs,
    time::{Duration, SystemTime},
};

use guarded::{
    Authority, CONNECTIONS, CONTROL, PACKETS, Site, call, hash, method, replace, wait_for, with_token,
};
use support::{PATIENCE, next};
use tcpviewer::{
    api,
    proto::{
        WatchConnectionsRequest, WatchPacketsRequest, tcp_viewer_service_client::TcpViewerServiceClient,
        watch_connections_response::Event,
    },
};
use tokio::time::timeout;
use tonic::Code;

const UNAUTHENTICATED: &str = "a valid token or client certificate is needed";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_shown_to_new_clients_while_streams_go_on() {
    let site = Site::new();
    let mut daemon = site.start().await;
    daemon.change([1]);
    let mut client = TcpViewerServiceClient::new(site.connect(&daemon, None).await);
    let request = with_token(WatchConnectionsRequest::default(), Some(CONNECTIONS));
    let mut stream = client.watch_connections(request).await.unwrap().into_inner();
    while !matches!(next(&mut stream).await, Event::SnapshotEnd(_)) {}

    let second = site.authority.sign(&["localhost", "127.0.0.1"]);
    site.certify(&second);
    site.wait_for_certificate(&daemon, &second).await;
    daemon.change([2]);
    assert!(matches!(next(&mut stream).await, Event::Changes(_)));

    // A certificate without its key, and none at all: the one before stays.
    replace(
        &site.path("certificate.pem"),
        &site.authority.sign(&["localhost"]).certificate,
    );
    replace(&site.path("key.pem"), "no key");
    let channel = site.connect(&daemon, None).await;
    // Each round takes as long as the files are left alone: so they have been read after the second.
    for tokens in [
        &[(PACKETS, "packets")][..],
        &[(PACKETS, "packets"), (CONNECTIONS, "connections")],
    ] {
        site.allow(tokens, "[[user]]\nuid = 4000000000\nrole = \"connections\"\n");
        let listed = tokens.len() == 2;
        wait_for("the new access file", async || {
            call(&channel, &method("GetStatus"), Some(CONNECTIONS))
                .await
                .is_ok()
                == listed
        })
        .await;
    }
    site.wait_for_certificate(&daemon, &second).await;

    let third = site.authority.sign(&["localhost", "127.0.0.1"]);
    site.certify(&third);
    site.wait_for_certificate(&daemon, &third).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expires_ends_its_streams_at_that_moment() {
    let site = Site::new();
    let expires = SystemTime::now() + Duration::from_secs(4);
    let entry = format!(
        "[[token]]\nname = \"short\"\nsha256 = \"{}\"\nrole = \"control\"\nexpires = {}\n",
        hash("short"),
        humantime::format_rfc3339_micros(expires)
    );
    site.allow(&[(CONTROL, "control")], &entry);
    let mut daemon = site.start().await;
    daemon.change([1]);
    let channel = site.connect(&daemon, None).await;
    let mut client = TcpViewerServiceClient::new(channel.clone());
    let mut watch = async |token| {
        let request = with_token(WatchConnectionsRequest::default(), Some(token));
        client.watch_connections(request).await.unwrap().into_inner()
    };
    let (mut short, mut kept) = (watch("short").await, watch(CONTROL).await);

    let end = timeout(PATIENCE, async {
        loop {
            if let Err(status) = short.message().await {
                break status;
            }
        }
    });
    let end = end.await.unwrap();
    assert_eq!(
        (end.code(), end.message()),
        (Code::Unauthenticated, UNAUTHENTICATED)
    );
    let late = SystemTime::now()
        .duration_since(expires)
        .expect("not before it expires");
    assert!(late < Duration::from_secs(3), "{late:?}");
    let refused = call(&channel, &method("GetStatus"), Some("short"))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unauthenticated, UNAUTHENTICATED)
    );
    while !matches!(next(&mut kept).await, Event::SnapshotEnd(_)) {}
    daemon.change([2]);
    assert!(matches!(next(&mut kept).await, Event::Changes(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_ends_takes_its_streams_along_and_is_asked_for_anew() {
    let site = Site::new();
    site.allow(
        &[(CONTROL, "control")],
        "[[certificate]]\nname = \"ops.example.org\"\nrole = \"connections\"\n",
    );
    let daemon = site.start().await;
    // In whole seconds, as certificates are.
    let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let until = SystemTime::UNIX_EPOCH + Duration::from_secs(since_1970.as_secs() + 5);
    let shown = site.authority.sign_until(&["ops.example.org"], until);
    let channel = site.connect(&daemon, Some(&shown)).await;
    let mut client = TcpViewerServiceClient::new(channel.clone());
    let request = WatchConnectionsRequest::default();
    let mut stream = client.watch_connections(request).await.unwrap().into_inner();
    while !matches!(next(&mut stream).await, Event::SnapshotEnd(_)) {}

    let end = timeout(PATIENCE, async {
        loop {
            if let Err(status) = stream.message().await {
                break status;
            }
        }
    });
    let end = end.await.unwrap();
    let refused = call(&channel, &method("GetStatus"), None).await.unwrap_err();

    for status in [end, refused] {
        assert_eq!(
            (status.code(), status.message()),
            (Code::Unauthenticated, UNAUTHENTICATED)
        );
    }
    assert!(SystemTime::now() > until, "not before it ends");
    // The connection itself is good for whoever shows something else.
    call(&channel, &method("GetStatus"), Some(CONTROL)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_withdrawn_ends_its_streams_and_no_others() {
    let site = Site::new();
    let mut daemon = site.start().await;
    daemon.change([1]);
    let channel = site.connect(&daemon, None).await;
    let mut client = TcpViewerServiceClient::new(channel.clone());
    let mut watch = async |token| {
        let request = with_token(WatchConnectionsRequest::default(), Some(token));
        client.watch_connections(request).await.unwrap().into_inner()
    };
    let (mut withdrawn, mut kept) = (watch(CONNECTIONS).await, watch(CONTROL).await);
    let request = with_token(WatchPacketsRequest::default(), Some(PACKETS));
    let mut packets = client.watch_packets(request).await.unwrap().into_inner();
    for stream in [&mut withdrawn, &mut kept] {
        while !matches!(next(stream).await, Event::SnapshotEnd(_)) {}
    }

    site.allow(&[(PACKETS, "connections"), (CONTROL, "control")], "");

    let end = timeout(PATIENCE, async {
        loop {
            if let Err(status) = withdrawn.message().await {
                break status;
            }
        }
    });
    let end = end.await.unwrap();
    assert_eq!(
        (end.code(), end.message()),
        (Code::Unauthenticated, UNAUTHENTICATED)
    );
    let end = timeout(PATIENCE, async {
        loop {
            if let Err(status) = packets.message().await {
                break status;
            }
        }
    });
    assert_eq!(end.await.unwrap().code(), Code::PermissionDenied);
    daemon.change([2]);
    assert!(matches!(next(&mut kept).await, Event::Changes(_)));
    let refused = call(&channel, &method("GetStatus"), Some(CONNECTIONS))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    daemon.wait_for_packets_watched(&[true, false]).await;
}

#[tokio::test]
async fn a_broken_access_file_leaves_the_old_one_in_force_but_does_not_start_a_daemon() {
    let site = Site::new();
    let folder = site.folder.path().display().to_string();
    let bind = async || {
        let bound = api::bind(&site.config()).await;
        bound.err().map(|error| error.to_string()).unwrap_or_default()
    };

    assert_eq!(bind().await, "");
    replace(
        &site.path("access.toml"),
        "[[token]]\nname = \"a\"\nsha256 = \"secret\"\nrole = \"control\"\n",
    );
    let error = bind().await;
    assert!(
        error.starts_with(&format!("read access file {folder}/access.toml: line 3: ")),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
    fs::remove_file(site.path("access.toml")).unwrap();
    assert!(
        bind().await.contains("access.toml: No such file"),
        "{}",
        bind().await
    );
    site.allow(&[], "");
    replace(&site.path("key.pem"), "nothing");
    let error = bind().await;
    assert!(
        error.starts_with(&format!("read private key {folder}/key.pem: none (PEM")),
        "{error}"
    );
    replace(&site.path("key.pem"), &Authority::new().sign(&["localhost"]).key);
    let error = bind().await;
    assert!(
        error.starts_with(&format!("use certificate {folder}/certificate.pem with key")),
        "{error}"
    );
    replace(&site.path("ca.pem"), "nothing");
    assert!(
        bind().await.contains("ca.pem: no certificate (PEM) in it"),
        "{}",
        bind().await
    );
}
