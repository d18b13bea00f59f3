//! The CPU throttle: chooses which of the guests that compute for long runs next.
//!
//! A guest computes for one tick without a pause. A guest that has not called the host in this tick is throttled: few
//! throttled guests compute at a time, a tick each, the guest that has waited longest first. Half of the processors
//! stay free for the others.
//!
//! Nothing can take the thread back in the middle of a host call, such as a call that copies megabytes. If a guest
//! takes more processor time without a pause than its due, a multiple of that time is a debt of its tenant. Until the
//! debt is paid, every guest of the tenant is throttled, from the start of its drive and at each answer of the host.
//! Long texts are charged by their length, because many calls that each stay just below the due use as much time as one
//! long call. One guest in debt at a time is in the queue, and it lets others have additional turns. A guest that is
//! ended leaves its debt to the tenant's next guest.

mod thread_time;

use crate::limits::HostTime;
use crate::runtime::engine::TICK;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The throttle.
#[derive(Debug, Clone)]
pub(crate) struct CpuThrottle {
    turns: Arc<Semaphore>,
    /// The one place in the queue for guests in debt. A long call of one guest in debt delays the guests without a
    /// debt, and the calls of many would add up.
    debtors: Arc<Semaphore>,
    debts: Arc<Mutex<HashMap<String, Arc<CpuDebt>>>>,
}

/// The time that a tenant's guests owe, in nanoseconds.
#[derive(Debug, Default)]
struct CpuDebt(AtomicU64);

/// A guest's turn, while it has one, and its tenant's debt.
#[derive(Debug, Clone)]
pub(crate) struct ThrottlePermit(Arc<Permit>);

#[derive(Debug)]
struct Permit {
    debt: Arc<CpuDebt>,
    stretch: Mutex<Stretch>,
}

#[derive(Debug)]
struct Stretch {
    turn: Option<Turn>,
    /// Since when the guest has had its thread.
    since: Instant,
    /// The time since which the guest has not waited for the host.
    unasked: Instant,
}

/// Leave to compute, and the debtors' place if the guest is in debt.
#[derive(Debug)]
struct Turn {
    _turn: OwnedSemaphorePermit,
    _debtor: Option<OwnedSemaphorePermit>,
}

/// Processor time that a guest may take without a pause.
const DUE: Duration = Duration::from_millis(2 * TICK.as_millis() as u64);

/// The debt for processor time that is longer than [`DUE`], as a multiple of that time. Nothing can interrupt such a stretch, and a debt of the same
/// length would let many guests in turn take most of the time.
const OWED: u32 = 16;

/// Bytes of text in one call that cost nothing.
const FREE_TEXT: usize = 64 << 10;

/// Bytes of text that cost a tick: several times as much as they take, so that the calls of many guests do not add up.
const TEXT_PER_TICK: usize = 256 << 10;

/// The most that a tenant can owe.
const MAX_DEBT: Duration = Duration::from_secs(1);

/// The additional turns for which a guest in debt waits before its own.
const DEBT_TURNS: u32 = 8;

/// Tenants above which those without a debt are forgotten.
const TENANTS: usize = 1_024;

impl CpuThrottle {
    /// A throttle with half as many turns at a time as there are processors.
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::with_turns((processors / 2).max(1))
    }

    fn with_turns(turns: usize) -> Self {
        let [turns, debtors] = [turns, 1].map(|permits| Arc::new(Semaphore::new(permits)));
        Self { turns, debtors, debts: Arc::default() }
    }

    /// The permit of a guest of the tenant whose drive begins now.
    pub(crate) fn permit(&self, tenant: &str) -> ThrottlePermit {
        let now = thread_time::begin(Instant::now());
        let stretch = Stretch { turn: None, since: now, unasked: now };
        ThrottlePermit(Arc::new(Permit { debt: self.debt(tenant), stretch: Mutex::new(stretch) }))
    }

    fn debt(&self, tenant: &str) -> Arc<CpuDebt> {
        let mut debts = self.debts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(debt) = debts.get(tenant) {
            return Arc::clone(debt);
        }
        if debts.len() >= TENANTS {
            debts.retain(|_, debt| debt.is_owed() || Arc::strong_count(debt) > 1);
        }
        Arc::clone(debts.entry(tenant.to_owned()).or_default())
    }

    /// Gives the turn to the guest that has waited longest, and returns when it is this guest's turn again. The wait does not count as its time.
    pub(crate) fn next_turn(
        &self,
        permit: &ThrottlePermit,
        host_time: &HostTime,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        permit.leave_thread();
        let (throttle, permit, host_time) = (self.clone(), permit.clone(), host_time.clone());
        Box::pin(async move {
            // Quick guests come first, even when this queue is empty.
            tokio::task::yield_now().await;
            let turn = host_time.during(throttle.wait_for_turn(&permit)).await;
            permit.take(turn);
        })
    }

    /// The guest's next turn. `None` if the throttle is closed, which it never is.
    async fn wait_for_turn(&self, permit: &ThrottlePermit) -> Option<Turn> {
        let next = |queue: &Arc<Semaphore>| Arc::clone(queue).acquire_owned();
        let debtor = match permit.is_in_debt() {
            true => next(&self.debtors).await.ok(),
            false => None,
        };
        let mut passed = 0;
        loop {
            let turn = next(&self.turns).await.ok()?;
            if passed == DEBT_TURNS || !permit.0.debt.pay(TICK) {
                return Some(Turn { _turn: turn, _debtor: debtor });
            }
            passed += 1;
        }
    }
}

