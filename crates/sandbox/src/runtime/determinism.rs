//! A guest's clock and random numbers: a function of its position in its journal alone.
//!
//! Replay runs a workflow again from its first line, and skips the bodies of completed steps. A random stream that
//! continued from draw to draw, or a clock that ticked, would differ after a skipped body from the first run, and the
//! workflow could take another path. So both start anew at every answer of the host, from the position of that answer
//! in the journal and the time recorded there, which are the same on every run.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{SeedableRng as _, TryRng};
use receipt::{Digest, Timestamp};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable};
use wasmtime_wasi::{ResourceTable, async_trait};

/// The monotonic clock's advance with each entry of the journal, in addition to the elapsed time: longer than a guest
/// can wait between two entries without asking the host, so that the clock never runs backwards. A day, in nanoseconds.
const ENTRY: u64 = 86_400_000_000_000;

/// A guest's position and time.
#[derive(Debug, Clone, Default)]
pub(crate) struct VirtualTime(Arc<Mutex<ClockState>>);

#[derive(Debug)]
struct ClockState {
    /// The position of the last answer.
    position: u64,
    /// The number of answers, so that a stream notices a new one.
    answers: u64,
    /// Nanoseconds since that answer.
    ticks: u64,
    /// When that answer was recorded.
    wall: Timestamp,
    started_at: Timestamp,
}

impl Default for ClockState {
    fn default() -> Self {
        let epoch = Timestamp::from_millis(0);
        Self { position: 0, answers: 0, ticks: 0, wall: epoch, started_at: epoch }
    }
}

impl ClockState {
    /// The monotonic clock at the last answer: the elapsed recorded time, and a day for each entry.
    fn base(&self) -> u64 {
        let passed = self.wall.as_millis().saturating_sub(self.started_at.as_millis());
        let passed = u64::try_from(passed).unwrap_or(0).saturating_mul(1_000_000);
        self.position.saturating_mul(ENTRY).saturating_add(passed)
    }
}

impl VirtualTime {
    /// The moment at which an instance starts.
    pub(crate) fn beginning(started_at: Timestamp) -> Self {
        let moment = Self::default();
        (moment.lock().started_at, moment.lock().wall) = (started_at, started_at);
        moment
    }

    /// The host has answered from this position, which was recorded at that time.
    pub(crate) fn answered(&self, position: usize, at: Option<Timestamp>) {
        let mut stand = self.lock();
        stand.position = position as u64;
        stand.wall = at.map_or(stand.wall, |at| at.max(stand.started_at));
        stand.answers += 1;
        stand.ticks = 0;
    }

    /// The time on the wall when the guest was answered last.
    pub(crate) fn wall(&self) -> Timestamp {
        self.lock().wall
    }

    /// The monotonic clock. It moves on by a nanosecond whenever it is read.
    fn now(&self) -> u64 {
        let mut stand = self.lock();
        stand.ticks = (stand.ticks + 1).min(ENTRY - 1);
        stand.base().saturating_add(stand.ticks)
    }

    /// Moves the clock to an instant: no time passes in a guest, so waiting sets the clock.
    fn wait_until(&self, instant: u64) {
        let mut stand = self.lock();
        let ticks = instant.saturating_sub(stand.base());
        stand.ticks = stand.ticks.max(ticks).min(ENTRY - 1);
    }

    fn lock(&self) -> MutexGuard<'_, ClockState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Random numbers that restart at every answer.
pub(crate) struct SeededRandom {
    moment: VirtualTime,
    seed: Digest,
    answers: u64,
    stream: ChaCha20Rng,
}

impl SeededRandom {
    /// The stream of an instance, one for each `label`.
    pub(crate) fn new(moment: VirtualTime, seed: &Digest, label: &str) -> Self {
        let seed = Digest::of(format!("{label}\0{seed}").as_bytes());
        Self { stream: stream(&seed, 0), moment, seed, answers: 0 }
    }

    fn stream(&mut self) -> &mut ChaCha20Rng {
        let (position, answers) = {
            let stand = self.moment.lock();
            (stand.position, stand.answers)
        };
        if answers != self.answers {
            self.answers = answers;
            self.stream = stream(&self.seed, position);
        }
        &mut self.stream
    }
}

fn stream(seed: &Digest, position: u64) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(*Digest::of(format!("{seed}\0{position}").as_bytes()).as_bytes())
}

impl TryRng for SeededRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.stream().try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.stream().try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.stream().try_fill_bytes(bytes)
    }
}

/// `wasi:clocks/monotonic-clock` over the virtual time. The runtime's own implementation would expose real time through
/// its timers.
pub(crate) struct Clock<'a> {
    pub(crate) moment: &'a VirtualTime,
    pub(crate) table: &'a mut ResourceTable,
}

/// Selects the part of a store's state that the clock works on.
pub(crate) struct HasClock;

impl HasData for HasClock {
    type Data<'a> = Clock<'a>;
}

impl monotonic_clock::Host for Clock<'_> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.moment.now())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, instant: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let deadline = self.table.push(Deadline { moment: self.moment.clone(), instant })?;
        wasmtime_wasi::p2::subscribe(self.table, deadline)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let instant = self.moment.now().saturating_add(duration);
        self.subscribe_instant(instant)
    }
}

/// A moment to come.
struct Deadline {
    moment: VirtualTime,
    instant: u64,
}

#[async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        self.moment.wait_until(self.instant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_runs_backwards_and_waiting_is_being_there() {
        let moment = VirtualTime::default();
        let mut last = 0;
        for position in [0, 1, 1, 2, 7] {
            moment.answered(position, None);
            let instant = moment.now();
            assert!(instant >= last || position == 1, "{instant} after {last}");
            moment.wait_until(instant + 1_000);
            assert!(moment.now() > instant + 1_000);
            moment.wait_until(u64::MAX);
            last = moment.now();
        }
    }

    #[test]
    fn both_clocks_show_that_time_passed() {
        let at = Timestamp::from_millis;
        let moment = VirtualTime::beginning(at(1_000));
        let began = moment.now();
        moment.answered(3, Some(at(500)));
        assert_eq!(moment.wall(), at(1_000), "nothing is recorded before the start");
        moment.answered(4, Some(at(61_000)));
        assert_eq!(moment.wall(), at(61_000));
        assert!(moment.now() - began >= 60_000_000_000);
        let now = moment.now();
        moment.answered(4, Some(at(61_000)));
        assert!(moment.now() <= now, "the same place is the same time");
    }

    #[test]
    fn chance_depends_on_the_position_and_not_on_what_was_drawn_before() {
        let seed = Digest::of(b"seed");
        let draw = |draws_before: usize, position: usize| {
            let moment = VirtualTime::default();
            let mut chance = SeededRandom::new(moment.clone(), &seed, "test");
            for _ in 0..draws_before {
                let _ = chance.try_next_u64();
            }
            moment.answered(position, None);
            chance.try_next_u64()
        };
        assert_eq!(draw(0, 4), draw(100, 4));
        assert_ne!(draw(0, 4), draw(0, 5));
    }
}
