//! Errors in a policy's text, with their lines.

use crate::{AnswerKind, InvalidName, InvalidValue, MOST_MESSAGE, MOST_TEXT};
use std::fmt;
use workflow::{Clipped, InvalidId, Quoted};

/// A fault in a policy's text, with its line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct PolicyError {
    /// The line, from 1; `None` for the whole text.
    pub line: Option<usize>,
    /// The fault.
    pub problem: PolicyErrorKind,
}

/// The fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyErrorKind {
    /// The text is longer than this many bytes allow.
    #[error("the text has {0} bytes; a policy has at most {MOST_TEXT}")]
    TooLong(usize),
    /// A denial's message is longer than a receipt commits to.
    #[error("the message has {0} bytes; a receipt commits to at most {MOST_MESSAGE}")]
    LongMessage(usize),
    /// The text is not TOML, or not Cedar.
    #[error("not {language}: {}", Clipped(message))]
    Syntax {
        /// The expected language.
        language: &'static str,
        /// The parser's message.
        message: String,
    },
    /// A key that means nothing there.
    #[error("unknown key {} in {place}; {known}", Quoted(key))]
    UnknownKey {
        /// The key.
        key: String,
        /// The place of the fault.
        place: &'static str,
        /// The name that was probably meant.
        known: Suggestion,
    },
    /// An unknown word.
    #[error("{key} cannot be {}; {known}", Quoted(word))]
    UnknownWord {
        /// The key.
        key: &'static str,
        /// The word.
        word: String,
        /// The name that was probably meant.
        known: Suggestion,
    },
    /// A value of another type.
    #[error("{key} is {found}, and {wanted} is expected")]
    WrongType {
        /// The key.
        key: &'static str,
        /// The value found.
        found: &'static str,
        /// The expected value.
        wanted: &'static str,
    },
    /// A key that has to be there.
    #[error("{place} needs {key}, such as {example}")]
    Missing {
        /// The place that lacks it.
        place: &'static str,
        /// The key.
        key: &'static str,
        /// An example of a valid value.
        example: &'static str,
    },
    /// A name that cannot be.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A tenant or an actor that cannot be.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// A value that cannot be.
    #[error("{key} cannot be {}: {invalid}", Clipped(value))]
    Value {
        /// The key.
        key: &'static str,
        /// The value, as it is written.
        value: String,
        /// The expected value.
        invalid: InvalidValue,
    },
    /// A star at a position where it has no meaning.
    #[error(
        "{key} has a star inside {}; a star is valid only at the end, for every name that begins with the text before it",
        Quoted(pattern)
    )]
    Star {
        /// The key.
        key: &'static str,
        /// The pattern.
        pattern: String,
    },
    /// An empty value.
    #[error("{key} is empty: write the value to match, or remove the key to match any value")]
    Empty {
        /// The key.
        key: &'static str,
    },
    /// A key that goes with another answer.
    #[error(
        "{key} is valid only with then = \"{goes_with}\", and this rule has then = \"{kind}\": change one or remove the other"
    )]
    Misplaced {
        /// The key.
        key: &'static str,
        /// The answer that the key belongs to.
        goes_with: AnswerKind,
        /// The value found.
        kind: AnswerKind,
    },
    /// Two matchers that no action fits both of.
    #[error("no action can fit both {one} and {other}: this rule never matches")]
    Contradiction {
        /// The first.
        one: String,
        /// The second.
        other: String,
    },
    /// More rules than a person reads.
    #[error("there are {0} rules; a policy has at most {1}")]
    TooMany(usize, usize),
    /// A policy that is nested deeper than could be read, or might be.
    #[error("a policy has {0} operators and opening brackets, and may have {1}: write it as several")]
    TooManySigns(usize, usize),
    /// A name that another rule has.
    #[error("rule {id} already exists, on line {first}: each rule needs its own id")]
    Duplicate {
        /// The id.
        id: String,
        /// The line of the first.
        first: usize,
    },
    /// An annotation of a Cedar policy that belongs to the other effect.
    #[error("{key} is valid only on a {}: move it there or remove it", if *goes_with == AnswerKind::Deny { "forbid" } else { "permit" })]
    Annotation {
        /// The annotation.
        key: &'static str,
        /// The effect that it belongs to: a permit says allow, a forbid says deny.
        goes_with: AnswerKind,
    },
    /// Refused by Cedar's validator, or by this crate's bounds on Cedar.
    #[error("{subject}: {}", Clipped(message))]
    Cedar {
        /// The policy.
        subject: String,
        /// The fault.
        message: String,
    },
}

/// The word that was probably meant, or all words that are valid there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    nearest: Option<&'static str>,
    known: &'static [&'static str],
}

impl Suggestion {
    /// The word in `known` that is most similar to `word`, if any is.
    #[must_use]
    pub fn of(word: &str, known: &'static [&'static str]) -> Self {
        // A longer word is not a mistyped key.
        let word: String = word.chars().take(64).collect::<String>().to_lowercase().replace('_', "-");
        let likeness = |known: &&&str| strsim::jaro_winkler(&word, known);
        let nearest = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        Self { nearest: nearest.filter(|nearest| likeness(nearest) > 0.84).copied(), known }
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nearest {
            Some(nearest) => write!(f, "did you mean {nearest}?"),
            None => write!(f, "it can be {}", self.known.join(", ")),
        }
    }
}

/// A part of a policy that is valid and probably a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line, from 1.
    pub line: usize,
    /// The warning's text.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// The offsets of a text's lines.
pub(crate) struct LineIndex(Vec<usize>);

impl LineIndex {
    pub(crate) fn of(text: &str) -> Self {
        Self(
            text.bytes()
                .enumerate()
                .filter_map(|(offset, byte)| (byte == b'\n').then_some(offset + 1))
                .collect(),
        )
    }

    /// The line, from 1, of a byte of the text.
    pub(crate) fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset) + 1
    }
}
