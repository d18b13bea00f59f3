//! When a group is committed: the writing thread waits for more writes as long as they keep coming.
//!
//! A commit costs the same for one write as for many. Callers that were answered submit their next write a moment later, so a group that waits
//! for them is larger, and the processors have fewer commits to make. A group waits until it is as large as the thread expects, or until no
//! write has arrived for a while. The thread expects the size of the group before, and now and then tries a larger one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// No wait follows a group that was smaller than this: then few callers write at the same time.
const MANY: usize = 4;

/// The number of groups before a larger one is tried again, after no write arrived.
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
    /// The number of groups until a larger one is tried.
    until_try: u32,
    /// When the group before was closed, and its size.
    before: (Instant, usize),
    /// The mean time between the writes of the group before.
    gap: Duration,
}

impl Gathering {
    pub(super) fn new() -> Self {
        Self { expected: 0, until_try: 0, before: (Instant::now(), 0), gap: Duration::ZERO }
    }

    /// Waits until a group should be committed. `queued` counts the writes that wait; `pause` sleeps.
    pub(super) fn wait(&self, queued: &AtomicUsize, mut pause: impl FnMut(Duration)) {
        if self.before.1 < MANY {
            return;
        }
        let time = (self.gap * ARRIVALS).clamp(SHORTEST, LONGEST);
        let mut arrived = queued.load(Ordering::Acquire);
        while arrived < self.expected {
            pause(time);
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
            self.until_try = TRIES;
        } else {
            self.until_try = self.until_try.saturating_sub(1);
        }
        self.expected = match self.until_try {
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

    /// The number of pauses of a group that has three of eleven expected writes, if so many arrive in each pause.
    fn pauses(arrivals: &[usize]) -> usize {
        let mut gathering = Gathering::new();
        gathering.closed(8);
        assert_eq!(gathering.expected, 11);
        let (queued, mut pauses) = (AtomicUsize::new(3), 0);
        gathering.wait(&queued, |time| {
            assert!((SHORTEST..=LONGEST).contains(&time), "{time:?}");
            queued.fetch_add(arrivals[pauses], Ordering::Release);
            pauses += 1;
        });
        pauses
    }

    #[test]
    fn a_group_waits_while_writes_arrive_and_no_longer_than_until_it_is_as_large_as_expected() {
        assert_eq!(pauses(&[1, 3, 2, 1, 1, 1]), 5, "11 writes after the fifth");
        assert_eq!(pauses(&[8, 1]), 1);
    }

    #[test]
    fn a_group_stops_waiting_after_one_pause_without_a_write() {
        assert_eq!(pauses(&[0, 5]), 1);
        assert_eq!(pauses(&[2, 1, 0, 5]), 3);
    }

    #[test]
    fn no_wait_follows_a_small_group() {
        let mut gathering = Gathering::new();
        gathering.closed(MANY - 1);
        gathering.wait(&AtomicUsize::new(0), |_| unreachable!("few callers write at once"));
    }
}
