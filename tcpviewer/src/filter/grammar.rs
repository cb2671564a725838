//! From text to words and their structure. In: the text of a filter. Out: its syntax tree, or the place where it
//! ends to make sense and what could have stood there. `and` binds tighter than `or`; the short forms of
//! tcpdump are read in `short`.

use winnow::{
    LocatingSlice, Parser as _, Stateful,
    combinator::{alt, delimited, not, opt, peek, separated, terminated},
    error::{ErrMode, ModalResult},
    stream::{Location as _, Stream as _},
    token::{any, take_while},
};

use super::{
    error::Wrong,
    short::{self, Qualifiers},
    syntax::{Comparison, Syntax, Word},
};

/// Parentheses within each other.
const MAX_DEPTH: usize = 32;

/// Words with a meaning of their own; as a value they need quotes.
const RESERVED: [&str; 8] = ["and", "or", "not", "in", "has", "exists", "contains", "matches"];

/// What can begin a condition.
const CONDITION: &str = "a condition, such as `rtt > 50ms` or `port 443`";

/// What is found where nothing is left.
const END: &str = "the end of the filter";

/// The text and what the parser has to remember of it.
pub(super) type Input<'text> = Stateful<LocatingSlice<&'text str>, State>;

/// What a part of the grammar makes of the text. An error that stops the parser is `Cut`.
pub(super) type Parsed<T> = ModalResult<T, Wrong>;

/// What the parser has to remember.
#[derive(Debug, Default)]
pub(super) struct State {
    depth: usize,
    /// Of the short form before: a value alone is read as if it stood there again.
    pub(super) recent: Option<Qualifiers>,
}

/// A condition or several, and what matters for those around it.
struct Part {
    syntax: Syntax,
    /// Whether a short form of tcpdump is in it, outside of parentheses.
    is_short: bool,
}

/// Reads a whole filter.
pub(super) fn parse(text: &str) -> Result<Syntax, Wrong> {
    let mut input = Stateful {
        input: LocatingSlice::new(text),
        state: State::default(),
    };
    whole(&mut input).map_err(|error| match error {
        ErrMode::Backtrack(wrong) | ErrMode::Cut(wrong) => wrong,
        // The text is all there is: it never asks for more.
        ErrMode::Incomplete(_) => Wrong::at(text.len()..text.len(), CONDITION, END),
    })
}

fn whole(input: &mut Input<'_>) -> Parsed<Syntax> {
    spaces(input)?;
    let syntax = alternatives(input)?;
    if input.eof_offset() == 0 {
        Ok(syntax)
    } else {
        Err(expected(input, "`and`, `or` or the end of the filter"))
    }
}

/// `A or B or C`.
fn alternatives(input: &mut Input<'_>) -> Parsed<Syntax> {
    let or = alt((keyword("or"), symbol("||")));
    let parts: Vec<(Part, Option<usize>)> = separated(1.., conditions, or).parse_next(input)?;
    // tcpdump reads `A or B and C` from left to right, others `and` first: nobody is left to guess.
    let is_short = parts.iter().any(|(part, _and)| part.is_short);
    let ambiguous = parts.iter().skip(1).find_map(|(_part, and)| *and);
    if let Some(at) = ambiguous.filter(|_at| is_short) {
        let wrong = Wrong::at(
            at..at + 1,
            "parentheses around this `and` or the `or` before it",
            "none",
        );
        return Err(ErrMode::Cut(wrong.hint(
            "tcpdump would read `A or B and C` as `(A or B) and C`, other languages as `A or (B and C)`",
        )));
    }
    Ok(Syntax::or(
        parts.into_iter().map(|(part, _and)| part.syntax).collect(),
    ))
}

/// `A and B and C`, with the place of the first `and`.
fn conditions(input: &mut Input<'_>) -> Parsed<(Part, Option<usize>)> {
    let mut parts = vec![negated(input)?];
    let mut first_and = None;
    loop {
        let at = input.current_token_start();
        if opt(alt((keyword("and"), symbol("&&"))))
            .parse_next(input)?
            .is_none()
        {
            break;
        }
        first_and.get_or_insert(at);
        parts.push(negated(input)?);
    }
    let is_short = parts.iter().any(|part| part.is_short);
    let syntax = Syntax::and(parts.into_iter().map(|part| part.syntax).collect());
    Ok((Part { syntax, is_short }, first_and))
}

