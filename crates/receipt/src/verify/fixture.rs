//! The frozen `jcs_v1` fixtures: not receipts, but often met.
//!
//! They follow the first text of the format literally: one flat object with the signature inside, the request as an
//! object, and the signature over the raw canonical bytes. No issued receipt has this form, so nothing here leads to a
//! [`VerifiedReceipt`](crate::VerifiedReceipt).

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::digest::Digest;
use crate::error::{VerifyError, malformed};
use crate::format::artifact::looks_like_one;
use crate::format::canonical::Canonicalization;
use crate::issuer::ed25519::is_signed;
use crate::issuer::keys::KeySet;
use crate::json::{Json, Object};
use crate::verify::{read_signature, resolve};

/// A frozen fixture.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixture {
    key_id: String,
    signature_b64: String,
    text: String,
}

impl Fixture {
    /// Reads a fixture.
    pub fn parse(text: &str) -> Result<Self, VerifyError> {
        let json = Json::parse(text)?;
        let member = |name: &str| json.get(name).and_then(Json::as_str).map(ToOwned::to_owned);
        let (Some(object), true) = (json.as_object(), looks_like_one(&json)) else {
            return Err(malformed("not one of the frozen jcs_v1 fixtures"));
        };
        let key_id = member("signatureKeyId").ok_or_else(|| malformed("no signatureKeyId"))?;
        let signature_b64 = member("signatureValue").ok_or_else(|| malformed("no signatureValue"))?;
        let mut payload = Object::new();
        for name in Canonicalization::JcsV1.fields() {
            if let Some(value) = object.get(name).filter(|value| **value != Json::Null) {
                payload.insert(*name, value.clone());
            }
        }
        Ok(Self { key_id, signature_b64, text: payload.canonical() })
    }

    /// The canonical text, which the signature covers.
    pub fn canonical(&self) -> &str {
        &self.text
    }

    /// The digest of the canonical text. Nothing signs it; it is published to compare canonicalizations by.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }
}

/// Checks a fixture's signature over its raw bytes. Success means that the fixture is intact; it authorises nothing.
pub fn verify_fixture(fixture: &Fixture, keys: &KeySet) -> Result<(), VerifyError> {
    let key = resolve(&fixture.key_id, keys)?;
    let signature = read_signature(&fixture.signature_b64)?;
    if is_signed(key, fixture.text.as_bytes(), &signature) {
        Ok(())
    } else {
        Err(VerifyError::SignatureInvalid("the fixture was changed".into()))
    }
}
