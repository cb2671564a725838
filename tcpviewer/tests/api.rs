//! The API as clients meet it: a real server on the loopback, real clients, a table that the test writes.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod support;

use std::time::{Duration, Instant, SystemTime};

use pcap_file::pcapng::{Block, PcapNgReader};
use prost::Message as _;
use support::{Client, Daemon, INSTANCE, PATIENCE, next, packet, watch};
use tcpviewer::{
    model::{Cause, EvidenceList, Headers, NotablePacket, Packet, Unsent, Verdict, VerdictKind},
    proto::{
        CapturePcapRequest, Changes, GetConnectionRequest, GetStatusRequest, GroupBy, Heartbeat,
        ListConnectionsRequest, Notability, ResumePoint, Snapshot, SnapshotEnd, SnapshotReason, TcpFlag,
        WatchConnectionRequest, WatchConnectionsRequest, WatchPacketsRequest, WatchStatsRequest,
        tcp_viewer_service_client::TcpViewerServiceClient, watch_connections_response::Event,
    },
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet, time::timeout};
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

fn resume(instance: u64, revision: u64) -> WatchConnectionsRequest {
    WatchConnectionsRequest {
        resume: Some(ResumePoint { instance, revision }),
        ..Default::default()
    }
}

fn ids(connections: &[tcpviewer::proto::Connection]) -> Vec<u64> {
    connections.iter().map(|connection| connection.id).collect()
}

async fn snapshot(stream: &mut tonic::Streaming<tcpviewer::proto::WatchConnectionsResponse>) -> Snapshot {
    let event = next(stream).await;
    let Event::Snapshot(snapshot) = event else {
        panic!("{event:?} is no snapshot")
    };
    snapshot
}

async fn snapshot_end(
    stream: &mut tonic::Streaming<tcpviewer::proto::WatchConnectionsResponse>,
) -> SnapshotEnd {
    let event = next(stream).await;
    let Event::SnapshotEnd(end) = event else {
        panic!("{event:?} is no end of a snapshot")
    };
    end
}

async fn changes(stream: &mut tonic::Streaming<tcpviewer::proto::WatchConnectionsResponse>) -> Changes {
    let event = next(stream).await;
    let Event::Changes(changes) = event else {
        panic!("{event:?} is no changes")
    };
    changes
}

async fn heartbeat(stream: &mut tonic::Streaming<tcpviewer::proto::WatchConnectionsResponse>) -> Heartbeat {
    let message = timeout(PATIENCE, stream.message())
        .await
        .expect("a message in time");
    let event = message.unwrap().unwrap().event.unwrap();
    let Event::Heartbeat(heartbeat) = event else {
        panic!("{event:?} is no heartbeat")
    };
    heartbeat
}

#[tokio::test]
async fn a_watcher_gets_the_table_then_changes_then_removals() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=3);
    let mut stream = watch(&mut daemon.client().await, WatchConnectionsRequest::default()).await;

    let first = snapshot(&mut stream).await;
    assert!(first.first);
    assert_eq!(first.reason(), SnapshotReason::Initial);
    assert_eq!(ids(&first.connections), [1, 2, 3]);
    let end = snapshot_end(&mut stream).await;
    assert_eq!(
        (end.instance, end.revision, end.connections),
        (INSTANCE, 3, Some(3))
    );
    daemon.change([2, 4]);
    let changed = changes(&mut stream).await;
    assert_eq!((changed.revision, ids(&changed.connections)), (5, vec![2, 4]));
    assert!(changed.sent_at.is_some());
    daemon.remove([1]);
    let changed = changes(&mut stream).await;
    assert_eq!((changed.revision, changed.removed), (6, vec![1]));
}

#[tokio::test]
async fn a_watcher_resumes_or_learns_why_it_gets_a_snapshot() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=3);
    daemon.remove([1]);
    let mut client = daemon.client().await;

    let mut stream = watch(&mut client, resume(INSTANCE, 2)).await;
    let end = snapshot_end(&mut stream).await;
    assert_eq!((end.revision, end.connections), (2, None));
    let changed = changes(&mut stream).await;
    assert_eq!((ids(&changed.connections), changed.removed), (vec![3], vec![1]));

    let mut stream = watch(&mut client, resume(INSTANCE + 1, 2)).await;
    let first = snapshot(&mut stream).await;
    assert_eq!(
        (first.first, first.reason()),
        (true, SnapshotReason::OtherInstance)
    );

    let ahead = client.watch_connections(resume(INSTANCE, 5)).await.unwrap_err();
    assert_eq!(ahead.code(), Code::InvalidArgument);
    assert_eq!(
        ahead.message(),
        "resume.revision: revision 5 is ahead of the newest, 4"
    );
}

#[tokio::test]
async fn removals_that_are_forgotten_lead_to_a_snapshot() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=140_000);
    daemon.remove(1..=139_999);

    let mut stream = watch(&mut daemon.client().await, resume(INSTANCE, 140_000)).await;

    let first = snapshot(&mut stream).await;
    assert_eq!(
        (first.first, first.reason()),
        (true, SnapshotReason::RevisionGone)
    );
    assert_eq!(ids(&first.connections), [140_000]);
}

