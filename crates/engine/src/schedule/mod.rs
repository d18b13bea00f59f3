//! The worker: drives every due instance, until it is stopped.
//!
//! Due instances are found in the schedule by index: when the worker begins, at the next due time, and when more
//! instances were due than fit in memory. Instances that become due in this process send a wake-up. In a folder there
//! is no polling, and a waiting instance costs nothing here. If several hosts share a store, each drives the shards
//! that it has claimed, and polls for the others' appends.
//!
//! ```text
//!   schedule ──refill──► ready: a queue a tenant ──round robin──► drives, so many at once ──► parked, ended, or in trouble
//!   bell ─────────────►                                                │
//!   ▲ created, decided                                                 └── due again ──► ready
//! ```

mod claims;
mod queue;
mod retention;
mod worker;

use crate::{Error, Host};
use receipt::Timestamp;
use std::time::Duration;
use store::InstanceKey;
use worker::Worker;

/// The bounds of a worker: concurrent drives, and the time to end them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Concurrent drives, over all tenants. Default 64: they share few threads, and each waits for the disk most of its time.
    pub max_drives: usize,
    /// The time for which drives may continue after the signal to stop. Default 10 s. A drive that does not end in time
    /// is unwound, and continues from its journal later.
    pub grace: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { max_drives: 64, grace: Duration::from_secs(10) }
    }
}

impl Host {
    /// Whether this host drives the instance now: always, unless it shares its store with other hosts.
    #[must_use]
    pub fn drives(&self, key: &InstanceKey) -> bool {
        self.0.claims.check(key).is_ok()
    }

    /// The time by which requests lapse.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn now(&self) -> Result<Timestamp, Error> {
        self.0.now()
    }

    /// Drives every due instance, including those that become due, until `stop` completes, and deletes those that ended
    /// longer ago than their tenant's retention. Tenants take turns.
    ///
    /// # Errors
    /// When the schedule cannot be read. An error of one instance is reported to
    /// [`Builder::on_instance_error`](crate::Builder::on_instance_error), and the instance is tried again later.
    pub async fn work(&self, options: WorkerOptions, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let kept = retention::keep(self);
        let worked = tokio::select! {
            worked = Worker::new(self, options).run(stop) => worked,
            never = kept => never.map(|never| match never {}),
            never = claims::renew(self) => match never {},
        };
        claims::end(self).await;
        worked
    }
}
