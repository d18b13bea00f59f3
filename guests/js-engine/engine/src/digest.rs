//! `crypto.subtle.digest`.

use sha2::Digest as _;
use sha2::Sha256;
use sha2::Sha384;
use sha2::Sha512;

/// The digest of that name, where there is one.
pub(crate) fn digest(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    match name {
        "SHA-256" => Some(Sha256::digest(bytes).to_vec()),
        "SHA-384" => Some(Sha384::digest(bytes).to_vec()),
        "SHA-512" => Some(Sha512::digest(bytes).to_vec()),
        _ => None,
    }
}
