//! What is wrong with a filter, and where.

use std::{fmt::Display, ops::Range};

use winnow::{
    error::ParserError,
    stream::{Location, Stream},
};

use super::syntax::Word;

/// Characters of a word that a message shows.
const MAX_SHOWN: usize = 48;

/// Why a text is no filter: the place, what was expected there, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: expected {expected}, found {found}{hint}")]
pub struct FilterError {
    column: usize,
    width: usize,
    expected: String,
    found: String,
    hint: String,
}

impl FilterError {
    /// The first wrong character, counted from 1.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The text in one line, and below it a mark under what is wrong.
    pub fn pointer(&self, text: &str) -> String {
        let shown: String = text
            .chars()
            .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
            .collect();
        let space = " ".repeat(self.column - 1);
        format!("{}\n{space}{}", shown.trim_end(), "^".repeat(self.width))
    }
}

/// A word of the text as messages show it: in one line, and not all of a long one.
fn shown(word: &str) -> String {
    let mut shown: String = word
        .chars()
        .take(MAX_SHOWN)
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect();
    if word.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

fn found(word: &Word) -> String {
    if word.text.is_empty() {
        return "an empty text".to_owned();
    }
    format!("`{}`", shown(&word.text))
}

/// An error while the place is still in bytes of the text.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    at: Range<usize>,
    expected: String,
    found: String,
    hint: String,
}

impl Wrong {
    /// What was expected at this place, and what was found.
    pub(super) fn at(at: Range<usize>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            at,
            expected: expected.into(),
            found: found.into(),
            hint: String::new(),
        }
    }

    /// What was expected in the place of this word.
    pub(super) fn word(word: &Word, expected: impl Into<String>) -> Self {
        Self::at(word.at.clone(), expected, found(word))
    }

    /// The same of a word of which only a part was read.
    pub(super) fn in_word(self, word: &Word) -> Self {
        Self {
            at: word.at.clone(),
            found: found(word),
            ..self
        }
    }

    /// With what would help.
    pub(super) fn hint(self, hint: impl Display) -> Self {
        Self {
            hint: format!("; {hint}"),
            ..self
        }
    }

    /// With the place as people count it.
    pub(super) fn in_text(self, text: &str) -> FilterError {
        let places = |range: Range<usize>| {
            text.char_indices()
                .filter(move |(place, _)| range.contains(place))
        };
        FilterError {
            column: places(0..self.at.start).count() + 1,
            width: places(self.at.clone()).count().max(1),
            expected: self.expected,
            found: self.found,
            hint: self.hint,
        }
    }
}

impl<I: Stream + Location> ParserError<I> for Wrong {
    type Inner = Self;

    fn from_input(input: &I) -> Self {
        let at = input.current_token_start();
        Self::at(at..at, "something else", "this")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}
