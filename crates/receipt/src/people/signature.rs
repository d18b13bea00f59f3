//! A signature as a signer makes it, and the bytes that it is over.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::json::Object;

/// The bytes that DSSE signs: the type and the payload, each with its length, so that no two pairs give the same bytes.
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let (type_len, payload_len) = (payload_type.len(), payload.len());
    let mut bytes = format!("DSSEv1 {type_len} {payload_type} {payload_len} ").into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// A signature as a signer makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct RawSignature {
    /// The signature's bytes, in the form of its scheme.
    pub bytes: Vec<u8>,
    /// Data that a scheme needs for verification when it does not sign the message itself.
    pub extension: Option<Extension>,
}

/// Data that accompany a signature in schemes that sign a value derived from the message: a security key, a passkey.
///
/// A key whose scheme does not know `kind` does not accept the signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Extension {
    /// The format of `ext`.
    pub kind: String,
    /// The extension, as the scheme defines it.
    pub ext: Object,
}

impl From<[u8; 64]> for RawSignature {
    fn from(bytes: [u8; 64]) -> Self {
        Self { bytes: bytes.into(), extension: None }
    }
}
