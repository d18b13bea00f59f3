//! The CPU throttle: which of the guests that compute for long runs next.
//!
//! A guest computes for one tick at once. A guest that has not called the host by then is throttled: few throttled guests compute at a
//! time, a tick each, the one that has waited longest first. Half of the processors stay free for the others.
//!
//! The host cannot take the thread back in the middle of a host call, such as one that passes megabytes. A guest that
//! kept a thread for longer than its tick owes the excess: until that time has passed, it is throttled, including in
//! host calls.

use crate::engine::TICK;
use crate::limits::HostTime;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The throttle.
#[derive(Debug, Clone)]
pub(crate) struct CpuThrottle(Arc<Semaphore>);

/// A guest's turn under the throttle, while it has one, and the time that it owes.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThrottlePermit(Arc<Mutex<Stretch>>);

#[derive(Debug)]
struct Stretch {
    permit: Option<OwnedSemaphorePermit>,
    /// Since when the guest has had its thread.
    since: Instant,
    /// Since when it has not waited for the host.
    unasked: Instant,
    owed: Duration,
}

impl Default for Stretch {
    fn default() -> Self {
        let now = Instant::now();
        Self { permit: None, since: now, unasked: now, owed: Duration::ZERO }
    }
}

/// The most that a guest can owe.
const MOST_OWED: Duration = Duration::from_secs(1);

impl CpuThrottle {
    /// A throttle with half as many places as there are processors.
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self(Arc::new(Semaphore::new((processors / 2).max(1))))
    }

    /// Gives the turn to the guest that has waited longest, and returns when it is this guest's turn again. The wait does not count as its time.
    pub(crate) fn next_turn(
        &self,
        turn: &ThrottlePermit,
        host_time: &HostTime,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        turn.lock().permit = None;
        let (lane, turn, host_time) = (Arc::clone(&self.0), turn.clone(), host_time.clone());
        Box::pin(async move {
            // Quick guests come first, even when this queue is empty.
            tokio::task::yield_now().await;
            // The lane is never closed.
            if let Ok(permit) = host_time.during(lane.acquire_owned()).await {
                turn.take(permit);
            }
        })
    }
}

impl ThrottlePermit {
    /// Yields to others for a moment, without a turn.
    pub(crate) fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let turn = self.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            turn.lock().since = Instant::now();
        })
    }

    /// The guest is throttled: it has computed long, or owes time.
    pub(crate) fn is_slow(&self) -> bool {
        let stretch = self.lock();
        stretch.owed > Duration::ZERO || stretch.unasked.elapsed() >= TICK
    }

    /// The guest has had its thread for a tick.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().since.elapsed() >= TICK
    }

    /// The guest waits for the host: others may compute. Its excess time becomes its debt.
    pub(crate) fn waits(&self) {
        let mut stretch = self.lock();
        let took = stretch.since.elapsed();
        stretch.owed = match took > 2 * TICK {
            true => stretch.owed.saturating_add(took).min(MOST_OWED),
            false => stretch.owed.saturating_sub(TICK),
        };
        stretch.permit = None;
    }

    /// The host has answered. Returns whether the guest may continue at once.
    pub(crate) fn answered(&self, now: Instant) -> bool {
        let mut stretch = self.lock();
        (stretch.since, stretch.unasked) = (now, now);
        stretch.owed == Duration::ZERO
    }

    fn take(&self, permit: OwnedSemaphorePermit) {
        let mut stretch = self.lock();
        (stretch.permit, stretch.since) = (Some(permit), Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Stretch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    fn is_ready(future: &mut Pin<Box<dyn Future<Output = ()> + Send>>) -> bool {
        // Once for the word to others, and once for the turn.
        let mut context = Context::from_waker(Waker::noop());
        future.as_mut().poll(&mut context).is_ready() || future.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn who_kept_a_thread_too_long_is_slow_until_it_has_made_up_for_it() {
        let turn = ThrottlePermit::default();
        let took = |time: Duration| {
            turn.lock().since = Instant::now().checked_sub(time).unwrap();
            turn.waits();
            turn.answered(Instant::now())
        };
        assert!(took(Duration::ZERO), "who is quick goes on");
        assert!(!took(10 * TICK));
        assert!(turn.is_slow(), "it owes");
        let made_up = (0..).take_while(|_| !took(Duration::ZERO)).count();
        assert!((8..=20).contains(&made_up), "{made_up}");
        for _ in 0..100 {
            took(Duration::from_secs(10));
        }
        assert!(turn.lock().owed <= MOST_OWED, "there is an end to what it can owe");
    }

    #[tokio::test]
    async fn the_longest_waiting_instance_is_next() {
        let (lane, time) = (CpuThrottle(Arc::new(Semaphore::new(1))), HostTime::default());
        let turns = [(); 3].map(|()| ThrottlePermit::default());
        let mut waits = turns.clone().map(|turn| lane.next_turn(&turn, &time));
        assert_eq!(waits.each_mut().map(is_ready), [true, false, false]);
        waits[0] = lane.next_turn(&turns[0], &time);
        assert!(!is_ready(&mut waits[0]), "it has had its turn");
        assert_eq!([is_ready(&mut waits[1]), is_ready(&mut waits[2])], [true, false]);
        turns[1].waits();
        assert_eq!([is_ready(&mut waits[2]), is_ready(&mut waits[0])], [true, false]);
        drop(turns);
        drop(waits);
        assert_eq!(lane.0.available_permits(), 1, "a guest that is gone has no turn");
    }
}
