//! The stream of a capture file. In: a request with its limits, and the packet ring. Out: parts of a pcapng file,
//! until a limit is reached.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::stream::BoxStream;
use pcap_file::PcapError;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tonic::Status;

use super::{
    connections::not_listed,
    pcapng::{MOST_BYTES, Pcapng},
    selection,
    streams::{Source, Streams},
};
use crate::{
    model::{Identity, Packet},
    proto::{CapturePcapRequest, CapturePcapResponse},
    publish::{Board, PacketBoard, PacketCursor, PacketSelection},
};

/// Packets that are written at a time: some 100 KiB.
const BATCH: usize = 500;
/// Time between two messages, unless one did not hold all packets.
const GAP: Duration = Duration::from_millis(50);
/// A packet is written no earlier than this after it passed, so that its connection and the processes at its ends are
/// known by then.
const HELD_BACK: Duration = Duration::from_millis(100);
/// A quiet stream shows this often that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// As long as a capture may last.
const MAX_DURATION: Duration = Duration::from_secs(24 * 3_600);

/// `CapturePcap`.
pub(super) fn capture(
    identity: &Identity,
    board: &Arc<Board>,
    packets: &Arc<PacketBoard>,
    streams: &Streams,
    request: &CapturePcapRequest,
) -> Result<BoxStream<'static, Result<CapturePcapResponse, Status>>, Status> {
    if !identity.capture_file.is_empty() {
        return Err(Status::failed_precondition(
            "a capture file is played: it has the packets itself",
        ));
    }
    if let Some(id) = request.connection_id
        && board.get(id).is_none()
    {
        return Err(not_listed(id));
    }
    let end = match request.max_duration {
        None => None,
        Some(asked) => Some(Instant::now() + duration(asked)?),
    };
    let selection = PacketSelection {
        connection_id: request.connection_id,
        filter: selection::filter(&request.filter)?,
        headers: true,
    };
    let file =
        Pcapng::new(&format!("Linux {}", identity.kernel_release)).map_err(|error| internal(&error))?;
    let open = streams.open()?;
    Ok(open.run(Parts {
        board: Arc::clone(board),
        cursor: packets.cursor(0, selection),
        file,
        packets_left: request.max_packets.unwrap_or(u64::MAX),
        max_bytes: request.max_bytes.unwrap_or(u64::MAX),
        bytes: 0,
        packets: 0,
        end,
        not_before: Instant::now(),
        over: false,
    }))
}

fn duration(asked: prost_types::Duration) -> Result<Duration, Status> {
    match Duration::try_from(asked) {
        Ok(duration) if duration <= MAX_DURATION => Ok(duration),
        Ok(_) | Err(_) => Err(Status::invalid_argument(format!(
            "max_duration {} s is not from 0 s to {} s",
            asked.seconds,
            MAX_DURATION.as_secs()
        ))),
    }
}

/// Writing into memory fails only where a length does not fit the format.
fn internal(error: &PcapError) -> Status {
    Status::internal(format!("write the capture: {error}"))
}

/// The messages of one `CapturePcap`.
struct Parts {
    board: Arc<Board>,
    cursor: PacketCursor,
    file: Pcapng,
    packets_left: u64,
    /// Bytes that the file may have.
    max_bytes: u64,
    /// Bytes of it that were sent.
    bytes: u64,
    packets: u64,
    /// When the capture ends.
    end: Option<Instant>,
    not_before: Instant,
    /// A limit was reached: the next message is the last one.
    over: bool,
}

impl Source for Parts {
    type Message = CapturePcapResponse;

    async fn next(&mut self) -> Option<CapturePcapResponse> {
        let sign_of_life = Instant::now() + SIGN_OF_LIFE;
        let patience = self.end.map_or(sign_of_life, |end| end.min(sign_of_life));
        if self.over {
            return None;
        }
        sleep_until(self.not_before.min(patience)).await;
        loop {
            let batch = self.cursor.next(BATCH);
            if let Some(newest) = batch.packets.last() {
                // A wall clock that was set meanwhile gives no age, and nothing to wait for.
                let age = SystemTime::now()
                    .duration_since(newest.timestamp)
                    .unwrap_or(HELD_BACK);
                sleep(HELD_BACK.saturating_sub(age)).await;
            }
            for packet in &batch.packets {
                if self.over {
                    break;
                }
                self.append(packet);
            }
            self.over |= self.end.is_some_and(|end| Instant::now() >= end);
            if batch.packets.len() < BATCH {
                self.not_before = Instant::now() + GAP;
            }
            let is_quiet = self.file.len() == 0 && !self.over;
            if !is_quiet || timeout_at(patience, self.cursor.changed()).await.is_err() {
                self.over |= self.end.is_some_and(|end| Instant::now() >= end);
                let data = self.file.take();
                self.bytes += data.len() as u64;
                // What was lost or left out is told though no packet came since.
                let now = self.cursor.next(0);
                return Some(CapturePcapResponse {
                    data,
                    packets: self.packets,
                    lost_in_kernel: now.lost_in_kernel,
                    lost_in_stream: now.lost_in_stream,
                    left_out: now.left_out,
                });
            }
        }
    }
}

impl Parts {
    /// Writes a packet, unless that would go beyond a limit.
    fn append(&mut self, packet: &Packet) {
        let bytes = self.bytes + self.file.len() as u64;
        if self.packets_left == 0 || bytes + MOST_BYTES > self.max_bytes {
            self.over = true;
            return;
        }
        let listed = self.board.get(packet.connection_id);
        let connection = listed.as_ref().map(|listed| listed.connection());
        match self.file.write(packet, connection.as_deref()) {
            Ok(true) => {
                self.packets += 1;
                self.packets_left -= 1;
                self.over |= self.packets_left == 0;
            }
            // It was sent before anybody asked for headers.
            Ok(false) => {}
            Err(error) => tracing::warn!("write a packet into a capture: {error}"),
        }
    }
}
