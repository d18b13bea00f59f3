//! Assertions: the signature of a passkey over a challenge.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::authenticator::{AuthenticatorData, MAX_AUTHENTICATOR_DATA_LEN};
use super::client::{Ceremony, MAX_CLIENT_DATA_LEN, check};
use super::{Passkey, PasskeyError};
use crate::digest::Digest;
use crate::encoding;
use crate::format::decider::Webauthn;
use crate::json::{Json, Object};
use crate::people::signature::{Extension, RawSignature};
use crate::timestamp::Timestamp;

/// The kind of the extension that an assertion's signature has in an envelope.
pub const EXTENSION_KIND: &str = "webauthn.get/v1";

const AUTHENTICATOR_DATA: &str = "authenticatorData";
const CLIENT_DATA: &str = "clientDataJSON";

/// The longest signature, in bytes: 512 with an RSA key of 4096 bits, 72 with P-256 in DER.
const MAX_SIGNATURE_LEN: usize = if cfg!(feature = "rs256") { 512 } else { 72 };

/// The result of `navigator.credentials.get` in a browser: the bytes of the response's three members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionResponse {
    /// `authenticatorData`.
    pub authenticator_data: Vec<u8>,
    /// `clientDataJSON`, exactly as the browser wrote it.
    pub client_data_json: Vec<u8>,
    /// `signature`.
    pub signature: Vec<u8>,
}

/// The signed content of a verified assertion, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// The digest of the credential's id.
    pub credential_id_hash: Digest,
    /// The digest of the challenge's 32 bytes.
    pub challenge_hash: Digest,
    /// The digest of the authenticator data.
    pub authenticator_data_hash: Digest,
    /// The relying party.
    pub rp_id: String,
    /// The origin of the page that asked.
    pub origin: String,
    /// Whether the key may be copied to other devices.
    pub backup_eligible: bool,
    /// Whether the key had been copied when it signed.
    pub backed_up: bool,
    /// The authenticator's own count of signatures, which is not enforced.
    pub sign_count: u32,
}

impl Assertion {
    /// The specification's proof of this assertion. The digests are of the raw bytes.
    pub fn proof(&self, verified_at: Timestamp) -> Webauthn {
        Webauthn {
            credential_id_hash: self.credential_id_hash,
            challenge_hash: self.challenge_hash,
            authenticator_data_hash: self.authenticator_data_hash,
            // An assertion without it is not verified.
            user_verified: true,
            rp_id: self.rp_id.clone(),
            origin: self.origin.clone(),
            review_generation: None,
            verified_at,
        }
    }
}

impl Passkey {
    /// Verifies an assertion over a challenge: by this key, from one of its origins, for its relying party, with user verification.
    pub fn verify(
        &self,
        challenge: &Digest,
        response: &AssertionResponse,
    ) -> Result<Assertion, PasskeyError> {
        let AssertionResponse { authenticator_data, client_data_json, signature } = response;
        let origin = check(client_data_json, Ceremony::Assertion, challenge, self.origins())?;
        let data = AuthenticatorData::of_assertion(authenticator_data)?;
        data.check(self.rp_id())?;
        data.check_same(self)?;
        let message = [authenticator_data, Digest::of(client_data_json).as_bytes().as_slice()].concat();
        if signature.len() > MAX_SIGNATURE_LEN || !self.key.verifies(&message, signature) {
            return Err(PasskeyError::Signature);
        }
        Ok(Assertion {
            credential_id_hash: Digest::of(&self.credential_id),
            challenge_hash: Digest::of(challenge.as_bytes()),
            authenticator_data_hash: Digest::of(authenticator_data),
            rp_id: self.rp_id().to_owned(),
            origin,
            backup_eligible: data.is_backup_eligible(),
            backed_up: data.is_backed_up(),
            sign_count: data.sign_count,
        })
    }

    /// [`Self::verify`] for a signature of an envelope.
    pub(crate) fn verify_signature(
        &self,
        message: &[u8],
        signature: &RawSignature,
    ) -> Result<Assertion, PasskeyError> {
        self.verify(&Digest::of(message), &AssertionResponse::of(signature)?)
    }
}

impl AssertionResponse {
    /// Reads it from a signature: both members of the extension, in base64, and no other.
    fn of(signature: &RawSignature) -> Result<Self, PasskeyError> {
        let extension = signature.extension.as_ref().filter(|extension| extension.kind == EXTENSION_KIND);
        let Extension { ext, .. } = extension.ok_or(PasskeyError::Extension)?;
        if ext.len() != 2 {
            return Err(PasskeyError::Extension);
        }
        let bytes = |name: &str| {
            let text = ext.get(name).and_then(Json::as_str).ok_or(PasskeyError::Extension)?;
            encoding::from_base64(text).ok_or(PasskeyError::Extension)
        };
        Ok(Self {
            authenticator_data: bytes(AUTHENTICATOR_DATA)?,
            client_data_json: bytes(CLIENT_DATA)?,
            signature: signature.bytes.clone(),
        })
    }
}

impl From<AssertionResponse> for RawSignature {
    fn from(response: AssertionResponse) -> Self {
        let mut ext = Object::new();
        ext.insert(AUTHENTICATOR_DATA, encoding::base64(&response.authenticator_data));
        ext.insert(CLIENT_DATA, encoding::base64(&response.client_data_json));
        let extension = Extension { kind: EXTENSION_KIND.to_owned(), ext };
        Self { bytes: response.signature, extension: Some(extension) }
    }
}

/// A signature as long as one can be, for measuring.
pub(crate) fn longest() -> RawSignature {
    AssertionResponse {
        authenticator_data: vec![0; MAX_AUTHENTICATOR_DATA_LEN],
        client_data_json: vec![0; MAX_CLIENT_DATA_LEN],
        signature: vec![0; MAX_SIGNATURE_LEN],
    }
    .into()
}