#[tokio::test]
async fn a_table_of_100_000_comes_in_messages_well_under_a_mebibyte() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=100_000);
    let mut stream = watch(&mut daemon.client().await, WatchConnectionsRequest::default()).await;
    let (mut count, mut largest) = (0, 0);

    loop {
        match next(&mut stream).await {
            Event::Snapshot(part) => {
                assert_eq!(part.first, count == 0);
                count += part.connections.len();
                largest = largest.max(part.encoded_len());
            }
            Event::SnapshotEnd(end) => {
                assert_eq!(end.connections, Some(100_000));
                break;
            }
            Event::Changes(_) | Event::Heartbeat(_) => {
                panic!("{count} connections before the end of the snapshot")
            }
        }
    }

    assert_eq!(count, 100_000);
    assert!(largest < 512 * 1024, "{largest} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_that_vanish_leave_nothing_behind() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=50);

    for round in 0..10 {
        let mut clients = JoinSet::new();
        for number in 0..100 {
            let url = daemon.url();
            clients.spawn(async move {
                let mut client = TcpViewerServiceClient::connect(url).await.unwrap();
                if (number + round) % 2 == 0 {
                    let mut stream = watch(&mut client, WatchConnectionsRequest::default()).await;
                    next(&mut stream).await;
                } else {
                    let request = WatchPacketsRequest {
                        last: 10,
                        connection_id: (number % 4 == 1).then_some(7),
                        ..Default::default()
                    };
                    client
                        .watch_packets(request)
                        .await
                        .unwrap()
                        .into_inner()
                        .message()
                        .await
                        .unwrap();
                }
            });
        }
        while let Some(client) = clients.join_next().await {
            client.unwrap();
        }
    }

    daemon.wait_for_streams(0).await;
    daemon.wait_for_packets_watched(&[true, false]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_streams_than_allowed_are_refused() {
    let daemon = Daemon::start().await;
    let mut clients = Vec::new();
    let mut streams = Vec::new();
    for number in 0..1_024 {
        // One HTTP/2 connection carries 256 of them at most.
        if number % 128 == 0 {
            clients.push(daemon.client().await);
        }
        streams.push(watch(clients.last_mut().unwrap(), WatchConnectionsRequest::default()).await);
    }

    let mut client = daemon.client().await;
    let refused = client
        .watch_connections(WatchConnectionsRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    drop(streams);
    daemon.wait_for_streams(0).await;
}

#[tokio::test]
async fn pages_hold_every_connection_once_by_rising_id() {
    let mut daemon = Daemon::start().await;
    daemon.change((1..=2_500).rev());
    let mut client = daemon.client().await;
    let mut list = async |page_size, page_token: &str| {
        let page_token = page_token.to_owned();
        client
            .list_connections(ListConnectionsRequest {
                page_size,
                page_token,
                ..Default::default()
            })
            .await
            .map(tonic::Response::into_inner)
    };

    let first = list(0, "").await.unwrap();
    let second = list(1_500, &first.next_page_token).await.unwrap();
    assert_eq!(ids(&first.connections), (1..=1_000).collect::<Vec<_>>());
    assert_eq!(ids(&second.connections), (1_001..=2_500).collect::<Vec<_>>());
    assert_eq!(second.next_page_token, "");

    for (page_size, page_token, problem) in [
        (10_001, "", "page_size 10001 is above the limit of 10000"),
        (u32::MAX, "", "page_size 4294967295 is above the limit of 10000"),
        (0, "x", "page_token \"x\" did not come from this service"),
        (0, "1-2-3", "page_token \"1-2-3\" did not come from this service"),
        (0, "-", "page_token \"-\" did not come from this service"),
        (0, "feee-1", "page_token is of another run of the daemon"),
    ] {
        let refused = list(page_size, page_token).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, problem)
        );
    }
}

#[tokio::test]
async fn a_watcher_with_a_filter_gets_what_passes_it_and_removals_of_what_no_longer_does() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=3);
    let mut client = daemon.client().await;
    let filtered = |resume| WatchConnectionsRequest {
        resume,
        filter: "not closed and id in {2-5}".into(),
        ..Default::default()
    };

    let mut stream = watch(&mut client, filtered(None)).await;
    assert_eq!(ids(&snapshot(&mut stream).await.connections), [2, 3]);
    assert_eq!(snapshot_end(&mut stream).await.connections, Some(2));
    daemon.change([1, 4]);
    assert_eq!(ids(&changes(&mut stream).await.connections), [4]);
    daemon.close([3]);
    let changed = changes(&mut stream).await;
    assert_eq!((ids(&changed.connections), changed.removed), (vec![], vec![3]));
    daemon.remove([1, 2]);
    let changed = changes(&mut stream).await;
    assert_eq!((changed.revision, changed.removed), (8, vec![2]));

    let point = ResumePoint {
        instance: INSTANCE,
        revision: 8,
    };
    let mut stream = watch(&mut client, filtered(Some(point))).await;
    let again = snapshot(&mut stream).await;
    assert_eq!(
        (again.first, again.reason(), ids(&again.connections)),
        (true, SnapshotReason::Selection, vec![4])
    );
}

