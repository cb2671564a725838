//! A connection's life as the follower sees it, with the clock in hand.

use super::*;

const SECOND: u64 = 1_000_000_000;

fn sample(last_seen_ns: u64, closed_ns: u64) -> Tracked {
    let mut record = ConnectionRecord {
        id: 1,
        closed_ns,
        ..ConnectionRecord::VACANT
    };
    record.halves[0].last_seen_ns = last_seen_ns;
    let key = ConnectionKey {
        low: [1; 16],
        high: [2; 16],
        low_port: [0, 1],
        high_port: [0, 2],
        alignment: [],
    };
    Tracked {
        key,
        record,
        interface: "eth0".into(),
        is_last: false,
    }
}

/// The same of another client.
fn on_port(mut tracked: Tracked, port: u8) -> Tracked {
    tracked.key.low_port = [0, port];
    tracked
}

#[test]
fn a_busy_connection_is_left_alone_until_it_goes_quiet() {
    let mut followed = Followed::new(Duration::from_millis(250));
    for tenth in 0..50 {
        followed.reported(&sample(tenth * SECOND / 10, 0), tenth * SECOND / 10);
        assert!(followed.due(tenth * SECOND / 10, 10).is_empty());
    }
    assert_eq!(followed.due(6 * SECOND, 10).len(), 1);
}

#[test]
fn a_silent_connection_lives_as_long_as_its_socket() {
    let mut followed = Followed::new(Duration::from_millis(250));
    let old = sample(SECOND, 0);
    followed.found(&old, 20_000 * SECOND);
    assert!(
        followed.due(20_001 * SECOND, 10).is_empty(),
        "it is quiet already"
    );
    assert_eq!(followed.due(30_000 * SECOND, 10).len(), 1);
    assert_eq!(followed.check(&old, 30_000 * SECOND), Check::AtRest);

    followed.set_socket(&old.key, false);

    assert_eq!(followed.due(40_000 * SECOND, 10).len(), 1);
    assert_eq!(followed.check(&old, 40_000 * SECOND), Check::Dead);
}

#[test]
fn what_was_not_reported_is_found_and_looked_for_again_while_more_may_come() {
    const INTERVAL: u64 = SECOND / 4;
    let mut followed = Followed::new(Duration::from_nanos(INTERVAL));
    followed.reported(&sample(SECOND, 0), SECOND);
    let (first, second) = (SECOND + 2 * INTERVAL, SECOND + 4 * INTERVAL);
    let (moves, rests) = (sample(first - 5, 0), sample(first + 5, 0));
    assert_eq!(followed.due(first, 10), [moves.key]);
    assert_eq!(followed.check(&moves, first), Check::Changed);
    assert_eq!(followed.due(second, 10), [rests.key]);
    assert_eq!(followed.check(&rests, second), Check::Settled);
    assert!(
        followed.due(60 * SECOND, 10).is_empty(),
        "the kernel reports what comes now"
    );
}

#[test]
fn a_connection_of_which_all_was_reported_is_quiet() {
    let mut followed = Followed::new(Duration::from_millis(250));
    followed.reported(&sample(SECOND, 0), SECOND);
    assert_eq!(followed.due(2 * SECOND, 10).len(), 1);
    assert_eq!(followed.check(&sample(SECOND, 0), 2 * SECOND), Check::Unchanged);
    assert!(followed.due(60 * SECOND, 10).is_empty());
}

#[test]
fn after_reports_were_lost_all_that_rest_are_looked_at_once_more() {
    let mut followed = Followed::new(Duration::from_millis(250));
    let (same, ended) = (sample(SECOND, 0), on_port(sample(SECOND, 0), 7));
    let both = [&same, &ended];
    for connection in both {
        followed.reported(connection, SECOND);
    }
    assert_eq!(followed.due(2 * SECOND, 10).len(), 2);
    for connection in both {
        assert_eq!(followed.check(connection, 2 * SECOND), Check::Unchanged);
    }
    assert!(followed.due(60 * SECOND, 10).is_empty());

    followed.doubt(60 * SECOND);

    assert!(followed.due(60 * SECOND, 10).is_empty(), "reports come meanwhile");
    let mut due = followed.due(61 * SECOND, 10);
    due.sort_unstable();
    assert_eq!(due, [same.key, ended.key]);
    assert_eq!(followed.check(&same, 61 * SECOND), Check::AtRest);
    let end = on_port(sample(50 * SECOND, 50 * SECOND), 7);
    assert_eq!(followed.check(&end, 61 * SECOND), Check::Settled);
    assert_eq!(followed.due(66 * SECOND, 10), [ended.key], "it lingered");
    assert_eq!(followed.check(&end, 66 * SECOND), Check::Dead);
    assert!(followed.due(8_000 * SECOND, 10).is_empty(), "the other one rests");
}

