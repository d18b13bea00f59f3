//! The hash functions that sign requests.

use hmac::{Hmac, KeyInit as _, Mac as _};
use object_store::client::{
    CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, Signer, SigningAlgorithm,
};
use object_store::{Error, Result};
use sha2::{Digest as _, Sha256};

/// SHA-256, by the crates that the rest of the project uses.
#[derive(Debug)]
pub(crate) struct Hashes;

/// A hash under way, and its result.
struct Running<T>(Option<T>, [u8; 32]);

impl CryptoProvider for Hashes {
    fn digest(&self, algorithm: DigestAlgorithm) -> Result<Box<dyn DigestContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => Ok(Box::new(Running(Some(Sha256::new()), [0; 32]))),
            _ => Err(unknown()),
        }
    }

    fn hmac(&self, algorithm: DigestAlgorithm, secret: &[u8]) -> Result<Box<dyn HmacContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(secret).map_err(|_| unknown())?;
                Ok(Box::new(Running(Some(mac), [0; 32])))
            }
            _ => Err(unknown()),
        }
    }

    fn sign(&self, _: SigningAlgorithm, _: &[u8]) -> Result<Box<dyn Signer>> {
        Err(unknown())
    }
}

fn unknown() -> Error {
    Error::NotSupported { source: "only SHA-256 and its HMAC are used with S3".into() }
}

impl DigestContext for Running<Sha256> {
    fn update(&mut self, data: &[u8]) {
        if let Some(hash) = &mut self.0 {
            hash.update(data);
        }
    }

    fn finish(&mut self) -> Result<&[u8]> {
        if let Some(hash) = self.0.take() {
            self.1 = hash.finalize().into();
        }
        Ok(&self.1)
    }
}

impl HmacContext for Running<Hmac<Sha256>> {
    fn update(&mut self, data: &[u8]) {
        if let Some(mac) = &mut self.0 {
            mac.update(data);
        }
    }

    fn finish(&mut self) -> Result<&[u8]> {
        if let Some(mac) = self.0.take() {
            self.1 = mac.finalize().into_bytes().into();
        }
        Ok(&self.1)
    }
}
