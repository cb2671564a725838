//! Values with units: how they are written, read and compared.

use std::{
    cmp::Ordering,
    fmt::{self, Display, Formatter},
    net::IpAddr,
};

/// The value of a field, or one that it is compared with; names are `&str` there and owned here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<S> {
    /// A number in the unit of its field; times are nanoseconds.
    Number(u64),
    Share(f64),
    Address(IpAddr),
    Text(S),
}

impl<S: AsRef<str>> Value<S> {
    /// The order of two values of one field. `None` where they are of different types, which values of one
    /// field are not.
    pub(super) fn compare<R: AsRef<str>>(&self, other: &Value<R>) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(one), Value::Number(other)) => Some(one.cmp(other)),
            (Self::Share(one), Value::Share(other)) => Some(one.total_cmp(other)),
            (Self::Address(one), Value::Address(other)) => Some(one.cmp(other)),
            (Self::Text(one), Value::Text(other)) => Some(one.as_ref().cmp(other.as_ref())),
            (Self::Number(_) | Self::Share(_) | Self::Address(_) | Self::Text(_), _) => None,
        }
    }
}

/// Units of numbers, largest first where they are written.
pub(super) type Units = &'static [(&'static str, u64)];

pub(super) const ONES: Units = &[("", 1)];

pub(super) const COUNTS: Units = &[("G", 1_000_000_000), ("M", 1_000_000), ("k", 1_000), ("", 1)];

pub(super) const TIMES: Units = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
    ("µs", 1_000),
    ("μs", 1_000),
    ("min", 60_000_000_000),
];

pub(super) const BYTES: Units = &[
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("B", 1),
    ("", 1),
    ("KB", 1_000),
];

pub(super) const RATES: Units = &[
    ("TB/s", 1_000_000_000_000),
    ("TiB/s", 1 << 40),
    ("GB/s", 1_000_000_000),
    ("GiB/s", 1 << 30),
    ("MB/s", 1_000_000),
    ("MiB/s", 1 << 20),
    ("kB/s", 1_000),
    ("KiB/s", 1 << 10),
    ("B/s", 1),
    ("", 1),
    ("KB/s", 1_000),
    ("Gbit/s", 125_000_000),
    ("Mbit/s", 125_000),
    ("kbit/s", 125),
];

/// Reads a number with its unit; `None` where it is none, or no whole number of the smallest unit, or too large.
pub(super) fn number(text: &str, units: Units) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let (_name, factor) = units.iter().find(|(name, _factor)| *name == unit)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    // Both must be there, and `parse` takes a sign that is none of ours.
    let parse = |digits: &str| digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+'));
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let scaled = u128::from(parse(whole)?)
        .checked_mul(scale)?
        .checked_add(parse(fraction)?.into())?
        .checked_mul((*factor).into())?;
    (scaled % scale == 0)
        .then_some(scaled / scale)
        .and_then(|number| number.try_into().ok())
}

/// Reads a share: `1%` or `0.01`.
pub(super) fn share(text: &str) -> Option<f64> {
    let (digits, percent) = match text.strip_suffix('%') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let is_plain = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits
            .chars()
            .all(|letter| letter.is_ascii_digit() || letter == '.');
    let number: f64 = digits.parse().ok().filter(|_| is_plain)?;
    let share = if percent { number / 100.0 } else { number };
    share.is_finite().then_some(share)
}

/// A number as [`number`] reads it: in the largest unit of which it is a whole number.
#[derive(Clone, Copy, Debug)]
pub(super) struct InUnits(pub(super) u64, pub(super) Units);

impl Display for InUnits {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self(number, units) = *self;
        let fits = |(_name, factor): &&(&str, u64)| number > 0 && number.is_multiple_of(*factor);
        // Zero, too, has its unit.
        let smallest = units.iter().find(|(_name, factor)| *factor == 1);
        let (name, factor) = units.iter().find(fits).or(smallest).copied().unwrap_or(("", 1));
        write!(formatter, "{}{name}", number / factor)
    }
}