#[tokio::test]
async fn a_watcher_of_the_first_in_an_order_is_told_who_leaves_them() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=5);
    let request = WatchConnectionsRequest {
        filter: "port 443".into(),
        order_by: "id desc".into(),
        limit: 2,
        ..Default::default()
    };

    let mut stream = watch(&mut daemon.client().await, request).await;
    assert_eq!(ids(&snapshot(&mut stream).await.connections), [5, 4]);
    assert_eq!(snapshot_end(&mut stream).await.connections, Some(2));
    daemon.change([1, 6]);
    let changed = changes(&mut stream).await;
    assert_eq!((ids(&changed.connections), changed.removed), (vec![6], vec![4]));
    daemon.remove([5]);
    let changed = changes(&mut stream).await;
    assert_eq!((ids(&changed.connections), changed.removed), (vec![4], vec![5]));
}

#[tokio::test]
async fn the_gravest_of_what_is_wrong_stay_the_first_of_a_window() {
    let start = SystemTime::now();
    let judged = |id: u64, cause: Option<Cause>, after_s: u64| {
        let verdict = Verdict {
            kind: cause.map_or(VerdictKind::Healthy, |_cause| VerdictKind::Network),
            cause,
            end: None,
            since: start + Duration::from_secs(after_s),
            evidence: EvidenceList::default(),
        };
        (id, verdict)
    };
    let mut daemon = Daemon::start().await;
    daemon.judge([
        judged(1, None, 0),
        judged(2, Some(Cause::RoundTrip), 0),
        judged(3, Some(Cause::Loss), 9),
        judged(4, Some(Cause::Loss), 8),
        judged(5, Some(Cause::NotClosing), 0),
    ]);
    daemon.change([6]);
    let request = WatchConnectionsRequest {
        filter: "open and verdict in {network, peer, application, handshake, backlog}".into(),
        order_by: "verdict.severity desc".into(),
        limit: 3,
        ..Default::default()
    };

    let mut stream = watch(&mut daemon.client().await, request).await;
    assert_eq!(ids(&snapshot(&mut stream).await.connections), [4, 3, 2]);
    assert_eq!(snapshot_end(&mut stream).await.total, 4);
    daemon.judge([judged(7, Some(Cause::NoAnswer), 20)]);
    let changed = changes(&mut stream).await;
    assert_eq!(
        (changed.removed, changed.order, changed.total),
        (vec![2], vec![7, 4, 3], 5)
    );
    daemon.judge([judged(4, None, 21)]);
    let changed = changes(&mut stream).await;
    assert_eq!((changed.removed, changed.order), (vec![4], vec![7, 3, 2]));
}

#[tokio::test]
async fn a_window_comes_with_its_order_and_the_total_of_the_filter() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=9);
    let request = WatchConnectionsRequest {
        filter: "id > 2".into(),
        order_by: "id desc".into(),
        offset: 2,
        limit: 3,
        ..Default::default()
    };
    let mut client = daemon.client().await;
    let mut stream = watch(&mut client, request).await;

    assert_eq!(ids(&snapshot(&mut stream).await.connections), [7, 6, 5]);
    let end = snapshot_end(&mut stream).await;
    assert_eq!((end.connections, end.total), (Some(3), 7));
    daemon.change([10]);
    let changed = changes(&mut stream).await;
    assert_eq!(
        (changed.removed, changed.order, changed.total),
        (vec![5], vec![8, 7, 6], 8)
    );
    daemon.change([3]);
    daemon.remove([4]);
    let changed = changes(&mut stream).await;
    assert_eq!(
        (changed.connections.len(), changed.order, changed.total),
        (0, vec![], 7)
    );

    let refused = client
        .watch_connections(WatchConnectionsRequest {
            offset: 2,
            ..Default::default()
        })
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(
        refused.message().starts_with("offset goes with limit"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn a_watcher_gets_the_fields_it_asks_for_and_the_name_of_one_that_does_not_exist() {
    let mut daemon = Daemon::start().await;
    daemon.change([1]);
    let mut client = daemon.client().await;
    let request = |paths: &[&str]| WatchConnectionsRequest {
        field_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }),
        ..Default::default()
    };
    let mut stream = watch(&mut client, request(&["destination.port"])).await;

    let first = snapshot(&mut stream).await.connections.remove(0);
    let whole = daemon.board.get(1).unwrap();
    let expected = tcpviewer::proto::Connection {
        id: 1,
        revision: 1,
        destination: Some(tcpviewer::proto::Endpoint {
            address: String::new(),
            port: whole.connection().destination.port().into(),
        }),
        ..Default::default()
    };
    assert_eq!(first, expected);
    snapshot_end(&mut stream).await;
    daemon.change([1]);
    let changed = changes(&mut stream).await.connections.remove(0);
    assert_eq!(
        changed,
        tcpviewer::proto::Connection {
            revision: 2,
            ..expected
        }
    );

    let refused = client
        .watch_connections(request(&["state", "sent.rrt"]))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (
            Code::InvalidArgument,
            "field_mask: `sent.rrt`: Half has no field `rrt`"
        )
    );
}

