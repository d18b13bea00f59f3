//! Who has become due, from whoever made it so to whoever works.

use std::sync::{Mutex, PoisonError};
use store::InstanceKey;
use tokio::sync::Notify;

/// Names that are kept while nobody listens. What is beyond is found in the agenda.
const NAMES: usize = 4_096;

/// Rung for every instance that has become due.
#[derive(Debug, Default)]
pub(crate) struct Wakeups {
    rung: Mutex<Woken>,
    notify: Notify,
}

/// What was rung for since somebody listened.
#[derive(Debug, Default)]
pub(super) struct Woken {
    /// The instances.
    pub(super) keys: Vec<InstanceKey>,
    /// There were more.
    pub(super) and_more: bool,
}

impl Wakeups {
    /// This instance is due.
    pub(crate) fn ring(&self, key: &InstanceKey) {
        {
            let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
            match rung.keys.len() < NAMES {
                true => rung.keys.push(key.clone()),
                false => rung.and_more = true,
            }
        }
        self.notify.notify_one();
    }

    /// Comes back when it was rung.
    pub(super) async fn rung(&self) {
        self.notify.notified().await;
    }

    /// What it was rung for.
    pub(super) fn take(&self) -> Woken {
        std::mem::take(&mut self.rung.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
