//! A decider's key, in a file or in an agent.

use crate::agent::{AgentError, AgentKey};
use crate::file::KeyFile;

/// The key that an approver signs with.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeciderKey {
    /// Read from a file, and in memory until it is dropped.
    File(KeyFile),
    /// In `ssh-agent`. It never enters this process.
    Agent(AgentKey),
}

/// Signing failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The agent did not, or not as it should.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

impl DeciderKey {
    /// The raw public key.
    pub fn public_key(&self) -> [u8; 32] {
        match self {
            Self::File(key) => key.public_key().to_bytes(),
            Self::Agent(key) => key.public_key().to_bytes(),
        }
    }

    /// The Ed25519 signature over `message`.
    ///
    /// # Errors
    /// The agent does not sign. A [`KeyFile`] that was opened always signs.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        match self {
            Self::File(key) => Ok(key.sign(message)),
            Self::Agent(key) => Ok(key.sign(message)?),
        }
    }
}