impl CpuDebt {
    fn is_owed(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn add(&self, time: Duration) {
        let most = nanos(MAX_DEBT);
        let added = |owed: u64| Some(owed.saturating_add(nanos(time)).min(most));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
    }

    /// Pays a part of the debt. Returns whether there was a debt.
    fn pay(&self, time: Duration) -> bool {
        let paid = |owed: u64| (owed > 0).then(|| owed.saturating_sub(nanos(time)));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid).is_ok()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl ThrottlePermit {
    /// Lets other guests compute for a moment, without a turn.
    pub(crate) fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.leave_thread();
        let permit = self.clone();
        Box::pin(async move {
            tokio::task::yield_now().await;
            permit.lock().since = thread_time::begin(Instant::now());
        })
    }

    /// The guest is throttled: it has computed long, or its tenant has a debt.
    pub(crate) fn is_throttled(&self) -> bool {
        self.is_in_debt() || self.lock().unasked.elapsed() >= TICK
    }

    /// The guest's tenant has a debt.
    pub(crate) fn is_in_debt(&self) -> bool {
        self.0.debt.is_owed()
    }

    /// The guest has had its thread for a tick.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().since.elapsed() >= TICK
    }

    /// The guest gives its thread back: it waits, or has ended. If it took longer than its due, the debt grows.
    pub(crate) fn leave_thread(&self) {
        let mut stretch = self.lock();
        // Time on the wall says little: the system may have given the processor to another thread.
        if stretch.since.elapsed() > DUE {
            let took = thread_time::since(stretch.since);
            if took > DUE {
                self.0.debt.add(took.saturating_mul(OWED));
            }
        }
        stretch.turn = None;
    }

    /// Charges for the bytes of text that the guest has passed to the host, which copies and digests them.
    pub(crate) fn charge(&self, bytes: usize) {
        if bytes >= FREE_TEXT {
            let ticks = u32::try_from(bytes / TEXT_PER_TICK).unwrap_or(u32::MAX).saturating_add(1);
            self.0.debt.add(TICK.saturating_mul(ticks));
        }
    }

    /// Records that the host has answered. Returns whether the guest may continue immediately.
    pub(crate) fn answered(&self, now: Instant) -> bool {
        let mut stretch = self.lock();
        thread_time::begin(now);
        (stretch.since, stretch.unasked) = (now, now);
        !self.is_in_debt()
    }

