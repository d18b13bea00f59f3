//! Registrations: the ceremony that creates a passkey.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::authenticator::AuthenticatorData;
use super::client::{Ceremony, check};
use super::{
    CredentialKey, MAX_CREDENTIAL_ID_LEN, MAX_ORIGIN_LEN, MAX_ORIGINS, NO_KEY, Passkey, PasskeyError, belongs,
};
use crate::digest::Digest;
use crate::format::decider::{is_host_name, origin};
use crate::people::scheme::PublicKeyError;

/// The party that may ask a passkey to sign: a host name, and the origins of pages on it or below it.
// INVARIANT: 1 to MAX_ORIGINS origins, each written as the URL standard writes it, on the host or below it, and `https` but on localhost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    rp_id: String,
    origins: BTreeSet<String>,
}

impl RelyingParty {
    /// A relying party. Browsers are stricter: they create no passkeys for a host name that is a public suffix.
    pub fn new(rp_id: &str, origins: impl IntoIterator<Item = String>) -> Result<Self, PublicKeyError> {
        let labels = || rp_id.split('.');
        let is_lowercase = !rp_id.bytes().any(|byte| byte.is_ascii_uppercase());
        let is_number =
            labels().next_back().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_host_name(rp_id) || !is_lowercase || labels().any(str::is_empty) || is_number {
            return Err(PublicKeyError::Passkey("its rpId is no host name in lowercase"));
        }
        let origins: BTreeSet<_> = origins.into_iter().collect();
        if !(1..=MAX_ORIGINS).contains(&origins.len()) {
            return Err(PublicKeyError::Passkey("it has no origin, or more than 8"));
        }
        let fits = |text: &String| text.len() <= MAX_ORIGIN_LEN && origin::is_canonical(text);
        if !origins.iter().all(fits) {
            return Err(PublicKeyError::Passkey(
                "one of its origins is not written as the URL standard writes it: https://host or https://host:port",
            ));
        }
        if !origins.iter().all(|origin| belongs(origin, rp_id)) {
            return Err(PublicKeyError::Passkey(
                "one of its origins is not on its rpId's host, or not https (http is for localhost)",
            ));
        }
        Ok(Self { rp_id: rp_id.to_owned(), origins })
    }

    /// The relying party of one page: its own host.
    pub fn of_origin(text: &str) -> Result<Self, PublicKeyError> {
        let host = origin::host(text).unwrap_or_default();
        Self::new(host, [text.to_owned()])
    }

    /// The host name.
    pub fn rp_id(&self) -> &str {
        &self.rp_id
    }

    /// The origins of pages that may ask.
    pub fn origins(&self) -> &BTreeSet<String> {
        &self.origins
    }
}

/// The result of `navigator.credentials.create` in a browser: the bytes that the response's methods and members return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationResponse {
    /// `getPublicKey()`: a SubjectPublicKeyInfo.
    pub public_key: Vec<u8>,
    /// `getAuthenticatorData()`.
    pub authenticator_data: Vec<u8>,
    /// `clientDataJSON`, exactly as the browser wrote it.
    pub client_data_json: Vec<u8>,
}

impl Passkey {
    /// Checks a registration for this challenge. The authenticator is not attested: an operator compares the key's id
    /// with the id that the person sees, and confirms it.
    pub fn register(
        response: &RegistrationResponse,
        relying_party: &RelyingParty,
        challenge: &Digest,
    ) -> Result<Self, PasskeyError> {
        let RegistrationResponse { public_key, authenticator_data, client_data_json } = response;
        check(client_data_json, Ceremony::Registration, challenge, relying_party.origins())?;
        let data = AuthenticatorData::of_registration(authenticator_data)?;
        data.check(relying_party.rp_id())?;
        let key = CredentialKey::from_spki(public_key).ok_or(PasskeyError::Registration(NO_KEY))?;
        let (aaguid, credential_id) = data.credential(&key.to_cose())?;
        if !(1..=MAX_CREDENTIAL_ID_LEN).contains(&credential_id.len()) {
            return Err(PasskeyError::AuthenticatorData("the credential's id is not 1 to 1023 bytes"));
        }
        Ok(Self {
            key,
            credential_id: credential_id.to_vec(),
            relying_party: relying_party.clone(),
            aaguid,
            backup_eligible: data.is_backup_eligible(),
            backed_up: data.is_backed_up(),
        })
    }
}
