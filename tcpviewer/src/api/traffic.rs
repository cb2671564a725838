//! `GET /api/traffic`: the last packets and the connections as one JSON object, for scripts without gRPC. In: the query
//! and what is published. Out: the object, part by part as its reader takes it, so that a large table and a slow reader
//! cost no memory. The names and what they hold are in `traffic/form`.

mod form;
mod interest;

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use axum::{
    body::{Body, Bytes},
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt as _;
use http::{
    HeaderName, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS},
};
use serde::Deserialize;
use tcpviewer_common::packet_filter::PacketFilter;
use tokio::task::yield_now;

use super::{
    gate::problem,
    selection,
    streams::{Source, Streams},
};
use crate::{
    filter::{Filter, pushdown},
    model::Connection,
    publish::{Board, PacketBoard},
};
use interest::Interest;

/// Where it is.
pub(super) const PATH: &str = "/api/traffic";
/// Packets in one answer.
const LAST: usize = 1_000;
/// Connections that are looked at for one part of the answer.
const CHUNK: usize = 500;

/// Who is on the other side of this answer: a script, and no page or cache.
const HEADERS: [(HeaderName, &str); 4] = [
    (CONTENT_TYPE, "application/json"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// What the answers are made of.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    board: Arc<Board>,
    packets: Arc<PacketBoard>,
    streams: Streams,
    interest: Arc<Interest>,
}

impl Traffic {
    /// Answers from these boards, each of which counts among the open streams until it is taken.
    pub(super) fn new(board: Arc<Board>, packets: Arc<PacketBoard>, streams: Streams) -> Self {
        Self {
            board,
            packets,
            streams,
            interest: Arc::default(),
        }
    }
}

/// What can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Only connections for which this holds, and their packets.
    #[serde(default)]
    filter: String,
}

/// Answers one request.
pub(super) async fn answer(
    State(traffic): State<Traffic>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Query(asked) = match asked {
        Ok(asked) => asked,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, &wrong.body_text()),
    };
    let filter = match selection::filter::<Connection>(&asked.filter) {
        Ok(filter) => filter,
        Err(wrong) => return problem(StatusCode::BAD_REQUEST, wrong.message()),
    };
    let open = match traffic.streams.open() {
        Ok(open) => open,
        Err(full) => return problem(StatusCode::SERVICE_UNAVAILABLE, full.message()),
    };
    let wanted = filter.as_ref().map_or(PacketFilter::ALL, pushdown);
    traffic.interest.renew(&traffic.packets, wanted);
    // After an error the connection breaks off, and nobody takes half an object for a whole one. Compression asks for
    // more after the end.
    let parts = open
        .run(Parts::new(&traffic, filter))
        .fuse()
        .map(|part| part.map_err(axum::Error::new)?.map_err(axum::Error::new));
    (HEADERS, Body::from_stream(parts)).into_response()
}

/// The parts of one answer.
struct Parts {
    board: Arc<Board>,
    filter: Option<Filter<Connection>>,
    now: SystemTime,
    packets: form::Packets,
    place: Place,
}

/// How far an answer is.
#[derive(Clone, Copy)]
enum Place {
    Packets,
    /// Behind the connection with this id; whether one was written.
    Connections(Option<u64>, bool),
    End,
}

impl Parts {
    fn new(traffic: &Traffic, filter: Option<Filter<Connection>>) -> Self {
        let now = SystemTime::now();
        let packets = match &filter {
            None => traffic.packets.newest(LAST),
            Some(filter) => {
                let mut passes = HashMap::new();
                let mut packets = traffic.packets.newest(usize::MAX);
                packets.retain(|packet| {
                    *passes.entry(packet.connection_id).or_insert_with_key(|id| {
                        let listed = traffic.board.get(*id);
                        listed.is_some_and(|listed| filter.admits(&*listed, now))
                    })
                });
                packets.split_off(packets.len().saturating_sub(LAST))
            }
        };
        Self {
            board: Arc::clone(&traffic.board),
            filter,
            now,
            packets: form::Packets::new(packets),
            place: Place::Packets,
        }
    }

    /// Those of the next connections that pass, as they stand in the object.
    fn connections(&mut self, after: Option<u64>, mut is_first: bool) -> serde_json::Result<Vec<u8>> {
        let (chunk, more) = self.board.page(after, CHUNK);
        let last = chunk.last().map(|last| last.id());
        let mut text = Vec::new();
        for listed in &chunk {
            let connection = listed.connection();
            let passes = |filter: &Filter<Connection>| filter.matches(&connection, self.now);
            if self.filter.as_ref().is_none_or(passes) {
                form::write_connection(&mut text, &connection, &self.packets, is_first)?;
                is_first = false;
            }
        }
        self.place = if more {
            Place::Connections(last, is_first)
        } else {
            text.extend_from_slice(form::END);
            Place::End
        };
        Ok(text)
    }
}

impl Source for Parts {
    type Message = serde_json::Result<Bytes>;

    async fn next(&mut self) -> Option<Self::Message> {
        loop {
            let text = match self.place {
                Place::Packets => {
                    self.place = Place::Connections(None, true);
                    form::beginning(&self.packets)
                }
                Place::Connections(after, is_first) => self.connections(after, is_first),
                Place::End => return None,
            };
            if !text.as_ref().is_ok_and(Vec::is_empty) {
                return Some(text.map(Bytes::from));
            }
            // None of many passes: others get their turn.
            yield_now().await;
        }
    }
}
