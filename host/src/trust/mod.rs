//! Whom this host trusts to decide: people, their public keys, and what operators have said about them since. Nothing private is in here.
//!
//! The state is a fold of [`Act`]s, as an instance is a fold of entries: what may follow what is one table, illegal by default, that guards
//! recording and loading alike.

mod act;

pub use act::Act;
pub use act::Said;
pub use act::tenants_of;

use crate::store::RecordedAct;
use crate::store::StoreError;
use receipt::Digest;
use receipt::Timestamp;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use workflow::DeciderId;
use workflow::RequestId;
use workflow::RoleId;
use workflow::TenantId;

/// The role in which somebody decides alone when there is no time for more.
pub const BREAK_GLASS: &str = "break-glass";

/// Everything that operators have said, folded.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    seq: u64,
    people: BTreeMap<DeciderId, Person>,
    frozen: Option<Freeze>,
    frozen_tenants: BTreeMap<TenantId, Freeze>,
    unreviewed: BTreeMap<RequestId, Alone>,
    policy: Option<Digest>,
}

/// Somebody who may decide, or might once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// In which roles.
    pub roles: BTreeSet<RoleId>,
    /// For which tenants; for all where there are none.
    pub tenants: BTreeSet<TenantId>,
    /// Their keys, revoked ones too.
    pub keys: Vec<PersonKey>,
    /// Since when they do not decide any more.
    pub removed_at: Option<Timestamp>,
}

/// A person's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonKey {
    /// Its id.
    pub key_id: String,
    /// The raw Ed25519 public key.
    pub public_key: [u8; 32],
    /// Since when what it signs counts.
    pub valid_from: Timestamp,
    /// Until when.
    pub valid_until: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Since when somebody else may have had it.
    pub compromised_at: Option<Timestamp>,
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// A decision that one person took alone, and nobody has looked at since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alone {
    /// Whose request.
    pub tenant: TenantId,
    /// Who decided.
    pub decider: DeciderId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// An act that makes no sense as things stand. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// Nobody of that name.
    #[error("there is no decider {0}: add one with pp-host deciders add {0} --role ROLE --key FILE")]
    NoDecider(DeciderId),
    /// Somebody who was removed.
    #[error(
        "decider {0} was removed; a name is not used twice, so that old receipts keep their meaning: add them under another"
    )]
    Removed(DeciderId),
    /// A key that somebody has.
    #[error("key {key_id} is already {decider}'s: one key is one person's, for good")]
    KeyTaken {
        /// The key.
        key_id: String,
        /// Whose.
        decider: DeciderId,
    },
    /// No such key.
    #[error("there is no key {0} here (pp-host deciders list --keys shows them)")]
    NoKey(String),
    /// Revoked already.
    #[error("key {0} is revoked already")]
    KeyRevoked(String),
    /// Frozen or thawed twice.
    #[error("{0}")]
    Freeze(&'static str),
    /// A review of nothing.
    #[error("request {0} was not decided by one person alone, or has been reviewed")]
    NothingToReview(RequestId),
    /// A review of one's own decision.
    #[error("{0} decided this alone: somebody else has to look at it")]
    OwnReview(DeciderId),
}

impl Trust {
    /// Folds all acts of a store.
    ///
    /// # Errors
    /// When one of them makes no sense.
    pub fn fold(acts: &[RecordedAct]) -> Result<Self, StoreError> {
        let mut trust = Self::default();
        trust.extend(acts)?;
        Ok(trust)
    }

    /// Folds the acts that came after those that are folded already.
    ///
    /// # Errors
    /// When one of them makes no sense.
    pub fn extend(&mut self, acts: &[RecordedAct]) -> Result<(), StoreError> {
        for recorded in acts {
            let damaged = |error: String| {
                StoreError::Damaged(format!("act {} of the operators: {error}", recorded.seq))
            };
            let said: Said =
                serde_json::from_str(&recorded.body).map_err(|error| damaged(error.to_string()))?;
            self.apply(recorded.at, &said.act).map_err(|error| damaged(error.to_string()))?;
            self.seq = recorded.seq;
        }
        Ok(())
    }

    /// The last act's place.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Everybody who may decide, or might once, by name.
    pub fn people(&self) -> impl Iterator<Item = (&DeciderId, &Person)> {
        self.people.iter()
    }

    /// A person.
    #[must_use]
    pub fn person(&self, decider: &DeciderId) -> Option<&Person> {
        self.people.get(decider)
    }

    /// Whether there has ever been anybody to decide in earnest.
    #[must_use]
    pub fn has_deciders(&self) -> bool {
        !self.people.is_empty()
    }

    /// The policy that was last said to govern.
    #[must_use]
    pub fn policy(&self) -> Option<Digest> {
        self.policy
    }

    /// What stops a tenant's approvals and actions, if anything does.
    #[must_use]
    pub fn freeze_of(&self, tenant: &TenantId) -> Option<&Freeze> {
        self.frozen.as_ref().or_else(|| self.frozen_tenants.get(tenant))
    }

