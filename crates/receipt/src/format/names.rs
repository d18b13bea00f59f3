//! Names, parsed once at the edge.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest id or name in a statement, in bytes. The host's own are at most 128.
pub const MAX_NAME_LEN: usize = 256;

/// A text that is not a name of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind}: 1 to 64 characters of {alphabet}, the first a letter or a digit")]
pub struct ParseNameError {
    kind: &'static str,
    alphabet: &'static str,
}

/// The longest name, in bytes.
const LONGEST: usize = 64;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $also:literal, $alphabet:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A name as long as one can be, for measuring.
            pub(crate) fn longest() -> Self {
                Self("x".repeat(LONGEST))
            }
        }

        impl FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, ParseNameError> {
                let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
                let fits = text.bytes().next().is_some_and(plain)
                    && text.len() <= LONGEST
                    && text.bytes().all(|byte| plain(byte) || $also.contains(&byte));
                let error = ParseNameError { kind: $kind, alphabet: $alphabet };
                if fits { Ok(Self(text.to_owned())) } else { Err(error) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseNameError;

            fn try_from(text: String) -> Result<Self, ParseNameError> {
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
                f.pad(&self.0)
            }
        }
    };
}

// Lowercase ASCII only, so that no two people have names that a reader takes for one.
name!(
    /// A person's identifier, unique in a set of deciders: `alice`, `alice@acme.example`.
    PersonId, "person's id", b"._@-", "a-z 0-9 . _ @ -"
);
name!(
    /// A role in which a person decides: `release`, or `break-glass`.
    Role, "role", b"._-", "a-z 0-9 . _ -"
);

impl Role {
    /// The role for decisions that cannot wait. Its statements have rules of their own.
    pub const BREAK_GLASS: &'static str = "break-glass";

    /// Whether this is the break-glass role.
    pub fn is_break_glass(&self) -> bool {
        self.0 == Self::BREAK_GLASS
    }
}
