//! Clocks that tests move.

use engine::Clock;
use receipt::Timestamp;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// A clock that only moves when the test sets it.
#[derive(Clone)]
pub struct ManualClock(Arc<AtomicI64>);

/// When the clocks of most tests begin, in milliseconds since the epoch.
pub const BEGINNING: i64 = 1_800_000_000_000;

impl ManualClock {
    pub fn new() -> Self {
        Self::at(BEGINNING)
    }

    pub fn at(ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(ms)))
    }

    pub fn ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::SeqCst);
    }

    /// Moves on by so much. Returns the time then.
    pub fn pass(&self, time: Duration) -> i64 {
        let ms = i64::try_from(time.as_millis()).unwrap();
        self.0.fetch_add(ms, Ordering::SeqCst) + ms
    }

    pub fn move_by_minutes(&self, minutes: i64) {
        self.0.fetch_add(minutes * 60_000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.ms())
    }
}

/// A clock that only moves when the test moves it, and then wakes the tasks that wait for a time.
#[derive(Clone)]
pub struct WakingClock(Arc<(AtomicI64, Notify)>);

impl WakingClock {
    pub fn new() -> Self {
        Self(Arc::new((AtomicI64::new(BEGINNING), Notify::new())))
    }

    pub fn pass(&self, time: Duration) {
        self.0.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
        self.0.1.notify_waiters();
    }
}

impl Clock for WakingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.0.load(Ordering::SeqCst))
    }

    fn until(&self, then: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                let moved = self.0.1.notified();
                if self.now() >= then {
                    return;
                }
                moved.await;
            }
        })
    }
}