    /// Decisions that one person took alone and nobody has looked at, of one tenant.
    pub fn unreviewed<'a>(
        &'a self,
        tenant: &'a TenantId,
    ) -> impl Iterator<Item = (&'a RequestId, &'a Alone)> {
        self.unreviewed.iter().filter(move |(_, alone)| alone.tenant == *tenant)
    }

    /// All of them.
    pub fn all_unreviewed(&self) -> impl Iterator<Item = (&RequestId, &Alone)> {
        self.unreviewed.iter()
    }

    /// What an act does; the state is as it was when it does nothing.
    ///
    /// # Errors
    /// When it makes no sense as things stand.
    pub fn apply(&mut self, at: Timestamp, act: &Act) -> Result<(), ActError> {
        match act {
            Act::DeciderAdded { decider, roles, tenants } => self.add(decider, roles, tenants),
            Act::DeciderRemoved { decider, .. } => {
                self.active(decider)?.removed_at = Some(at);
                Ok(())
            }
            Act::KeyAdded { decider, key_id, public_key, valid_until } => {
                self.give(decider, key_id, *public_key.as_bytes(), (at, *valid_until))
            }
            Act::KeyRevoked { key_id, compromised_at, .. } => self.take(key_id, at, *compromised_at),
            Act::Frozen { tenant, reason } => self.freeze(tenant.as_ref(), at, reason),
            Act::Thawed { tenant, .. } => self.thaw(tenant.as_ref()),
            Act::PolicyAdopted { policy } => {
                self.policy = Some(*policy);
                Ok(())
            }
            Act::GlassBroken { tenant, request, decider, reason } => {
                let (tenant, decider, reason) = (tenant.clone(), decider.clone(), reason.clone());
                self.active(&decider)?;
                self.unreviewed.insert(request.clone(), Alone { tenant, decider, at, reason });
                Ok(())
            }
            Act::Reviewed { request, decider, .. } => self.review(request, decider),
        }
    }

    fn add(
        &mut self,
        decider: &DeciderId,
        roles: &BTreeSet<RoleId>,
        tenants: &BTreeSet<TenantId>,
    ) -> Result<(), ActError> {
        let (roles, tenants) = (roles.clone(), tenants.clone());
        match self.people.get_mut(decider) {
            Some(person) if person.removed_at.is_some() => return Err(ActError::Removed(decider.clone())),
            Some(person) => (person.roles, person.tenants) = (roles, tenants),
            None => {
                let person = Person { roles, tenants, keys: Vec::new(), removed_at: None };
                self.people.insert(decider.clone(), person);
            }
        }
        Ok(())
    }

    fn give(
        &mut self,
        decider: &DeciderId,
        key_id: &str,
        public_key: [u8; 32],
        (valid_from, valid_until): (Timestamp, Option<Timestamp>),
    ) -> Result<(), ActError> {
        if let Some((owner, _)) = self.key(key_id) {
            return Err(ActError::KeyTaken { key_id: key_id.to_owned(), decider: owner.clone() });
        }
        self.active(decider)?.keys.push(PersonKey {
            key_id: key_id.to_owned(),
            public_key,
            valid_from,
            valid_until,
            revoked_at: None,
            compromised_at: None,
        });
        Ok(())
    }

    fn take(
        &mut self,
        key_id: &str,
        at: Timestamp,
        compromised_at: Option<Timestamp>,
    ) -> Result<(), ActError> {
        let mut keys = self.people.values_mut().flat_map(|person| &mut person.keys);
        let key = keys.find(|key| key.key_id == key_id).ok_or_else(|| ActError::NoKey(key_id.to_owned()))?;
        // That a key was known to others may come out later than that it was given up.
        if key.revoked_at.is_some() && (key.compromised_at.is_some() || compromised_at.is_none()) {
            return Err(ActError::KeyRevoked(key_id.to_owned()));
        }
        key.revoked_at.get_or_insert(at);
        key.compromised_at = compromised_at;
        Ok(())
    }

    fn freeze(&mut self, tenant: Option<&TenantId>, since: Timestamp, reason: &str) -> Result<(), ActError> {
        let freeze = Freeze { since, reason: reason.to_owned() };
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

    fn review(&mut self, request: &RequestId, decider: &DeciderId) -> Result<(), ActError> {
        self.active(decider)?;
        match self.unreviewed.get(request) {
            None => Err(ActError::NothingToReview(request.clone())),
            Some(alone) if alone.decider == *decider => Err(ActError::OwnReview(decider.clone())),
            Some(_) => {
                self.unreviewed.remove(request);
                Ok(())
            }
        }
    }

    /// A key, and whose it is.
    #[must_use]
    pub fn key(&self, key_id: &str) -> Option<(&DeciderId, &PersonKey)> {
        let keys =
            self.people.iter().flat_map(|(name, person)| person.keys.iter().map(move |key| (name, key)));
        keys.into_iter().find(|(_, key)| key.key_id == key_id)
    }

    fn active(&mut self, decider: &DeciderId) -> Result<&mut Person, ActError> {
        match self.people.get_mut(decider) {
            None => Err(ActError::NoDecider(decider.clone())),
            Some(person) if person.removed_at.is_some() => Err(ActError::Removed(decider.clone())),
            Some(person) => Ok(person),
        }
    }
}

impl Person {
    /// Whether this person decides about that tenant's requests.
    #[must_use]
    pub fn decides_for(&self, tenant: &TenantId) -> bool {
        self.removed_at.is_none() && (self.tenants.is_empty() || self.tenants.contains(tenant))
    }
}
