//! The shards that this host may drive, and until when, on this machine's own clock. Checked before a drive or an
//! action begins.

use crate::Error;
use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Claims, HeldShard, InstanceKey, LONGEST_ACTION, PreviousHolder, Shard, StoreError};

/// The validity of a claim that is not renewed.
pub(crate) const TTL: Duration = Duration::from_secs(10);

/// The part of the validity that is not used: this machine's clock and the database's may run at different speeds, and
/// the result of a check is used a moment later.
const MARGIN: Duration = Duration::from_secs(2);

/// Time since the machine was started. It continues while the machine is suspended, and setting the clock does not
/// change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootTime(Duration);

impl BootTime {
    pub(crate) fn now() -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let (seconds, nanos) =
            (u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0));
        Self(Duration::new(seconds, nanos))
    }

    fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }

    fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

/// The claims of one host.
#[derive(Debug)]
pub(crate) struct ClaimTable {
    state: Mutex<ClaimState>,
}

#[derive(Debug, Default)]
struct ClaimState {
    shards: HashMap<Shard, ClaimedShard>,
    /// Until when; `None` means forever.
    until: Option<BootTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ClaimedShard {
    epoch: u64,
    /// The time from which an action whose beginning is recorded is certainly over.
    settled_at: Option<BootTime>,
}

/// The claim under which an action begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ActionClaim {
    pub(crate) epoch: u64,
    /// The longest time of the action; `None` if no other host can take over the instance.
    pub(crate) time: Option<Duration>,
}

