//! Packets leave the kernel only while somebody watches, and only those that somebody wants: counted by the
//! kernel itself.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figures"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use support::{
    PATIENCE, daemon::Daemon, namespaces::Pair, require_root, share_machine, traffic::Open, wait_for,
    wait_for_quiet,
};
/// Questions and answers on a connection; each of them is one packet.
const QUESTIONS: usize = 20;

#[test]
fn packets_leave_the_kernel_only_while_they_are_wanted() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let [wanted, other] = [(); 2].map(|()| Open::new(&pair.left, &pair.right, Pair::RIGHT));
    let talk = || {
        for open in [&wanted, &other] {
            for _question in 0..QUESTIONS {
                open.exchange_in_turn(100, 100);
            }
        }
        // The last acknowledgements may be delayed.
        wait_for_quiet(|| seen(&daemon));
    };

    talk();
    assert_eq!(sent(&daemon), 0, "nobody watches");

    let filter = format!("port {}", wanted.ends().1.port());
    let packets = daemon.watch_packets(&filter, || {
        wait_for(PATIENCE, "packets that are sent", || {
            wanted.exchange_in_turn(1, 1);
            (sent(&daemon) > 0).then_some(())
        });
        talk();
    });
    let counted = sent(&daemon);
    println!("{counted} packets left the kernel, {} came", packets.len());
    assert!(counted >= 2 * QUESTIONS as u64);
    assert_eq!(packets.len() as u64, counted, "all of them were wanted");
    let port = u32::from(wanted.ends().1.port());
    for packet in &packets {
        let ports = [&packet.source, &packet.destination].map(|end| end.as_ref().unwrap().port);
        assert!(ports.contains(&port), "{packet:?}");
    }

    daemon.glance_at_packets(&filter, 1_000);
    daemon.watch_packets(&filter, talk);
    let after = wait_for(PATIENCE, "the end of watching", || {
        let before = sent(&daemon);
        talk();
        (sent(&daemon) == before).then_some(before)
    });
    talk();
    assert_eq!(sent(&daemon), after, "nobody watches any more");
    assert_eq!(daemon.status().ledger.unwrap().packet_events_lost, 0);
    daemon.stop();
}

/// Packets that left the kernel.
fn sent(daemon: &Daemon<'_>) -> u64 {
    daemon.status().ledger.unwrap().packet_events
}

/// Packets that the kernel counted for connections.
fn seen(daemon: &Daemon<'_>) -> u64 {
    daemon.status().ledger.unwrap().packets_tracked
}
