//! What a subscriber was told, and how late that was. In: the messages as they come, and what happened. Out: times
//! from the one to the other.

use std::{collections::HashMap, time::Instant};

use anyhow::Result;
use bytes::Bytes;
use prost::Message as _;
use tcpviewer::proto::{WatchConnectionsResponse, watch_connections_response::Event};

use crate::probes::Probe;

/// What a message told of a connection.
struct Told {
    at: Instant,
    sent_bytes: u64,
    is_closed: bool,
}

/// What was told, by the port of the client, oldest first.
#[derive(Default)]
pub(crate) struct Log(HashMap<u16, Vec<Told>>);

/// How late it was.
#[derive(Default)]
pub(crate) struct Lateness {
    pub(crate) opened: Times,
    pub(crate) closed: Times,
    pub(crate) updated: Times,
    /// What was never told.
    pub(crate) unseen: usize,
}

impl Log {
    /// Takes a message that has just come.
    pub(crate) fn take(&mut self, message: &Bytes) -> Result<()> {
        let at = Instant::now();
        let message = WatchConnectionsResponse::decode(message.as_ref())?;
        let connections = match message.event {
            Some(Event::Snapshot(snapshot)) => snapshot.connections,
            Some(Event::Changes(changes)) => changes.connections,
            Some(Event::SnapshotEnd(_) | Event::Heartbeat(_)) | None => Vec::new(),
        };
        for connection in connections {
            let port = connection.source.map_or(0, |source| source.port) as u16;
            self.0.entry(port).or_default().push(Told {
                at,
                sent_bytes: connection.sent.map_or(0, |sent| sent.payload_bytes),
                is_closed: connection.closed_at.is_some(),
            });
        }
        Ok(())
    }

    /// How late what happened was told.
    pub(crate) fn lateness(&self, probes: &[Probe]) -> Lateness {
        let mut lateness = Lateness::default();
        for probe in probes {
            let told = self.0.get(&probe.port).map_or(&[][..], Vec::as_slice);
            let opened = lateness.opened.add(probe.opened, told.first());
            let closed = probe.closed.is_none_or(|closed| {
                lateness
                    .closed
                    .add(closed, told.iter().find(|told| told.is_closed))
            });
            lateness.unseen += usize::from(!opened) + usize::from(!closed);
            for (bytes, sent) in &probe.sent {
                let first = told.iter().find(|told| told.sent_bytes >= *bytes);
                lateness.unseen += usize::from(!lateness.updated.add(*sent, first));
            }
        }
        lateness
    }
}

/// Times, milliseconds.
#[derive(Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    /// Adds the time until something was told. Returns whether it was.
    fn add(&mut self, happened: Instant, told: Option<&Told>) -> bool {
        if let Some(told) = told {
            let late = told.at.saturating_duration_since(happened);
            self.0.push(late.as_secs_f64() * 1_000.0);
        }
        told.is_some()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// What this share of them does not exceed.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
        sorted.get(place).copied().unwrap_or_default()
    }
}
