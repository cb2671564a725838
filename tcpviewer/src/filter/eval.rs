//! Asks a filter of a connection or a packet. What was not measured passes no test; it passes its opposite,
//! `not (…)`.

use std::time::SystemTime;

use super::{
    check::{Item, Node, Test},
    field::{Read, Subject},
    syntax::Comparison,
    value::Value,
};
use crate::model::Connection;

/// The field of a connection's number.
const ID: &str = "id";

/// Whether the condition holds.
pub(super) fn holds<T: Subject>(node: &Node<T>, subject: &T, now: SystemTime) -> bool {
    match node {
        Node::And(parts) => parts.iter().all(|part| holds(part, subject, now)),
        Node::Or(parts) => parts.iter().any(|part| holds(part, subject, now)),
        Node::Not(part) => !holds(part, subject, now),
        Node::Flag(field) => matches!(field.read, Read::Flag(read) if read(subject)),
        Node::Has(field) => field.values(subject, now).iter().any(Option::is_some),
        Node::Test(field, test) => {
            let values = field.values(subject, now);
            let mut values = values.iter().flatten();
            // "Neither end is it", not "one of the ends is not".
            if matches!(test, Test::Compare(Comparison::NotEqual, _)) {
                values.clone().next().is_some() && values.all(|value| passes(test, value))
            } else {
                values.any(|value| passes(test, value))
            }
        }
    }
}

/// Whether the condition may hold of a connection of which nothing but its id is known.
pub(super) fn may_hold(node: &Node<Connection>, id: u64) -> bool {
    match node {
        Node::And(parts) => parts.iter().all(|part| may_hold(part, id)),
        Node::Or(parts) => parts.iter().any(|part| may_hold(part, id)),
        Node::Test(field, test) if field.name == ID => passes(test, &Value::Number(id)),
        Node::Not(_) | Node::Flag(_) | Node::Has(_) | Node::Test(..) => true,
    }
}

fn passes(test: &Test, value: &Value<&str>) -> bool {
    let text = match value {
        Value::Text(text) => text,
        Value::Number(_) | Value::Share(_) | Value::Address(_) => "",
    };
    match test {
        Test::Compare(comparison, expected) => {
            value.compare(expected).is_some_and(|order| match comparison {
                Comparison::Equal => order.is_eq(),
                Comparison::NotEqual => order.is_ne(),
                Comparison::Less => order.is_lt(),
                Comparison::LessOrEqual => order.is_le(),
                Comparison::Greater => order.is_gt(),
                Comparison::GreaterOrEqual => order.is_ge(),
            })
        }
        Test::In(items) => items.iter().any(|item| is_in(item, value)),
        Test::Contains(part) => text.contains(&**part),
        Test::Matches(pattern) => pattern.is_match(text),
    }
}

fn is_in(item: &Item, value: &Value<&str>) -> bool {
    match item {
        Item::One(expected) => value.compare(expected).is_some_and(|order| order.is_eq()),
        Item::Range(first, last) => {
            value.compare(first).is_some_and(|order| order.is_ge())
                && value.compare(last).is_some_and(|order| order.is_le())
        }
        Item::Network(network) => matches!(value, Value::Address(address) if network.contains(address)),
    }
}
