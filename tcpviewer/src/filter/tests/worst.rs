//! No filter that is within the limits costs much more than others of its length.

use std::{hint::black_box, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use super::{super::*, connection, now};
use crate::model::Connection;

/// Names of interfaces, no two alike and as long as they can be: what was found out about one helps with no other.
const NAMES: usize = 200;
/// How much more the worst filter may cost than a plain one of the greatest length; 35 times were seen. With regular
/// expressions of ten times the size it would be more than this.
const FACTOR: u32 = 200;

/// A filter as long as they can be, made of this part.
fn full(part: &str, between: &str) -> String {
    let parts = (MAX_TEXT_BYTES + between.len()) / (part.len() + between.len());
    vec![part; parts].join(between)
}

/// The largest regular expression of this form that is accepted, as often as that is allowed.
fn patterns(form: &str) -> String {
    let of_size = |size: usize| {
        let pattern = form.replace("SIZE", &size.to_string());
        vec![format!("interface ~ '{pattern}'"); 4].join(" or ")
    };
    let (mut good, mut bad) = (1, 10_000);
    while good + 1 < bad {
        let middle = usize::midpoint(good, bad);
        if Filter::<Connection>::parse(&of_size(middle)).is_ok() {
            good = middle;
        } else {
            bad = middle;
        }
    }
    of_size(good)
}

/// What this thread worked so far, whoever else wants the processor.
fn worked() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

/// The shortest of some runs over all connections: others of this machine only make it longer.
fn cost(text: &str, connections: &[Connection]) -> Duration {
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let now = now();
    let run = |_run| {
        let start = worked();
        for connection in connections {
            black_box(filter.matches(black_box(connection), now));
        }
        worked() - start
    };
    (0..3).map(run).min().unwrap()
}

fn connections() -> Vec<Connection> {
    let mut number = 0x2545_f491_4f6c_dd1d_u64;
    let mut letter = || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        char::from(b"abcdefghijklmnopqrstuvwxyz0123456789"[(number % 36) as usize])
    };
    let named = |_name| {
        let interface: String = (0..15).map(|_letter| letter()).collect();
        Connection {
            interface: interface.into(),
            ..connection()
        }
    };
    (0..NAMES).map(named).collect()
}

#[test]
fn no_filter_costs_much_more_than_a_plain_one_of_the_greatest_length() {
    let connections = connections();
    let plain = cost(&full("port == 1", " or "), &connections);
    let numbers: Vec<_> = (0..800).map(|number| (10_000 + number).to_string()).collect();
    for text in [
        full("ip6", "||"),
        full("rtt.min<0ns", "||"),
        full("!has rtt", "||"),
        full("interface contains xyz", "||"),
        format!("port in {{{}}}", &numbers.join(",")[..4_079]),
        format!("host in {{{}}}", &full("::/1", ",")[..4_079]),
        format!("{}ip6{}", "(!".repeat(32), ")".repeat(32)),
        format!("{}ip6", "!".repeat(4_093)),
        patterns("(?-u)[a-z0-9]([0-9a-z]?){SIZE}[A-Z#%&!]"),
        patterns("(?-u)(?:a?b?c?d?e?f?[g-z0-9]?){SIZE}[A-Z!]"),
        patterns("(?-u)^(?:[a-z]?[0-9]?){SIZE}[A-Z#%&]"),
        patterns("(?-u)(?:(?:[a-z]|[0-9][a-z]|[a-z0-9]{2})?){SIZE}[A-Z]"),
        patterns("(?:.?){SIZE}[A-Z]"),
    ] {
        let cost = cost(&text, &connections);
        println!(
            "{:>8.2} µs, {:>6.2} times the plain one: {:.60}",
            cost.as_secs_f64() * 1e6 / NAMES as f64,
            cost.as_secs_f64() / plain.as_secs_f64(),
            text
        );
        assert!(cost < plain * FACTOR, "{cost:?} and {plain:?}: {text:.100}");
    }
}

#[test]
fn no_text_takes_much_longer_to_read_than_a_plain_filter_of_the_greatest_length() {
    let reading = |text: &str| {
        let read = |_run| {
            let start = worked();
            black_box(Filter::<Connection>::parse(black_box(text))).ok();
            worked() - start
        };
        (0..3).map(read).min().unwrap()
    };
    let plain = reading(&full("port == 1", " or "));
    for part in [
        "(",
        ")",
        "!",
        "not ",
        "port ",
        "src or dst ",
        "port (80 or ",
        "ip6 ",
        "\"",
        "\\",
        "{",
        "rtt > ",
        "80 or ",
        "ä",
        "1,",
        "host 10.0.0.1 or ",
        "port in {1,",
        "interface ~ '((a{9}){9}){9}' or ",
        "interface ~ '(?i)\\w' or ",
        "prot ",
        "x or ",
        "interface ~ '",
        "(((",
        "{1000}",
        "has ",
        "src and ",
    ] {
        let text = full(part, "");
        let time = reading(&text);
        println!(
            "{:>8.1} times the plain one: {part}",
            time.as_secs_f64() / plain.as_secs_f64()
        );
        assert!(time < plain * 100, "{time:?} and {plain:?}: {part}");
    }
    let pattern = format!(
        "interface ~ '{}'",
        "(?:".repeat(80) + &"a?".repeat(1_000) + &"){9}".repeat(80)
    );
    let time = reading(&pattern);
    assert!(time < plain * 100, "{time:?} and {plain:?}");
}