#[test]
fn under_a_longer_interval_those_are_looked_at_again_that_were_reported_within_it() {
    let mut followed = Followed::new(Duration::from_millis(250));
    let (before, lately) = (sample(SECOND, 0), on_port(sample(9 * SECOND, 0), 7));
    for (connection, at_ns) in [(&before, SECOND), (&lately, 9 * SECOND)] {
        followed.reported(connection, at_ns);
        assert_eq!(followed.due(at_ns + SECOND / 2, 10), [connection.key]);
        followed.check(connection, at_ns + SECOND / 2);
    }

    followed.set_update_interval(Duration::from_secs(2), 10 * SECOND);

    assert!(followed.due(12 * SECOND, 10).is_empty());
    assert_eq!(followed.due(13 * SECOND, 10), [lately.key]);
    assert_eq!(followed.check(&lately, 13 * SECOND), Check::AtRest);

    followed.set_update_interval(Duration::from_millis(250), 14 * SECOND);
    assert!(
        followed.due(60 * SECOND, 10).is_empty(),
        "nothing was too soon for it"
    );
}

#[test]
fn a_quiet_connection_that_reports_is_active_again() {
    let mut followed = Followed::new(Duration::from_millis(250));
    followed.reported(&sample(SECOND, 0), SECOND);
    followed.due(2 * SECOND, 10);
    followed.check(&sample(SECOND, 0), 2 * SECOND);
    followed.reported(&sample(9 * SECOND, 0), 9 * SECOND);
    assert_eq!(followed.checks.others(), 0, "one check at a time");
    assert_eq!(followed.due(10 * SECOND, 10).len(), 1);
    assert!(followed.next_check_ns().is_none());
}

#[test]
fn a_connection_that_ended_is_not_looked_at_before_its_record_may_go() {
    let mut followed = Followed::new(Duration::from_millis(250));
    followed.reported(&sample(SECOND, 0), SECOND);
    let ended = sample(SECOND + 5, SECOND + 5);
    followed.reported(&ended, SECOND + 10);
    assert!(followed.due(16 * SECOND, 10).is_empty());
    assert!(followed.is_known(&ended.key, &ended.record));
    assert_eq!(followed.due(16 * SECOND + 5, 10), [ended.key]);
    assert_eq!(followed.check(&ended, 16 * SECOND + 5), Check::Dead);
}

#[test]
fn a_connection_whose_end_is_reported_twice_is_looked_at_once() {
    let mut followed = Followed::new(Duration::from_millis(250));
    let ended = sample(SECOND, SECOND);
    followed.reported(&ended, SECOND + 5);
    followed.reported(&ended, SECOND + 10);
    assert_eq!(followed.due(16 * SECOND, 10), [ended.key]);
}

#[test]
fn of_a_connection_that_ends_at_once_those_who_look_at_sockets_hear_nothing() {
    let mut followed = Followed::new(Duration::from_millis(250));
    assert!(!followed.reported(&sample(SECOND, 0), SECOND));
    assert!(!followed.reported(&sample(SECOND + 5, SECOND + 5), SECOND + 10));

    let mut followed = Followed::new(Duration::from_millis(250));
    assert!(!followed.reported(&sample(SECOND, 0), SECOND));
    assert!(followed.reported(&sample(2 * SECOND, 0), 2 * SECOND), "it stays");
    assert!(
        followed.reported(&sample(3 * SECOND, 3 * SECOND), 3 * SECOND),
        "it ends"
    );
}

#[test]
fn what_came_after_the_end_is_looked_for_again() {
    let mut followed = Followed::new(Duration::from_millis(250));
    followed.reported(&sample(SECOND, SECOND), SECOND);
    let later = sample(2 * SECOND, SECOND);
    assert!(!followed.is_known(&later.key, &later.record));
    followed.reported(&later, 2 * SECOND);
    assert_eq!(followed.due(3 * SECOND, 10), [later.key]);
    assert_eq!(followed.check(&later, 3 * SECOND), Check::Unchanged);
    assert!(followed.due(16 * SECOND, 10).is_empty());
    assert_eq!(followed.due(17 * SECOND, 10), [later.key]);
    assert_eq!(followed.check(&later, 17 * SECOND), Check::Dead);
}

#[test]
fn another_connection_on_the_endpoints_of_one_that_ended_has_its_own_time() {
    let mut followed = Followed::new(Duration::from_millis(250));
    followed.reported(&sample(SECOND, SECOND), SECOND);
    let next = sample(16 * SECOND - 5, 0);
    followed.reported(&next, 16 * SECOND - 5);
    assert!(followed.due(16 * SECOND, 10).is_empty());
    assert_eq!(followed.due(17 * SECOND, 10), [next.key]);
}

#[test]
fn an_ended_connection_is_dead_after_it_lingered() {
    let mut followed = Followed::new(Duration::from_millis(250));
    let late = sample(SECOND, SECOND - 1);
    followed.reported(&late, SECOND);
    followed.due(2 * SECOND, 10);
    assert_eq!(followed.check(&late, 2 * SECOND), Check::Unchanged);
    assert!(followed.due(15 * SECOND, 10).is_empty());
    assert_eq!(followed.due(16 * SECOND, 10).len(), 1);
    assert_eq!(followed.check(&late, 16 * SECOND), Check::Dead);
    followed.forget(&late.key);
    assert!(followed.is_empty() && followed.next_check_ns().is_none());
}
