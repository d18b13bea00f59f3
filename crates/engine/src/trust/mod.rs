//! Trust: the people who may decide, their public keys, and operators' acts about them. It contains no private data.
//!
//! The state is a fold of [`Act`]s, as an instance is a fold of entries: one table, illegal by default, says which act
//! may follow, and guards recording and loading alike.

mod act;
mod chain;
mod count;
mod error;
mod freeze;
mod identity;
mod invitation;
mod known;
mod precedent;
mod shortfall;
mod subject;
mod token;

pub use act::{Act, RecordedTrustAct, tenants_of};
pub use count::{Count, CountVerdict, can_count, count, key_counts};
pub use error::ActError;
pub use freeze::Freeze;
pub(crate) use invitation::BY_INVITATION;
pub use invitation::{InvalidInvitationCode, Invitation, InvitationCode, LONGEST_INVITATION_MS};
pub use known::Judge;
pub(crate) use known::{Recall, signed_approvals, signed_denials};
pub use precedent::{Precedent, Precedents};
pub use shortfall::{Shortfall, shortfalls};
pub(crate) use subject::is_own;
pub use subject::{InvalidRequestDocument, Subject};
pub use token::{InvalidTokenId, NewToken, Token, TokenError, TokenId};

use crate::access::TokenGrant;
use chain::Chain;
use receipt::{
    DeciderKey, DeciderSet, DeciderSetError, Digest, KeyHolder, KeyId, Person, PersonId, PublicKey,
    RelyingParty, Role, Scheme, Scope, Timestamp,
};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use store::{RecordedAct, StoreError};
use workflow::{RequestId, TenantId};

/// The fold of all operators' acts.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    seq: u64,
    digest: Chain,
    latest: Option<Timestamp>,
    deciders: DeciderSet,
    frozen: Option<Freeze>,
    frozen_tenants: BTreeMap<TenantId, Freeze>,
    unreviewed: BTreeMap<RequestId, BreakGlassUse>,
    reviewed: BTreeMap<RequestId, Reviewed>,
    policy: Option<Digest>,
    tokens: BTreeMap<TokenId, Token>,
    invitations: BTreeMap<Digest, Invitation>,
}

/// A break-glass decision that is not reviewed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakGlassUse {
    /// The request's tenant.
    pub tenant: TenantId,
    /// The decider.
    pub decider: PersonId,
    /// The time of the decision.
    pub at: Timestamp,
    /// The reason.
    pub reason: String,
}

/// A review of a break-glass decision, kept in case the reviewer's key turns out to be compromised.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reviewed {
    alone: BreakGlassUse,
    by: PersonId,
    at: Timestamp,
}

/// The scope of the receipts that a key signs, according to its id.
#[must_use]
pub fn scope_of(key_id: &str) -> Scope {
    if receipt::is_demo_key(key_id) { Scope::Demo } else { Scope::Production }
}

impl Trust {
    /// Folds the acts after those that are already folded.
    ///
    /// # Errors
    /// An act is not valid, or an act before it is missing.
    pub fn extend(&mut self, acts: &[RecordedAct]) -> Result<(), StoreError> {
        for recorded in acts {
            let damaged = |error: String| {
                StoreError::Damaged(format!("act {} of the operators: {error}", recorded.seq))
            };
            if recorded.seq != self.seq + 1 {
                return Err(damaged(format!("it follows act {}, so acts are missing", self.seq)));
            }
            let said: RecordedTrustAct =
                serde_json::from_str(&recorded.body).map_err(|error| damaged(error.to_string()))?;
            self.apply(recorded.at, &said.act).map_err(|error| damaged(error.to_string()))?;
            self.seq = recorded.seq;
            self.digest.add(recorded);
            self.latest = self.latest.max(Some(recorded.at));
        }
        Ok(())
    }

