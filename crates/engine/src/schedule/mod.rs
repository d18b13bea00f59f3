//! Driving whatever is due, until told to stop.
//!
//! What is due is found in the agenda, by index: when the work begins, when the time of the next one comes, and when more was due than
//! is kept in memory. What becomes due in this process rings the bell. In a folder, nothing is polled, and an instance that waits costs
//! nothing here. Where several hosts share a store, each drives the shards that it has claimed, and looks for what others have appended.
//!
//! ```text
//!   agenda ──refill──► ready: a queue a tenant ──round robin──► drives, so many at once ──► parked, ended, or in trouble
//!   bell ─────────────►                                                │
//!   ▲ created, decided                                                 └── due again ──► ready
//! ```

mod claims;
mod queue;
mod retention;
mod worker;

use crate::{Error, Host};
use std::time::Duration;
use worker::Worker;

/// How much is driven at once, and how long there is to end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Drives at once, over all tenants. Default 64: they share few threads, and each waits for the disk most of its time.
    pub at_once: usize,
    /// How long drives may go on after the word to stop. Default 10 s. Whatever does not end in time is unwound, and goes on from its
    /// journal another time.
    pub grace: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { at_once: 64, grace: Duration::from_secs(10) }
    }
}

impl Host {
    /// Drives every instance that is due, and those that become due, until `stop` comes, and deletes those that ended longer ago than
    /// their tenant's retention. No tenant keeps another waiting for more than its turn.
    ///
    /// # Errors
    /// When the agenda cannot be read. What goes wrong with one instance is told to [`Builder::trouble`](crate::Builder::trouble), and
    /// the instance is tried again later.
    pub async fn work(&self, pace: WorkerOptions, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let kept = retention::keep(self);
        let worked = tokio::select! {
            worked = Worker::new(self, pace).run(stop) => worked,
            never = kept => never.map(|never| match never {}),
            never = claims::renew(self) => match never {},
        };
        claims::end(self).await;
        worked
    }
}