    fn take(&self, turn: Option<Turn>) {
        let mut stretch = self.lock();
        (stretch.turn, stretch.since) = (turn, thread_time::begin(Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, Stretch> {
        self.0.stretch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    fn is_ready(future: &mut Pin<Box<dyn Future<Output = ()> + Send>>) -> bool {
        // Once for the yield to others, and once for the turn.
        let mut context = Context::from_waker(Waker::noop());
        future.as_mut().poll(&mut context).is_ready() || future.as_mut().poll(&mut context).is_ready()
    }

    /// Takes this time without a pause, as a guest does that computes for long.
    fn keep_thread(permit: &ThrottlePermit, time: Duration) {
        permit.0.debt.add(time);
        permit.leave_thread();
    }

    #[tokio::test]
    async fn a_tenant_is_throttled_until_it_has_paid_for_the_time_that_its_guests_kept_threads() {
        let (throttle, time) = (CpuThrottle::with_turns(1), HostTime::default());
        let ended = throttle.permit("acme");
        ended.leave_thread();
        assert!(ended.answered(Instant::now()), "a quick guest goes on");
        keep_thread(&ended, 10 * TICK);
        drop(ended);
        let [next, other] = ["acme", "umbrella"].map(|tenant| throttle.permit(tenant));
        assert!(next.is_throttled() && !next.answered(Instant::now()), "the debt outlives the guest");
        assert!(!other.is_throttled() && other.answered(Instant::now()), "no other tenant has it");
        let mut waits = 0;
        while next.is_in_debt() {
            throttle.next_turn(&next, &time).await;
            waits += 1;
        }
        assert_eq!(waits, 2, "eight ticks of ten, and the rest");
        for _ in 0..100 {
            keep_thread(&next, Duration::from_secs(10));
        }
        assert_eq!(
            next.0.debt.0.load(Ordering::Relaxed),
            nanos(MAX_DEBT),
            "there is a bound on what a tenant owes"
        );
    }

    #[tokio::test]
    async fn a_guest_in_debt_lets_others_have_additional_turns() {
        let (throttle, time) = (CpuThrottle::with_turns(1), HostTime::default());
        let [debtor, other] = ["acme", "umbrella"].map(|tenant| throttle.permit(tenant));
        keep_thread(&debtor, 5 * TICK);
        let held = Arc::clone(&throttle.turns).acquire_owned().await.unwrap();
        let (mut first, mut second) = (throttle.next_turn(&debtor, &time), throttle.next_turn(&other, &time));
        assert_eq!([is_ready(&mut first), is_ready(&mut second)], [false, false]);
        drop(held);
        assert_eq!(
            [is_ready(&mut first), is_ready(&mut second)],
            [false, true],
            "it was before, and lets the other pass"
        );
    }

    #[test]
    fn processor_time_is_owed_and_time_on_the_wall_is_not() {
        let throttle = CpuThrottle::with_turns(1);
        let guest = throttle.permit("acme");
        // As if the system had run another thread instead.
        guest.lock().since = Instant::now().checked_sub(100 * DUE).unwrap();
        guest.leave_thread();
        assert!(!guest.is_in_debt());
        guest.answered(Instant::now());
        let began = thread_time::now();
        while thread_time::now() - began < 2 * DUE {}
        guest.leave_thread();
        let owed = guest.0.debt.0.load(Ordering::Relaxed);
        assert!(owed > nanos(OWED * DUE), "{owed}");
    }

    #[test]
    fn long_texts_are_charged_by_their_length() {
        let throttle = CpuThrottle::with_turns(1);
        let guest = throttle.permit("acme");
        guest.charge(FREE_TEXT - 1);
        assert!(!guest.is_in_debt());
        guest.charge(4 << 20);
        assert_eq!(guest.0.debt.0.load(Ordering::Relaxed), nanos(17 * TICK));
    }

    #[tokio::test]
    async fn one_guest_in_debt_at_a_time_is_in_the_queue() {
        let (throttle, time) = (CpuThrottle::with_turns(2), HostTime::default());
        let debtors = ["a", "b"].map(|tenant| throttle.permit(tenant));
        debtors.iter().for_each(|debtor| debtor.0.debt.add(MAX_DEBT));
        let mut waits = debtors.clone().map(|debtor| throttle.next_turn(&debtor, &time));
        assert_eq!(waits.each_mut().map(is_ready), [true, false]);
        let other = throttle.permit("c");
        assert!(
            is_ready(&mut throttle.next_turn(&other, &time)),
            "a guest without a debt does not wait for them"
        );
        debtors[0].leave_thread();
        assert!(is_ready(&mut waits[1]));
    }

    #[test]
    fn tenants_without_a_debt_are_forgotten() {
        let throttle = CpuThrottle::with_turns(1);
        keep_thread(&throttle.permit("owes"), 10 * TICK);
        let live = throttle.permit("live");
        for number in 0..3 * TENANTS {
            throttle.permit(&format!("t{number}"));
        }
        assert!(throttle.debts.lock().unwrap().len() <= TENANTS + 1);
        assert!(throttle.permit("owes").is_in_debt());
        assert!(Arc::ptr_eq(&live.0.debt, &throttle.debt("live")), "guests that live share one debt");
    }

    #[tokio::test]
    async fn the_longest_waiting_instance_is_next() {
        let (throttle, time) = (CpuThrottle::with_turns(1), HostTime::default());
        let turns = ["a", "b", "c"].map(|tenant| throttle.permit(tenant));
        let mut waits = turns.clone().map(|turn| throttle.next_turn(&turn, &time));
        assert_eq!(waits.each_mut().map(is_ready), [true, false, false]);
        waits[0] = throttle.next_turn(&turns[0], &time);
        assert!(!is_ready(&mut waits[0]), "it has had its turn");
        assert_eq!([is_ready(&mut waits[1]), is_ready(&mut waits[2])], [true, false]);
        turns[1].leave_thread();
        assert_eq!([is_ready(&mut waits[2]), is_ready(&mut waits[0])], [true, false]);
        drop(turns);
        drop(waits);
        assert_eq!(throttle.turns.available_permits(), 1, "a guest that is gone has no turn");
    }
}
