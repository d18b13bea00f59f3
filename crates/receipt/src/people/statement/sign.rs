//! The decider's side: a key signs a statement.

use alloc::boxed::Box;
use alloc::{format, vec};
use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use super::{DecisionStatement, PAYLOAD_TYPE, StatementError};
use crate::issuer::signer::SignError;
use crate::people::dsse::{Envelope, EnvelopeError, EnvelopeSignature};
use crate::people::key::PublicKey;
use crate::people::passkey::AssertionResponse;
use crate::people::scheme::{KeyId, PublicKeyError};
use crate::people::signature::{RawSignature, pae};

/// A person's key: in an agent, in a file, on a token.
///
/// Not the issuer's [`Signer`](crate::Signer): that one signs 32-byte digests of receipts, this one whole messages that
/// begin with `DSSEv1`, so no signature of one kind is valid as the other.
pub trait StatementSigner {
    /// The key that its signatures verify under.
    fn public_key(&self) -> PublicKey;

    /// Signs `message` as the key's scheme does.
    fn sign(&self, message: &[u8]) -> Result<RawSignature, SignError>;
}

/// Signs a decision. The returned envelope has been verified and read again; on any failure there is no envelope.
pub fn sign_decision(
    statement: &DecisionStatement,
    signer: &dyn StatementSigner,
) -> Result<Envelope, SignDecisionError> {
    statement.validate()?;
    let (text, key) = (statement.canonical(), signer.public_key());
    let signature = signer.sign(&pae(PAYLOAD_TYPE, text.as_bytes()))?;
    let signature = EnvelopeSignature { key_id: alloc::format!("{}", key.key_id()), signature };
    let envelope = Envelope::new(PAYLOAD_TYPE, text.as_bytes(), vec![signature])?;
    let read = DecisionStatement::read(&envelope.verify(&key)?)?;
    if read == *statement {
        Ok(envelope)
    } else {
        Err(SignDecisionError::Statement(StatementError::NotCanonical))
    }
}

impl Envelope {
    /// The envelope of a decision that a passkey signed: the statement as the page showed it, and the browser's
    /// response. This function does not verify it.
    pub fn asserted(statement: &str, key: KeyId, response: AssertionResponse) -> Result<Self, EnvelopeError> {
        let signature = EnvelopeSignature { key_id: format!("{key}"), signature: response.into() };
        Self::new(PAYLOAD_TYPE, statement.as_bytes(), vec![signature])
    }
}

/// Why no decision was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignDecisionError {
    /// The statement is not valid; the signer was not asked.
    #[error("this cannot be signed: {0}")]
    Statement(#[from] StatementError),
    /// The signer failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The signer returned an invalid signature.
    #[error("the signer's signature was discarded: {0}")]
    Envelope(#[from] EnvelopeError),
}

/// An Ed25519 key held in memory. Wiped when dropped; `Debug` shows the key id only.
pub struct Ed25519StatementSigner {
    // Behind a pointer, so that moving the signer leaves no copy of the key behind.
    key: Box<SigningKey>,
    public_key: PublicKey,
}

impl Ed25519StatementSigner {
    /// A signer from the 32-byte seed of RFC 8032. The caller wipes its own copy of the seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, PublicKeyError> {
        let key = Box::new(SigningKey::from_bytes(seed));
        Ok(Self { public_key: PublicKey::ed25519(key.verifying_key().as_bytes())?, key })
    }
}

impl StatementSigner for Ed25519StatementSigner {
    fn public_key(&self) -> PublicKey {
        self.public_key.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<RawSignature, SignError> {
        Ok(self.key.sign(message).to_bytes().into())
    }
}

impl fmt::Debug for Ed25519StatementSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Ed25519StatementSigner");
        out.field("key_id", &self.public_key.key_id()).finish_non_exhaustive()
    }
}
