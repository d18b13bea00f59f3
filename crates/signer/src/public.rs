//! Public keys: both forms that people have them in.

use std::fmt;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use ed25519_dalek::pkcs8::EncodePublicKey as _;
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use pkcs8::LineEnding;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use sha2::{Digest as _, Sha256};

use crate::encoding::pem;
use crate::encoding::wire::{Reader, put_string};
use crate::kind::{Kind, Unsupported};

/// OpenSSH's name of Ed25519.
pub(crate) const SSH_ED25519: &[u8] = b"ssh-ed25519";

/// An Ed25519 public key.
// INVARIANT: the canonical encoding of a point that is not of small order, so one key has one name and verifies only
// its holder's signatures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Why a text is not an approver's public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Neither form.
    #[error("not a public key: it takes one line `ssh-ed25519 AAAA... comment`, or a PEM block `PUBLIC KEY`")]
    NotAKey,
    /// The text begins like a key, but the rest is invalid.
    #[error("the public key is damaged: copy it again, whole")]
    Damaged,
    /// More keys than one.
    #[error("{0} keys, where one is needed: leave the others out")]
    Several(usize),
    /// The key is of another kind.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The secret half.
    #[error(
        "this is a private key, and the public one is needed: OpenSSH keeps it in the same folder, with .pub; openssl pkey -pubout writes it"
    )]
    Private,
    /// The right size, but weak or not canonical: it would verify signatures that no holder made, or has a second name.
    #[error("the 32 bytes are no Ed25519 public key that anything could be verified with")]
    Weak,
}

impl PublicKey {
    /// Checks the 32 bytes of RFC 8032.
    ///
    /// # Errors
    /// The bytes encode no point, a weak point, or a point in a non-canonical way.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, PublicKeyError> {
        match VerifyingKey::from_bytes(bytes) {
            Ok(key) if !key.is_weak() && key.to_edwards().compress().as_bytes() == bytes => Ok(Self(key)),
            _ => Err(PublicKeyError::Weak),
        }
    }

    /// Reads a line in OpenSSH's form, or a PEM block `PUBLIC KEY`. Empty lines and lines that begin with `#` do not count.
    ///
    /// # Errors
    /// When the text is not exactly one Ed25519 public key.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        let text = pem::without_mark(text);
        match pem::label(text) {
            Some("PUBLIC KEY") => from_pem(text),
            Some(label) if label.ends_with("PRIVATE KEY") => Err(PublicKeyError::Private),
            Some(_) => Err(PublicKeyError::NotAKey),
            None => from_lines(text),
        }
    }

    /// The 32 bytes of RFC 8032.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// A line as `ssh-keygen` writes it, without a comment and without an end of line.
    pub fn to_openssh(&self) -> String {
        format!("ssh-ed25519 {}", BASE64_STANDARD.encode(self.to_blob()))
    }

    /// A PEM block `PUBLIC KEY` as `openssl` writes it.
    pub fn to_pem(&self) -> String {
        // Encoding 32 bytes does not fail; every reader would refuse an empty text.
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// The fingerprint that `ssh-keygen -l` and `ssh-add -l` show.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.to_blob())
    }

    /// Whether `signature` is this key's over `message`, by strict verification: all strict verifiers agree.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }

    /// The public half of a private key.
    pub(crate) fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key())
    }

    /// The key as the SSH protocols write it.
    pub(crate) fn to_blob(self) -> Vec<u8> {
        let mut blob = Vec::new();
        put_string(&mut blob, SSH_ED25519);
        put_string(&mut blob, self.0.as_bytes());
        blob
    }

    /// The reverse, for keys of any kind.
    pub(crate) fn from_blob(blob: &[u8]) -> Result<Self, PublicKeyError> {
        let mut reader = Reader::new(blob);
        let name = reader.string().ok_or(PublicKeyError::Damaged)?;
        Kind::from_ssh_name(name).supported()?;
        let bytes = reader.array().ok_or(PublicKeyError::Damaged)?;
        reader.end().ok_or(PublicKeyError::Damaged)?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

pub(crate) fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

fn from_pem(text: &str) -> Result<PublicKey, PublicKeyError> {
    let der = pem::decode(text).ok_or(PublicKeyError::Damaged)?;
    let info = SubjectPublicKeyInfoRef::try_from(der.as_slice()).map_err(|_| PublicKeyError::Damaged)?;
    Kind::from_oid(info.algorithm.oid).supported()?;
    let bytes = info.subject_public_key.as_bytes().and_then(|bytes| bytes.try_into().ok());
    match (info.algorithm.parameters, bytes) {
        (None, Some(bytes)) => PublicKey::from_bytes(bytes),
        _ => Err(PublicKeyError::Damaged),
    }
}

fn from_lines(text: &str) -> Result<PublicKey, PublicKeyError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    match lines.collect::<Vec<_>>().as_slice() {
        [line] => from_line(line),
        [first, ..] if !looks_like_a_key(first) => Err(PublicKeyError::NotAKey),
        [] => Err(PublicKeyError::NotAKey),
        lines => Err(PublicKeyError::Several(lines.len())),
    }
}

fn from_line(line: &str) -> Result<PublicKey, PublicKeyError> {
    if !looks_like_a_key(line) {
        return Err(PublicKeyError::NotAKey);
    }
    let mut words = line.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default();
    Kind::from_ssh_name(kind.as_bytes()).supported()?;
    let blob = words.next().and_then(|word| BASE64_STANDARD.decode(word).ok());
    PublicKey::from_blob(&blob.ok_or(PublicKeyError::Damaged)?)
}

/// Whether the first word names an algorithm, so that the rest of the line is a key.
pub(crate) fn looks_like_a_key(line: &str) -> bool {
    let name = line.split_ascii_whitespace().next().unwrap_or_default();
    ["ssh-", "ecdsa-sha2-", "sk-"].iter().any(|prefix| name.starts_with(prefix))
}
