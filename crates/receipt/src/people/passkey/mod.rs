//! Passkeys: a WebAuthn assertion as a person's signature.
//!
//! An authenticator signs its own data and a digest of the browser's client data, never a message. The client data
//! contain the challenge that the browser was given. The challenge is the SHA-256 of the message ([`challenge`]), so
//! the assertion is a signature over the message. Everything that is needed to verify an assertion is in the key's
//! record: the public key, the credential, the relying party and the origins from which the browser may ask. Nothing
//! depends on the server that asked for it.
//!
//! User presence and user verification are always required. The signature counter is ignored, because synchronised
//! passkeys leave it at zero.

mod assertion;
mod authenticator;
mod client;
mod credential_key;
mod record;
mod registration;
#[cfg(feature = "rs256")]
mod rsa_key;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::digest::Digest;
use crate::encoding;
use crate::format::decider::origin;
use crate::people::scheme::{PublicKeyError, Scheme};
use crate::people::signature::pae;

pub use assertion::{Assertion, AssertionResponse, EXTENSION_KIND};
pub use authenticator::{Aaguid, MAX_AUTHENTICATOR_DATA_LEN};
pub use client::MAX_CLIENT_DATA_LEN;
pub(crate) use credential_key::CredentialKey;
pub use record::PasskeyRecord;
pub use registration::{RegistrationResponse, RelyingParty};

pub(crate) use assertion::longest as longest_signature;

/// The longest credential id, in bytes: WebAuthn's own bound.
pub const MAX_CREDENTIAL_ID_LEN: usize = 1023;

/// The most origins of one passkey.
pub const MAX_ORIGINS: usize = 8;

/// The longest origin, in bytes: a scheme, a host name and a port.
pub const MAX_ORIGIN_LEN: usize = 272;

/// The error of a public key that is of no algorithm that is verified here.
const NO_KEY: &str = match cfg!(feature = "rs256") {
    true => {
        "its public key is no SubjectPublicKeyInfo of a P-256 or an Ed25519 key, or of an RSA key of 2048 to 4096 bits"
    }
    false => "its public key is no SubjectPublicKeyInfo of a P-256 or an Ed25519 key",
};

/// The algorithms of passkeys that are verified here, by their COSE numbers, in order of preference.
pub const COSE_ALGORITHMS: &[i32] = match cfg!(feature = "rs256") {
    true => &[-7, -8, -257],
    false => &[-7, -8],
};

/// The challenge for a signature over a payload of some type: the SHA-256 of the DSSE encoding.
///
/// Sign-in, registration and decision have different types, so that an assertion for one is not valid for another.
pub fn challenge(payload_type: &str, payload: &[u8]) -> Digest {
    Digest::of(&pae(payload_type, payload))
}

/// A passkey that signs decisions.
// INVARIANT: 1 to MAX_CREDENTIAL_ID_LEN bytes of credential id, and a relying party as `RelyingParty` checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    key: CredentialKey,
    credential_id: Vec<u8>,
    relying_party: RelyingParty,
    aaguid: Aaguid,
    backup_eligible: bool,
    backed_up: bool,
}

impl Passkey {
    /// Reads a passkey from its public key, a SubjectPublicKeyInfo in base64, and the rest of its record.
    pub fn read(scheme: Scheme, public_key: &str, record: &PasskeyRecord) -> Result<Self, PublicKeyError> {
        let problem = PublicKeyError::Passkey;
        let spki = encoding::from_base64(public_key).ok_or(problem("its public key is not base64"))?;
        let key = CredentialKey::from_spki(&spki).ok_or(problem(NO_KEY))?;
        if key.scheme() != scheme {
            return Err(problem("its public key is of another algorithm than its kind says"));
        }
        let credential_id = encoding::from_base64url(&record.credential_id)
            .filter(|id| (1..=MAX_CREDENTIAL_ID_LEN).contains(&id.len()))
            .ok_or(problem("its credential id is not 1 to 1023 bytes in base64url"))?;
        Ok(Self {
            key,
            credential_id,
            relying_party: RelyingParty::new(&record.rp_id, record.origins.iter().cloned())?,
            aaguid: record.aaguid,
            backup_eligible: record.backup_eligible,
            backed_up: record.backed_up,
        })
    }

