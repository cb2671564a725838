//! Every packet is either read or counted as lost, and the kernel is asked for packets only while somebody reads.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::SystemTime,
};

use super::*;
use crate::model::Direction;

fn of(connection_id: Option<u64>) -> PacketSelection {
    PacketSelection {
        connection_id,
        filter: None,
        headers: false,
    }
}

fn packet(connection_id: u64, seq: u32) -> Packet {
    let end = SocketAddr::from((Ipv4Addr::LOCALHOST, 443));
    Packet {
        timestamp: SystemTime::UNIX_EPOCH,
        connection_id,
        source: end,
        destination: end,
        interface: "lo".into(),
        direction: Direction::Egress,
        flags: 0x10,
        seq,
        ack: None,
        window: 0,
        payload_bytes: 0,
        wire_packets: 1,
        retransmission: false,
        headers: None,
    }
}

/// A ring that is on, as with a reader.
fn board(capacity: usize) -> Arc<PacketBoard> {
    let board = PacketBoard::with_capacity(capacity);
    board.lock().on = true;
    Arc::new(board)
}

fn numbers(batch: &PacketBatch) -> Vec<u32> {
    batch.packets.iter().map(|packet| packet.seq).collect()
}

#[test]
fn a_reader_starts_with_the_last_packets_it_asks_for() {
    let board = board(10);
    board.push(
        (0..8).map(|seq| packet(u64::from(seq % 2), seq)).collect(),
        Unsent::default(),
    );

    for (last, connection_id, expected) in [
        (0, None, vec![]),
        (3, None, vec![5, 6, 7]),
        (100, None, (0..8).collect()),
        (2, Some(1), vec![5, 7]),
        (100, Some(0), vec![0, 2, 4, 6]),
        (5, Some(9), vec![]),
    ] {
        let batch = board.cursor(last, of(connection_id)).next(100);
        assert_eq!(numbers(&batch), expected, "last {last} of {connection_id:?}");
        assert_eq!(batch.lost_in_stream, 0);
    }
}

#[test]
fn what_is_overwritten_before_it_was_read_is_counted_for_each_reader() {
    let board = board(10);
    let mut all = board.cursor(0, of(None));
    let mut odd = board.cursor(0, of(Some(1)));
    board.push(
        (0..4).map(|seq| packet(u64::from(seq % 2), seq)).collect(),
        Unsent::default(),
    );
    assert_eq!(numbers(&all.next(2)), [0, 1]);
    assert_eq!(numbers(&odd.next(1)), [1]);

    board.push(
        (4..20).map(|seq| packet(u64::from(seq % 2), seq)).collect(),
        Unsent::default(),
    );

    let (all, odd) = (all.next(100), odd.next(100));
    assert_eq!((numbers(&all), all.lost_in_stream), ((10..20).collect(), 8));
    assert_eq!((numbers(&odd), odd.lost_in_stream), (vec![11, 13, 15, 17, 19], 4));
}

#[test]
fn the_kernels_losses_count_from_the_start_of_the_stream() {
    let board = board(10);
    let unsent = |lost, left_out| Unsent {
        lost,
        left_out,
        sampling: 16,
    };
    board.push(vec![packet(1, 1)], unsent(70, 700));
    let mut cursor = board.cursor(0, of(None));

    board.push(vec![packet(1, 2)], unsent(75, 760));

    let batch = cursor.next(100);
    assert_eq!(
        (batch.lost_in_kernel, batch.left_out, batch.sampling),
        (5, 60, 16)
    );
}

#[test]
fn a_reader_that_leaves_is_forgotten() {
    let board = board(10);

    drop([
        board.cursor(0, of(Some(1))),
        board.cursor(0, of(Some(1))),
        board.cursor(0, of(None)),
    ]);

    assert!(board.lock().filtered.is_empty());
    assert_eq!(*board.wish.borrow(), None);
}

