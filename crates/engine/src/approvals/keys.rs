//! Operators' commands to the issuer's keys while a host runs.

use crate::issuer::{Keyring, KeyringError};
use crate::{Error, Host, ids};
use receipt::Scope;

impl Host {
    /// Makes new keys the signing keys. Signatures of the old keys remain valid. Returns the new keys' ids.
    ///
    /// # Errors
    /// The keys are in another process, or cannot be written.
    pub fn rotate_keys(&self) -> Result<Vec<String>, Error> {
        let now = self.0.now()?;
        let mut made = Vec::new();
        self.change_keys(|folder| {
            for scope in [Scope::Demo, Scope::Production] {
                made.push(Keyring::rotate(folder, scope, &ids::random_bytes()?, now)?);
            }
            Ok(())
        })?;
        Ok(made)
    }

    /// Revokes a key: from now on no signature of the key verifies, whenever it was made.
    ///
    /// # Errors
    /// There is no such key, the keys are in another process, or they cannot be written.
    pub fn revoke_key(&self, key_id: &str) -> Result<(), Error> {
        let now = self.0.now()?;
        self.change_keys(|folder| Ok(Keyring::revoke(folder, key_id, now)?))
    }

    /// Changes the folder's keys, and reloads them: the gate and the issuer change together.
    fn change_keys(&self, change: impl FnOnce(&std::path::Path) -> Result<(), Error>) -> Result<(), Error> {
        let state = &*self.0;
        if state.governance.issuer.is_remote() {
            return Err(Error::KeysAtAuthority);
        }
        let folder = state.journals.folder.keys();
        state.capabilities.change_keys(|_| {
            // Reloaded even after a failure half way: the file is authoritative.
            let changed = change(&folder);
            let taken_up = Keyring::read(&folder).map(|keyring| {
                let keys = keyring.keys.clone();
                state.governance.issuer.take_up(keyring);
                keys
            });
            changed.and_then(|()| taken_up.map(Some).map_err(|error: KeyringError| error.into()))
        })
    }
}
