//! From words to fields and values. In: the syntax tree. Out: conditions on fields that exist, with values of
//! their types; or the word that is wrong, and what would have been right.

use std::net::IpAddr;

use ipnet::IpNet;
use regex::{Regex, RegexBuilder};

use super::{
    error::Wrong,
    field::{Field, Read, Subject, Unit, most_similar},
    syntax::{Comparison, Syntax, Word},
    value::{BYTES, COUNTS, RATES, TIMES, Units, Value, number, share},
};

/// A compiled regular expression takes at most this much memory, bytes. What it costs to ask it of a name grows with
/// that: the worst of this size takes some 50 µs for a name of 15 letters, where no two names are alike.
const MAX_PATTERN_BYTES: usize = 16 * 1024;
/// Regular expressions in one filter.
const MAX_PATTERNS: usize = 4;

/// A filter or a part of it, checked.
#[derive(Debug)]
pub(super) enum Node<T: 'static> {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// The field says yes.
    Flag(&'static Field<T>),
    /// The field has a value.
    Has(&'static Field<T>),
    /// A value of the field passes the test.
    Test(&'static Field<T>, Test),
}

/// What is asked of a value.
#[derive(Debug)]
pub(super) enum Test {
    Compare(Comparison, Value<Box<str>>),
    In(Vec<Item>),
    Contains(Box<str>),
    Matches(Regex),
}

/// An element of a set.
#[derive(Debug)]
pub(super) enum Item {
    One(Value<Box<str>>),
    /// From one to the other, both included.
    Range(Value<Box<str>>, Value<Box<str>>),
    Network(IpNet),
}

impl<T: Subject> Node<T> {
    /// Whether the answer may change by the passing of time alone.
    pub(super) fn depends_on_time(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::depends_on_time),
            Self::Not(part) => part.depends_on_time(),
            Self::Flag(field) | Self::Has(field) | Self::Test(field, _) => field.depends_on_time(),
        }
    }
}

/// Finds the fields and reads the values.
pub(super) fn check<T: Subject>(syntax: Syntax) -> Result<Node<T>, Wrong> {
    Checker { patterns: 0 }.node(syntax)
}

/// The field with this name, or what is wrong with it.
pub(super) fn field<T: Subject>(name: &Word) -> Result<&'static Field<T>, Wrong> {
    Field::named(&name.text).ok_or_else(|| {
        let wrong = Wrong::word(name, format!("a field of {}", T::NOUN));
        match Field::<T>::resembling(&name.text) {
            Some(meant) => wrong.hint(format!("did you mean `{meant}`?")),
            None => wrong,
        }
    })
}

struct Checker {
    patterns: usize,
}

impl Checker {
    fn node<T: Subject>(&mut self, syntax: Syntax) -> Result<Node<T>, Wrong> {
        Ok(match syntax {
            Syntax::And(parts) => Node::And(self.nodes(parts)?),
            Syntax::Or(parts) => Node::Or(self.nodes(parts)?),
            Syntax::Not(part) => Node::Not(Box::new(self.node(*part)?)),
            Syntax::Flag(name) => Node::Flag(flag(&name)?),
            Syntax::Has(name) => Node::Has(measured(&name)?),
            Syntax::Compare(name, comparison, value) => {
                let field = measured(&name)?;
                Node::Test(field, compare(field, &name, comparison, &value)?)
            }
            Syntax::In(name, values) => {
                let field = measured(&name)?;
                let items = values.iter().map(|value| item(field, value));
                Node::Test(field, Test::In(items.collect::<Result<_, _>>()?))
            }
            Syntax::Contains(name, value) => {
                Node::Test(named::<T>(&name, "contains")?, Test::Contains(value.text.into()))
            }
            Syntax::Matches(name, value) => Node::Test(
                named::<T>(&name, "matches")?,
                Test::Matches(self.pattern(&value)?),
            ),
        })
    }

    fn nodes<T: Subject>(&mut self, parts: Vec<Syntax>) -> Result<Vec<Node<T>>, Wrong> {
        parts.into_iter().map(|part| self.node(part)).collect()
    }

    fn pattern(&mut self, word: &Word) -> Result<Regex, Wrong> {
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            let expected = format!("at most {MAX_PATTERNS} regular expressions in one filter");
            return Err(Wrong::word(word, expected));
        }
        RegexBuilder::new(&word.text)
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .build()
            .map_err(|error| wrong_pattern(word, &error))
    }
}

