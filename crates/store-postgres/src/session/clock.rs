//! The server's clock at its last reading, plus the time since then on this machine's clock, which continues during
//! suspension.

use receipt::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};

/// The server's clock, by this machine's boot-time clock. Its times never decrease in this process: a reading that took less time than the previous
/// one is slightly earlier, and a promoted standby may be much earlier.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    /// The difference between both clocks, in milliseconds.
    ahead: AtomicI64,
    /// The latest time that was given out.
    last: AtomicI64,
}

impl ServerClock {
    /// The server answered `now` to a query sent at `asked` of [`boot_time`]. The answer took some time,
    /// so the computed time is the server's or a little later, never earlier: a receipt expires too early rather than
    /// too late.
    pub(crate) fn set(&self, now: Timestamp, asked: i64) {
        self.ahead.store(now.as_millis() - asked, Ordering::Release);
    }

    /// The server's time.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.ahead.load(Ordering::Acquire) + boot_time();
        Timestamp::from_millis(self.last.fetch_max(now, Ordering::AcqRel).max(now))
    }
}

/// Milliseconds since this machine started, its sleep included.
pub(crate) fn boot_time() -> i64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_run_backwards_when_the_server_is_read_again() {
        let clock = ServerClock::default();
        let read = |ahead| {
            let asked = boot_time();
            clock.set(Timestamp::from_millis(asked + ahead), asked);
            clock.now()
        };
        let first = read(60_000);
        assert!(read(0) >= first, "an action would have ended before it began");
        assert!(read(120_000) >= Timestamp::from_millis(first.as_millis() + 60_000));
    }
}
