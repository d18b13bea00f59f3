//! The instances that may be in memory at the same time: drives, and instances that prepare source text.

use tokio::sync::{Semaphore, SemaphorePermit};

/// The pool's places. Each instance takes them before it is made, so that no instance finds the pool full.
pub(crate) struct LiveInstances {
    /// One permit for each memory that may be live.
    places: Semaphore,
    most: u32,
}

impl LiveInstances {
    pub(crate) fn new(most: u32) -> Self {
        let most = most.max(1);
        Self { places: Semaphore::new(most as usize), most }
    }

    /// Takes the permits of an instance with this number of memories, once they are free. The caller that has waited
    /// longest is served first.
    pub(crate) async fn take(&self, memories: u32) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.places.acquire_many(memories.clamp(1, self.most)).await.ok()
    }
}
