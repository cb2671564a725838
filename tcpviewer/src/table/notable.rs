//! What a record remembers that the one before it did not: packets of a handshake or an end, those sent again, and those
//! without a window.

use tcpviewer_common::{
    connection::{ConnectionRecord, Notable, Side},
    segment::Flags,
};

use crate::model::{Clock, NotablePacket, NotablePackets};

/// The packets that came into a connection's record since it was like `before`; `None` where there are none.
pub(super) fn since(
    before: &ConnectionRecord,
    now: &ConnectionRecord,
    clock: Clock,
) -> Option<NotablePackets> {
    let new = now.notable_count.wrapping_sub(before.notable_count);
    if new == 0 {
        return None;
    }
    let length = now.notable.len() as u32;
    let source_is_high = now.source_side() == Side::High;
    let kept = new.min(length);
    let packets = (0..kept).filter_map(|nth| {
        let number = now.notable_count.wrapping_sub(kept - nth);
        let notable = now.notable.get((number % length) as usize)?;
        Some(packet(notable, source_is_high, clock))
    });
    Some(NotablePackets {
        connection_id: now.id,
        packets: packets.collect(),
    })
}

fn packet(notable: &Notable, source_is_high: bool, clock: Clock) -> NotablePacket {
    let flags = Flags(notable.flags);
    let has_mark = [Flags::SYN, Flags::FIN, Flags::RST]
        .into_iter()
        .any(|mark| flags.has(mark));
    NotablePacket {
        timestamp: clock.at(notable.time_ns),
        from_source: notable.is(Notable::FROM_HIGH) == source_is_high,
        handshake: flags.has(Flags::SYN) || notable.is(Notable::ESTABLISHES),
        retransmission: notable.is(Notable::RETRANSMISSION),
        zero_window: notable.window == 0 && !has_mark,
        flags: notable.flags,
        window: notable.window,
        seq: notable.seq,
        ack: notable.ack,
        payload_bytes: notable.payload_bytes,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    /// A record that has seen so many; their sequence numbers count them.
    fn record(count: u32) -> ConnectionRecord {
        let mut record = ConnectionRecord {
            id: 7,
            notable_count: count,
            ..ConnectionRecord::VACANT
        };
        for number in count.saturating_sub(4)..count {
            record.notable[number as usize % 4] = Notable {
                time_ns: 1,
                seq: number,
                ..Notable::NONE
            };
        }
        record
    }

    #[test]
    fn what_is_new_comes_in_its_order_as_far_as_it_was_not_pushed_out() {
        for (before, now, expected) in [
            (0, 0, vec![]),
            (0, 3, vec![0, 1, 2]),
            (3, 5, vec![3, 4]),
            (5, 5, vec![]),
            (5, 9, vec![5, 6, 7, 8]),
            (5, 12, vec![8, 9, 10, 11]),
        ] {
            let new = since(&record(before), &record(now), Clock::new(SystemTime::UNIX_EPOCH));
            let seqs = |new: &NotablePackets| new.packets.iter().map(|packet| packet.seq).collect::<Vec<_>>();
            assert_eq!(
                new.as_ref().map(seqs).unwrap_or_default(),
                expected,
                "{before} to {now}"
            );
        }
    }

    #[test]
    fn the_source_is_told_from_the_destination_whichever_is_the_higher_end() {
        let clock = Clock::new(SystemTime::UNIX_EPOCH);
        for (flags, kind, from_source) in [
            (0, 0, true),
            (0, Notable::FROM_HIGH, false),
            (ConnectionRecord::SOURCE_IS_HIGH, 0, false),
            (ConnectionRecord::SOURCE_IS_HIGH, Notable::FROM_HIGH, true),
        ] {
            let mut record = ConnectionRecord { flags, ..record(1) };
            record.notable[0].kind = kind;
            let new = since(&ConnectionRecord::VACANT, &record, clock).unwrap();
            assert_eq!(new.packets[0].from_source, from_source);
        }
    }
}
