//! When a group is committed: the writing thread waits for more writes as long as they keep coming.
//!
//! A commit costs the same for one write as for many. Callers that were answered submit their next write a moment later, so a group that waits
//! for them is larger, and the processors have fewer commits to make. A group waits until it is as large as the thread expects, or until no
//! write has arrived for a while. The thread expects the size of the group before, and now and then tries a larger one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A group after one that was smaller than this does not wait: few callers write at once.
const MANY: usize = 4;

/// Groups after a wait in vain, before a larger group is tried again.
const TRIES: u32 = 16;

/// The shortest and the longest time without a write after which a group stops waiting.
const SHORTEST: Duration = Duration::from_micros(100);
const LONGEST: Duration = Duration::from_micros(400);

/// The mean number of writes that arrive in that time.
const ARRIVALS: u32 = 2;

/// The expected size of groups, from those before.
#[derive(Debug)]
pub(super) struct Gathering {
    expected: usize,
    /// Groups to come that are not tried larger.
    settled: u32,
    /// When the group before was closed, and its size.
    before: (Instant, usize),
    /// The mean time between the writes of the group before.
    gap: Duration,
}

impl Gathering {
    pub(super) fn new() -> Self {
        Self { expected: 0, settled: 0, before: (Instant::now(), 0), gap: Duration::ZERO }
    }

    /// Waits until a group should be committed. `queued` counts the writes that wait.
    pub(super) fn wait(&self, queued: &AtomicUsize) {
        if self.before.1 < MANY {
            return;
        }
        let pause = (self.gap * ARRIVALS).clamp(SHORTEST, LONGEST);
        let mut arrived = queued.load(Ordering::Acquire);
        while arrived < self.expected {
            std::thread::sleep(pause);
            let now = queued.load(Ordering::Acquire);
            if now == arrived {
                return;
            }
            arrived = now;
        }
    }

    /// Learns from the size of a group that is about to be committed.
    pub(super) fn closed(&mut self, size: usize) {
        let now = Instant::now();
        let count = u32::try_from(size).unwrap_or(u32::MAX).max(1);
        self.gap = (now - self.before.0) / count;
        self.before = (now, size);
        if size < self.expected {
            self.settled = TRIES;
        } else {
            self.settled = self.settled.saturating_sub(1);
        }
        self.expected = match self.settled {
            0 => size + size / 4 + 1,
            _ => size,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_group_is_tried_until_one_waits_in_vain() {
        let mut gathering = Gathering::new();
        for (size, expected) in [(8, 11), (11, 14), (14, 18), (15, 15)] {
            gathering.closed(size);
            assert_eq!(gathering.expected, expected);
        }
        for _ in 1..TRIES {
            gathering.closed(15);
            assert_eq!(gathering.expected, 15);
        }
        gathering.closed(15);
        assert_eq!(gathering.expected, 19);
    }

    #[test]
    fn a_group_does_not_wait_for_writes_that_never_come() {
        let mut gathering = Gathering::new();
        gathering.closed(100);
        gathering.wait(&AtomicUsize::new(3));
    }
}