/// `not A`, any number of times.
fn negated(input: &mut Input<'_>) -> Parsed<Part> {
    let sign = terminated(symbol("!"), not('='));
    let mut no = alt((keyword("not"), sign));
    let mut nots = 0_u32;
    while opt(no.by_ref()).parse_next(input)?.is_some() {
        nots += 1;
    }
    let part = condition(input, nots > 0)?;
    if nots.is_multiple_of(2) {
        return Ok(part);
    }
    Ok(Part {
        syntax: part.syntax.negate(),
        ..part
    })
}

fn condition(input: &mut Input<'_>, is_negated: bool) -> Parsed<Part> {
    let ours = |syntax| Part {
        syntax,
        is_short: false,
    };
    if input.peek_token() == Some('(') {
        return parentheses(input).map(ours);
    }
    if matches!(input.peek_token(), Some('"' | '\'')) {
        return Err(expected(
            input,
            "a field before a text, as in `interface == \"eth0\"`",
        ));
    }
    let Some(word) = opt(word).parse_next(input)? else {
        return Err(expected(input, CONDITION));
    };
    if is("has", &word) {
        return field(input).map(|field| ours(Syntax::Has(field)));
    }
    if is_reserved(&word.text) {
        return Err(expected_word(&word, CONDITION));
    }
    if let Some(operator) = opt(operator).parse_next(input)? {
        input.state.recent = None;
        return comparison(input, word, operator).map(ours);
    }
    if let Some(syntax) = short::condition(input, &word, is_negated)? {
        return Ok(Part {
            syntax,
            is_short: true,
        });
    }
    Ok(ours(Syntax::Flag(word)))
}

fn parentheses(input: &mut Input<'_>) -> Parsed<Syntax> {
    let start = input.current_token_start();
    symbol("(").parse_next(input)?;
    input.state.depth += 1;
    if input.state.depth > MAX_DEPTH {
        let expected = format!("at most {MAX_DEPTH} parentheses within each other");
        return Err(ErrMode::Cut(Wrong::at(start..start + 1, expected, "one more")));
    }
    let syntax = alternatives(input)?;
    input.state.depth -= 1;
    close(input, ")", "`and`, `or` or `)`")?;
    Ok(syntax)
}

/// What stands between a field and a value.
#[derive(Clone, Copy)]
enum Operator {
    Compare(Comparison),
    In,
    Contains,
    Matches,
    Exists,
}

fn operator(input: &mut Input<'_>) -> Parsed<Operator> {
    let compare = alt((
        symbol("==").value(Comparison::Equal),
        symbol("!=").value(Comparison::NotEqual),
        symbol("<=").value(Comparison::LessOrEqual),
        symbol(">=").value(Comparison::GreaterOrEqual),
        symbol("=").value(Comparison::Equal),
        symbol("<").value(Comparison::Less),
        symbol(">").value(Comparison::Greater),
    ));
    alt((
        compare.map(Operator::Compare),
        alt((keyword("matches"), symbol("~"))).value(Operator::Matches),
        keyword("in").value(Operator::In),
        keyword("contains").value(Operator::Contains),
        keyword("exists").value(Operator::Exists),
    ))
    .parse_next(input)
}

fn comparison(input: &mut Input<'_>, field: Word, operator: Operator) -> Parsed<Syntax> {
    Ok(match operator {
        Operator::Compare(comparison) => Syntax::Compare(field, comparison, value(input)?),
        Operator::In => Syntax::In(field, set(input)?),
        Operator::Contains => Syntax::Contains(field, value(input)?),
        Operator::Matches => Syntax::Matches(field, value(input)?),
        Operator::Exists => Syntax::Has(field),
    })
}

fn field(input: &mut Input<'_>) -> Parsed<Word> {
    let field = opt(word.verify(|word: &Word| !is_reserved(&word.text))).parse_next(input)?;
    field.ok_or_else(|| expected(input, "a field, as in `has rtt`"))
}

