//! Operators' acts about deciders, keys and freezes. Each is recorded once, in order, and never changed.

use crate::access::TokenScope;
use crate::trust::TokenId;
use receipt::{Digest, PasskeyRecord, PersonId, Role, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use workflow::{Escaped, Quoted, RequestId, TenantId};

/// An act, and the account on this machine that did it. The name proves nothing; it says whom to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedTrustAct {
    /// The account.
    pub by: String,
    /// The act.
    pub act: Act,
}

/// An operator's act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Act {
    /// A person may decide; or has other roles and tenants from now on.
    DeciderAdded {
        /// The decider.
        decider: PersonId,
        /// The decider's roles.
        roles: BTreeSet<Role>,
        /// The tenants; empty means all.
        tenants: BTreeSet<TenantId>,
    },
    /// A key is a person's.
    KeyAdded {
        /// The decider.
        decider: PersonId,
        /// The key's kind.
        kind: String,
        /// The public key, in base64; a passkey's SubjectPublicKeyInfo.
        public_key: String,
        /// The time until which the key's signatures count.
        valid_until: Option<Timestamp>,
        /// The rest of a passkey: the credential, and the pages that may ask it to sign.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        passkey: Option<PasskeyRecord>,
    },
    /// A person is invited to register a passkey, once.
    DeciderInvited {
        /// The decider.
        decider: PersonId,
        /// The roles that the person then decides in. Empty if the person keeps the present roles.
        roles: BTreeSet<Role>,
        /// The tenants in which they have those roles; empty means all.
        tenants: BTreeSet<TenantId>,
        /// The digest of the invitation's code.
        code: Digest,
        /// The host name that the passkey will belong to.
        rp_id: String,
        /// The pages that may ask it to sign.
        origins: BTreeSet<String>,
        /// Until when the invitation can be used.
        expires_at: Timestamp,
    },
    /// A passkey was registered with an invitation. It counts when an operator confirms it, with
    /// [`KeyAdded`](Self::KeyAdded).
    PasskeyRegistered {
        /// The digest of the invitation's code.
        code: Digest,
        /// The key's kind.
        kind: String,
        /// The public key, a SubjectPublicKeyInfo in base64.
        public_key: String,
        /// The rest of the passkey.
        passkey: PasskeyRecord,
    },
    /// A key's signatures no longer count.
    KeyRevoked {
        /// The key.
        key_id: String,
        /// The time since which another person may have had it: signatures since then do not count.
        compromised_at: Option<Timestamp>,
        /// The reason.
        reason: String,
    },
    /// A person is no longer a decider.
    DeciderRemoved {
        /// The decider.
        decider: PersonId,
        /// The reason.
        reason: String,
    },
    /// No request is approved and no action performed until the thaw.
    Frozen {
        /// The tenant; `None` means all tenants.
        tenant: Option<TenantId>,
        /// The reason.
        reason: String,
    },
    /// A freeze is over.
    Thawed {
        /// The tenant; `None` ends the freeze of all tenants.
        tenant: Option<TenantId>,
        /// The reason.
        reason: String,
    },
    /// A program with this token has these rights in this tenant.
    TokenCreated {
        /// The token.
        token: TokenId,
        /// The only tenant that the token is valid for.
        tenant: TenantId,
        /// The token's scopes in that tenant.
        scopes: BTreeSet<TokenScope>,
        /// SHA-256 of its text, which is kept nowhere.
        sha256: Digest,
        /// The time until which the token is valid.
        expires_at: Timestamp,
    },
    /// A token is no longer valid.
    TokenRevoked {
        /// The token.
        token: TokenId,
        /// The reason.
        reason: String,
    },
    /// Another policy governs from now on.
    PolicyAdopted {
        /// The digest of its text.
        policy: Digest,
    },
    /// A person is about to decide a request alone. Recorded before the receipt is signed.
    #[serde(rename = "glass-broken")]
    BreakGlassUsed {
        /// The request's tenant.
        tenant: TenantId,
        /// The request.
        request: RequestId,
        /// The decider.
        decider: PersonId,
        /// The reason.
        reason: String,
    },
    /// A second person has reviewed a break-glass decision.
    Reviewed {
        /// The request.
        request: RequestId,
        /// The reviewer.
        decider: PersonId,
        /// The signed statement in its envelope, as JSON text.
        envelope: String,
    },
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = |tenant: &Option<TenantId>| {
            tenant.as_ref().map_or_else(|| "everybody".to_owned(), |tenant| format!("tenant {tenant}"))
        };
        match self {
            Self::DeciderAdded { decider, roles, tenants } => {
                write!(f, "decider     {decider} may decide as {} for {}", list(roles), tenants_of(tenants))
            }
            Self::KeyAdded { decider, kind, public_key, valid_until, passkey } => {
                write!(f, "key         {} {} is {decider}'s", Escaped(kind), Escaped(public_key))?;
                passkey.as_ref().map_or(Ok(()), |passkey| write!(f, ", {}", pages(&passkey.origins)))?;
                valid_until.map_or(Ok(()), |until| write!(f, ", until {until}"))
            }
            Self::DeciderInvited { decider, origins, expires_at, .. } => {
                write!(
                    f,
                    "invited     {decider} may register a passkey {} until {expires_at}",
                    pages(origins)
                )
            }
            Self::PasskeyRegistered { kind, public_key, passkey, .. } => {
                let (kind, public_key) = (Escaped(kind), Escaped(public_key));
                write!(f, "registered  {kind} {public_key} {}, to be confirmed", pages(&passkey.origins))
            }
            Self::KeyRevoked { key_id, compromised_at, reason } => {
                write!(f, "key         {} is revoked, {}", Escaped(key_id), Quoted(reason))?;
                compromised_at.map_or(Ok(()), |since| write!(f, ", compromised since {since}"))
            }
            Self::DeciderRemoved { decider, reason } => {
                write!(f, "decider     {decider} is removed, {}", Quoted(reason))
            }
            Self::Frozen { tenant, reason } => {
                write!(f, "FROZEN      {}, {}", whom(tenant), Quoted(reason))
            }
            Self::Thawed { tenant, reason } => {
                write!(f, "thawed      {}, {}", whom(tenant), Quoted(reason))
            }
            Self::TokenCreated { token, tenant, scopes, expires_at, .. } => {
                write!(f, "token       {token} may {} in tenant {tenant} until {expires_at}", list(scopes))
            }
            Self::TokenRevoked { token, reason } => {
                write!(f, "token       {token} is revoked, {}", Quoted(reason))
            }
            Self::PolicyAdopted { policy } => write!(f, "policy      sha256 {policy} governs"),
            Self::BreakGlassUsed { tenant, request, decider, reason } => {
                write!(
                    f,
                    "BREAK-GLASS {decider} decides {request} of tenant {tenant} alone, {}",
                    Quoted(reason)
                )
            }
            Self::Reviewed { request, decider, .. } => write!(f, "reviewed    {request} by {decider}"),
        }
    }
}

/// The pages that may ask for a passkey.
fn pages(origins: &BTreeSet<String>) -> String {
    let origins: Vec<_> = origins.iter().map(|origin| Escaped(origin).to_string()).collect();
    format!("at {}", origins.join(", "))
}

/// Tenants in words.
#[must_use]
pub fn tenants_of(tenants: &BTreeSet<TenantId>) -> String {
    if tenants.is_empty() { "every tenant".to_owned() } else { list(tenants) }
}

fn list(names: &BTreeSet<impl fmt::Display>) -> String {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    names.join(", ")
}