fn wrong_pattern(word: &Word, error: &regex::Error) -> Wrong {
    if matches!(error, regex::Error::CompiledTooBig(_)) {
        let expected = format!("a regular expression that needs at most {MAX_PATTERN_BYTES} bytes");
        return Wrong::word(word, expected).hint("it needs more");
    }
    // The library draws the expression as well; the reason is on the last line.
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    Wrong::word(word, "a regular expression").hint(reason.trim_start_matches("error: "))
}

/// A field that is a condition by itself.
fn flag<T: Subject>(name: &Word) -> Result<&'static Field<T>, Wrong> {
    let field = field(name)?;
    if matches!(field.read, Read::Flag(_)) {
        return Ok(field);
    }
    let expected = format!("a comparison, as in {}, or `has {}`", example(field), field.name);
    Err(Wrong::at(
        name.at.clone(),
        expected,
        format!("`{}` alone", field.name),
    ))
}

/// A field with values.
fn measured<T: Subject>(name: &Word) -> Result<&'static Field<T>, Wrong> {
    let field = field(name)?;
    if matches!(field.read, Read::Flag(_)) {
        let expected = format!("`{0}` or `not {0}`, which is yes or no", field.name);
        let found = format!("`{}` with a value", field.name);
        return Err(Wrong::at(name.at.clone(), expected, found));
    }
    Ok(field)
}

/// A field that is a name.
fn named<T: Subject>(name: &Word, operator: &str) -> Result<&'static Field<T>, Wrong> {
    let field = measured(name)?;
    if matches!(field.read, Read::Name(_) | Read::Names(_)) {
        return Ok(field);
    }
    let found = format!("`{}` ({})", field.name, field.kind());
    Err(Wrong::at(
        name.at.clone(),
        format!("a name before `{operator}`, such as `interface`"),
        found,
    ))
}

fn example<T: Subject>(field: &Field<T>) -> String {
    let name = field.name;
    match &field.read {
        Read::Flag(_) => format!("`{name}`"),
        Read::Addresses(_) => format!("`{name} in 10.0.0.0/8`"),
        Read::Ports(_) => format!("`{name} == 443`"),
        Read::Number(Unit::Count, _) | Read::Numbers(_) => format!("`{name} > 10`"),
        Read::Leveled(_) => format!("`{name} >= 4`"),
        Read::Number(Unit::Bytes, _) => format!("`{name} > 10MB`"),
        Read::Number(Unit::BytesPerSecond, _) => format!("`{name} > 10MB/s`"),
        Read::Number(Unit::Microseconds, _) | Read::Elapsed(_) => format!("`{name} > 50ms`"),
        Read::Share(_) => format!("`{name} > 1%`"),
        Read::Choice(words, _) => format!("`{name} == {}`", words.first().unwrap_or(&"")),
        Read::Name(_) | Read::Names(_) => format!("`{name} == \"eth0\"`"),
    }
}

fn compare<T: Subject>(
    field: &Field<T>,
    name: &Word,
    comparison: Comparison,
    word: &Word,
) -> Result<Test, Wrong> {
    let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    let is_ordered = matches!(
        field.read,
        Read::Ports(_)
            | Read::Number(..)
            | Read::Numbers(_)
            | Read::Leveled(_)
            | Read::Elapsed(_)
            | Read::Share(_)
    );
    if !is_equality && !is_ordered {
        let found = format!("`{} {}`", field.name, comparison.sign());
        let hint = format!("`{}` ({}) has no order", field.name, field.kind());
        return Err(Wrong::at(name.at.clone(), "`==`, `!=` or `in`", found).hint(hint));
    }
    value(field, word).map(|value| Test::Compare(comparison, value))
}

/// An element of a set: a network, a range, or one value.
fn item<T: Subject>(field: &Field<T>, word: &Word) -> Result<Item, Wrong> {
    match &field.read {
        Read::Addresses(_) if word.text.contains('/') => network(word).map(Item::Network),
        Read::Ports(_) | Read::Number(..) | Read::Numbers(_) | Read::Leveled(_) | Read::Elapsed(_) => {
            match word.text.split_once('-') {
                Some((first, last)) => range(field, word, first, last),
                None => value(field, word).map(Item::One),
            }
        }
        Read::Addresses(_)
        | Read::Flag(_)
        | Read::Share(_)
        | Read::Choice(..)
        | Read::Name(_)
        | Read::Names(_) => value(field, word).map(Item::One),
    }
}

