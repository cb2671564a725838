//! What holds for any bytes that claim to be a capture.

use std::io::Read;

use tcpviewer::capture::replay::{Replay, replay};

/// Few, so that there are captures that have more.
const MAX_CONNECTIONS: u32 = 4;

/// Replays the bytes at once and in small pieces, as a pipe may deliver them.
pub(crate) fn check(data: &[u8]) {
    let (whole, pieces) = (
        replay(data, MAX_CONNECTIONS),
        replay(Pieces { data, next: 1 }, MAX_CONNECTIONS),
    );
    let (whole, pieces) = match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => (whole, pieces),
        (Err(whole), Err(pieces)) => {
            assert_eq!(whole.to_string(), pieces.to_string());
            return;
        }
        (whole, pieces) => unreachable!("{whole:?} at once, {pieces:?} in pieces"),
    };
    check_sums(&whole, data.len());
    assert_eq!(whole.ledger, pieces.ledger);
    assert_eq!(whole.connections.len(), pieces.connections.len());
    for (whole, pieces) in whole.connections.iter().zip(&pieces.connections) {
        assert_eq!((whole.key, whole.record), (pieces.key, pieces.record));
        assert_eq!(whole.interface, pieces.interface);
    }
    let end = |replay: &Replay| replay.broken_off.as_ref().map(|end| end.byte);
    assert_eq!(end(&whole), end(&pieces));
}

/// Every packet has one fate, and every packet that was counted is in one connection.
fn check_sums(replay: &Replay, length: usize) {
    let ledger = &replay.ledger;
    let fates = ledger.packets_tracked
        + ledger.packets_not_ip
        + ledger.packets_not_tcp
        + ledger.packets_fragment
        + ledger.packets_truncated
        + ledger.packets_malformed
        + ledger.packets_seen_elsewhere
        + ledger.packets_table_full;
    assert_eq!(ledger.packets_seen, fates);
    assert_eq!(
        replay.packets,
        ledger.packets_seen + replay.unsupported.values().sum::<u64>()
    );
    assert!(replay.connections.len() <= MAX_CONNECTIONS as usize);
    let halves = || {
        replay
            .connections
            .iter()
            .flat_map(|tracked| &tracked.record.halves)
    };
    assert_eq!(
        halves().map(|half| half.packets).sum::<u64>(),
        ledger.packets_tracked
    );
    assert!(halves().all(|half| half.retransmitted_bytes <= half.payload_bytes));
    assert!(
        replay
            .connections
            .iter()
            .all(|tracked| tracked.record.last_seen_ns() <= replay.newest_ns)
    );
    assert!(replay.connections.is_sorted_by_key(|tracked| tracked.record.id));
    assert!(
        replay
            .broken_off
            .as_ref()
            .is_none_or(|end| end.byte <= length as u64)
    );
}

/// Reads one byte, then two, up to seven, then one again.
struct Pieces<'a> {
    data: &'a [u8],
    next: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.next.min(buffer.len());
        self.next = self.next % 7 + 1;
        (&mut self.data).take(size as u64).read(buffer)
    }
}
