//! PKCS#8, plain and encrypted: what `openssl genpkey` and [`generate`](super::generate) write.

use ed25519_dalek::SigningKey;
use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode as _, ErrorKind};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{Kdf, PBES2_OID, ScryptParams};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef, der, pkcs5};

use super::error::FileErrorKind;
use crate::file::passphrase::Passphrase;
use crate::kind::Kind;

/// Some seconds of PBKDF2. openssl uses 2048 iterations by default; the advice for passwords at rest is 600 000.
const ITERATIONS_MAX: u64 = 10_000_000;

/// Memory of scrypt, `128 · N · r`, times its lanes. openssl uses 16 MiB.
const SCRYPT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A plain key.
pub(super) fn parse(der: &[u8]) -> Result<SigningKey, FileErrorKind> {
    let info =
        PrivateKeyInfoRef::try_from(der).map_err(|_| FileErrorKind::Damaged("the block is not PKCS#8"))?;
    key(info)
}

/// An encrypted key.
pub(super) fn decrypt(
    der: &[u8],
    unlock: impl FnOnce() -> Result<Passphrase, FileErrorKind>,
) -> Result<SigningKey, FileErrorKind> {
    let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|error| unreadable(der, error))?;
    bound(&info.encryption_algorithm)?;
    let passphrase = unlock()?;
    let plain = info.decrypt(passphrase.as_bytes()).map_err(undecryptable)?;
    // One wrong passphrase in 256 decrypts to bytes with valid padding that are not a key.
    let info = PrivateKeyInfoRef::try_from(plain.as_bytes()).map_err(|_| FileErrorKind::WrongPassphrase)?;
    key(info)
}

fn key(info: PrivateKeyInfoRef<'_>) -> Result<SigningKey, FileErrorKind> {
    Kind::from_oid(info.algorithm.oid).supported()?;
    SigningKey::try_from(info).map_err(|_| FileErrorKind::Damaged("its halves do not belong together"))
}

/// The file states the work for a passphrase. This function bounds it.
fn bound(encryption: &EncryptionScheme) -> Result<(), FileErrorKind> {
    let EncryptionScheme::Pbes2(parameters) = encryption else {
        return Err(FileErrorKind::Encryption(encryption.oid().to_string()));
    };
    let (asked, limit, unit) = match &parameters.kdf {
        Kdf::Pbkdf2(kdf) => (u64::from(kdf.iteration_count), ITERATIONS_MAX, "rounds of PBKDF2"),
        Kdf::Scrypt(kdf) => (scrypt_bytes(kdf), SCRYPT_BYTES_MAX, "bytes of scrypt"),
        other => return Err(FileErrorKind::Encryption(other.oid().to_string())),
    };
    match asked {
        // Not only useless: a cost of zero makes the library panic.
        0 => Err(FileErrorKind::Damaged("it asks for no work to try a passphrase")),
        _ if asked > limit => Err(FileErrorKind::Work { asked, limit, unit }),
        _ => Ok(()),
    }
}

fn scrypt_bytes(kdf: &ScryptParams) -> u64 {
    let [block, lanes] = [kdf.block_size, kdf.parallelization].map(u64::from);
    kdf.cost_parameter.saturating_mul(128).saturating_mul(block).saturating_mul(lanes)
}

/// Names the algorithm, if the library knows the form but not the algorithm.
fn unreadable(der: &[u8], error: der::Error) -> FileErrorKind {
    match (error.kind(), algorithm(der)) {
        (ErrorKind::OidUnknown { oid }, _) => FileErrorKind::Encryption(oid.to_string()),
        (_, Some(oid)) if oid != PBES2_OID => FileErrorKind::Encryption(oid.to_string()),
        _ => FileErrorKind::Damaged("the block is not encrypted PKCS#8"),
    }
}

fn algorithm(der: &[u8]) -> Option<ObjectIdentifier> {
    let outer = AnyRef::from_der(der).ok()?;
    let oid = outer.sequence(|reader| {
        let oid = AlgorithmIdentifierRef::decode(reader)?.oid;
        AnyRef::decode(reader)?;
        Ok::<_, der::Error>(oid)
    });
    oid.ok()
}

fn undecryptable(error: pkcs8::Error) -> FileErrorKind {
    use pkcs5::Error::{AlgorithmParametersInvalid, UnsupportedAlgorithm};
    match error {
        pkcs8::Error::EncryptedPrivateKey(UnsupportedAlgorithm { oid }) => {
            FileErrorKind::Encryption(oid.to_string())
        }
        pkcs8::Error::EncryptedPrivateKey(AlgorithmParametersInvalid { .. }) => {
            FileErrorKind::Damaged("the parameters of its encryption contradict each other")
        }
        _ => FileErrorKind::WrongPassphrase,
    }
}
