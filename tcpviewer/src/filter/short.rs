//! The short forms of tcpdump: `port 443`, `src host 10.0.0.1`, `ip6 and net fe80::/10`, `dst port 80 or 8080`.
//! In: the words of one. Out: the comparisons it stands for. A value alone repeats the words of the short form
//! before it, as `8080` does above (pcap-filter(7)).

use std::net::IpAddr;

use winnow::{
    Parser as _,
    combinator::{alt, opt, peek, separated},
    stream::Location as _,
};

use super::{
    grammar::{Input, Parsed, close, expected, expected_word, is, keyword, symbol, word},
    syntax::{Comparison, Syntax, Word},
};

/// The words before a value.
#[derive(Clone, Debug)]
pub(super) struct Qualifiers {
    /// `ip`, `ip6` or `tcp`.
    protocol: Option<Word>,
    ends: Ends,
    kind: Kind,
}

/// Which end is meant.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Any,
    Source,
    Destination,
    Both,
}

/// What is said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host,
    Network,
    Port,
}

/// The short form that begins with `first`, with all values that `or` appends to it; only the first where it is
/// negated. `None` when it is none.
pub(super) fn condition(input: &mut Input<'_>, first: &Word, is_negated: bool) -> Parsed<Option<Syntax>> {
    if is_value(&first.text) {
        return repeated(input, first).map(Some);
    }
    let Some(qualifiers) = qualifiers(input, first)? else {
        return Ok(None);
    };
    let values = values(input, &qualifiers, is_negated)?;
    let conditions = values.iter().map(|value| qualifiers.of(value));
    let syntax = Syntax::or(conditions.collect::<Result<_, _>>()?);
    input.state.recent = Some(qualifiers);
    Ok(Some(syntax))
}

/// A value alone.
fn repeated(input: &Input<'_>, value: &Word) -> Parsed<Syntax> {
    let is_address = value.text.contains(['.', ':', '/']);
    let qualifiers = match &input.state.recent {
        Some(recent) if (recent.kind == Kind::Port) != is_address => recent.clone(),
        Some(recent) if recent.kind == Kind::Port => {
            return Err(expected_word(
                value,
                "a port as before, or `host` before an address",
            ));
        }
        None if is_address => Qualifiers {
            protocol: None,
            ends: Ends::Any,
            kind: Kind::Host,
        },
        Some(_) | None => {
            return Err(expected_word(value, "a field before a number, as in `port 443`"));
        }
    };
    qualifiers.of(value)
}

/// The words before the values, of which `first` is read. `None` when it begins no short form.
fn qualifiers(input: &mut Input<'_>, first: &Word) -> Parsed<Option<Qualifiers>> {
    let mut protocol = None;
    let mut next = first.clone();
    if ["ip", "ip6", "tcp"].iter().any(|name| is(name, &next)) {
        let qualifier = word.verify(|word: &Word| ends_of(word).is_some() || kind_of(word).is_some());
        // Alone it is a condition of its own.
        let Some(qualifier) = opt(qualifier).parse_next(input)? else {
            return Ok(None);
        };
        protocol = Some(std::mem::replace(&mut next, qualifier));
    }
    let mut ends = Ends::Any;
    let mut kind = kind_of(&next);
    if let Some(of_word) = ends_of(&next) {
        ends = second_end(input, of_word)?;
        kind = opt(word.verify_map(|word| kind_of(&word))).parse_next(input)?;
    } else if kind.is_none() {
        return Ok(None);
    }
    Ok(Some(Qualifiers {
        protocol,
        ends,
        kind: kind.unwrap_or(Kind::Host),
    }))
}

/// `src or dst` is either end, `src and dst` both.
fn second_end(input: &mut Input<'_>, first: Ends) -> Parsed<Ends> {
    let either = (keyword("or"), word.verify(|word: &Word| ends_of(word).is_some())).value(Ends::Any);
    let both = (keyword("and"), word.verify(|word: &Word| ends_of(word).is_some())).value(Ends::Both);
    // `src or dst port 80`, but not `src 10.0.0.1 or dst port 80`: a value would stand between.
    Ok(opt(alt((either, both))).parse_next(input)?.unwrap_or(first))
}