#[tokio::test]
async fn a_watcher_is_told_its_interval_and_hears_no_more_often() {
    let mut daemon = Daemon::start().await;
    daemon.change([1]);
    let mut client = daemon.client().await;
    let request = |milliseconds: i32| WatchConnectionsRequest {
        interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: milliseconds * 1_000_000,
        }),
        ..Default::default()
    };
    let told = |end: SnapshotEnd| Duration::try_from(end.interval.unwrap()).unwrap();

    let mut floored = watch(&mut client, request(1)).await;
    snapshot(&mut floored).await;
    assert_eq!(told(snapshot_end(&mut floored).await), Duration::from_millis(250));

    let mut stream = watch(&mut client, request(600)).await;
    snapshot(&mut stream).await;
    assert_eq!(told(snapshot_end(&mut stream).await), Duration::from_millis(600));
    daemon.change([1]);
    changes(&mut stream).await;
    let since = Instant::now();
    daemon.change([1]);
    daemon.change([1]);
    let changed = changes(&mut stream).await;
    assert_eq!((changed.revision, changed.connections.len()), (4, 1));
    // Measured from when the message before was received, which is a little after it was made.
    assert!(
        since.elapsed() > Duration::from_millis(500),
        "{:?}",
        since.elapsed()
    );

    let refused = client.watch_connections(request(0)).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (
            Code::InvalidArgument,
            "interval 0.000000000 s is not above 0 s and up to 3600 s"
        )
    );
}

#[tokio::test]
async fn heartbeats_tell_the_ledger_and_how_far_back_a_resume_reaches() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=3);
    let mut client = daemon.client().await;
    let mut whole = watch(&mut client, WatchConnectionsRequest::default()).await;
    let filtered = WatchConnectionsRequest {
        filter: "port 443".into(),
        ..Default::default()
    };
    let mut filtered = watch(&mut client, filtered).await;
    for stream in [&mut whole, &mut filtered] {
        snapshot(stream).await;
        snapshot_end(stream).await;
    }

    let beat = heartbeat(&mut whole).await;
    assert_eq!(beat.degradations[0].feature, "budget: intervals");
    assert_eq!(
        (beat.instance, beat.revision, beat.oldest_revision),
        (INSTANCE, 3, Some(0))
    );
    assert!(beat.ledger.is_some() && beat.sent_at.is_some());
    assert_eq!(heartbeat(&mut filtered).await.oldest_revision, None);
}

#[tokio::test]
async fn a_list_has_what_passes_the_filter_in_the_order_asked_for() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=12_000);
    let mut client = daemon.client().await;
    let mut list = async |filter: &str, order_by: &str, page_token: &str| {
        let request = ListConnectionsRequest {
            page_size: 3,
            page_token: page_token.into(),
            filter: filter.into(),
            order_by: order_by.into(),
        };
        client
            .list_connections(request)
            .await
            .map(tonic::Response::into_inner)
    };

    let wanted = "id in {7, 8, 9, 11000, 12000} and rtt < 50ms";
    let first = list(wanted, "", "").await.unwrap();
    let second = list(wanted, "", &first.next_page_token).await.unwrap();
    assert_eq!(ids(&first.connections), [7, 8, 9]);
    assert_eq!(
        (ids(&second.connections), second.next_page_token.as_str()),
        (vec![11_000, 12_000], "")
    );
    let last = list(wanted, "id desc", "").await.unwrap();
    assert_eq!(
        (ids(&last.connections), last.next_page_token.as_str()),
        (vec![12_000, 11_000, 9], "")
    );
    let refused = list(wanted, "id desc", &first.next_page_token).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_wrong_filter_is_an_invalid_argument_with_the_column_and_what_was_expected() {
    let mut daemon = Daemon::start().await;
    daemon.change([1]);
    let mut client = daemon.client().await;
    for (filter, order_by, limit, problem) in [
        (
            "prot == 443",
            "",
            0,
            "filter: column 1: expected a field of connections, found `prot`; did you mean `port`?",
        ),
        (
            "port == 443 and rtt > 50",
            "",
            0,
            "filter: column 23: expected a time with its unit, such as `50ms` or `5m`, found `50`",
        ),
        (
            "",
            "rat desc",
            3,
            "order_by: column 1: expected a field of connections, found `rat`; did you mean `rate`?",
        ),
        (
            "",
            "rate desc",
            0,
            "order_by goes with limit: changes come in no order, the client sorts what it holds",
        ),
        (
            "",
            "",
            3,
            "limit goes with order_by, such as `rate desc`, which says what comes first",
        ),
        ("", "rate", 10_001, "limit 10001 is above the limit of 10000"),
    ] {
        let request = WatchConnectionsRequest {
            filter: filter.into(),
            order_by: order_by.into(),
            limit,
            ..Default::default()
        };
        let refused = client.watch_connections(request).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, problem)
        );
    }
    let packets = WatchPacketsRequest {
        filter: "syn and rtt > 5ms".into(),
        ..Default::default()
    };
    let refused = client.watch_packets(packets).await.unwrap_err();
    assert_eq!(
        refused.message(),
        "filter: column 9: expected a field of packets, found `rtt`; did you mean `rst`?"
    );
    let long = ListConnectionsRequest {
        filter: "(".repeat(4096),
        ..Default::default()
    };
    let refused = client.list_connections(long).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (
            Code::InvalidArgument,
            "filter: column 33: expected at most 32 parentheses within each other, found one more"
        )
    );
    daemon.wait_for_streams(0).await;
}

