//! Identifiers, parsed once at the edge. A clone shares the text.

use crate::Quoted;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A text that is not an identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is not {kind}: {rule}", Quoted(text))]
pub struct InvalidId {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $longest:literal, $also:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let fits = (1..=$longest).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || $also.contains(&byte));
                let invalid = || InvalidId { kind: $kind, text: text.chars().take(128).collect(), rule: $rule };
                fits.then(|| Self(text.into())).ok_or_else(invalid)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

// The bound of 100 and the alphabet are those of Cloudflare Workflows' instance ids, so that ids can move between the two.
id!(
    /// The tenant that owns the guest's code.
    TenantId, "a tenant id", 100, b"_-", "1 to 100 characters of A-Z a-z 0-9 _ -"
);
id!(
    /// One durable run of a workflow, unique within its tenant.
    InstanceId, "an instance id", 100, b"_-", "1 to 100 characters of A-Z a-z 0-9 _ -"
);
id!(
    /// An action that waits, or waited, for a decision.
    RequestId, "a request id", 100, b"_-", "1 to 100 characters of A-Z a-z 0-9 _ -"
);
id!(
    /// A signed decision.
    ReceiptId, "a receipt id", 100, b"_-", "1 to 100 characters of A-Z a-z 0-9 _ -"
);
id!(
    /// The type of an event.
    EventType, "an event type", 100, b"_-.:", "1 to 100 characters of A-Z a-z 0-9 _ - . :"
);
id!(
    /// The agent on whose behalf a workflow acts, as the operator names it.
    ActorId, "an actor", 128, b"._:/@-", "1 to 128 characters of A-Z a-z 0-9 . _ : / @ -"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_checked_wherever_it_comes_from() {
        let longest = "a".repeat(100);
        for good in ["a", "tenant_acme-1", longest.as_str()] {
            assert_eq!(good.parse::<TenantId>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(101);
        for bad in ["", "a b", "a/b", "../x", "é", "a\0", too_long.as_str()] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad:?}");
            let json = serde_json::to_string(bad).unwrap();
            assert!(serde_json::from_str::<TenantId>(&json).is_err(), "{bad:?} through serde");
        }
        assert!("agent:builder-bot@acme".parse::<ActorId>().is_ok());
    }
}