fn ends_of(word: &Word) -> Option<Ends> {
    match word.text.to_ascii_lowercase().as_str() {
        "src" => Some(Ends::Source),
        "dst" => Some(Ends::Destination),
        _ => None,
    }
}

fn kind_of(word: &Word) -> Option<Kind> {
    match word.text.to_ascii_lowercase().as_str() {
        "host" => Some(Kind::Host),
        "net" => Some(Kind::Network),
        "port" | "portrange" => Some(Kind::Port),
        _ => None,
    }
}

/// `80`, `80 or 8080`, or `(80 or 8080)`.
fn values(input: &mut Input<'_>, qualifiers: &Qualifiers, only_first: bool) -> Parsed<Vec<Word>> {
    let mut bare = word.verify(|word: &Word| is_value(&word.text));
    if opt(symbol("(")).parse_next(input)?.is_some() {
        let or = alt((keyword("or"), symbol("||")));
        let values: Option<Vec<_>> = opt(separated(1.., bare, or)).parse_next(input)?;
        let values = values.ok_or_else(|| expected(input, qualifiers.kind.expectation()))?;
        close(input, ")", "`or` or `)`")?;
        return Ok(values);
    }
    let Some(first) = opt(bare.by_ref()).parse_next(input)? else {
        return Err(expected(input, qualifiers.kind.expectation()));
    };
    let mut values = vec![first];
    if only_first {
        return Ok(values);
    }
    loop {
        let start = input.current_token_start();
        let mut further = (alt((keyword("or"), symbol("||"))), bare.by_ref());
        let next = peek(opt(further.by_ref())).parse_next(input)?;
        let fits = |value: &Word| value.text.contains(['.', ':', '/']) != (qualifiers.kind == Kind::Port);
        if !next.is_some_and(|(_or, value)| value.at.start >= start && fits(&value)) {
            break;
        }
        values.push(further.parse_next(input)?.1);
    }
    Ok(values)
}

/// Whether a word is an address or a number rather than a name: no field begins with a digit or has a colon.
fn is_value(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit()) || text.contains(':')
}

impl Kind {
    /// What stands behind the word.
    fn expectation(self) -> &'static str {
        match self {
            Self::Host => "an address, as in `host 10.0.0.1` (names are not looked up)",
            Self::Network => "a network, as in `net 10.0.0.0/8`",
            Self::Port => "a port, as in `port 443` or `port in {80, 443}`",
        }
    }
}

impl Qualifiers {
    /// The condition that these words and a value are.
    fn of(&self, value: &Word) -> Parsed<Syntax> {
        let value = match self.kind {
            Kind::Network => network(value)?,
            Kind::Host | Kind::Port => value.clone(),
        };
        let field = match self.kind {
            Kind::Host | Kind::Network => "host",
            Kind::Port => "port",
        };
        let several = value.text.contains(['/', '-']);
        let of_field = |name: &str| {
            let field = Word::standing_at(name, &value);
            if several {
                Syntax::In(field, vec![value.clone()])
            } else {
                Syntax::Compare(field, Comparison::Equal, value.clone())
            }
        };
        let of_end = |end: &str| of_field(&format!("{end}.{field}"));
        let condition = match self.ends {
            Ends::Any => of_field(field),
            Ends::Source => of_end("source"),
            Ends::Destination => of_end("destination"),
            Ends::Both => Syntax::and(vec![of_end("source"), of_end("destination")]),
        };
        let protocol = self.protocol.clone().map(Syntax::Flag);
        Ok(Syntax::and(protocol.into_iter().chain([condition]).collect()))
    }
}

/// tcpdump lets the zeros of an IPv4 network go: `net 10` is `10.0.0.0/8`, `net 192.168` is `192.168.0.0/16`.
fn network(value: &Word) -> Parsed<Word> {
    if value.text.contains('/') || value.text.parse::<IpAddr>().is_ok() {
        return Ok(value.clone());
    }
    let octets = value.text.split('.').count();
    let text = format!(
        "{}{}/{}",
        value.text,
        ".0".repeat(4_usize.saturating_sub(octets)),
        8 * octets
    );
    if text.parse::<ipnet::IpNet>().is_err() {
        return Err(expected_word(value, Kind::Network.expectation()));
    }
    Ok(Word::standing_at(&text, value))
}