#[tokio::test]
async fn packets_are_picked_by_their_filter() {
    let daemon = Daemon::start().await;
    let request = WatchPacketsRequest {
        filter: "seq_number > 5 and syn".into(),
        ..Default::default()
    };
    let mut stream = daemon
        .client()
        .await
        .watch_packets(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().packets, []);
    daemon.wait_for_packets_watched(&[true]).await;

    daemon
        .packets
        .push((1..=8).map(|seq| packet(1, seq)).collect(), Unsent::default());

    let picked = stream.message().await.unwrap().unwrap().packets;
    assert_eq!(
        picked.iter().map(|packet| packet.seq).collect::<Vec<_>>(),
        [6, 7, 8]
    );
}

#[tokio::test]
async fn one_connection_is_found_by_its_id() {
    let mut daemon = Daemon::start().await;
    daemon.change([17]);
    let mut client = daemon.client().await;

    let found = client
        .get_connection(GetConnectionRequest { id: 17 })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(found.connection.unwrap().id, 17);
    daemon.remove([17]);
    for id in [0, 17, u64::MAX] {
        let missing = client
            .get_connection(GetConnectionRequest { id })
            .await
            .unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
        assert_eq!(missing.message(), format!("connection {id} is not listed"));
    }
}

#[tokio::test]
async fn one_connection_is_followed_with_its_past_until_it_leaves_the_list() {
    let mut daemon = Daemon::start().await;
    daemon.change([2]);
    let remembered = NotablePacket {
        timestamp: SystemTime::UNIX_EPOCH,
        from_source: true,
        handshake: true,
        retransmission: false,
        zero_window: false,
        flags: 0b10,
        window: 512,
        seq: 7,
        ack: 0,
        payload_bytes: 0,
    };
    daemon.remember(1, vec![remembered], 1);
    let mut client = daemon.client().await;
    let request = |id| WatchConnectionRequest { id };
    let mut stream = client.watch_connection(request(1)).await.unwrap().into_inner();
    let mut next = async || timeout(PATIENCE, stream.message()).await.unwrap().unwrap();

    let first = next().await.unwrap();
    assert_eq!(first.connection.map(|connection| connection.id), Some(1));
    assert_eq!((first.points.len(), first.packets.len()), (1, 1));
    let packet = &first.packets[0];
    assert_eq!(
        (packet.flags().collect::<Vec<_>>(), packet.seq, packet.ack),
        (vec![TcpFlag::Syn], 7, None)
    );
    assert_eq!(packet.notable_for().collect::<Vec<_>>(), [Notability::Handshake]);

    // Of the other one nothing is told.
    daemon.change([2]);
    daemon.remember(1, vec![remembered], 5);
    let news = next().await.unwrap();
    assert_eq!(news.connection.map(|connection| connection.revision), Some(4));
    assert_eq!(
        (news.points.len(), news.packets.len(), news.missed_packets),
        (1, 1, 3)
    );
    daemon.remove([1]);
    let last = next().await.unwrap();
    assert!(last.gone && last.connection.is_none() && last.missed_packets == 3);
    assert_eq!(next().await, None, "the stream ends");

    let refused = client.watch_connection(request(1)).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::NotFound, "connection 1 is not listed")
    );
}

#[tokio::test]
async fn packets_flow_while_they_are_watched() {
    let mut daemon = Daemon::start().await;
    daemon.change([1, 2]);
    let mut client = daemon.client().await;
    let mut follow = async |last, connection_id| {
        client
            .watch_packets(WatchPacketsRequest {
                last,
                connection_id,
                ..Default::default()
            })
            .await
            .map(tonic::Response::into_inner)
    };

    let mut all = follow(0, None).await.unwrap();
    assert_eq!(all.message().await.unwrap().unwrap().packets, []);
    daemon.wait_for_packets_watched(&[true]).await;
    daemon.packets.push(
        (0..700).map(|seq| packet(1 + u64::from(seq % 2), seq)).collect(),
        Unsent {
            lost: 3,
            left_out: 30,
            sampling: 4,
        },
    );
    let first = all.message().await.unwrap().unwrap();
    let second = all.message().await.unwrap().unwrap();
    assert_eq!((first.packets.len(), second.packets.len()), (500, 200));
    assert_eq!((second.lost_in_kernel, second.lost_in_stream), (3, 0));
    assert_eq!((second.left_out, second.sampling), (30, 4));
    let mut one = follow(2, Some(2)).await.unwrap();
    let last = one.message().await.unwrap().unwrap();
    assert_eq!(
        last.packets.iter().map(|packet| packet.seq).collect::<Vec<_>>(),
        [697, 699]
    );

    let refused = follow(10_001, None).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "last 10001 is above the limit of 10000");
    assert_eq!(follow(0, Some(3)).await.unwrap_err().code(), Code::NotFound);
    drop((all, one));
    daemon.wait_for_packets_watched(&[true, false]).await;
}

