//! The processor time of a stretch of one thread's work, without a system call at the start of each.
//!
//! The system call takes as long as a step. So the clock is read at the start of a stretch only if the thread's last reading is older than
//! [`FRESH`]. Between that reading and the start of the stretch the thread took at most the time on the wall, which is subtracted.

use crate::runtime::engine::TICK;
use rustix::time::{ClockId, clock_gettime};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How old a reading may be. It is the most by which the time of a stretch is too small.
const FRESH: Duration = Duration::from_micros(TICK.as_micros() as u64 / 2);

thread_local! {
    /// When this thread's clock was read, and what it showed.
    static READING: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

/// A stretch begins at this moment on this thread.
pub(super) fn begin(at: Instant) -> Instant {
    let is_fresh = |(read, _): (Instant, Duration)| at.saturating_duration_since(read) < FRESH;
    if !READING.get().is_some_and(is_fresh) {
        READING.set(Some((at, now())));
    }
    at
}

/// The processor time of this thread since `began`, or a little less. None is known of a stretch that began on another thread.
pub(super) fn since(began: Instant) -> Duration {
    match READING.get() {
        Some((read, time)) if read <= began => {
            now().saturating_sub(time).saturating_sub(began.saturating_duration_since(read))
        }
        _ => Duration::ZERO,
    }
}

/// The processor time of this thread until now.
pub(super) fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