fn range<T: Subject>(field: &Field<T>, word: &Word, first: &str, last: &str) -> Result<Item, Wrong> {
    let part = |text| value(field, &Word::standing_at(text, word)).map_err(|wrong| wrong.in_word(word));
    let (first, last) = (part(first)?, part(last)?);
    if first.compare(&last).is_some_and(|order| order.is_gt()) {
        return Err(Wrong::word(word, "a range that ends behind its beginning"));
    }
    Ok(Item::Range(first, last))
}

fn network(word: &Word) -> Result<IpNet, Wrong> {
    let network: IpNet = word
        .text
        .parse()
        .map_err(|_error| Wrong::word(word, "a network, such as `10.0.0.0/8`"))?;
    if network != network.trunc() {
        let hint = format!("did you mean `{}`?", network.trunc());
        return Err(Wrong::word(word, "a network without bits beyond its prefix").hint(hint));
    }
    Ok(network)
}

fn value<T: Subject>(field: &Field<T>, word: &Word) -> Result<Value<Box<str>>, Wrong> {
    let in_units = |units: Units, expected: &str| {
        let number = number(&word.text, units).map(Value::Number);
        number.ok_or_else(|| Wrong::word(word, expected))
    };
    match &field.read {
        // A yes or no has no value; it is refused before.
        Read::Flag(_) => Err(Wrong::word(word, "nothing")),
        Read::Addresses(_) => address(word).map(Value::Address),
        Read::Ports(_) => {
            let port = word
                .text
                .parse::<u16>()
                .ok()
                .filter(|_| !word.text.starts_with('+'));
            let expected = "a port, 0 to 65535 (names are not looked up)";
            port.map(|port| Value::Number(port.into()))
                .ok_or_else(|| Wrong::word(word, expected))
        }
        Read::Number(Unit::Count, _) | Read::Numbers(_) | Read::Leveled(_) => {
            in_units(COUNTS, "a number, such as `10` or `10k`")
        }
        Read::Number(Unit::Bytes, _) => in_units(BYTES, "bytes, such as `10MB` or `64KiB`"),
        Read::Number(Unit::BytesPerSecond, _) => {
            in_units(RATES, "bytes per second, such as `10MB/s` or `80Mbit/s`")
        }
        Read::Number(Unit::Microseconds, _) | Read::Elapsed(_) => {
            in_units(TIMES, "a time with its unit, such as `50ms` or `5m`")
        }
        Read::Share(_) => share(&word.text)
            .map(Value::Share)
            .ok_or_else(|| Wrong::word(word, "a share, such as `1%` or `0.01`")),
        Read::Choice(words, _) => choice(word, words).map(|word| Value::Text(word.into())),
        Read::Name(_) | Read::Names(_) => Ok(Value::Text(word.text.as_str().into())),
    }
}

fn address(word: &Word) -> Result<IpAddr, Wrong> {
    let address = word.text.parse::<IpAddr>();
    address.map(|address| address.to_canonical()).map_err(|_error| {
        let expected = "an address, such as `10.0.0.1` or `2001:db8::1` (names are not looked up)";
        let wrong = Wrong::word(word, expected);
        if word.text.contains('/') {
            return wrong.hint("for a network write `in`, as in `host in 10.0.0.0/8`");
        }
        wrong
    })
}

/// One of the words, however its parts are joined: `TIME_WAIT` is `time-wait`.
fn choice(word: &Word, words: &'static [&'static str]) -> Result<&'static str, Wrong> {
    let letters = |text: &str| text.to_ascii_lowercase().replace(['-', '_'], "");
    let written = letters(&word.text);
    let found = words.iter().copied().find(|name| letters(name) == written);
    found.ok_or_else(|| {
        let wrong = Wrong::word(word, format!("one of {}", words.join(", ")));
        match most_similar(&word.text, words.iter().copied()) {
            Some(meant) => wrong.hint(format!("did you mean `{meant}`?")),
            None => wrong,
        }
    })
}
