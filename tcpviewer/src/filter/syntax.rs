//! A filter as it was written: words with their places, not yet fields and values.

use std::ops::Range;

/// A word or a text in quotes.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// Without the quotes.
    pub(super) text: String,
    /// Where it stands, bytes of the filter.
    pub(super) at: Range<usize>,
}

impl Word {
    /// This word at the place of another, for which it stands.
    pub(super) fn standing_at(text: &str, other: &Self) -> Self {
        Self {
            text: text.to_owned(),
            at: other.at.clone(),
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// As it is written.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// A filter or a part of it.
#[derive(Clone, Debug)]
pub(super) enum Syntax {
    /// All of them hold; at least two.
    And(Vec<Self>),
    /// One of them holds; at least two.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A field that is a yes or no.
    Flag(Word),
    /// The field has a value.
    Has(Word),
    /// The field compares so with the value.
    Compare(Word, Comparison, Word),
    /// The field is one of the values.
    In(Word, Vec<Word>),
    /// The field has the text in it.
    Contains(Word, Word),
    /// The regular expression is found in the field.
    Matches(Word, Word),
}

impl Syntax {
    /// All of them; one alone is itself, and what is joined in the same way is one list.
    pub(super) fn and(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| {
            if let Self::And(parts) = part {
                parts
            } else {
                vec![part]
            }
        });
        Self::join(flat.collect(), Self::And)
    }

    /// One of them; one alone is itself, and what is joined in the same way is one list.
    pub(super) fn or(parts: Vec<Self>) -> Self {
        let flat = parts.into_iter().flat_map(|part| {
            if let Self::Or(parts) = part {
                parts
            } else {
                vec![part]
            }
        });
        Self::join(flat.collect(), Self::Or)
    }

    /// The opposite; the opposite of an opposite is what it was.
    pub(super) fn negate(self) -> Self {
        if let Self::Not(inner) = self {
            *inner
        } else {
            Self::Not(Box::new(self))
        }
    }

    fn join(mut parts: Vec<Self>, several: impl FnOnce(Vec<Self>) -> Self) -> Self {
        match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                parts.extend(last);
                several(parts)
            }
        }
    }
}
