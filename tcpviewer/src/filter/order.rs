//! An order of connections or packets by one of their fields: `rate desc`, `rtt`. What was not measured comes
//! last either way.

use std::{cmp::Ordering, time::SystemTime};

use super::{
    FilterError,
    check::field,
    error::Wrong,
    field::{Field, Read, Subject},
    syntax::Word,
    value::Value,
};

/// An order by a field.
#[derive(Debug)]
pub struct Order<T: Subject> {
    field: &'static Field<T>,
    descending: bool,
}

impl<T: Subject> Clone for Order<T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T: Subject> PartialEq for Order<T> {
    fn eq(&self, other: &Self) -> bool {
        self.field.name == other.field.name && self.descending == other.descending
    }
}

/// The place of a connection or packet in an order; what comes first is less.
#[derive(Clone, Debug)]
pub struct OrderKey {
    value: Option<Value<Box<str>>>,
    descending: bool,
}

impl<T: Subject> Order<T> {
    /// Reads an order: the name of a field, and ` desc` behind it where the largest comes first.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut words = words(text);
        let name = words.next().unwrap_or(Word {
            text: String::new(),
            at: text.len()..text.len(),
        });
        let descending = match words.next() {
            None => false,
            Some(word) if word.text.eq_ignore_ascii_case("desc") => true,
            Some(word) if word.text.eq_ignore_ascii_case("asc") => false,
            Some(word) => return Err(one_field(&word).in_text(text)),
        };
        if let Some(word) = words.next() {
            return Err(one_field(&word).in_text(text));
        }
        let field = field::<T>(&name).map_err(|wrong| wrong.in_text(text))?;
        let may_have_two = matches!(
            field.read,
            Read::Ports(_) | Read::Addresses(_) | Read::Names(_) | Read::Numbers(_)
        );
        // Fields of one end have its name before theirs.
        if may_have_two && !field.name.contains('.') {
            let expected = format!(
                "a field of one end, `source.{0}` or `destination.{0}`",
                field.name
            );
            return Err(Wrong::word(&name, expected).in_text(text));
        }
        Ok(Self { field, descending })
    }

    /// Where it stands in the order.
    pub fn key(&self, subject: &T, now: SystemTime) -> OrderKey {
        let value = self.field.rank(subject, now).map(|value| match value {
            Value::Number(number) => Value::Number(number),
            Value::Share(share) => Value::Share(share),
            Value::Address(address) => Value::Address(address),
            Value::Text(text) => Value::Text(text.into()),
        });
        OrderKey {
            value,
            descending: self.descending,
        }
    }

    /// Whether the order may change by the passing of time alone.
    pub fn depends_on_time(&self) -> bool {
        self.field.depends_on_time()
    }
}

impl Ord for OrderKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.value, &other.value) {
            (Some(one), Some(other)) => {
                let order = one.compare(other).unwrap_or(Ordering::Equal);
                if self.descending { order.reverse() } else { order }
            }
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    }
}

impl PartialOrd for OrderKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for OrderKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for OrderKey {}

fn one_field(word: &Word) -> Wrong {
    Wrong::word(word, "`asc`, `desc` or the end").hint("an order has one field")
}

fn words(text: &str) -> impl Iterator<Item = Word> {
    text.split_whitespace().map(move |word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        Word {
            text: word.to_owned(),
            at: start..start + word.len(),
        }
    })
}