#[tokio::test]
async fn a_capture_is_a_whole_file_that_ends_at_its_limits() {
    let daemon = Daemon::start().await;
    let with_headers = |seq| Packet {
        headers: Some(Headers {
            bytes: vec![0x45; 40].into(),
            length: 1_040,
            ethernet: false,
        }),
        ..packet(1, seq)
    };
    for (limits, expected) in [
        (
            CapturePcapRequest {
                max_packets: Some(3),
                ..Default::default()
            },
            3..=3,
        ),
        (
            CapturePcapRequest {
                max_bytes: Some(2_000),
                ..Default::default()
            },
            2..=20,
        ),
        (
            CapturePcapRequest {
                max_duration: Some(prost_types::Duration {
                    seconds: 0,
                    nanos: 300_000_000,
                }),
                ..Default::default()
            },
            100..=100,
        ),
    ] {
        let mut stream = daemon
            .client()
            .await
            .capture_pcap(limits.clone())
            .await
            .unwrap()
            .into_inner();
        daemon.wait_for_streams(1).await;
        daemon.packets.push(vec![packet(1, 0)], Unsent::default());
        daemon
            .packets
            .push((0..100).map(with_headers).collect(), Unsent::default());
        let (mut file, mut packets) = (Vec::new(), 0);
        let read = timeout(PATIENCE, async {
            while let Some(part) = stream.message().await.unwrap() {
                file.extend(part.data);
                packets = part.packets;
            }
        });
        read.await.unwrap();
        assert!(expected.contains(&packets), "{packets} packets, {limits:?}");
        assert!(limits.max_bytes.is_none_or(|most| file.len() as u64 <= most));
        let mut reader = PcapNgReader::new(file.as_slice()).unwrap();
        let mut found = 0;
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.unwrap() {
                assert_eq!((packet.data.len(), packet.original_len), (40, 1_040));
                found += 1;
            }
        }
        assert_eq!(found, packets);
        daemon.wait_for_streams(0).await;
    }
    let too_long = CapturePcapRequest {
        max_duration: Some(prost_types::Duration {
            seconds: 86_401,
            nanos: 0,
        }),
        ..Default::default()
    };
    let status = daemon.client().await.capture_pcap(too_long).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}

#[tokio::test]
async fn sums_come_at_once_then_once_per_interval() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=5);
    let request = WatchStatsRequest {
        interval: Some(prost_types::Duration {
            seconds: 0,
            nanos: 200_000_000,
        }),
        group_by: vec![GroupBy::Port.into(), GroupBy::Peer.into()],
        top: 1,
        filter: "port == 443 and id <= 3".into(),
    };
    let mut stream = daemon
        .client()
        .await
        .watch_stats(request)
        .await
        .unwrap()
        .into_inner();

    let started = Instant::now();
    let first = stream.message().await.unwrap().unwrap().stats.unwrap();
    assert!(started.elapsed() < Duration::from_millis(150));
    assert_eq!(first.connections, 3);
    let [port, peer] = first.groups.as_slice() else {
        panic!("{:?}", first.groups);
    };
    assert_eq!((port.by(), peer.by()), (GroupBy::Port, GroupBy::Peer));
    assert_eq!(
        (port.groups[0].name.as_str(), port.groups[0].connections),
        ("443", 3)
    );
    assert_eq!((port.groups.len(), port.more), (1, 0));
    assert_eq!(first.ledger.unwrap().packets_seen, 10);
    assert_eq!(first.rtt.unwrap().p50_us, 21_000);

    daemon.remove([1]);
    let second = stream.message().await.unwrap().unwrap().stats.unwrap();
    assert_eq!(second.connections, 2);
    assert!(started.elapsed() >= Duration::from_millis(190));
}

#[tokio::test]
async fn sums_that_make_no_sense_are_refused_with_the_reason() {
    let daemon = Daemon::start().await;
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    for (interval, group_by, top, reason) in [
        (seconds(0), vec![], 0, "interval 0.000000000 s is not from 0.1 s"),
        (
            seconds(-1),
            vec![],
            0,
            "interval -1.000000000 s is not from 0.1 s",
        ),
        (seconds(i64::MAX), vec![], 0, "is not from 0.1 s to 3600 s"),
        (None, vec![0], 0, "group_by 0 is no kind of group"),
        (None, vec![99], 0, "group_by 99 is no kind of group"),
        (None, vec![2, 1, 2], 0, "group_by names Port twice"),
        (None, vec![], 1_001, "top 1001 is above the limit of 1000"),
    ] {
        let request = WatchStatsRequest {
            interval,
            group_by,
            top,
            ..Default::default()
        };
        let status = daemon.client().await.watch_stats(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(reason), "{status}");
    }
}

#[tokio::test]
async fn the_status_tells_what_the_daemon_reports_and_what_it_costs() {
    let daemon = Daemon::start().await;
    let mut client = daemon.client().await;
    let _stream = watch(&mut client, WatchConnectionsRequest::default()).await;

    let status = client.get_status(GetStatusRequest {}).await.unwrap().into_inner();

    assert_eq!(
        (status.instance, status.host_name.as_str(), status.streams),
        (INSTANCE, "testhost", 1)
    );
    assert_eq!(status.interfaces[0].error, "permission denied");
    assert_eq!(status.ledger.unwrap().packets_tracked, 9);
    let cost = status.resources.unwrap();
    assert!(cost.resident_bytes > 1024 * 1024 && cost.cpu_time.is_some());
    assert_eq!((cost.kernel_map_bytes, cost.cpu_percent), (None, None));
    assert_eq!(
        (cost.max_memory_bytes, cost.max_cpu_percent),
        (Some(512 << 20), Some(25.0))
    );
    assert_eq!(status.degradations[0].feature, "budget: intervals");
}

