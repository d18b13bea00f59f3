//! Passkeys: how they are registered, and how a decision is made with one.

use crate::trust::{Act, BY_INVITATION, Invitation, InvitationCode};
use crate::{Error, Host, SignOutcome};
use receipt::{
    AssertionResponse, Decision, Digest, Envelope, KeyId, Passkey, PersonId, PublicKey, RegistrationResponse,
    RelyingParty, Role, Timestamp,
};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use workflow::{RequestId, TenantId};

/// Separates the challenge of a sign-in from all others: no assertion for one is valid for another.
const SIGN_IN: &str = "application/vnd.permission-protocol.sign-in";

/// An invitation to register a passkey: for whom, and for which pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// The decider.
    pub decider: PersonId,
    /// The roles of a new decider. Empty for a person who is already a decider and keeps the present roles.
    pub roles: BTreeSet<Role>,
    /// The tenants in which they have those roles; empty means all.
    pub tenants: BTreeSet<TenantId>,
    /// The origins that may ask the passkey to sign: a permanent part of the key's record.
    pub relying_party: RelyingParty,
    /// How long the invitation stays open: a day at most.
    pub lifetime: Duration,
}

impl Invite {
    /// The operator's act, and the person's code. The code is not stored.
    ///
    /// # Errors
    /// When the system provides no random numbers.
    pub fn act(self, at: Timestamp) -> Result<(Act, InvitationCode), Error> {
        let Self { decider, roles, tenants, relying_party, lifetime } = self;
        let code = InvitationCode::draw()?;
        let act = Act::DeciderInvited {
            decider,
            roles,
            tenants,
            code: code.digest(),
            rp_id: relying_party.rp_id().to_owned(),
            origins: relying_party.origins().clone(),
            expires_at: crate::issuer::after(at, lifetime),
        };
        Ok((act, code))
    }
}

/// The input of `navigator.credentials.get` for a decision with a passkey: this challenge, one of these credentials,
/// and `userVerification: "required"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionRequest {
    /// The statement in its canonical form: the bytes that the challenge is computed from.
    pub statement: String,
    /// The challenge: 32 bytes.
    pub challenge: Digest,
    /// The person's passkeys that may sign now on pages of that origin. Each has a [`Passkey`].
    pub keys: Vec<PublicKey>,
}

impl Host {
    /// Invites a person to register a passkey: the code is for them alone, and opens the invitation once.
    ///
    /// # Errors
    /// The person cannot be invited.
    pub fn invite(&self, by: &str, invite: Invite) -> Result<InvitationCode, Error> {
        let (act, code) = invite.act(self.0.now()?)?;
        self.record_act(by, act)?;
        Ok(code)
    }

    /// The invitation for the first decider; `None` if there are deciders. A new invitation replaces the previous one.
    ///
    /// # Errors
    /// Those of [`invite`](Self::invite).
    pub fn invite_first(&self, by: &str, invite: Invite) -> Result<Option<InvitationCode>, Error> {
        match self.trust()?.deciders().people().is_empty() {
            true => self.invite(by, invite).map(Some),
            false => Ok(None),
        }
    }

    /// The invitation that a code opens. The challenge for registering is [`InvitationCode::challenge`].
    ///
    /// # Errors
    /// The code opens no invitation: it was used, has expired, was replaced, or never existed.
    pub fn invitation(&self, code: &InvitationCode) -> Result<Invitation, Error> {
        let (trust, at) = self.0.trust_now()?;
        let open = trust.invitation(code).filter(|invitation| invitation.is_open(at));
        open.cloned().ok_or_else(|| crate::trust::ActError::NoInvitation.into())
    }

    /// Registers a passkey with an invitation, which is used up. The key counts when an operator has confirmed its id: show it to the person.
    ///
    /// # Errors
    /// The code opens no invitation, or the browser's answer is invalid. The invitation stays open then.
    pub fn register_passkey(
        &self,
        code: &InvitationCode,
        response: &RegistrationResponse,
    ) -> Result<PublicKey, Error> {
        let invitation = self.invitation(code)?;
        let (key, act) = invitation.register(code, response)?;
        // An authority in another process looks at the answer itself, and records the act in its own folder.
        match self.0.governance.issuer.register(code, response) {
            Some(registered) => registered?,
            None => self.record_act(BY_INVITATION, act)?,
        }
        Ok(key)
    }

