//! Tokens: the credentials of HTTP programs. Operators make and revoke them; the host stores no token.
//!
//! ```text
//! pp_<tenant>_<token id>_<secret>      id: 12 hexadecimal digits; secret: 64, from 32 random bytes
//! ```
//!
//! Secret scanners look for the prefix. The SHA-256 of the whole text is recorded: the secret is as random as the
//! digest is long, so a slow hash is not needed. The text names its tenant, so a token with another tenant is another
//! text.

use crate::access::{TokenGrant, TokenScope};
use receipt::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use subtle::ConstantTimeEq as _;
use workflow::TenantId;

/// The prefix of every token.
const PREFIX: &str = "pp_";

/// Digits of a token's id.
const ID_DIGITS: usize = 12;

/// Digits of its secret.
const SECRET_DIGITS: usize = 64;

/// The longest text that is checked: a tenant's name has up to 100 characters.
const LONGEST: usize = PREFIX.len() + 100 + ID_DIGITS + SECRET_DIGITS + 2;

/// A token's public name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(String);

/// The text is not a token's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token's id has 12 hexadecimal digits (pp-host tokens list shows the ids)")]
pub struct InvalidTokenId;

impl FromStr for TokenId {
    type Err = InvalidTokenId;

    fn from_str(text: &str) -> Result<Self, InvalidTokenId> {
        match text.len() == ID_DIGITS && is_hex(text) {
            true => Ok(Self(text.to_owned())),
            false => Err(InvalidTokenId),
        }
    }
}

impl TryFrom<String> for TokenId {
    type Error = InvalidTokenId;

    fn try_from(text: String) -> Result<Self, InvalidTokenId> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A token as it is recorded: all but its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The only tenant that the token is valid for.
    pub tenant: TenantId,
    /// The token's scopes in that tenant.
    pub scopes: BTreeSet<TokenScope>,
    /// SHA-256 of its text.
    pub sha256: Digest,
    /// When the token was made.
    pub created_at: Timestamp,
    /// The time until which the token is valid.
    pub expires_at: Timestamp,
    /// When the token was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// Whether the token is valid at that time.
    #[must_use]
    pub fn is_good(&self, at: Timestamp) -> bool {
        self.revoked_at.is_none() && at < self.expires_at
    }

    /// The rights of a caller who presents that text.
    pub(super) fn admit(&self, id: &TokenId, text: &str, at: Timestamp) -> Result<TokenGrant, TokenError> {
        let shown = Digest::of(text.as_bytes());
        if !bool::from(shown.as_bytes().ct_eq(self.sha256.as_bytes())) {
            return Err(TokenError::Unknown);
        }
        if let Some(at) = self.revoked_at {
            return Err(TokenError::Revoked(at));
        }
        if at >= self.expires_at {
            return Err(TokenError::Expired(self.expires_at));
        }
        Ok(TokenGrant { id: id.to_string(), tenant: self.tenant.clone(), scopes: self.scopes.clone() })
    }
}

/// Why a token has no rights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No token has this text.
    #[error("the token is not this host's: it is mistyped, or belongs to another host")]
    Unknown,
    /// The token has expired.
    #[error("the token has expired, on {0}: ask an operator for another (pp-host tokens create)")]
    Expired(Timestamp),
    /// An operator took it back.
    #[error("the token was revoked, on {0}: ask an operator for another (pp-host tokens create)")]
    Revoked(Timestamp),
}

/// A new token with its text. Shown once, and not stored.
pub struct NewToken {
    /// The token's id.
    pub id: TokenId,
    text: String,
}

impl NewToken {
    /// A token from 64 random bytes.
    #[must_use]
    pub fn of(tenant: &TenantId, random: &[u8; 32], more: &[u8; 32]) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let id = TokenId(hex(&more[..ID_DIGITS / 2]));
        let text = format!("{PREFIX}{tenant}_{id}_{}", hex(random));
        Self { id, text }
    }

    /// The text that a caller presents.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The recorded digest.
    #[must_use]
    pub fn sha256(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

/// The id in a token's text.
pub(super) fn id_of(text: &str) -> Option<TokenId> {
    if text.len() > LONGEST {
        return None;
    }
    let mut parts = text.strip_prefix(PREFIX)?.rsplitn(3, '_');
    let (secret, id, _tenant) = (parts.next()?, parts.next()?, parts.next()?);
    (secret.len() == SECRET_DIGITS && is_hex(secret)).then(|| id.parse().ok())?
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
