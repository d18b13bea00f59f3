//! Time and chance as a guest sees them: a function of where it stands in its journal, and of nothing else.
//!
//! A workflow is run again from its first line, and the bodies of completed steps are then left out. A stream of random numbers that
//! ran on from draw to draw, or a clock that ticked, would stand elsewhere after a step whose body is left out than after the same step
//! when it ran; the workflow could take another path. So both begin anew at every answer of the host, from the position of that answer
//! in the journal, which is the same on every run.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{SeedableRng as _, TryRng};
use receipt::Digest;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable};
use wasmtime_wasi::{ResourceTable, async_trait};

/// How far the clock moves on with each entry of the journal: longer than a guest can sleep between two, so that it never runs
/// backwards. A day.
const ENTRY: u64 = 86_400_000_000_000;

/// Where a guest stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct VirtualTime(Arc<Mutex<Stand>>);

#[derive(Debug, Default)]
struct Stand {
    /// The position of the last answer.
    position: u64,
    /// How many answers there were, so that a stream notices a new one.
    answers: u64,
    /// Nanoseconds since that answer.
    ticks: u64,
}

impl VirtualTime {
    /// The host has answered from this position.
    pub(crate) fn answered(&self, position: usize) {
        let mut stand = self.lock();
        stand.position = position as u64;
        stand.answers += 1;
        stand.ticks = 0;
    }

    /// The clock. It moves on by a nanosecond whenever it is read.
    fn now(&self) -> u64 {
        let mut stand = self.lock();
        stand.ticks = (stand.ticks + 1).min(ENTRY - 1);
        stand.position.saturating_mul(ENTRY).saturating_add(stand.ticks)
    }

    /// Nothing takes time in here: to wait is to be there.
    fn wait_until(&self, instant: u64) {
        let mut stand = self.lock();
        let ticks = instant.saturating_sub(stand.position.saturating_mul(ENTRY));
        stand.ticks = stand.ticks.max(ticks).min(ENTRY - 1);
    }

    fn lock(&self) -> MutexGuard<'_, Stand> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Random numbers that begin anew at every answer.
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

/// `wasi:clocks/monotonic-clock` over a moment. The runtime's own would let real time in through its timers.
pub(crate) struct Clock<'a> {
    pub(crate) moment: &'a VirtualTime,
    pub(crate) table: &'a mut ResourceTable,
}

/// Says which part of a store's state the clock works on.
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
            moment.answered(position);
            let instant = moment.now();
            assert!(instant >= last || position == 1, "{instant} after {last}");
            moment.wait_until(instant + 1_000);
            assert!(moment.now() > instant + 1_000);
            moment.wait_until(u64::MAX);
            last = moment.now();
        }
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
            moment.answered(position);
            chance.try_next_u64()
        };
        assert_eq!(draw(0, 4), draw(100, 4));
        assert_ne!(draw(0, 4), draw(0, 5));
    }
}
