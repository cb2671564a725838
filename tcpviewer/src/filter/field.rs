//! What a field is: a name, what it means, and how it is read from a connection or a packet. The tables themselves
//! are in `connection` and `packet`; a field more is one line there.

use std::{
    fmt::Debug,
    net::IpAddr,
    time::{Duration, SystemTime},
};

use super::value::Value;

/// What a filter can be asked of: it has a table of fields.
pub trait Subject: Debug + Sized + 'static {
    /// What several of them are called.
    const NOUN: &'static str;
    /// All fields, in the order in which they are documented.
    const FIELDS: &'static [&'static [Field<Self>]];
}

/// A field of a connection or a packet.
#[derive(Debug)]
pub struct Field<T> {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) read: Read<T>,
}

/// How a field is read, and so of which type it is. What was not measured is `None`.
#[derive(Debug)]
pub(super) enum Read<T> {
    /// Yes or no.
    Flag(fn(&T) -> bool),
    /// An address of one or two ends.
    Addresses(fn(&T) -> [Option<IpAddr>; 2]),
    /// A port of one or two ends.
    Ports(fn(&T) -> [Option<u16>; 2]),
    /// A number, in this unit.
    Number(Unit, fn(&T) -> Option<u64>),
    /// A level. An order goes on by how long it is that: the longer, the more.
    Leveled(fn(&T) -> Option<Level>),
    /// Time that passes until now.
    Elapsed(fn(&T, SystemTime) -> Duration),
    /// A part of a whole, 0 to 1 and sometimes more.
    Share(fn(&T) -> Option<f64>),
    /// One of these words.
    Choice(&'static [&'static str], fn(&T) -> Option<&'static str>),
    /// A name.
    Name(fn(&T) -> &str),
    /// A name that one or two ends may have.
    Names(fn(&T) -> [Option<&str>; 2]),
    /// A number that one or two ends may have.
    Numbers(fn(&T) -> [Option<u64>; 2]),
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    Bytes,
    BytesPerSecond,
    Microseconds,
}

/// A level, and since when it is that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) level: u8,
    pub(super) since: SystemTime,
}

/// Other names of fields.
const ALIASES: [(&str, &str); 6] = [
    ("src", "source.host"),
    ("dst", "destination.host"),
    ("source", "source.host"),
    ("destination", "destination.host"),
    ("ipv4", "ip"),
    ("ipv6", "ip6"),
];

impl<T: Subject> Field<T> {
    /// All fields of the subject.
    pub(super) fn all() -> impl Iterator<Item = &'static Self> {
        T::FIELDS.iter().copied().flatten()
    }

    /// The field with this name; `src.` and `dst.` are accepted for `source.` and `destination.`.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        let name = name.to_ascii_lowercase();
        let alias = ALIASES.iter().find(|(alias, _name)| *alias == name);
        let whole = match (alias, name.split_once('.')) {
            (Some((_alias, whole)), _) => (*whole).to_owned(),
            (None, Some(("src", rest))) => format!("source.{rest}"),
            (None, Some(("dst", rest))) => format!("destination.{rest}"),
            (None, _) => name,
        };
        Self::all().find(|field| field.name == whole)
    }

    /// The field whose name resembles this most, if one does.
    pub(super) fn resembling(name: &str) -> Option<&'static str> {
        most_similar(name, Self::all().map(|field| field.name))
    }

    /// The name of the type.
    pub(super) fn kind(&self) -> &'static str {
        match self.read {
            Read::Flag(_) => "yes or no",
            Read::Addresses(_) => "address",
            Read::Ports(_) => "port",
            Read::Number(Unit::Count, _) | Read::Numbers(_) | Read::Leveled(_) => "number",
            Read::Number(Unit::Bytes, _) => "bytes",
            Read::Number(Unit::BytesPerSecond, _) => "bytes per second",
            Read::Number(Unit::Microseconds, _) | Read::Elapsed(_) => "time",
            Read::Share(_) => "share",
            Read::Choice(..) => "word",
            Read::Name(_) | Read::Names(_) => "name",
        }
    }

    /// The values of the field: none where it was not measured, two where either end is meant. Times are in
    /// nanoseconds.
    pub(super) fn values<'a>(&self, subject: &'a T, now: SystemTime) -> [Option<Value<&'a str>>; 2] {
        let value = match &self.read {
            Read::Flag(read) => Some(Value::Number(read(subject).into())),
            Read::Addresses(read) => return read(subject).map(|address| address.map(Value::Address)),
            Read::Ports(read) => {
                return read(subject).map(|port| port.map(|port| Value::Number(port.into())));
            }
            Read::Names(read) => return read(subject).map(|name| name.map(Value::Text)),
            Read::Numbers(read) => return read(subject).map(|number| number.map(Value::Number)),
            Read::Number(Unit::Microseconds, read) => {
                read(subject).map(|time| Value::Number(time.saturating_mul(1_000)))
            }
            Read::Number(_, read) => read(subject).map(Value::Number),
            Read::Leveled(read) => read(subject).map(|level| Value::Number(level.level.into())),
            Read::Elapsed(read) => {
                let time = read(subject, now).as_nanos();
                Some(Value::Number(u64::try_from(time).unwrap_or(u64::MAX)))
            }
            Read::Share(read) => read(subject).map(Value::Share),
            Read::Choice(_, read) => read(subject).map(Value::Text),
            Read::Name(read) => Some(Value::Text(read(subject))),
        };
        [value, None]
    }

    /// What an order goes by: the value, of the first end where two are meant.
    pub(super) fn rank<'a>(&self, subject: &'a T, now: SystemTime) -> Option<Value<&'a str>> {
        if let Read::Leveled(read) = &self.read {
            return read(subject).map(|level| Value::Number(level.rank()));
        }
        let [value, _] = self.values(subject, now);
        value
    }

    /// Whether the value changes as time passes.
    pub(super) fn depends_on_time(&self) -> bool {
        matches!(self.read, Read::Elapsed(_))
    }
}

/// Microseconds since 1970 take less than so many bits for two thousand years.
const SINCE_BITS: u32 = 56;
const SINCE_MAX: u64 = (1 << SINCE_BITS) - 1;

impl Level {
    /// A number that is greater for a higher level, and for one that began earlier.
    fn rank(self) -> u64 {
        let since = self
            .since
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let since_us = u64::try_from(since.as_micros()).unwrap_or(SINCE_MAX);
        (u64::from(self.level) << SINCE_BITS) | (SINCE_MAX - since_us.min(SINCE_MAX))
    }
}

/// A name that is longer than this was not meant.
const MAX_NAME: usize = 64;

/// The name that was most likely meant.
pub(super) fn most_similar<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > MAX_NAME {
        return None;
    }
    let written = written.to_ascii_lowercase();
    let similarity = |name: &str| strsim::normalized_damerau_levenshtein(&written, name);
    names
        .map(|name| (similarity(name), name))
        .filter(|(similarity, _name)| *similarity >= 0.6)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_similarity, name)| name)
}
