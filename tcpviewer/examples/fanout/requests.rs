//! What the subscribers ask for: no two the same, and all that the language and the request have; or all of them the same
//! kind.

use std::fmt;

use clap::ValueEnum;
use tcpviewer::proto::WatchConnectionsRequest;

/// Rows of a window, as a page shows them.
const WINDOW: u32 = 50;
/// Windows that lie beside each other; further subscribers look at the same.
const WINDOWS: u32 = 100;

/// What all subscribers of a run ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// All that there is to ask for, each another thing.
    Different,
    /// The filter that costs most.
    Worst,
    /// The whole table.
    Whole,
    /// A part of an order.
    Window,
    /// One connection, each another.
    Single,
}

impl Kind {
    /// What the subscriber with this number asks for.
    pub(crate) fn request(self, nth: u32) -> WatchConnectionsRequest {
        match self {
            Self::Different => request(nth),
            Self::Worst => worst(nth),
            Self::Whole => WatchConnectionsRequest::default(),
            Self::Window => WatchConnectionsRequest {
                order_by: "rate desc".into(),
                offset: nth % WINDOWS * WINDOW,
                limit: WINDOW,
                ..Default::default()
            },
            Self::Single => WatchConnectionsRequest {
                filter: format!("id == {}", nth + 1),
                ..Default::default()
            },
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Different => "different filters",
            Self::Worst => "worst filter",
            Self::Whole => "whole table",
            Self::Window => "windows of 50",
            Self::Single => "one connection each",
        })
    }
}

/// What the subscriber with this number asks for, each another thing.
pub(crate) fn request(nth: u32) -> WatchConnectionsRequest {
    let kind = nth / 19;
    let filter = match nth % 19 {
        0 => String::new(),
        1 => format!("port == {}", [443, 80, 5432, 6379, 9092][kind as usize % 5]),
        2 => format!("destination.host in 192.168.0.{}/28", kind * 16),
        3 => format!("host in {{10.0.0.0/{}, 192.168.0.{kind}}}", 20 + kind),
        4 => format!(
            "interface == \"{}\"",
            ["eth0", "eth1", "docker0", "wg0", "lo"][kind as usize % 5]
        ),
        5 => format!("interface matches \"^(eth|wg)[{kind}]$\" and open"),
        6 => format!("rate > {}kB/s", 10 << kind),
        7 => format!("rtt > {}ms and rtt < {}ms", 10 * kind, 10 * kind + 15),
        8 => format!("bytes > {}MB or retransmission_rate > 0.{kind}%", 1 + kind),
        9 => format!("not port in {{443, {}}} and state == established", 8000 + kind),
        10 => format!("sent.cwnd > {} and source.port > 40000", 10 * kind),
        11 => format!("packet_rate > {} and sent.rtt.min > 1ms", 10 * kind),
        12 => format!("dst port {} and not src net 10.0.{kind}.0/24", 80 + kind),
        13 => format!("age > {}s and port != 443", 1 + kind),
        _ => format!("id > {}", 100 * nth),
    };
    let (order_by, offset, limit) = match nth % 19 {
        14 => ("rate desc", kind * 50, 50),
        15 => ("bytes desc", kind * 1_000, 100),
        16 => ("rtt", 0, 20 + kind),
        17 => ("last_seq desc", 0, 0),
        18 => ("source.port desc", 10, 200),
        _ => ("", 0, 0),
    };
    let order_by = if limit == 0 { "" } else { order_by };
    WatchConnectionsRequest {
        filter,
        order_by: order_by.into(),
        offset,
        limit,
        field_mask: nth.is_multiple_of(7).then(|| prost_types::FieldMask {
            paths: [
                "source",
                "destination",
                "state",
                "sent.payload_bytes",
                "last_seen",
                "closed_at",
            ]
            .map(String::from)
            .to_vec(),
        }),
        ..Default::default()
    }
}

/// The longest filter that the language takes, of conditions none of which holds, so that all of them are asked: regular
/// expressions first, then as many of the dearest kind as there is room for.
fn worst(nth: u32) -> WatchConnectionsRequest {
    let mut filter = format!("id == {nth}");
    for number in 0..4 {
        filter += &format!(
            " or interface matches \"(a|e|i|o|u|y){{{}}}{number}$\"",
            2 + number
        );
    }
    let mut port = 1;
    loop {
        let condition = format!(" or host in {{10.9.0.{port}, fe80::{port}}}");
        if filter.len() + condition.len() > 4_096 {
            break;
        }
        filter += &condition;
        port += 1;
    }
    WatchConnectionsRequest {
        filter,
        ..Default::default()
    }
}
