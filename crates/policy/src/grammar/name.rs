//! Names, parsed once at the edge.

use receipt::Role;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use workflow::Quoted;

/// A text that is not a name of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a {kind}: {rule}", Quoted(text))]
pub struct InvalidName {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

/// The longest name, in bytes.
const LONGEST: usize = 64;

/// The most characters of a wrong name that an error repeats.
const SHOWN: usize = 128;

impl InvalidName {
    fn new(kind: &'static str, text: &str, rule: &'static str) -> Self {
        Self { kind, text: text.chars().take(SHOWN).collect(), rule }
    }
}

/// A rule, unique in its policy. "default" is the rule that holds if no other matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleId(String);

impl RuleId {
    /// The id of the rule that holds if no other matches.
    const DEFAULT: &'static str = "default";

    /// The id's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The rule that holds if no other matches.
    pub(crate) fn of_default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for RuleId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits = (1..=LONGEST).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            && text != Self::DEFAULT;
        let rule = "1 to 64 characters of A-Z a-z 0-9 . _ -, and not \"default\"";
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidName::new("rule id", text, rule)) }
    }
}

impl AsRef<str> for RuleId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RuleId {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<RuleId> for String {
    fn from(id: RuleId) -> String {
        id.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A role in a policy. "anyone" is not a role: it means every decider.
pub(crate) fn role(text: &str) -> Result<Role, InvalidName> {
    let rule = "1 to 64 characters of a-z 0-9 . _ -, the first a letter or a digit, and not \"anyone\"";
    let invalid = || InvalidName::new("role", text, rule);
    if text == "anyone" { Err(invalid()) } else { text.parse().map_err(|_| invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_checked_wherever_it_comes_from() {
        let longest = "a".repeat(64);
        for good in ["a", "release", "sec.ops_2-x", longest.as_str()] {
            assert_eq!(role(good).unwrap().as_str(), good);
        }
        let too_long = "a".repeat(65);
        for bad in ["", "a b", "anyone", "Release", "é", "a\0", "a\"", too_long.as_str()] {
            assert!(role(bad).is_err(), "{bad:?}");
            assert!(bad == "anyone" || bad == "Release" || bad.parse::<RuleId>().is_err(), "{bad:?}");
        }
        assert!("default".parse::<RuleId>().is_err());
    }
}
