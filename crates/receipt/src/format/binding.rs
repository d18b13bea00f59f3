//! The binding of a receipt to its workspace and request, and the values that a holder states before opening the commitment.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::json::Text;

/// Ties a receipt to its workspace and to the request that it answers. Committed, never public in `jcs_v3`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Binding {
    /// The issuer's id of the workspace.
    pub company_id: Option<String>,
    /// The idempotency key.
    pub idem_key: Option<String>,
    /// Digest of the canonical hashable request.
    pub input_hash: Option<String>,
}

/// The caller's claim about a committed value, before the commitment is opened. "There is none" is a claim too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stated {
    /// No claim: the member is not compared.
    #[default]
    Nothing,
    /// The claim that there is no value.
    Absent,
    /// The claim that the value is this text.
    Value(String),
}

/// The caller's claim about each part of the binding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatedBinding {
    /// About the workspace.
    pub company_id: Stated,
    /// About the idempotency key.
    pub idem_key: Stated,
    /// About the input hash.
    pub input_hash: Stated,
}

impl Stated {
    /// The claim that matches a stored record: its value, or its absence.
    pub fn from_record(value: Option<&str>) -> Self {
        value.map_or(Self::Absent, |value| Self::Value(value.to_owned()))
    }

    pub(crate) fn holds(&self, committed: Option<&str>) -> bool {
        match self {
            Self::Nothing => true,
            Self::Absent => committed.is_none(),
            Self::Value(stated) => committed == Some(stated),
        }
    }

    /// Whether the claim is true of the committed text. No claim matches a text with a lone surrogate.
    pub(crate) fn holds_of(&self, committed: Option<&Text>) -> bool {
        match committed.map(Text::as_str) {
            Some(None) => *self == Self::Nothing,
            Some(text) => self.holds(text),
            None => self.holds(None),
        }
    }
}
