//! Wake-ups: the notice that an instance has become due, for the worker.

use std::sync::{Mutex, PoisonError};
use store::InstanceKey;
use tokio::sync::Notify;

/// Names that are kept while no worker listens. The schedule has the others.
const NAMES: usize = 4_096;

/// Rung for every instance that has become due.
#[derive(Debug, Default)]
pub(crate) struct Wakeups {
    woken: Mutex<Woken>,
    notify: Notify,
}

/// The instances that became due since the worker listened last.
#[derive(Debug, Default)]
pub(crate) struct Woken {
    /// The instances.
    pub(crate) keys: Vec<InstanceKey>,
    /// Whether there were more names than are kept.
    pub(crate) and_more: bool,
}

impl Wakeups {
    /// Reports that this instance is due.
    pub(crate) fn notify(&self, key: &InstanceKey) {
        {
            let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            match woken.keys.len() < NAMES {
                true => woken.keys.push(key.clone()),
                false => woken.and_more = true,
            }
        }
        self.notify.notify_one();
    }

    /// Instances may be due whose names are not known here.
    pub(crate) fn notify_all(&self) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).and_more = true;
        self.notify.notify_one();
    }

    /// Comes back when it was woken.
    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }

    /// Takes the wake-ups since the last call.
    pub(crate) fn take(&self) -> Woken {
        std::mem::take(&mut self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