    /// The signature scheme.
    pub fn scheme(&self) -> Scheme {
        self.key.scheme()
    }

    /// The credential's id, which the browser is given to find it.
    pub fn credential_id(&self) -> &[u8] {
        &self.credential_id
    }

    /// The host name that the credential belongs to.
    pub fn rp_id(&self) -> &str {
        self.relying_party.rp_id()
    }

    /// The origins of pages that may ask for a signature.
    pub fn origins(&self) -> &BTreeSet<String> {
        self.relying_party.origins()
    }

    /// The authenticator's model, as the authenticator states it.
    pub fn aaguid(&self) -> Aaguid {
        self.aaguid
    }

    /// Whether the key cannot leave one device. Otherwise the account's provider may copy it to other devices of the
    /// same account.
    pub fn is_device_bound(&self) -> bool {
        !self.backup_eligible
    }

    /// Whether a copy existed at registration.
    pub fn was_backed_up(&self) -> bool {
        self.backed_up
    }

    /// The record, without the public key, as text.
    pub fn record(&self) -> PasskeyRecord {
        PasskeyRecord {
            credential_id: encoding::base64url(&self.credential_id),
            rp_id: self.rp_id().into(),
            origins: self.origins().clone(),
            aaguid: self.aaguid,
            backup_eligible: self.backup_eligible,
            backed_up: self.backed_up,
        }
    }

    pub(crate) fn credential_key(&self) -> &CredentialKey {
        &self.key
    }
}

/// Whether the host of `origin` is `rp_id` or below it.
fn belongs(origin: &str, rp_id: &str) -> bool {
    let Some(host) = origin::host(origin) else { return false };
    let inside = host.strip_suffix(rp_id).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let local = host == "localhost" || host.ends_with(".localhost");
    inside && (origin.starts_with("https://") || local)
}

/// Why an assertion is not a valid signature of a passkey, or a registration not a valid passkey.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasskeyError {
    /// The signature lacks the extension that a passkey's signature has.
    #[error(
        "the signature carries no passkey assertion: an extension of kind {EXTENSION_KIND} with authenticatorData and clientDataJSON is needed, and nothing else"
    )]
    Extension,
    /// The bytes are longer than a reader accepts.
    #[error("{what} of {len} bytes, more than the {most} that are read")]
    TooLong {
        /// The part's name.
        what: &'static str,
        /// The length in bytes.
        len: usize,
        /// The bound.
        most: usize,
    },
    /// The client data do not have the form that browsers write.
    #[error("the client data is refused: {0}")]
    ClientData(String),
    /// The client data is of another ceremony.
    #[error("the client data is not of type {0}")]
    Type(&'static str),
    /// The assertion is for another challenge.
    #[error("the assertion is for another challenge: it signs something else than this")]
    Challenge,
    /// A page of another origin asked.
    #[error("the assertion was made at {0}, which is no origin of this key")]
    Origin(String),
    /// A page inside another page asked.
    #[error("the assertion was made in a page that another page embeds")]
    Embedded,
    /// The authenticator data does not have the shape that it has to have.
    #[error("the authenticator data is refused: {0}")]
    AuthenticatorData(&'static str),
    /// The authenticator signed for another relying party.
    #[error("the assertion is for another relying party than {0}")]
    RelyingParty(String),
    /// No person touched the authenticator.
    #[error("the authenticator reports no user presence")]
    Presence,
    /// The authenticator did not check who uses it.
    #[error("the authenticator reports no user verification (PIN or biometrics), which every decision needs")]
    Verification,
    /// The authenticator's backup eligibility has changed: a key that stays in one device cannot become a key that is
    /// copied.
    #[error("the authenticator reports another backup eligibility than the key was registered with")]
    BackupEligibility,
    /// The signature is not this key's.
    #[error("the assertion is not signed by this key, or was changed")]
    Signature,
    /// The registration contains an invalid public key.
    #[error(transparent)]
    Key(#[from] PublicKeyError),
    /// The registration's parts do not agree.
    #[error("the registration is refused: {0}")]
    Registration(&'static str),
}
