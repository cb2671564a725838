//! The stream of packets. In: a request and the packet ring. Out: batches of packets with what was lost.

use std::{sync::Arc, time::Duration};

use futures_util::stream::BoxStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::Status;

use super::{
    connections::not_listed,
    convert, selection,
    streams::{Source, Streams},
};
use crate::{
    proto::{WatchPacketsRequest, WatchPacketsResponse},
    publish::{Board, PacketBoard, PacketCursor, PacketSelection},
};

/// Packets at hand that can be asked for.
const MAX_LAST: u32 = 10_000;
/// Packets in one message.
const BATCH: usize = 500;
/// Time between two messages, unless one did not hold all packets.
const GAP: Duration = Duration::from_millis(20);
/// A quiet stream shows this often that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// `WatchPackets`.
pub(super) fn watch(
    board: &Board,
    packets: &Arc<PacketBoard>,
    streams: &Streams,
    request: &WatchPacketsRequest,
) -> Result<BoxStream<'static, Result<WatchPacketsResponse, Status>>, Status> {
    if request.last > MAX_LAST {
        let problem = format!("last {} is above the limit of {MAX_LAST}", request.last);
        return Err(Status::invalid_argument(problem));
    }
    if let Some(id) = request.connection_id
        && board.get(id).is_none()
    {
        return Err(not_listed(id));
    }
    let selection = PacketSelection {
        connection_id: request.connection_id,
        filter: selection::filter(&request.filter)?,
        headers: false,
    };
    let open = streams.open()?;
    let cursor = packets.cursor(request.last as usize, selection);
    Ok(open.run(Packets {
        cursor,
        not_before: Instant::now(),
        first: true,
    }))
}

/// The messages of one `WatchPackets`.
struct Packets {
    cursor: PacketCursor,
    not_before: Instant,
    /// The first message is sent at once, even without packets: the stream is open.
    first: bool,
}

impl Source for Packets {
    type Message = WatchPacketsResponse;

    async fn next(&mut self) -> Option<WatchPacketsResponse> {
        let sign_of_life = Instant::now() + SIGN_OF_LIFE;
        sleep_until(self.not_before).await;
        loop {
            let batch = self.cursor.next(BATCH);
            if self.first || !batch.packets.is_empty() {
                self.first = false;
                if batch.packets.len() < BATCH {
                    self.not_before = Instant::now() + GAP;
                }
                return Some(convert::packets(batch));
            }
            if timeout_at(sign_of_life, self.cursor.changed()).await.is_err() {
                // What was lost or left out meanwhile is told though no packet came.
                return Some(convert::packets(self.cursor.next(BATCH)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Unsent;

    #[tokio::test(start_paused = true)]
    async fn what_is_left_out_is_told_though_no_packet_comes() {
        let board = Arc::new(PacketBoard::new());
        let mut packets = Packets {
            cursor: board.cursor(0, PacketSelection::default()),
            not_before: Instant::now(),
            first: true,
        };
        assert_eq!(packets.next().await.unwrap().left_out, 0);

        let unsent = Unsent {
            left_out: 7,
            sampling: 16,
            ..Unsent::default()
        };
        let telling = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            board.push(Vec::new(), unsent);
        };
        let (told, ()) = tokio::join!(packets.next(), telling);

        let told = told.unwrap();
        assert_eq!((told.packets.len(), told.left_out, told.sampling), (0, 7, 16));
    }
}
