//! Why a key file cannot be used.

use std::io;
use std::path::PathBuf;

use crate::kind::Unsupported;
use crate::public::PublicKeyError;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the key file {}: {problem}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The problem.
    pub problem: FileErrorKind,
}

/// The problem of a key file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// Reading or writing.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A folder, a pipe, a device.
    #[error("it is no regular file")]
    NotAFile,
    /// Text in another encoding.
    #[error("it is text in UTF-16, as some Windows programs write it: save it as UTF-8 or ASCII")]
    Utf16,
    /// The file is larger than any key.
    #[error("it has more than {limit} bytes, and no key has: is this the right file?")]
    TooLarge {
        /// The most that is read.
        limit: u64,
    },
    /// Others can read the private key.
    #[error(
        "it has mode {mode:04o}, so other accounts can read or change it: chmod 600 it, and replace the key if another account may have read it"
    )]
    Mode {
        /// The file's mode.
        mode: u32,
    },
    /// Another account owns it.
    #[error("it belongs to user {owner}, and you are user {user}: use a key of your own")]
    Owner {
        /// The owner's user id.
        owner: u32,
        /// This process's user id.
        user: u32,
    },
    /// The file has no known form of a private key.
    #[error(
        "it is no private key in PEM (PRIVATE KEY, ENCRYPTED PRIVATE KEY or OPENSSH PRIVATE KEY); puttygen -O private-openssh and openssl pkey convert others"
    )]
    NotAKey,
    /// The public half.
    #[error(
        "it is a public key, and signing takes the private half: OpenSSH keeps it in the same folder, under the same name without .pub"
    )]
    NotPrivate,
    /// The key is of a kind that cannot sign here.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The text begins like a key, but the rest is invalid.
    #[error("it is damaged: {0}; restore it from a backup")]
    Damaged(&'static str),
    /// Encrypted in a way that is not known here.
    #[error(
        "it is encrypted with {0}, which is not supported here: ssh-keygen -p (OpenSSH keys) or openssl pkcs8 -topk8 -v2 aes-256-cbc (PKCS#8 keys) encrypt it anew"
    )]
    Encryption(String),
    /// Turning the passphrase into a key would take minutes or all memory.
    #[error(
        "it asks for {asked} {unit} to try a passphrase, and {limit} is the most that is done here: encrypt it anew with less"
    )]
    Work {
        /// The work that it demands.
        asked: u64,
        /// The most that is done.
        limit: u64,
        /// The unit of the cost.
        unit: &'static str,
    },
    /// The passphrase could not be asked for.
    #[error(
        "it is encrypted, and the passphrase cannot be asked for: {0}; without a terminal, ssh-add the key and sign with ssh-agent"
    )]
    Prompt(#[source] io::Error),
    /// The passphrase is empty.
    #[error("it is encrypted, and the passphrase was left empty")]
    NoPassphrase,
    /// The passphrase is wrong.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The public key is invalid.
    #[error(transparent)]
    Public(PublicKeyError),
    /// The path of the new key already exists.
    #[error("it exists, and nothing is overwritten: give another name, or move it away")]
    Exists,
}