/// `{80, 443, 8000-8080}`, or a value alone.
fn set(input: &mut Input<'_>) -> Parsed<Vec<Word>> {
    if opt(symbol("{")).parse_next(input)?.is_none() {
        return Ok(vec![value(input)?]);
    }
    let values = separated(1.., value, symbol(",")).parse_next(input)?;
    close(input, "}", "`,` or `}`")?;
    Ok(values)
}

/// The value that has to come.
pub(super) fn value(input: &mut Input<'_>) -> Parsed<Word> {
    let bare = word.verify(|word: &Word| !is_reserved(&word.text));
    if let Some(value) = opt(alt((quoted, bare))).parse_next(input)? {
        return Ok(value);
    }
    Err(expected(input, "a value"))
}

/// A text in quotes of either kind; `\` stands before a quote or itself.
fn quoted(input: &mut Input<'_>) -> Parsed<Word> {
    let start = input.current_token_start();
    let quote = alt(('"', '\'')).parse_next(input)?;
    let mut text = String::new();
    loop {
        let next: Option<char> = opt(any).parse_next(input)?;
        match next {
            None => {
                let expected = format!("a second {quote} behind this one");
                return Err(ErrMode::Cut(Wrong::at(start..start + 1, expected, END)));
            }
            Some(letter) if letter == quote => break,
            Some('\\') => {
                let escaped: Option<char> = opt(alt((quote, '\\'))).parse_next(input)?;
                // Any other backslash is one: regular expressions have many.
                text.push(escaped.unwrap_or('\\'));
            }
            Some(letter) => text.push(letter),
        }
    }
    let at = start..input.current_token_start();
    spaces(input)?;
    Ok(Word { text, at })
}

/// A field, keyword or value without quotes.
pub(super) fn word(input: &mut Input<'_>) -> Parsed<Word> {
    let is_letter = |letter: char| letter.is_alphanumeric() || "_.:/%+-@*".contains(letter);
    let (text, at) = take_while(1.., is_letter).with_span().parse_next(input)?;
    spaces(input)?;
    Ok(Word {
        text: text.to_owned(),
        at,
    })
}

/// This word, in small letters or capitals.
pub(super) fn keyword<'text>(name: &'static str) -> impl winnow::Parser<Input<'text>, Word, ErrMode<Wrong>> {
    word.verify(move |word: &Word| is(name, word))
}

/// These characters and the spaces after them.
pub(super) fn symbol<'text>(
    characters: &'static str,
) -> impl winnow::Parser<Input<'text>, Word, ErrMode<Wrong>> {
    delimited(peek(any), characters.with_span(), spaces).map(|(text, at)| Word {
        text: text.to_owned(),
        at,
    })
}

/// The end of what was opened.
pub(super) fn close(input: &mut Input<'_>, characters: &'static str, expectation: &str) -> Parsed<()> {
    let closed = opt(symbol(characters)).parse_next(input)?;
    closed.map(drop).ok_or_else(|| expected(input, expectation))
}

/// Whether a word is this keyword.
pub(super) fn is(name: &str, word: &Word) -> bool {
    word.text.eq_ignore_ascii_case(name)
}

fn is_reserved(text: &str) -> bool {
    RESERVED.iter().any(|name| text.eq_ignore_ascii_case(name))
}

fn spaces(input: &mut Input<'_>) -> Parsed<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

/// Something else was expected than what comes.
pub(super) fn expected(input: &mut Input<'_>, expectation: &str) -> ErrMode<Wrong> {
    let start = input.current_token_start();
    let next: Parsed<Option<Word>> = opt(alt((word, symbol_as_is))).parse_next(input);
    match next {
        Ok(Some(found)) => expected_word(&found, expectation),
        Ok(None) | Err(_) => ErrMode::Cut(Wrong::at(start..start, expectation, END)),
    }
}

/// Something else was expected than this word.
pub(super) fn expected_word(found: &Word, expectation: &str) -> ErrMode<Wrong> {
    ErrMode::Cut(Wrong::word(found, expectation))
}

fn symbol_as_is(input: &mut Input<'_>) -> Parsed<Word> {
    let (letter, at) = any.with_span().parse_next(input)?;
    Ok(Word {
        text: String::from(letter),
        at,
    })
}
