//! Keys in files.

mod error;
mod generate;
mod openssh;
pub(crate) mod passphrase;
mod pkcs8;
mod read;

use std::path::Path;
use std::{fmt, io};

use ed25519_dalek::{Signer as _, SigningKey};

use crate::encoding::pem;
use crate::file::passphrase::Passphrase;
use crate::kind::{Kind, Unsupported};
use crate::public::{PublicKey, looks_like_a_key};

pub use error::{FileError, FileErrorKind};
pub use generate::generate;

impl PublicKey {
    /// Reads a public key, in either form, from a file.
    ///
    /// # Errors
    /// When the file cannot be read, is larger than any key, or is not exactly one Ed25519 public key.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let parsed =
            read::read_public(path).and_then(|text| Self::parse(&text).map_err(FileErrorKind::Public));
        parsed.map_err(|problem| FileError { path: path.to_owned(), problem })
    }
}

/// A private key that was read from a file. Wiped when dropped; `Debug` shows the public half only.
pub struct KeyFile(SigningKey);

impl KeyFile {
    /// Reads a private key: PKCS#8 in PEM, or OpenSSH's form. Calls `ask` with a prompt when the key is encrypted, and
    /// only after every unencrypted part is valid. A command line passes [`ask_on_terminal`](crate::ask_on_terminal).
    ///
    /// An altered PKCS#8 key may open as another key: compare [`public_key`](Self::public_key) with the expected one. A
    /// symbolic link is followed; the file at its end must be readable by the caller's account only.
    ///
    /// # Errors
    /// When the file cannot be read, others can read it, it is no Ed25519 key, or the passphrase is wrong.
    pub fn open(path: &Path, ask: impl FnOnce(&str) -> io::Result<Passphrase>) -> Result<Self, FileError> {
        let unlock = || {
            let prompt = format!("passphrase for {}: ", path.display());
            match ask(&prompt).map_err(FileErrorKind::Prompt)? {
                passphrase if passphrase.as_bytes().is_empty() => Err(FileErrorKind::NoPassphrase),
                passphrase => Ok(passphrase),
            }
        };
        let parsed = read::read_private(path).and_then(|text| parse(&text, unlock));
        parsed.map(Self).map_err(|problem| FileError { path: path.to_owned(), problem })
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of(&self.0)
    }

    /// The Ed25519 signature over `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyFile").field(&self.public_key()).finish()
    }
}

fn parse(
    text: &str,
    unlock: impl FnOnce() -> Result<Passphrase, FileErrorKind>,
) -> Result<SigningKey, FileErrorKind> {
    let bytes = || {
        pem::decode(pem::without_mark(text))
            .ok_or(FileErrorKind::Damaged("the PEM block is cut or has something behind it"))
    };
    let text = pem::without_mark(text);
    match pem::label(text) {
        Some("PRIVATE KEY") => pkcs8::parse(&bytes()?),
        Some("ENCRYPTED PRIVATE KEY") => pkcs8::decrypt(&bytes()?, unlock),
        Some("OPENSSH PRIVATE KEY") => openssh::parse(&bytes()?, unlock),
        Some("RSA PRIVATE KEY") => unsupported(Kind::Rsa),
        Some("EC PRIVATE KEY") => unsupported(Kind::Ecdsa),
        Some("DSA PRIVATE KEY") => unsupported(Kind::Dsa),
        _ if is_public(text) => Err(FileErrorKind::NotPrivate),
        _ => Err(FileErrorKind::NotAKey),
    }
}

/// Whether a text is a public key in one of its forms.
fn is_public(text: &str) -> bool {
    let text = pem::without_mark(text);
    match pem::label(text) {
        Some(label) => label == "PUBLIC KEY",
        None => looks_like_a_key(text),
    }
}

fn unsupported(kind: Kind) -> Result<SigningKey, FileErrorKind> {
    Err(FileErrorKind::Unsupported(Unsupported { kind }))
}
