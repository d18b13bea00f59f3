//! Invitations: how a person registers a passkey.
//!
//! An operator invites; the person registers a passkey with the invitation's code, once; an operator compares the key's
//! id with the one that the person sees, and confirms that it is theirs. The invitation, and so an operator, determines
//! which pages may ask the passkey to sign.

use crate::ids::{NoEntropy, random_bytes};
use crate::trust::{Act, ActError, Trust};
use receipt::{
    DeciderSetError, Digest, MAX_PEOPLE, Passkey, PasskeyError, PasskeyRecord, PersonId, PublicKey,
    RegistrationResponse, RelyingParty, Role, Scheme, Timestamp,
};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use workflow::TenantId;

/// The longest that an invitation may stay open: a day.
pub const LONGEST_INVITATION_MS: i64 = 24 * 60 * 60 * 1000;

/// Separates the challenge of a registration from all others.
const REGISTRATION: &str = "application/vnd.permission-protocol.passkey-registration";

/// In whose name a registration is recorded. The person is known by the invitation.
pub(crate) const BY_INVITATION: &str = "invitation";

/// The prefix of a code, for secret scanners.
const PREFIX: &str = "pp_invite_";

/// The secret of an invitation: 32 random bytes. Only its digest is recorded.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationCode([u8; 32]);

impl InvitationCode {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn draw() -> Result<Self, NoEntropy> {
        random_bytes().map(Self)
    }

    /// The recorded digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// The browser's challenge for registering a passkey: specific to this invitation, and known only with the code.
    #[must_use]
    pub fn challenge(&self) -> Digest {
        receipt::challenge(REGISTRATION, &self.0)
    }
}

impl fmt::Display for InvitationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", Digest::from_bytes(self.0))
    }
}

impl fmt::Debug for InvitationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvitationCode({})", self.digest())
    }
}

impl FromStr for InvitationCode {
    type Err = InvalidInvitationCode;

    fn from_str(text: &str) -> Result<Self, InvalidInvitationCode> {
        let digits = text.strip_prefix(PREFIX).ok_or(InvalidInvitationCode)?;
        let bytes: Digest = digits.parse().map_err(|_| InvalidInvitationCode)?;
        Ok(Self(*bytes.as_bytes()))
    }
}

/// A text that is no invitation's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an invitation code: {PREFIX} and 64 hexadecimal digits are expected")]
pub struct InvalidInvitationCode;

/// An invitation that is open, or that was used and is not yet confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The invited person.
    pub decider: PersonId,
    /// The roles that the person gets with the key. Empty if the person keeps the present roles.
    pub roles: BTreeSet<Role>,
    /// The tenants in which they have those roles; empty means all.
    pub tenants: BTreeSet<TenantId>,
    /// The pages that may ask the passkey to sign.
    pub relying_party: RelyingParty,
    /// The time until which the invitation can be used.
    pub expires_at: Timestamp,
    /// The passkey that was registered with it, which counts when an operator has confirmed it.
    pub registered: Option<PublicKey>,
}

impl Invitation {
    /// Whether a passkey can be registered with it at that time.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.registered.is_none() && at < self.expires_at
    }

    /// Checks the browser's answer for a passkey that is registered with this invitation: the key, and the act that records it.
    ///
    /// # Errors
    /// The answer is not a valid registration for the invitation's pages and this code.
    pub(crate) fn register(
        &self,
        code: &InvitationCode,
        response: &RegistrationResponse,
    ) -> Result<(PublicKey, Act), PasskeyError> {
        let passkey = Passkey::register(response, &self.relying_party, &code.challenge())?;
        let record = passkey.record();
        let key = PublicKey::passkey(passkey);
        let act = Act::PasskeyRegistered {
            code: code.digest(),
            kind: key.scheme().as_str().to_owned(),
            public_key: key.to_base64(),
            passkey: record,
        };
        Ok((key, act))
    }

    /// The acts with which an operator confirms the registered key: the person's roles, if they get new ones, and the
    /// key. `None` before a key is registered.
    #[must_use]
    pub fn confirmation(&self) -> Option<Vec<Act>> {
        let (decider, key) = (self.decider.clone(), self.registered.as_ref()?);
        let given = !self.roles.is_empty();
        let (roles, tenants) = (self.roles.clone(), self.tenants.clone());
        let added = given.then(|| Act::DeciderAdded { decider: decider.clone(), roles, tenants });
        let key_added = Act::KeyAdded {
            decider,
            kind: key.scheme().as_str().to_owned(),
            public_key: key.to_base64(),
            valid_until: None,
            passkey: key.as_passkey().map(receipt::Passkey::record),
        };
        Some(added.into_iter().chain([key_added]).collect())
    }
}

