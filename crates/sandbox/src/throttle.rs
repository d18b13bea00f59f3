//! Whose turn it is, of those who compute long.
//!
//! A guest computes for a tick at once. One that has not asked for anything by then goes on in the slow lane: there, few compute at a
//! time, a tick each, the one that has waited longest first. Half of the processors stay free for those who are quick.

use crate::limits::HostTime;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The slow lane.
#[derive(Debug, Clone)]
pub(crate) struct CpuThrottle(Arc<Semaphore>);

/// A guest's turn in it, while it has one.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThrottlePermit(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl CpuThrottle {
    /// One of half as many places as there are processors.
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self(Arc::new(Semaphore::new((processors / 2).max(1))))
    }

    /// Gives the guest's turn to whoever has waited longest, and comes back when it is the guest's again. The wait is not the guest's time.
    pub(crate) fn next_turn(
        &self,
        turn: &ThrottlePermit,
        host_time: &HostTime,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        turn.give_back();
        let (lane, turn, host_time) = (Arc::clone(&self.0), turn.clone(), host_time.clone());
        Box::pin(async move {
            // Those who are quick come first, even where nobody waits in this lane.
            tokio::task::yield_now().await;
            // The lane is never closed.
            if let Ok(permit) = host_time.during(lane.acquire_owned()).await {
                turn.take(permit);
            }
        })
    }
}

impl ThrottlePermit {
    /// Somebody else may compute.
    pub(crate) fn give_back(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn take(&self, permit: OwnedSemaphorePermit) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
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

    #[tokio::test]
    async fn whoever_has_waited_longest_is_next() {
        let (lane, time) = (CpuThrottle(Arc::new(Semaphore::new(1))), HostTime::default());
        let turns = [(); 3].map(|()| ThrottlePermit::default());
        let mut waits = turns.clone().map(|turn| lane.next_turn(&turn, &time));
        assert_eq!(waits.each_mut().map(is_ready), [true, false, false]);
        waits[0] = lane.next_turn(&turns[0], &time);
        assert!(!is_ready(&mut waits[0]), "it has had its turn");
        assert_eq!([is_ready(&mut waits[1]), is_ready(&mut waits[2])], [true, false]);
        turns[1].give_back();
        assert_eq!([is_ready(&mut waits[2]), is_ready(&mut waits[0])], [true, false]);
        drop(turns);
        drop(waits);
        assert_eq!(lane.0.available_permits(), 1, "a guest that is gone has no turn");
    }
}