    /// A person's passkeys that may sign now, asked by a page of that origin.
    ///
    /// # Errors
    /// The person is not a decider.
    pub fn passkeys(&self, by: &PersonId, origin: &str) -> Result<Vec<PublicKey>, Error> {
        let (trust, at) = self.0.trust_now()?;
        let person = trust.deciders().person(by).filter(|person| person.removed_at.is_none());
        let person = person.ok_or_else(|| Error::NotADecider(by.clone()))?;
        let usable = |key: &&receipt::DeciderKey| {
            let here = |passkey: &Passkey| passkey.origins().contains(origin);
            key.key.as_passkey().is_some_and(here)
                && trust.deciders().counted_as_known(key.key.key_id(), at, at).is_ok()
        };
        Ok(person.keys.iter().filter(usable).map(|key| key.key.clone()).collect())
    }

    /// The browser's input for a person's decision about a request with a passkey.
    ///
    /// # Errors
    /// When the request does not wait for a decision, the person may not decide it, or has no passkey for pages of that
    /// origin.
    pub fn assertion_request(
        &self,
        id: &RequestId,
        by: &PersonId,
        role: Option<&Role>,
        (decision, reason): (Decision, Option<&str>),
        origin: &str,
    ) -> Result<AssertionRequest, Error> {
        let keys = self.passkeys(by, origin)?;
        if keys.is_empty() {
            return Err(Error::NoPasskey { decider: by.clone(), origin: origin.to_owned() });
        }
        let statement = self.statement(id, by, role, decision, reason)?.canonical();
        let challenge = receipt::challenge(receipt::PAYLOAD_TYPE, statement.as_bytes());
        Ok(AssertionRequest { statement, challenge, keys })
    }

    /// Admits a decision that a passkey signed: the statement that was shown, and the browser's response. The resulting
    /// envelope is judged like any other.
    ///
    /// # Errors
    /// Those of [`sign`](Self::sign).
    pub fn sign_with_passkey(
        &self,
        id: &RequestId,
        statement: &str,
        key: KeyId,
        response: AssertionResponse,
    ) -> Result<SignOutcome, Error> {
        let envelope = Envelope::asserted(statement, key, response)
            .map_err(|error| Error::Statement(error.to_string()))?;
        self.sign(id, &envelope)
    }

    /// The relying parties of the passkeys that may sign in on pages of that origin; the relying party with the most
    /// passkeys comes first. Empty if there is no such passkey.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn relying_parties(&self, origin: &str) -> Result<Vec<String>, Error> {
        let (trust, at) = self.0.trust_now()?;
        let deciders = trust.deciders();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for key in deciders.people().iter().flat_map(|person| &person.keys) {
            let here = key.key.as_passkey().filter(|passkey| passkey.origins().contains(origin));
            if let Some(passkey) = here
                && deciders.counted_as_known(key.key.key_id(), at, at).is_ok()
            {
                *counts.entry(passkey.rp_id()).or_default() += 1;
            }
        }
        let mut found: Vec<_> = counts.into_iter().collect();
        found.sort_by_key(|(_, count)| Reverse(*count));
        Ok(found.into_iter().map(|(rp_id, _)| rp_id.to_owned()).collect())
    }

    /// The challenge of a sign-in with a nonce, which the caller draws and takes once.
    #[must_use]
    pub fn sign_in_challenge(&self, nonce: &[u8; 32]) -> Digest {
        receipt::challenge(SIGN_IN, nonce)
    }

    /// The person who signs in with a passkey. A sign-in shows pages, and decides nothing.
    ///
    /// # Errors
    /// No key that counts now has this credential, or the assertion is not valid.
    pub fn signed_in(
        &self,
        nonce: &[u8; 32],
        credential_id: &[u8],
        response: &AssertionResponse,
    ) -> Result<PersonId, Error> {
        let (trust, at) = self.0.trust_now()?;
        let keys = trust.deciders().people().iter().flat_map(|person| &person.keys);
        let keys = keys.filter_map(|key| Some((key.key.key_id(), key.key.as_passkey()?)));
        let challenge = self.sign_in_challenge(nonce);
        // The authenticator chooses the credential's id: two may have the same, and one of them signed.
        let mut refusal = Error::UnknownPasskey;
        let mut signer = None;
        for (key_id, passkey) in keys.filter(|(_, passkey)| passkey.credential_id() == credential_id) {
            match passkey.verify(&challenge, response) {
                Ok(_) => signer = Some(key_id),
                Err(error) => refusal = error.into(),
            }
        }
        let key_id = signer.ok_or(refusal)?;
        let holder = trust.deciders().counted_as_known(key_id, at, at);
        let holder = holder.map_err(|error| crate::issuer::IssueError::Approval(error.into()))?;
        Ok(holder.person.id.clone())
    }
}
