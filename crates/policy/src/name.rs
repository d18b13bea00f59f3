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

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $longest:literal, $also:literal, $reserved:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let fits = (1..=$longest).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || $also.contains(&byte))
                    && text != $reserved;
                let invalid = || InvalidName { kind: $kind, text: text.chars().take(128).collect(), rule: $rule };
                fits.then(|| Self(text.to_owned())).ok_or_else(invalid)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A rule, unique in its policy. "default" is what holds where no rule matches.
    RuleId, "rule id", 64, b"._-", "default", "1 to 64 characters of A-Z a-z 0-9 . _ -, and not \"default\""
);

impl RuleId {
    /// The rule that holds where no other does.
    pub(crate) fn of_default() -> Self {
        Self("default".to_owned())
    }
}

/// A role in a policy. "anyone" is not a role: it means every decider.
pub(crate) fn role(text: &str) -> Result<Role, InvalidName> {
    let rule = "1 to 64 characters of a-z 0-9 . _ -, the first a letter or a digit, and not \"anyone\"";
    let invalid = || InvalidName { kind: "role", text: text.chars().take(128).collect(), rule };
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