#[tokio::test]
async fn a_daemon_that_does_not_report_is_unavailable() {
    let daemon = Daemon::start_with(INSTANCE, false).await;

    let status = daemon
        .client()
        .await
        .get_status(GetStatusRequest {})
        .await
        .unwrap_err();

    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "the daemon did not report within 2 s")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_and_the_daemon_goes_on() {
    let mut daemon = Daemon::start().await;
    daemon.change([1]);
    let methods = [
        "WatchConnections",
        "ListConnections",
        "GetConnection",
        "WatchPackets",
        "CapturePcap",
        "WatchStats",
        "GetStatus",
    ];

    // A field with the wrong type, a string that is no UTF-8, a length beyond the end, half a varint, a group.
    for payload in [
        &b"\x0a\x02\xff\xff"[..],
        b"\x12\x02\xff\xff",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x08\xff",
        b"\x0b\x0b\x0b",
    ] {
        let frame = [&[0, 0, 0, 0, payload.len() as u8], payload].concat();
        for method in methods {
            let answer = daemon.exchange(&daemon.web_request(method, &frame), ended).await;
            let answer = String::from_utf8_lossy(&answer);
            assert!(
                answer.starts_with("HTTP/1.1 200"),
                "{method} {payload:x?}: {answer}"
            );
        }
    }
    // Frames that lie about their length or compression, or end early.
    for frame in [
        &b""[..],
        b"\x00",
        b"\x00\xff\xff\xff\xff",
        b"\x01\x00\x00\x00\x01a",
        b"\x07\x00\x00\x00\x00",
        b"\x00\x00\x00\x00\x09a",
    ] {
        for method in methods {
            let answer = daemon.grpc_web(method, frame).await;
            assert!(answer.contains("grpc-status:"), "{method} {frame:x?}: {answer}");
            assert!(!answer.contains("grpc-status:0"), "{method} {frame:x?}: {answer}");
        }
    }
    // No HTTP, half of HTTP, and HTTP/2 that ends after its preface.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..200 {
        let mut bytes = match round % 4 {
            0 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            1 => b"POST /tcpviewer.v1.TcpViewerService/GetStatus HTTP/1.1\r\n".to_vec(),
            2 => b"GET / HTTP/1.1\r\nHost: localhost\r\n".to_vec(),
            _ => vec![],
        };
        for _byte in 0..(round * 3) {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bytes.push((random >> 56) as u8);
        }
        let mut stream = TcpStream::connect(daemon.address).await.unwrap();
        stream.write_all(&bytes).await.ok();
    }

    daemon.wait_for_streams(0).await;
}

fn ended(answer: &[u8]) -> bool {
    answer.windows(4).any(|bytes| bytes == b"\r\n\r\n")
}

#[tokio::test]
async fn grpc_web_works_over_http_1() {
    let mut daemon = Daemon::start().await;
    daemon.change([1]);

    let request = GetConnectionRequest { id: 1 }.encode_to_vec();
    let frame = [&[0, 0, 0, 0, request.len() as u8], &request[..]].concat();
    let answer = daemon.grpc_web("GetConnection", &frame).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("content-type: application/grpc-web+proto"),
        "{answer}"
    );
    assert!(
        answer.contains("enp0s31f6") && answer.contains("grpc-status:0"),
        "{answer}"
    );

    let request = daemon.web_request("WatchConnections", &[0; 5]);
    let streams = |answer: &[u8]| String::from_utf8_lossy(answer).contains("enp0s31f6");
    assert!(streams(&daemon.exchange(&request, streams).await));
    daemon.wait_for_streams(0).await;

    let unknown = daemon.grpc_web("GetWeather", &[0; 5]).await;
    assert!(
        unknown.contains("content-type: application/grpc-web+proto"),
        "{unknown}"
    );
    assert!(
        unknown.contains("grpc-status: 12") || unknown.contains("grpc-status:12"),
        "{unknown}"
    );
}

#[tokio::test]
async fn unknown_services_are_unimplemented() {
    let daemon = Daemon::start().await;
    let head = |content_type: &str| {
        format!("POST /example.Nothing/Call HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}")
    };

    let web = daemon.http(&head("application/grpc-web"), &[0; 5]).await;
    assert!(
        web.contains("grpc-status: 12") || web.contains("grpc-status:12"),
        "{web}"
    );

    // tonic's health client stands in for a client of a service that is not there.
    let channel = Endpoint::from_shared(daemon.url())
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<HealthCheckRequest, HealthCheckRequest>::default();
    let path = http::uri::PathAndQuery::from_static("/example.Nothing/Call");
    let status = grpc
        .unary(tonic::Request::new(HealthCheckRequest::default()), path, codec)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test]