    /// The last act's place.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The digest of all acts, in order: two hosts with the same digest have the same acts.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest.0
    }

    /// The time of the latest act. Nothing is judged by an earlier one.
    #[must_use]
    pub fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// The people and their keys, to verify signatures.
    #[must_use]
    pub fn deciders(&self) -> &DeciderSet {
        &self.deciders
    }

    /// Whether earlier signatures of a key still count.
    #[must_use]
    pub fn counts_still(&self, key_id: &str) -> bool {
        let holder = key_id.parse().ok().and_then(|id| self.deciders.key(id));
        holder.is_some_and(|KeyHolder { person, key }| {
            person.removed_at.is_none() && key.revoked_at.is_none() && key.compromised_at.is_none()
        })
    }

    /// The policy according to the last act about it.
    #[must_use]
    pub fn policy(&self) -> Option<Digest> {
        self.policy
    }

    /// Whether people or a policy decide here, or ever have. Otherwise decisions are demonstrations.
    #[must_use]
    pub fn is_earnest(&self) -> bool {
        self.policy.is_some() || !self.deciders.people().is_empty()
    }

    /// Every token that was ever made.
    pub fn tokens(&self) -> impl Iterator<Item = (&TokenId, &Token)> {
        self.tokens.iter()
    }

    /// The token of that id.
    #[must_use]
    pub fn token(&self, id: &TokenId) -> Option<&Token> {
        self.tokens.get(id)
    }

    /// The rights of the token with that text at that time.
    ///
    /// # Errors
    /// The token has no rights at that time.
    pub fn admit(&self, text: &str, at: Timestamp) -> Result<TokenGrant, TokenError> {
        let id = token::id_of(text).ok_or(TokenError::Unknown)?;
        self.tokens.get(&id).ok_or(TokenError::Unknown)?.admit(&id, text, at)
    }

    /// The freeze that stops a tenant's approvals and actions, if any.
    #[must_use]
    pub fn freeze_of(&self, tenant: &TenantId) -> Option<&Freeze> {
        self.frozen.as_ref().or_else(|| self.frozen_tenants.get(tenant))
    }

    /// Every freeze in force; the freeze of all tenants comes first.
    pub fn freezes(&self) -> impl Iterator<Item = &Freeze> {
        self.frozen.iter().chain(self.frozen_tenants.values())
    }

    /// Whether an act names this tenant: a freeze in force, or the tenants of a decider.
    pub fn names(&self, tenant: &TenantId) -> bool {
        let mut people = self.deciders.people().iter();
        self.frozen_tenants.contains_key(tenant)
            || people.any(|person| person.tenants.iter().any(|named| named == tenant.as_str()))
    }

    /// Break-glass decisions that are not reviewed yet.
    pub fn unreviewed(&self) -> impl Iterator<Item = (&RequestId, &BreakGlassUse)> {
        self.unreviewed.iter()
    }

    /// An unreviewed break-glass decision in the tenant, about another request than the given one.
    #[must_use]
    pub fn unreviewed_except(
        &self,
        tenant: &TenantId,
        request: &RequestId,
    ) -> Option<(&RequestId, &BreakGlassUse)> {
        self.unreviewed.iter().find(|(id, alone)| alone.tenant == *tenant && *id != request)
    }

    /// Applies an act. On an error the state is unchanged.
    ///
    /// # Errors
    /// The act is not valid in the present state.
    pub fn apply(&mut self, at: Timestamp, act: &Act) -> Result<(), ActError> {
        match act {
            Act::DeciderAdded { decider, roles, tenants } => self.add(decider, roles, tenants, at),
            Act::DeciderRemoved { decider, .. } => {
                self.active(decider)?;
                self.remove_invitation(decider);
                Ok(self.deciders.remove(decider, at)?)
            }
            Act::KeyAdded { decider, kind, public_key, valid_until, passkey } => {
                self.active(decider)?;
                let scheme = Scheme::from_signed(kind).ok_or_else(|| ActError::Kind(kind.clone()))?;
                let key = PublicKey::parse(scheme, public_key, passkey.as_ref())?;
                self.deciders.add_key(
                    decider,
                    DeciderKey { valid_until: *valid_until, ..DeciderKey::new(key.clone(), at) },
                )?;
                self.confirmed(&key);
                Ok(())
            }
            Act::DeciderInvited { decider, roles, tenants, code, rp_id, origins, expires_at } => {
                let invitation = Invitation {
                    decider: decider.clone(),
                    roles: roles.clone(),
                    tenants: tenants.clone(),
                    relying_party: RelyingParty::new(rp_id, origins.iter().cloned())?,
                    expires_at: *expires_at,
                    registered: None,
                };
                self.invite(*code, invitation, at)
            }
            Act::PasskeyRegistered { code, kind, public_key, passkey } => {
                self.register(code, (kind, public_key, passkey), at)
            }
            Act::KeyRevoked { key_id, compromised_at, .. } => self.revoke(key_id, at, *compromised_at),
            Act::Frozen { tenant, reason } => self.freeze(tenant.as_ref(), at, reason),
            Act::Thawed { tenant, .. } => self.thaw(tenant.as_ref()),
            Act::TokenCreated { token, tenant, scopes, sha256, expires_at } => {
                let created = Token {
                    tenant: tenant.clone(),
                    scopes: scopes.clone(),
                    sha256: *sha256,
                    created_at: at,
                    expires_at: *expires_at,
                    revoked_at: None,
                };
                self.add_token(token, created)
            }
            Act::TokenRevoked { token, .. } => self.revoke_token(token, at),
            Act::PolicyAdopted { policy } => {
                self.policy = Some(*policy);
                Ok(())
            }
            Act::BreakGlassUsed { tenant, request, decider, reason } => {
                self.active(decider)?;
                let (tenant, decider, reason) = (tenant.clone(), decider.clone(), reason.clone());
                self.unreviewed.insert(request.clone(), BreakGlassUse { tenant, decider, at, reason });
                Ok(())
            }
            Act::Reviewed { request, decider, .. } => self.review(request, decider, at),
        }
    }

    /// Adds a person, or changes the roles and tenants of an existing person.
    fn add(
        &mut self,
        decider: &PersonId,
        roles: &BTreeSet<Role>,
        tenants: &BTreeSet<TenantId>,
        at: Timestamp,
    ) -> Result<(), ActError> {
        if roles.is_empty() {
            return Err(ActError::NoRole);
        }
        let (id, roles) = (decider.clone(), roles.iter().cloned().collect());
        let tenants = tenants.iter().map(ToString::to_string).collect();
        match self.active(decider) {
            Ok(()) => Ok(self.deciders.grant(decider, roles, tenants, at)?),
            Err(ActError::NoDecider(_)) => {
                let (earlier, keys) = (Vec::new(), Vec::new());
                Ok(self.deciders.insert(Person { id, roles, tenants, earlier, removed_at: None, keys })?)
            }
            Err(removed) => Err(removed),
        }
    }

    fn revoke(
        &mut self,
        key_id: &str,
        at: Timestamp,
        compromised_at: Option<Timestamp>,
    ) -> Result<(), ActError> {
        let id: KeyId = key_id.parse().map_err(|_| ActError::KeyId(key_id.to_owned()))?;
        let key = self.deciders.key(id).ok_or(DeciderSetError::NoSuchKey(id))?.key;
        // A compromise may be reported after the key was revoked, and a later report may give an earlier start of the
        // compromise.
        match (compromised_at, key.compromised_at) {
            (None, _) if key.revoked_at.is_some() => return Err(ActError::KeyRevoked(id)),
            (Some(since), Some(known)) if since >= known => return Err(ActError::Compromised(id, known)),
            _ => {}
        }
        let person = self.deciders.key(id).map(|holder| holder.person.id.clone());
        self.deciders.revoke_key(id, at)?;
        if let Some(since) = compromised_at {
            self.deciders.mark_compromised(id, since)?;
            self.reopen(person.as_ref(), since);
        }
        Ok(())
    }

    /// A review must be repeated if its reviewer's key was already compromised when the review was signed.
    fn reopen(&mut self, person: Option<&PersonId>, since: Timestamp) {
        let void = |_: &RequestId, review: &mut Reviewed| Some(&review.by) == person && review.at >= since;
        let again = self.reviewed.extract_if(.., void);
        self.unreviewed.extend(again.map(|(request, review)| (request, review.alone)));
    }

    fn add_token(&mut self, id: &TokenId, token: Token) -> Result<(), ActError> {
        if token.scopes.is_empty() || token.expires_at <= token.created_at {
            return Err(ActError::Token);
        }
        match self.tokens.entry(id.clone()) {
            Entry::Occupied(_) => Err(ActError::TokenExists(id.clone())),
            Entry::Vacant(place) => {
                place.insert(token);
                Ok(())
            }
        }
    }

    fn revoke_token(&mut self, id: &TokenId, at: Timestamp) -> Result<(), ActError> {
        let token = self.tokens.get_mut(id).ok_or_else(|| ActError::NoToken(id.clone()))?;
        match token.revoked_at {
            Some(_) => Err(ActError::TokenRevoked(id.clone())),
            None => {
                token.revoked_at = Some(at);
                Ok(())
            }
        }
    }

    fn freeze(&mut self, tenant: Option<&TenantId>, since: Timestamp, reason: &str) -> Result<(), ActError> {
        let freeze = Freeze { tenant: tenant.cloned(), since, reason: reason.to_owned() };
        match tenant {
            Some(tenant) if !self.frozen_tenants.contains_key(tenant) => {
                self.frozen_tenants.insert(tenant.clone(), freeze);
            }
            None if self.frozen.is_none() => self.frozen = Some(freeze),
            _ => return Err(ActError::Freeze("that is frozen already")),
        }
        Ok(())
    }

    fn thaw(&mut self, tenant: Option<&TenantId>) -> Result<(), ActError> {
        let before = match tenant {
            Some(tenant) => self.frozen_tenants.remove(tenant),
            None => self.frozen.take(),
        };
        before.map(drop).ok_or(ActError::Freeze("that is not frozen"))
    }

    fn review(&mut self, request: &RequestId, decider: &PersonId, at: Timestamp) -> Result<(), ActError> {
        self.active(decider)?;
        match self.unreviewed.get(request) {
            None => Err(ActError::NothingToReview(request.clone())),
            Some(alone) if alone.decider == *decider => Err(ActError::OwnReview(decider.clone())),
            Some(_) => {
                let reviewed = |alone| (request.clone(), Reviewed { alone, by: decider.clone(), at });
                self.reviewed.extend(self.unreviewed.remove(request).map(reviewed));
                Ok(())
            }
        }
    }

    fn active(&self, decider: &PersonId) -> Result<(), ActError> {
        match self.deciders.person(decider) {
            None => Err(ActError::NoDecider(decider.clone())),
            Some(person) if person.removed_at.is_some() => Err(ActError::Removed(decider.clone())),
            Some(_) => Ok(()),
        }
    }
}
