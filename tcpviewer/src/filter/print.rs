//! A filter as text again: whole names, units and parentheses, so that it can be seen how it was read. Read once
//! more it is the same filter.

use std::fmt::{self, Display, Formatter};

use super::{
    Filter,
    check::{Item, Node, Test},
    field::{Field, Read, Subject, Unit},
    value::{BYTES, InUnits, ONES, RATES, TIMES, Value},
};

impl<T: Subject> Display for Filter<T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.root.fmt(formatter)
    }
}

impl<T: Subject> Display for Node<T> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(formatter, parts, " and "),
            Self::Or(parts) => joined(formatter, parts, " or "),
            Self::Not(part) if matches!(**part, Self::Flag(_)) => write!(formatter, "not {part}"),
            Self::Not(part) => write!(formatter, "not ({part})"),
            Self::Flag(field) => formatter.write_str(field.name),
            Self::Has(field) => write!(formatter, "has {}", field.name),
            Self::Test(field, test) => write_test(formatter, field, test),
        }
    }
}

fn joined<T: Subject>(formatter: &mut Formatter<'_>, parts: &[Node<T>], word: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            formatter.write_str(word)?;
        }
        if matches!(part, Node::And(_) | Node::Or(_)) {
            write!(formatter, "({part})")?;
        } else {
            write!(formatter, "{part}")?;
        }
    }
    Ok(())
}

fn write_test<T: Subject>(formatter: &mut Formatter<'_>, field: &Field<T>, test: &Test) -> fmt::Result {
    formatter.write_str(field.name)?;
    match test {
        Test::Compare(comparison, value) => {
            write!(formatter, " {} ", comparison.sign())?;
            write_value(formatter, field, value)
        }
        Test::In(items) => {
            formatter.write_str(" in {")?;
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    formatter.write_str(", ")?;
                }
                write_item(formatter, field, item)?;
            }
            formatter.write_str("}")
        }
        Test::Contains(part) => write_quoted(formatter, " contains ", part),
        Test::Matches(pattern) => write_quoted(formatter, " matches ", pattern.as_str()),
    }
}

fn write_item<T: Subject>(formatter: &mut Formatter<'_>, field: &Field<T>, item: &Item) -> fmt::Result {
    match item {
        Item::One(value) => write_value(formatter, field, value),
        Item::Range(first, last) => {
            write_value(formatter, field, first)?;
            formatter.write_str("-")?;
            write_value(formatter, field, last)
        }
        Item::Network(network) => write!(formatter, "{network}"),
    }
}

fn write_value<T: Subject>(
    formatter: &mut Formatter<'_>,
    field: &Field<T>,
    value: &Value<Box<str>>,
) -> fmt::Result {
    let units = match field.read {
        Read::Number(Unit::Bytes, _) => BYTES,
        Read::Number(Unit::BytesPerSecond, _) => RATES,
        Read::Number(Unit::Microseconds, _) | Read::Elapsed(_) => TIMES,
        // Counts and ports are written in full.
        Read::Number(Unit::Count, _)
        | Read::Ports(_)
        | Read::Flag(_)
        | Read::Addresses(_)
        | Read::Share(_)
        | Read::Choice(..)
        | Read::Name(_)
        | Read::Names(_)
        | Read::Numbers(_)
        | Read::Leveled(_) => ONES,
    };
    match value {
        Value::Number(number) => write!(formatter, "{}", InUnits(*number, units)),
        Value::Share(share) => write!(formatter, "{share}"),
        Value::Address(address) => write!(formatter, "{address}"),
        Value::Text(word) if matches!(field.read, Read::Choice(..)) => formatter.write_str(word),
        Value::Text(name) => write_quoted(formatter, "", name),
    }
}

fn write_quoted(formatter: &mut Formatter<'_>, before: &str, text: &str) -> fmt::Result {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    write!(formatter, "{before}\"{escaped}\"")
}
