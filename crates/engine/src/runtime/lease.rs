//! The exclusive right to drive an instance. Of two simultaneous drives, each would take the other's unfinished action
//! for an interrupted one.

use crate::Error;
use crate::runtime::wakeups::Wakeups;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use store::InstanceKey;
use tokio::sync::Notify;

/// The leases of one host.
#[derive(Debug)]
pub(crate) struct LeaseTable {
    held: Arc<Mutex<HashMap<InstanceKey, LeaseEntry>>>,
    wakeups: Arc<Wakeups>,
}

/// The right to drive one instance. Dropping it releases the right, and wakes a caller that was refused in the
/// meantime.
#[derive(Debug)]
pub(crate) struct Lease {
    held: Arc<Mutex<HashMap<InstanceKey, LeaseEntry>>>,
    wakeups: Arc<Wakeups>,
    key: InstanceKey,
    interrupted: Notify,
}

/// A lease that is held.
#[derive(Debug)]
struct LeaseEntry {
    lease: Weak<Lease>,
    /// Another caller was refused it: the instance is due again when the lease ends.
    wanted: bool,
}

impl LeaseTable {
    /// A table without leases, which wakes the worker through `wakeups`.
    pub(crate) fn new(wakeups: Arc<Wakeups>) -> Self {
        Self { held: Arc::default(), wakeups }
    }

    /// Acquires the lease of an instance.
    ///
    /// # Errors
    /// [`Error::Busy`] while another caller has it.
    pub(crate) fn acquire(&self, key: &InstanceKey) -> Result<Arc<Lease>, Error> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.get_mut(key) {
            held.wanted = true;
            return Err(Error::Busy(key.clone()));
        }
        let lease = Arc::new(Lease {
            held: Arc::clone(&self.held),
            wakeups: Arc::clone(&self.wakeups),
            key: key.clone(),
            interrupted: Notify::new(),
        });
        held.insert(key.clone(), LeaseEntry { lease: Arc::downgrade(&lease), wanted: false });
        Ok(lease)
    }

    /// Makes the drive that holds the lease, if any, unwind its guest immediately.
    pub(crate) fn interrupt(&self, key: &InstanceKey) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = held.get(key).and_then(|held| held.lease.upgrade());
        // Dropped after the lock is released: this may be the last reference, and dropping the lease takes the lock.
        drop(held);
        if let Some(lease) = lease {
            lease.interrupted.notify_one();
        }
    }

    /// Has every drive of an instance that is meant unwind its guest.
    pub(crate) fn interrupt_all(&self, is_meant: impl Fn(&InstanceKey) -> bool) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<_> = held.keys().filter(|key| is_meant(key)).cloned().collect();
        drop(held);
        keys.iter().for_each(|key| self.interrupt(key));
    }

    /// The number of instances that are being driven.
    pub(crate) fn len(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Lease {
    /// Comes back when the guest is to be unwound.
    pub(crate) async fn interrupted(&self) {
        self.interrupted.notified().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        if held.is_some_and(|held| held.wanted) {
            self.wakeups.notify(&self.key);
        }
    }
}