#[tokio::test(start_paused = true)]
async fn packets_are_on_from_the_first_reader_until_a_while_after_the_last() {
    let board = Arc::new(PacketBoard::new());
    let (commands, mut received) = mpsc::channel(4);
    let switch = Arc::clone(&board);
    let switch = tokio::spawn(async move { switch.follow_readers(commands).await });
    board.push(vec![packet(1, 1)], Unsent::default());

    let first = board.cursor(10, of(None));
    assert!(matches!(
        received.recv().await,
        Some(Command::WatchPackets(Some(_)))
    ));
    board.push(vec![packet(1, 2)], Unsent::default());
    drop(first);
    tokio::time::sleep(LINGER / 2).await;
    let mut second = board.cursor(10, of(None));
    tokio::time::sleep(LINGER * 3).await;
    assert!(received.try_recv().is_err(), "a quick reconnect does not switch");
    assert_eq!(
        numbers(&second.next(10)),
        [2],
        "what came while nobody read is not kept"
    );

    drop(second);
    assert!(matches!(received.recv().await, Some(Command::WatchPackets(None))));
    assert!(board.lock().packets.is_empty());
    drop(received);
    let _third = board.cursor(10, of(None));
    switch.await.unwrap();
}

#[test]
fn whatever_the_pace_every_packet_is_read_or_counted_as_lost() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    let board = board(50);
    let mut readers: Vec<_> = [None, Some(0), Some(1), Some(1)]
        .map(|connection_id| (board.cursor(0, of(connection_id)), 0, connection_id))
        .into();
    let mut pushed = [0_u64; 3];
    for _step in 0..5_000 {
        if below(3) == 0 {
            let batch: Vec<_> = (0..below(40)).map(|seq| packet(below(3), seq as u32)).collect();
            for packet in &batch {
                pushed[packet.connection_id as usize] += 1;
            }
            board.push(batch, Unsent::default());
        } else {
            let chosen = below(readers.len() as u64) as usize;
            let (cursor, read, _) = &mut readers[chosen];
            *read += cursor.next(1 + below(30) as usize).packets.len() as u64;
        }
    }
    for (cursor, read, connection_id) in &mut readers {
        let rest = cursor.next(usize::MAX);
        let expected = connection_id.map_or(pushed.iter().sum(), |id| pushed[id as usize]);
        assert_eq!(
            *read + rest.packets.len() as u64 + rest.lost_in_stream,
            expected,
            "{connection_id:?}"
        );
        assert!(rest.lost_in_stream > 0);
    }
}

#[test]
fn a_filter_picks_packets_and_the_last_ones_are_those_that_pass_it() {
    let board = board(100);
    board.push((1..=6).map(|seq| packet(1, seq)).collect(), Unsent::default());
    let selection = |connection_id, filter| PacketSelection {
        connection_id,
        filter: Some(Filter::parse(filter).unwrap()),
        headers: false,
    };
    let sequence = |cursor: &mut PacketCursor| {
        let batch = cursor.next(100);
        batch.packets.iter().map(|packet| packet.seq).collect::<Vec<_>>()
    };

    let mut large = board.cursor(2, selection(None, "seq_number in {2-5}"));
    assert_eq!(sequence(&mut large), [4, 5]);
    let mut of_two = board.cursor(10, selection(Some(2), "seq_number in {2-8}"));
    board.push(
        (7..=9).map(|seq| packet(u64::from(seq % 3), seq)).collect(),
        Unsent::default(),
    );
    assert_eq!(sequence(&mut large), [] as [u32; 0]);
    assert_eq!(sequence(&mut of_two), [8]);
}

#[tokio::test(start_paused = true)]
async fn the_kernel_is_asked_for_what_all_readers_together_want() {
    let board = Arc::new(PacketBoard::new());
    let (commands, mut received) = mpsc::channel(4);
    let switch = Arc::clone(&board);
    let switch = tokio::spawn(async move { switch.follow_readers(commands).await });
    let of_port = |port: u16, headers| PacketSelection {
        connection_id: None,
        filter: Some(Filter::parse(&format!("port {port}")).unwrap()),
        headers,
    };
    let mut asked = async || match received.recv().await {
        Some(Command::WatchPackets(wish)) => wish.map(|wish| (wish.filter.count, wish.headers)),
        other => panic!("{other:?}"),
    };

    let _first = board.cursor(0, of_port(443, false));
    assert_eq!(asked().await, Some((1, false)));
    let same = board.cursor(0, of_port(443, false));
    let other = board.cursor(0, of_port(80, true));
    assert_eq!(asked().await, Some((2, true)));
    let all = board.cursor(0, of(None));
    let wish = asked().await;
    assert_eq!(wish, Some((1, true)), "all packets are one clause");
    drop((all, other, same));
    assert_eq!(asked().await, Some((1, false)));
    switch.abort();
}
