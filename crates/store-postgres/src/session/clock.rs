//! The server's clock at its last reading, plus the time since then on this machine's clock, which continues during
//! suspension.

use receipt::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering};

/// The milliseconds after which an answer is used only instead of one that took longer: while the process or the network stood still, the server's clock moved on.
const SLOW: i64 = 500;

/// The server's clock, by this machine's boot-time clock. Its times never decrease in this process: a reading that took less time than the previous
/// one is slightly earlier, and a promoted standby may be much earlier.
#[derive(Debug)]
pub(crate) struct ServerClock {
    /// The difference between both clocks, in milliseconds.
    ahead: AtomicI64,
    /// The time that this reading took, in milliseconds.
    took: AtomicI64,
    /// The latest time that was given out.
    last: AtomicI64,
}

impl Default for ServerClock {
    fn default() -> Self {
        Self { ahead: AtomicI64::default(), took: AtomicI64::new(i64::MAX), last: AtomicI64::default() }
    }
}

impl ServerClock {
    /// The server answered `now` between `asked` and `answered` of [`boot_time`]. The answer took some time,
    /// so the computed time is the server's or a little later, never earlier: a receipt expires too early rather than
    /// too late. An answer that took long is ignored, because the time would be that much too late, unless the one in use
    /// took longer.
    pub(crate) fn set(&self, now: Timestamp, asked: i64, answered: i64) {
        let took = answered - asked;
        if took <= SLOW || took < self.took.load(Ordering::Acquire) {
            self.took.store(took, Ordering::Release);
            self.ahead.store(now.as_millis() - asked, Ordering::Release);
        }
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
            clock.set(Timestamp::from_millis(asked + ahead), asked, asked + 1);
            clock.now()
        };
        let first = read(60_000);
        assert!(read(0) >= first, "an action would have ended before it began");
        assert!(read(120_000) >= Timestamp::from_millis(first.as_millis() + 60_000));
    }

    #[test]
    fn an_answer_that_takes_long_does_not_move_the_time() {
        let clock = ServerClock::default();
        let asked = boot_time();
        let read = |now, took| clock.set(Timestamp::from_millis(now), asked, asked + took);
        read(asked, SLOW * 100);
        assert!(clock.now() >= Timestamp::from_millis(asked), "the first answer counts");
        read(asked + 100_000, SLOW * 100);
        assert!(clock.now() < Timestamp::from_millis(asked + 100_000));
        read(asked + 50_000, SLOW * 50);
        assert!(clock.now() >= Timestamp::from_millis(asked + 50_000), "the one in use took longer");
        read(asked + 100_000, SLOW * 60);
        assert!(clock.now() < Timestamp::from_millis(asked + 100_000));
        read(asked + 100_000, SLOW);
        assert!(clock.now() >= Timestamp::from_millis(asked + 100_000));
    }
}
