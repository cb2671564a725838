//! Several streams in one, as a client meets them: each says what it would say alone, they come and go while the bundle
//! stays, and the daemon counts it as one.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

use support::{Daemon, PATIENCE};
use tcpviewer::proto::{
    BundledRequest, ChangeBundleRequest, WatchBundleRequest, WatchBundleResponse, WatchConnectionRequest,
    WatchConnectionsRequest, WatchStatsRequest, bundled_request::Request, watch_bundle_response::Message,
    watch_connections_response::Event,
};
use tokio::time::timeout;
use tonic::{Code, Streaming};

fn start(number: u32, request: Request) -> BundledRequest {
    BundledRequest {
        number,
        request: Some(request),
    }
}

fn sums(number: u32) -> BundledRequest {
    start(number, Request::Stats(WatchStatsRequest::default()))
}

fn connections(number: u32, filter: &str) -> BundledRequest {
    let request = WatchConnectionsRequest {
        filter: filter.to_owned(),
        ..Default::default()
    };
    start(number, Request::Connections(request))
}

/// Opens a bundle; gives it and its name.
async fn open(daemon: &Daemon, start: Vec<BundledRequest>) -> (Streaming<WatchBundleResponse>, String) {
    let mut client = daemon.client().await;
    let mut bundle = client
        .watch_bundle(WatchBundleRequest { start })
        .await
        .unwrap()
        .into_inner();
    let first = timeout(PATIENCE, bundle.message())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let (0, Some(Message::Opened(name))) = (first.number, first.message) else {
        panic!("the name does not come first")
    };
    (bundle, name)
}

/// The next message of one stream.
async fn next_of(bundle: &mut Streaming<WatchBundleResponse>, number: u32) -> Message {
    let next = async {
        loop {
            let said = bundle.message().await.unwrap().expect("the bundle goes on");
            if said.number == number {
                return said.message.unwrap();
            }
        }
    };
    timeout(PATIENCE, next).await.expect("a message in time")
}

/// Reads until the changes bring this connection.
async fn wait_for_change(bundle: &mut Streaming<WatchBundleResponse>, number: u32, id: u64) {
    loop {
        let Message::Connections(said) = next_of(bundle, number).await else {
            panic!("something else than connections")
        };
        if let Some(Event::Changes(changes)) = said.event
            && changes.connections.iter().any(|connection| connection.id == id)
        {
            return;
        }
    }
}

#[tokio::test]
async fn streams_in_a_bundle_say_what_they_would_say_alone() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=3);
    let (mut bundle, name) = open(&daemon, vec![sums(1), connections(2, "")]).await;

    let Message::Stats(said) = next_of(&mut bundle, 1).await else {
        panic!("no sums")
    };
    assert_eq!(said.stats.unwrap().connections, 3);
    daemon.change([4]);
    wait_for_change(&mut bundle, 2, 4).await;
    daemon.wait_for_streams(1).await;

    let change = ChangeBundleRequest {
        name,
        stop: vec![2],
        start: vec![start(3, Request::Connection(WatchConnectionRequest { id: 4 }))],
    };
    daemon.client().await.change_bundle(change).await.unwrap();
    let Message::Connection(said) = next_of(&mut bundle, 3).await else {
        panic!("no connection")
    };
    assert_eq!(said.connection.unwrap().id, 4);
    daemon.remove([4]);
    let end = loop {
        if let Message::End(end) = next_of(&mut bundle, 3).await {
            break end;
        }
    };
    assert_eq!((end.code, end.message.as_str()), (0, ""));
    daemon.wait_for_streams(1).await;
    drop(bundle);
    daemon.wait_for_streams(0).await;
}

#[tokio::test]
async fn what_is_refused_ends_alone_and_says_why() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=1);
    let missing = start(3, Request::Connection(WatchConnectionRequest { id: 99 }));
    let nothing = BundledRequest {
        number: 4,
        request: None,
    };
    let (mut bundle, _name) = open(
        &daemon,
        vec![connections(1, ""), connections(2, "prot == 1"), missing, nothing],
    )
    .await;

    let mut codes = Vec::new();
    while codes.len() < 3 {
        let said = timeout(PATIENCE, bundle.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        if let Some(Message::End(end)) = said.message {
            codes.push((said.number, Code::from(end.code)));
        }
    }
    codes.sort_unstable_by_key(|(number, _code)| *number);
    assert_eq!(
        codes,
        [
            (2, Code::InvalidArgument),
            (3, Code::NotFound),
            (4, Code::InvalidArgument)
        ]
    );
    daemon.change([7]);
    wait_for_change(&mut bundle, 1, 7).await;
}

#[tokio::test]
async fn a_bundle_is_bounded_and_forgotten_with_its_stream() {
    let daemon = Daemon::start().await;
    let (mut bundle, name) = open(&daemon, (1..=65).map(sums).collect()).await;
    let Message::End(end) = next_of(&mut bundle, 65).await else {
        panic!("too many streams are taken")
    };
    assert_eq!(Code::from(end.code), Code::ResourceExhausted);

    drop(bundle);
    daemon.wait_for_streams(0).await;
    let mut client = daemon.client().await;
    for name in [name, "guessed".into()] {
        let change = ChangeBundleRequest {
            name,
            ..Default::default()
        };
        let refused = client.change_bundle(change).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound);
    }
}

#[tokio::test]
async fn a_stream_that_takes_the_number_of_another_takes_its_place() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=2);
    let (mut bundle, name) = open(&daemon, vec![connections(1, "")]).await;
    assert!(matches!(next_of(&mut bundle, 1).await, Message::Connections(_)));
    let change = ChangeBundleRequest {
        name,
        stop: Vec::new(),
        start: vec![sums(1)],
    };
    daemon.client().await.change_bundle(change).await.unwrap();
    let until_sums = async { while !matches!(next_of(&mut bundle, 1).await, Message::Stats(_)) {} };
    timeout(PATIENCE, until_sums).await.unwrap();
    daemon.change([3]);
    for _message in 0..2 {
        assert!(matches!(next_of(&mut bundle, 1).await, Message::Stats(_)));
    }
}