impl ClaimTable {
    /// A table without a claim.
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(ClaimState { shards: HashMap::new(), until: Some(BootTime(Duration::ZERO)) }),
        }
    }

    /// Applies the store's answer to a renewal that was begun at `started`. Returns the shards that were held before
    /// and are lost.
    pub(crate) fn renewed(&self, started: BootTime, claims: &Claims) -> Vec<Shard> {
        let mut state = self.state();
        let held = |claim: &HeldShard| {
            let before = state.shards.get(&claim.shard).filter(|before| before.epoch == claim.epoch);
            let settled_at = match claim.previous {
                PreviousHolder::Finished => None,
                PreviousHolder::Expired => Some(BootTime::now().after(claim.settled_in)),
            };
            (claim.shard, before.copied().unwrap_or(ClaimedShard { epoch: claim.epoch, settled_at }))
        };
        let shards: HashMap<_, _> = claims.shards.iter().map(held).collect();
        let lost = state.shards.keys().filter(|shard| !shards.contains_key(shard)).copied().collect();
        let usable = |valid: Duration| started.after(valid.saturating_sub(MARGIN));
        *state = ClaimState { shards, until: claims.valid_for.map(usable) };
        lost
    }

    /// The number of held shards.
    pub(crate) fn count(&self) -> usize {
        self.state().shards.len()
    }

    /// Gives all up.
    pub(crate) fn clear(&self) {
        *self.state() = ClaimState { shards: HashMap::new(), until: Some(BootTime(Duration::ZERO)) };
    }

    /// Whether other hosts may drive the instances that this one does not.
    pub(crate) fn are_shared(&self) -> bool {
        self.state().until.is_some()
    }

    /// Whether this host's claims are over, so that it drives no instance.
    pub(crate) fn are_over(&self) -> bool {
        self.state().until.is_some_and(|until| BootTime::now() >= until)
    }

    /// Fails if another host may drive the instance.
    ///
    /// # Errors
    /// [`Error::DrivenElsewhere`].
    pub(crate) fn check(&self, key: &InstanceKey) -> Result<(), Error> {
        if self.are_shared() { self.held(key).map(drop) } else { Ok(()) }
    }

    /// The claim under which an action may begin now.
    ///
    /// # Errors
    /// [`StoreError::ClaimLost`] if the claim is over.
    pub(crate) fn action(&self, key: &InstanceKey) -> Result<ActionClaim, Error> {
        if !self.are_shared() {
            return Ok(ActionClaim { epoch: 0, time: None });
        }
        let held = self.held(key).map_err(|_| StoreError::ClaimLost(key.clone()))?;
        Ok(ActionClaim { epoch: held.epoch, time: Some(LONGEST_ACTION) })
    }

    /// The time for which an action of the instance whose beginning is recorded may still be in progress on another
    /// host.
    ///
    /// # Errors
    /// [`Error::DrivenElsewhere`] if another host may drive the instance.
    pub(crate) fn unsettled_for(&self, key: &InstanceKey) -> Result<Duration, Error> {
        if !self.are_shared() {
            return Ok(Duration::ZERO);
        }
        let settled_at = self.held(key)?.settled_at;
        Ok(settled_at.map_or(Duration::ZERO, |at| BootTime::now().until(at)))
    }

    fn held(&self, key: &InstanceKey) -> Result<ClaimedShard, Error> {
        let state = self.state();
        let is_over = state.until.is_some_and(|until| BootTime::now() >= until);
        let held = state.shards.get(&key.shard()).copied().filter(|_| !is_over);
        held.ok_or_else(|| Error::DrivenElsewhere(key.clone()))
    }

    fn state(&self) -> MutexGuard<'_, ClaimState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> InstanceKey {
        InstanceKey { tenant: "acme".parse().unwrap(), instance: "i1".parse().unwrap() }
    }

    fn claims(epoch: u64, previous: PreviousHolder, valid_for: Option<Duration>) -> Claims {
        let shards = vec![HeldShard { shard: key().shard(), epoch, previous, settled_in: LONGEST_ACTION }];
        Claims { shards, valid_for, next_lapse: None, notice: None }
    }

    #[test]
    fn a_host_without_a_claim_neither_drives_nor_acts() {
        let table = ClaimTable::new();
        assert!(matches!(table.check(&key()), Err(Error::DrivenElsewhere(_))));
        assert!(matches!(table.action(&key()), Err(Error::Store(StoreError::ClaimLost(_)))));
        // The claims of a folder are valid forever.
        table.renewed(BootTime::now(), &claims(0, PreviousHolder::Finished, None));
        table.check(&key()).unwrap();
        assert_eq!(table.action(&key()).unwrap(), ActionClaim { epoch: 0, time: None });
    }

    #[test]
    fn a_claim_is_over_some_time_before_the_database_says_so() {
        let table = ClaimTable::new();
        let asked = |valid| table.renewed(BootTime::now(), &claims(7, PreviousHolder::Finished, Some(valid)));
        asked(TTL);
        assert_eq!(table.action(&key()).unwrap(), ActionClaim { epoch: 7, time: Some(LONGEST_ACTION) });
        asked(MARGIN);
        assert!(table.are_over() && table.check(&key()).is_err() && table.action(&key()).is_err());
        // The answer of a renewal that was begun long ago does not extend a claim.
        table.renewed(BootTime(Duration::ZERO), &claims(7, PreviousHolder::Finished, Some(MARGIN)));
        assert!(table.check(&key()).is_err());
    }

    #[test]
    fn an_action_found_begun_is_judged_when_it_cannot_be_under_way_any_more() {
        let table = ClaimTable::new();
        table.renewed(BootTime::now(), &claims(7, PreviousHolder::Expired, Some(TTL)));
        let first = table.unsettled_for(&key()).unwrap();
        assert!(first > Duration::ZERO && first <= LONGEST_ACTION);
        // A renewal does not begin the time again; another claim does.
        table.renewed(BootTime::now(), &claims(7, PreviousHolder::Expired, Some(TTL)));
        assert!(table.unsettled_for(&key()).unwrap() <= first);
        assert_eq!(table.renewed(BootTime::now(), &claims(8, PreviousHolder::Finished, Some(TTL))), []);
        assert_eq!(table.unsettled_for(&key()).unwrap(), Duration::ZERO);
        let none = Claims { shards: Vec::new(), valid_for: Some(TTL), next_lapse: None, notice: None };
        assert_eq!(table.renewed(BootTime::now(), &none), [key().shard()]);
        assert!(matches!(table.unsettled_for(&key()), Err(Error::DrivenElsewhere(_))));
    }
}
