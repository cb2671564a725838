//! What is wrong with a filter, and where.

use std::ops::Range;

use winnow::{
    error::ParserError,
    stream::{Location, Stream},
};

/// Characters of a word that a message shows.
const MAX_SHOWN: usize = 48;

/// Why a text is no filter: the place, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct FilterError {
    column: usize,
    width: usize,
    problem: String,
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
pub(super) fn shown(word: &str) -> String {
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

/// An error while the place is still in bytes of the text.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    at: Range<usize>,
    problem: String,
}

impl Wrong {
    /// What is wrong at this place.
    pub(super) fn at(at: Range<usize>, problem: impl Into<String>) -> Self {
        Self {
            at,
            problem: problem.into(),
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
            problem: self.problem,
        }
    }
}

impl<I: Stream + Location> ParserError<I> for Wrong {
    type Inner = Self;

    fn from_input(input: &I) -> Self {
        let at = input.current_token_start();
        Self::at(at..at, "not understood")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}
