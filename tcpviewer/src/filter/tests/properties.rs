//! Of any filter, and of any text.

use std::net::IpAddr;

use proptest::prelude::*;

use super::{super::*, connection, now, passes, read};
use crate::model::{Connection, Packet};

/// A condition on a field that fits its type.
fn condition() -> impl Strategy<Value = String> {
    let fields: Vec<_> = Field::<Connection>::all().collect();
    let number = prop_oneof![any::<u64>(), 0..100_000_u64];
    (
        prop::sample::select(fields),
        0..6_usize,
        number,
        any::<IpAddr>(),
        ".{0,8}",
    )
        .prop_map(|(field, variant, number, address, text)| {
            let name = field.name;
            let sign = ["==", "!=", "<", "<=", ">", ">="][variant];
            let equality = ["==", "!=", "in"][variant % 3];
            let small = number % 100_000;
            match field.kind() {
                "yes or no" => name.to_owned(),
                "address" => format!("{name} {equality} {address}"),
                "port" => format!("{name} in {{{}, {}-65535}}", small % 65_536, number % 65_536),
                "number" => format!("{name} {sign} {number}"),
                "bytes" | "bytes per second" => {
                    format!(
                        "{name} {sign} {small}{}",
                        ["", "kB", "MiB", "GB", "B", "KiB"][variant]
                    ) + if field.kind() == "bytes" || variant == 0 {
                        ""
                    } else {
                        "/s"
                    }
                }
                "time" => format!("{name} in {{{small}us-{small}ms, {small}h}}"),
                "share" => format!("{name} {sign} {small}.{small}%"),
                "word" => format!("has {name}"),
                _ => {
                    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                    format!("{name} {} \"{text}\"", ["==", "!=", "contains"][variant % 3])
                }
            }
        })
}

fn filter() -> impl Strategy<Value = String> {
    made_of(condition())
}

/// A filter that asks for a connection's number beside other things.
fn filter_of_numbers() -> impl Strategy<Value = String> {
    let number = (0..6_usize, 5..10_u64).prop_map(|(variant, number)| match variant {
        0..5 => format!("id {} {number}", ["==", "!=", "<", ">=", "=="][variant]),
        _ => format!("id in {{{number}, 100-200}}"),
    });
    let other = prop::sample::select(vec!["port == 443", "port == 80", "has id"]).prop_map(str::to_owned);
    made_of(prop_oneof![3 => number, 1 => other])
}

/// Conditions, joined and turned into their opposite.
fn made_of(condition: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    condition.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

/// Text made of the pieces of the language, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "(",
        ")",
        "{",
        "}",
        ",",
        "not",
        "!",
        "and",
        "or",
        "&&",
        "||",
        "in",
        "has",
        "==",
        "<",
        "~",
        "port",
        "host",
        "net",
        "src",
        "dst",
        "ip6",
        "80",
        "8000-8080",
        "10.0.0.1",
        "10.0.0.0/8",
        "rtt",
        "50ms",
        "\"",
        "'",
        "\\",
        "ä",
        "interface",
        "contains",
        "matches",
        "closed",
        "%",
        "state",
        "established",
    ]);
    prop::collection::vec((piece, prop_oneof![Just(" "), Just("")]), 0..24).prop_map(|pieces| {
        pieces
            .into_iter()
            .flat_map(|(piece, space)| [piece, space])
            .collect()
    })
}

proptest! {
    #[test]
    fn a_filter_that_is_written_out_is_read_as_the_same(text in filter()) {
        prop_assume!(text.len() <= MAX_TEXT_BYTES);
        let whole = read::<Connection>(&text);
        prop_assume!(whole.len() <= MAX_TEXT_BYTES);
        let connection = connection();

        prop_assert_eq!(&read::<Connection>(&whole), &whole, "{}", text);
        prop_assert_eq!(passes(&text, &connection), passes(&whole, &connection));
    }

    #[test]
    fn what_a_number_rules_out_does_not_pass(text in filter_of_numbers()) {
        prop_assume!(text.len() <= MAX_TEXT_BYTES);
        let (filter, connection) = (Filter::parse(&text).unwrap(), connection());
        prop_assert_eq!(filter.admits(&connection, now()), filter.matches(&connection, now()), "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in prop_oneof![any::<String>(), pieces()]) {
        let connections = Filter::<Connection>::parse(&text);
        let packets = Filter::<Packet>::parse(&text);
        let order = Order::<Connection>::parse(&text);

        for error in [connections.as_ref().err(), packets.as_ref().err(), order.as_ref().err()].into_iter().flatten() {
            prop_assert!(error.column() <= text.chars().count() + 1);
            prop_assert!(error.pointer(&text).ends_with('^'));
            let said = error.to_string();
            prop_assert!(said.contains(": expected ") && said.contains(", found "), "{said}");
        }
        if let Ok(filter) = connections {
            filter.matches(&connection(), now());
            let whole = filter.to_string();
            prop_assert_eq!(Filter::<Connection>::parse(&whole).unwrap().to_string(), whole);
        }
    }
}
