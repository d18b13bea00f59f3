//! The host's actions: the gate, and the capabilities behind it.

use crate::capability::{Gate, Registry};
use receipt::KeySet;
use std::sync::{Arc, PoisonError, RwLock};

/// The capabilities of a host, and the gate in front of all of them.
pub(crate) struct Capabilities {
    /// Another one from the moment on at which the key set changes.
    gate: RwLock<Arc<Gate>>,
    pub(crate) registry: Registry,
}

impl Capabilities {
    /// These capabilities, behind a gate that trusts these keys.
    pub(crate) fn new(keys: KeySet, registry: Registry) -> Self {
        Self { gate: RwLock::new(Arc::new(Gate::new(keys))), registry }
    }

    /// The gate, with the keys that it trusts now.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the key set, one change at a time. The gate trusts what `change` returns before the next receipt is checked; if it fails
    /// or returns none, the gate stays as it is.
    pub(crate) fn change_keys<E>(
        &self,
        change: impl FnOnce(&KeySet) -> Result<Option<KeySet>, E>,
    ) -> Result<(), E> {
        let mut gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = change(gate.keys())? {
            *gate = Arc::new(Gate::new(keys));
        }
        Ok(())
    }
}