async fn requests_for_other_hosts_or_from_other_pages_are_refused() {
    let daemon = Daemon::start().await;
    let own = daemon.address.to_string();
    let frame = [0; 5];
    let port = daemon.address.port();

    for (host, origin, allowed) in [
        (own.clone(), None, true),
        (
            format!("localhost:{port}"),
            Some(format!("http://localhost:{port}")),
            true,
        ),
        ("evil.example".into(), None, false),
        (
            format!("evil.example:{port}"),
            Some(format!("http://evil.example:{port}")),
            false,
        ),
        (own.clone(), Some("http://evil.example".into()), false),
        (own.clone(), Some(format!("http://localhost:{port}")), false),
        (own.clone(), Some("null".into()), false),
    ] {
        let origin = origin
            .map(|origin| format!("\r\nOrigin: {origin}"))
            .unwrap_or_default();
        let web = format!(
            "POST /tcpviewer.v1.TcpViewerService/GetStatus HTTP/1.1\r\nHost: {host}{origin}\r\n\
             Content-Type: application/grpc-web+proto"
        );
        let answer = daemon.http(&web, &frame).await;
        assert_eq!(
            answer.starts_with("HTTP/1.1 200"),
            allowed,
            "{host} {origin}: {answer}"
        );
        assert_eq!(
            answer.starts_with("HTTP/1.1 403"),
            !allowed,
            "{host} {origin}: {answer}"
        );
        assert!(!answer.to_lowercase().contains("access-control-"), "{answer}");
        let page = daemon
            .http(&format!("GET / HTTP/1.1\r\nHost: {host}{origin}"), b"")
            .await;
        assert_eq!(
            page.starts_with("HTTP/1.1 403"),
            !allowed,
            "{host} {origin}: {page}"
        );
    }

    let endpoint = Endpoint::from_shared(daemon.url()).unwrap();
    let foreign = endpoint
        .origin("http://evil.example".parse().unwrap())
        .connect()
        .await
        .unwrap();
    let refused = TcpViewerServiceClient::new(foreign)
        .get_status(GetStatusRequest {})
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("evil.example"), "{refused}");
}

#[tokio::test]
async fn the_page_comes_with_headers_that_keep_it_to_itself() {
    let daemon = Daemon::start().await;

    let page = daemon
        .http("GET /connections/17 HTTP/1.1\r\nHost: localhost", b"")
        .await;
    assert!(
        page.starts_with("HTTP/1.1 200") || page.contains("the dashboard was not built: run cargo xtask run"),
        "{page}"
    );
    for header in [
        "content-security-policy: default-src 'self'",
        "x-content-type-options: nosniff",
        "referrer-policy:",
    ] {
        assert!(page.contains(header), "{header} is not in {page}");
    }
    let missing = daemon
        .http("GET /favicon.gif HTTP/1.1\r\nHost: localhost", b"")
        .await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    let preflight = daemon.http("OPTIONS / HTTP/1.1\r\nHost: localhost", b"").await;
    assert!(preflight.starts_with("HTTP/1.1 405"), "{preflight}");
}

#[tokio::test]
async fn the_service_is_healthy_and_describes_itself() {
    let daemon = Daemon::start().await;
    let channel = Endpoint::from_shared(daemon.url())
        .unwrap()
        .connect()
        .await
        .unwrap();

    let service = "tcpviewer.v1.TcpViewerService".to_owned();
    let health = HealthClient::new(channel.clone())
        .check(HealthCheckRequest { service })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);

    macro_rules! services {
        ($version:ident) => {{
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
                server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
            };
            let request = ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let requests = futures_util::stream::iter([request]);
            let mut client = ServerReflectionClient::new(channel.clone());
            let mut answers = client
                .server_reflection_info(requests)
                .await
                .unwrap()
                .into_inner();
            match answers
                .message()
                .await
                .unwrap()
                .unwrap()
                .message_response
                .unwrap()
            {
                MessageResponse::ListServicesResponse(list) => list
                    .service
                    .into_iter()
                    .map(|service| service.name)
                    .collect::<Vec<_>>(),
                other => panic!("{other:?} is no list of services"),
            }
        }};
    }
    for services in [services!(v1), services!(v1alpha)] {
        assert!(
            services.contains(&"tcpviewer.v1.TcpViewerService".to_owned()),
            "{services:?}"
        );
        assert!(
            services.contains(&"grpc.health.v1.Health".to_owned()),
            "{services:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_stops_within_a_second_and_tells_its_streams() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=20_000);
    let mut client: Client = daemon.client().await;
    let mut reading = watch(&mut client, WatchConnectionsRequest::default()).await;
    while !matches!(next(&mut reading).await, Event::SnapshotEnd(_)) {}
    let mut packets = client
        .watch_packets(WatchPacketsRequest::default())
        .await
        .unwrap()
        .into_inner();
    packets.message().await.unwrap();
    // This one never reads, so it cannot take the end of its stream.
    let _unread = watch(&mut daemon.client().await, WatchConnectionsRequest::default()).await;
    // This one is open without a request.
    let _silent = TcpStream::connect(daemon.address).await.unwrap();

    let start = Instant::now();
    daemon.stop().await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());

    let end = timeout(PATIENCE, reading.message()).await.unwrap().unwrap_err();
    assert_eq!(
        (end.code(), end.message()),
        (Code::Unavailable, "the daemon stops")
    );
    let end = timeout(PATIENCE, packets.message()).await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::Unavailable);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_a_way_out() {
    let daemon = Daemon::start().await;

    let config = tcpviewer::config::ApiConfig::loopback(daemon.address.port());
    let error = tcpviewer::api::bind(&config).await.err().unwrap().to_string();

    let expected = format!("listen on {}: address already in use; ", daemon.address);
    assert!(
        error.starts_with(&expected) && error.contains("--listen"),
        "{error}"
    );
}
