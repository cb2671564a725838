//! The messages of `WatchConnections` as the service sends them, alone or in a bundle: on the wire those of the
//! contract, with connections that are encoded already, so that many readers of one connection cost one encoding. And
//! the service itself, which is generated around them.

use bytes::Bytes;

use crate::proto;

pub(super) use generated::tcp_viewer_service_server as service;

/// `tcpviewer.v1.WatchConnectionsResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchConnectionsResponse {
    #[prost(oneof = "Event", tags = "1, 2, 3, 4")]
    pub(super) event: Option<Event>,
}

/// What a message is.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Event {
    #[prost(message, tag = "1")]
    Snapshot(Snapshot),
    #[prost(message, tag = "2")]
    SnapshotEnd(proto::SnapshotEnd),
    #[prost(message, tag = "3")]
    Changes(Changes),
    #[prost(message, tag = "4")]
    Heartbeat(proto::Heartbeat),
}

/// `tcpviewer.v1.Snapshot`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Snapshot {
    #[prost(bool, tag = "1")]
    pub(super) first: bool,
    #[prost(enumeration = "proto::SnapshotReason", tag = "2")]
    pub(super) reason: i32,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(super) connections: Vec<Bytes>,
}

/// `tcpviewer.v1.Changes`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Changes {
    #[prost(uint64, tag = "1")]
    pub(super) instance: u64,
    #[prost(uint64, tag = "2")]
    pub(super) revision: u64,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(super) connections: Vec<Bytes>,
    #[prost(uint64, repeated, tag = "4")]
    pub(super) removed: Vec<u64>,
    #[prost(message, optional, tag = "5")]
    pub(super) sent_at: Option<prost_types::Timestamp>,
    #[prost(uint64, tag = "6")]
    pub(super) total: u64,
    #[prost(uint64, repeated, tag = "7")]
    pub(super) order: Vec<u64>,
}

/// `tcpviewer.v1.WatchBundleResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct WatchBundleResponse {
    #[prost(uint32, tag = "1")]
    pub(super) number: u32,
    #[prost(oneof = "Bundled", tags = "2, 3, 4, 5, 6")]
    pub(super) message: Option<Bundled>,
}

/// What a message of a bundle says.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Bundled {
    #[prost(string, tag = "2")]
    Opened(String),
    #[prost(message, tag = "3")]
    Connections(WatchConnectionsResponse),
    #[prost(message, boxed, tag = "4")]
    Connection(Box<proto::WatchConnectionResponse>),
    #[prost(message, tag = "5")]
    Stats(proto::WatchStatsResponse),
    #[prost(message, tag = "6")]
    End(proto::BundledEnd),
}

#[expect(
    unreachable_pub,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/service/tcpviewer.v1.rs"));
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn on_the_wire_they_are_the_messages_of_the_contract() {
        let connection = proto::Connection {
            id: 7,
            revision: 9,
            interface: "eth0".into(),
            ..Default::default()
        };
        let encoded = Bytes::from(connection.encode_to_vec());
        let pairs = [
            (
                Event::Snapshot(Snapshot {
                    first: true,
                    reason: proto::SnapshotReason::RevisionGone.into(),
                    connections: vec![encoded.clone(), encoded.clone()],
                }),
                proto::watch_connections_response::Event::Snapshot(proto::Snapshot {
                    first: true,
                    reason: proto::SnapshotReason::RevisionGone.into(),
                    connections: vec![connection.clone(), connection.clone()],
                }),
            ),
            (
                Event::Changes(Changes {
                    instance: 1,
                    revision: 2,
                    connections: vec![encoded],
                    removed: vec![3, 4],
                    sent_at: Some(prost_types::Timestamp { seconds: 5, nanos: 6 }),
                    total: 7,
                    order: vec![8, 9],
                }),
                proto::watch_connections_response::Event::Changes(proto::Changes {
                    instance: 1,
                    revision: 2,
                    connections: vec![connection],
                    removed: vec![3, 4],
                    sent_at: Some(prost_types::Timestamp { seconds: 5, nanos: 6 }),
                    total: 7,
                    order: vec![8, 9],
                }),
            ),
            (
                Event::SnapshotEnd(proto::SnapshotEnd {
                    total: 3,
                    ..Default::default()
                }),
                proto::watch_connections_response::Event::SnapshotEnd(proto::SnapshotEnd {
                    total: 3,
                    ..Default::default()
                }),
            ),
            (
                Event::Heartbeat(proto::Heartbeat {
                    instance: 3,
                    ..Default::default()
                }),
                proto::watch_connections_response::Event::Heartbeat(proto::Heartbeat {
                    instance: 3,
                    ..Default::default()
                }),
            ),
        ];
        for (sent, expected) in pairs {
            let sent = WatchConnectionsResponse { event: Some(sent) }.encode_to_vec();
            let expected = proto::WatchConnectionsResponse {
                event: Some(expected),
            };
            assert_eq!(
                proto::WatchConnectionsResponse::decode(sent.as_slice()).as_ref(),
                Ok(&expected)
            );
            assert_eq!(sent, expected.encode_to_vec());
        }
    }

    #[test]
    fn so_are_those_of_a_bundle() {
        use proto::watch_bundle_response::Message;
        let end = proto::BundledEnd {
            code: 5,
            message: "not listed".into(),
        };
        let heartbeat = proto::Heartbeat {
            instance: 3,
            ..Default::default()
        };
        let pairs = [
            (Bundled::Opened("name".into()), Message::Opened("name".into())),
            (
                Bundled::Connections(WatchConnectionsResponse {
                    event: Some(Event::Heartbeat(heartbeat.clone())),
                }),
                Message::Connections(proto::WatchConnectionsResponse {
                    event: Some(proto::watch_connections_response::Event::Heartbeat(heartbeat)),
                }),
            ),
            (
                Bundled::Connection(Box::default()),
                Message::Connection(Box::default()),
            ),
            (
                Bundled::Stats(proto::WatchStatsResponse::default()),
                Message::Stats(proto::WatchStatsResponse::default()),
            ),
            (Bundled::End(end.clone()), Message::End(end)),
        ];
        for (sent, expected) in pairs {
            let sent = WatchBundleResponse {
                number: 7,
                message: Some(sent),
            };
            let expected = proto::WatchBundleResponse {
                number: 7,
                message: Some(expected),
            };
            assert_eq!(sent.encode_to_vec(), expected.encode_to_vec());
        }
    }
}
