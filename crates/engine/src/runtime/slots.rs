//! Run slots: the number of drives that run steps at a time, when very many instances are driven at once.
//!
//! A drive touches some tens of KiB for a step. With several hundred drives, these are no longer in the processor's
//! caches when the commit returns, and a step takes twice as long to compute. So at most [`MAX_RUNNING`] drives run at
//! once, for some steps each; then the slot goes to the drive that has waited longest.
//!
//! A drive begins without a slot, so that a short one never waits, and it releases its slot before a long operation:
//! the holder of a slot waits for commits only.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most drives that run at the same time: enough to fill a commit, and few enough for the caches. With 256, or with
/// slices of 8 steps, 1 024 in flight were slower, by `cargo bench -p bench --bench engine entries`.
const MAX_RUNNING: usize = 128;

/// Steps after which a drive gives its slot to a waiting one.
const SLICE: u32 = 32;

/// Steps that a drive does before it needs a slot.
const FIRST: u32 = 4;

/// All slots.
#[derive(Debug)]
pub(crate) struct RunSlots(Arc<Semaphore>);

/// A drive's place among the others.
#[derive(Debug)]
pub(crate) struct RunSlot {
    slots: Arc<Semaphore>,
    slot: Option<OwnedSemaphorePermit>,
    left: u32,
}

impl RunSlots {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_RUNNING)))
    }

    /// The slot of a drive that begins: it holds none yet.
    pub(crate) fn begin(&self) -> RunSlot {
        RunSlot { slots: Arc::clone(&self.0), slot: None, left: FIRST }
    }
}

impl RunSlot {
    /// Called after a step. Returns when the drive may run the next.
    pub(crate) async fn step(&mut self) {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.release();
            // The semaphore is never closed.
            self.slot = Arc::clone(&self.slots).acquire_owned().await.ok();
            self.left = SLICE;
        }
    }

    /// Releases the slot before a long operation.
    pub(crate) fn release(&mut self) {
        self.slot = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    /// Runs `count` steps, and returns the number that ran without waiting.
    fn steps(slice: &mut RunSlot, count: u32) -> u32 {
        let is_ready =
            |slice: &mut RunSlot| pin!(slice.step()).poll(&mut Context::from_waker(Waker::noop())).is_ready();
        (0..count).take_while(|_| is_ready(slice)).count() as u32
    }

    #[test]
    fn a_short_drive_needs_no_slot_and_a_long_one_has_one_at_a_time() {
        let rota = RunSlots(Arc::new(Semaphore::new(1)));
        let [mut long, mut short, mut other] = [(); 3].map(|()| rota.begin());
        assert_eq!(steps(&mut long, 10 * SLICE), 10 * SLICE, "nobody waits for its slot");
        assert_eq!(steps(&mut short, FIRST - 1), FIRST - 1);
        assert_eq!(steps(&mut other, FIRST), FIRST - 1, "the slot is taken");
        drop(long);
        assert_eq!(steps(&mut short, 1), 1, "a drive that is over leaves its slot");
    }

    #[tokio::test]
    async fn after_a_slice_the_one_that_has_waited_longest_has_the_slot() {
        let rota = RunSlots(Arc::new(Semaphore::new(1)));
        let [mut first, mut second, mut third] = [(); 3].map(|()| rota.begin());
        for _ in 0..FIRST {
            first.step().await;
        }
        steps(&mut second, FIRST - 1);
        steps(&mut third, FIRST - 1);
        let mut context = Context::from_waker(Waker::noop());
        let (mut second_sits, mut third_sits) = (Box::pin(second.step()), Box::pin(third.step()));
        assert!(second_sits.as_mut().poll(&mut context).is_pending());
        assert!(third_sits.as_mut().poll(&mut context).is_pending());
        assert_eq!(steps(&mut first, SLICE), SLICE - 1, "its slice is over");
        second_sits.await;
        assert!(third_sits.as_mut().poll(&mut context).is_pending());
        second.release();
        third_sits.await;
    }
}