impl Trust {
    /// The invitation with that code, if it is on record: open, used, or expired.
    #[must_use]
    pub fn invitation(&self, code: &InvitationCode) -> Option<&Invitation> {
        self.invitations.get(&code.digest())
    }

    /// The invitations that are open or wait to be confirmed, and some that have expired.
    pub fn invitations(&self) -> impl Iterator<Item = &Invitation> {
        self.invitations.values()
    }

    /// Adds an invitation. It replaces an earlier invitation of the same person.
    pub(super) fn invite(
        &mut self,
        code: Digest,
        invitation: Invitation,
        at: Timestamp,
    ) -> Result<(), ActError> {
        let Invitation { decider, roles, expires_at, .. } = &invitation;
        if self.deciders().person(decider).is_none() && roles.is_empty() {
            return Err(ActError::NoRole);
        }
        if self.deciders().person(decider).is_some_and(|person| person.removed_at.is_some()) {
            return Err(ActError::Removed(decider.clone()));
        }
        let open_ms = expires_at.as_millis().saturating_sub(at.as_millis());
        if !(1..=LONGEST_INVITATION_MS).contains(&open_ms) {
            return Err(ActError::InvitationTime);
        }
        if self.invitations.contains_key(&code) {
            return Err(ActError::NoInvitation);
        }
        let decider = decider.clone();
        self.invitations.retain(|_, other| {
            other.decider != decider && (other.registered.is_some() || at < other.expires_at)
        });
        if self.invitations.len() >= MAX_PEOPLE {
            return Err(DeciderSetError::TooMany { what: "invitations", most: MAX_PEOPLE }.into());
        }
        self.invitations.insert(code, invitation);
        Ok(())
    }

    /// Adds the passkey that was registered with an invitation.
    pub(super) fn register(
        &mut self,
        code: &Digest,
        (kind, public_key, record): (&str, &str, &PasskeyRecord),
        at: Timestamp,
    ) -> Result<(), ActError> {
        let open = self.invitations.get(code).filter(|invitation| invitation.is_open(at));
        let relying_party = &open.ok_or(ActError::NoInvitation)?.relying_party;
        let scheme = Scheme::from_signed(kind).ok_or_else(|| ActError::Kind(kind.to_owned()))?;
        let key = PublicKey::parse(scheme, public_key, Some(record))?;
        let same = |passkey: &receipt::Passkey| {
            passkey.rp_id() == relying_party.rp_id() && passkey.origins() == relying_party.origins()
        };
        if !key.as_passkey().is_some_and(same) {
            return Err(ActError::OtherRelyingParty);
        }
        if let Some(holder) = self.deciders().holder(&key) {
            let person = holder.person.id.clone();
            return Err(DeciderSetError::DuplicateKey { key: key.key_id(), person }.into());
        }
        if let Some(invitation) = self.invitations.get_mut(code) {
            invitation.registered = Some(key);
        }
        Ok(())
    }

    /// Forgets the invitation that a key was registered with.
    pub(super) fn confirmed(&mut self, key: &PublicKey) {
        self.invitations.retain(|_, invitation| invitation.registered.as_ref() != Some(key));
    }

    /// Forgets a person's invitations.
    pub(super) fn remove_invitation(&mut self, decider: &PersonId) {
        self.invitations.retain(|_, invitation| invitation.decider != *decider);
    }
}
