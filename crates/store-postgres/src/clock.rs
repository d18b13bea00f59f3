//! The server's clock at its last reading, and the time since on this machine's clock, which continues during
//! suspension.

use receipt::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};

/// The difference between the server's clock and this machine's boot-time clock, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct ServerClock(AtomicI64);

impl ServerClock {
    /// The server answered `now` to a question that was asked at `asked` of [`boot_time`]. The answer took some time,
    /// so the computed time is the server's or a little later, never earlier: a receipt expires too early rather than
    /// too late.
    pub(crate) fn set(&self, now: Timestamp, asked: i64) {
        self.0.store(now.as_millis() - asked, Ordering::Release);
    }

    /// The server's time.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Acquire) + boot_time())
    }
}

/// Milliseconds since this machine started, its sleep included.
pub(crate) fn boot_time() -> i64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
}
