//! An approver's key: where it is, and how it signs.
//!
//! An approver signs with an Ed25519 key of their own that the host does not have: in a file, or in `ssh-agent`. This
//! crate finds that key and signs bytes with it, without interpreting them. The caller must pass only messages that no
//! other protocol could accept: the agent signs every message, and the same key may log in to servers.
//!
//! # Public keys
//!
//! [`PublicKey`] reads and writes the line that `ssh-keygen` writes and the PEM block that `openssl` writes.
//!
//! # A key in a file
//!
//! [`KeyFile::open`] reads PKCS#8 in PEM and OpenSSH's own form, plain or encrypted. It refuses a file that other
//! accounts can read or own, asks for a passphrase through a closure, and bounds the work that a file may demand for
//! one.
//!
//! ```
//! use signer::{DeciderKey, KeyFile, PublicKey, ask_on_terminal};
//!
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("alice.pem");
//! let public: PublicKey = signer::generate(&path)?;
//!
//! let key = DeciderKey::File(KeyFile::open(&path, ask_on_terminal)?);
//! let signature = key.sign(b"a message")?;
//! assert!(public.verifies(b"a message", &signature));
//! assert_eq!(PublicKey::parse(&public.to_openssh())?, PublicKey::parse(&public.to_pem())?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A key in ssh-agent
//!
//! [`Agent::key`] finds a key in the agent; [`AgentKey::sign`] signs with it. The agent's answer is bounded in time and
//! size, and a signature is verified before it is returned.
//!
//! ```no_run
//! use signer::{Agent, DeciderKey, PublicKey};
//! use std::path::Path;
//!
//! let alice = PublicKey::read(Path::new("alice.pub"))?;
//! let key = DeciderKey::Agent(Agent::from_environment()?.key(&alice)?);
//! let signature = key.sign(b"a message")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Invariants
//!
//! - Only Ed25519 signs. Errors name other kinds. A FIDO key signs more than the message and needs another verifier;
//!   [`Kind`], [`DeciderKey`] and every error have room for it.
//! - The user is not asked for the passphrase of an unusable key, as far as that shows without it: PKCS#8 encrypts the
//!   kind as well.
//! - No file, agent or passphrase makes this crate wait, allocate or compute without a bound.
//! - Private keys, passphrases and decrypted bytes are wiped when they are dropped, and no `Debug` shows them. Copies
//!   that the libraries keep on their stacks while they derive a key from a passphrase are not wiped.
//!
//! # Choice of libraries
//!
//! - The `pkcs8` crate reads PKCS#8. Its encryption uses the same `sha2` and `der` that are dependencies anyway.
//! - OpenSSH's private keys are read here, with `bcrypt-pbkdf`, `aes` and `ctr`. The one crate for them, `ssh-key`, is
//!   a release candidate (0.7.0-rc.11) on these versions of the cryptography. It does as much work for a passphrase as
//!   the file demands, does not name the kind of a key that it refuses, and brings ciphers that `ssh-keygen` does not
//!   write by default. The format is a few length-prefixed fields, and the agent's answers need a reader for those
//!   anyway.
//! - The agent's protocol is two messages, written out here. The crates for it depend on `ssh-key` 0.6, and so on a
//!   second copy of Ed25519 and SHA-2.

mod agent;
mod encoding;
mod file;
mod key;
mod kind;
mod public;

pub use agent::{Agent, AgentError, AgentKey, Identity, Timeouts};
pub use file::passphrase::{Passphrase, ask_on_terminal};
pub use file::{FileError, FileErrorKind, KeyFile, generate};
pub use key::{DeciderKey, SignError};
pub use kind::{Kind, Unsupported};
pub use public::{PublicKey, PublicKeyError};
