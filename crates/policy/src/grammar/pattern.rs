//! Texts that a rule matches.

use std::fmt;
use workflow::Quoted;

/// A text, or a beginning of texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This text and no other, byte for byte.
    Exact(String),
    /// Every text that begins so, itself included. Written with a star at the end.
    Beginning(String),
}

/// A star that is not at the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StarInside;

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, StarInside> {
        let (stem, pattern): (_, fn(String) -> Self) = match text.strip_suffix('*') {
            Some(stem) => (stem, Self::Beginning),
            None => (text, Self::Exact),
        };
        if stem.contains('*') { Err(StarInside) } else { Ok(pattern(stem.to_owned())) }
    }

    /// The text before the star, or the whole text without one.
    pub(crate) fn stem(&self) -> &str {
        let (Self::Exact(stem) | Self::Beginning(stem)) = self;
        stem
    }

    pub(crate) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Beginning(stem) => text.starts_with(stem.as_str()),
        }
    }

    /// Whether this pattern matches every text that the other matches.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match self {
            Self::Exact(_) => self == other,
            Self::Beginning(stem) => other.stem().starts_with(stem.as_str()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => write!(f, "{}", Quoted(exact)),
            Self::Beginning(stem) => write!(f, "{}", Quoted(&format!("{stem}*"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn a_star_at_the_end_is_a_beginning_and_anywhere_else_an_error() {
        for (text, fits, not) in [
            ("a.deploy", "a.deploy", "a.deploy2"),
            ("a.*", "a.", "a"),
            ("a.*", "a.b.c", "b.a."),
            ("*", "", "-"),
            ("a", "a", "A"),
            ("é*", "é/", "e\u{301}/"),
        ] {
            assert!(pattern(text).fits(fits), "{text} {fits}");
            assert!(not == "-" || !pattern(text).fits(not), "{text} {not}");
        }
        for text in ["*a", "a*b", "a**", "**", "a/*/b"] {
            assert_eq!(Pattern::parse(text), Err(StarInside), "{text}");
        }
    }

    #[test]
    fn what_is_covered_fits_wherever_it_fits() {
        let texts = ["", "a", "ab", "abc", "b", "a*", "ab*", "*", "abc*"];
        let words = ["", "a", "ab", "abc", "abcd", "b", "ba"];
        for (one, other) in texts.iter().flat_map(|one| texts.iter().map(move |other| (one, other))) {
            let (one, other) = (pattern(one), pattern(other));
            if one.covers(&other) {
                assert!(words.iter().all(|word| !other.fits(word) || one.fits(word)), "{one} {other}");
            } else {
                let inside = |word: &String| other.fits(word) && !one.fits(word);
                let candidates = [other.stem().to_owned(), format!("{}~", other.stem())];
                assert!(candidates.iter().any(inside), "{one} {other}");
            }
        }
    }
}
