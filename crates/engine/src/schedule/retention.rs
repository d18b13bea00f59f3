//! Deletes instances that have ended long enough ago, and artifacts that are no longer needed. An index has the time of
//! the first, and next to no work is done before it.

use crate::instances::{Deletion, delete, sweep_artifacts};
use crate::limits::SHORTEST_RETENTION;
use crate::runtime::state::HostState;
use crate::schedule::worker::is_away;
use crate::{Error, Host};
use receipt::Timestamp;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use store::{FirstEnded, InstanceKey, StoreError};
use workflow::TenantId;

/// The actor that records name for a deletion by retention.
const BY: &str = "retention";

/// Instances that are deleted in one transaction: it keeps other writers waiting for some milliseconds.
const BATCH: u32 = 64;

/// The time between two sweeps. An instance that ends in between is not due before the next sweep, see [`SHORTEST`].
const LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);

/// The shortest time that anything is kept, also if an embedder sets less.
const SHORTEST: Duration = Duration::from_secs(SHORTEST_RETENTION);

/// The pause in deleting when the store refuses writes.
const STORE_BACKOFF: Duration = Duration::from_secs(60);

/// Deletes ended instances while it is polled.
pub(super) async fn keep(host: &Host) -> Result<Infallible, Error> {
    loop {
        let inner = Arc::clone(&host.0);
        let swept = tokio::task::spawn_blocking(move || sweep(&inner)).await;
        let next = swept.map_err(|error| Error::Internal(format!("retention broke off: {error}")))?;
        let next = match next {
            Err(Error::Store(error)) if host.0.claims.are_shared() && is_away(&error) => {
                tokio::time::sleep(STORE_BACKOFF).await;
                continue;
            }
            Err(Error::Store(error)) if refuses_writes(&error) => {
                crate::issuer::after(host.0.now()?, STORE_BACKOFF)
            }
            next => next?,
        };
        while host.0.now()? < next {
            host.0.until(next).await?;
        }
    }
}

/// Whether the store may take writes again later: its disk is full, or another program has locked the journal.
fn refuses_writes(error: &StoreError) -> bool {
    matches!(error, StoreError::Full(_) | StoreError::Database(_) | StoreError::Unavailable(_))
}

/// Deletes every instance whose time has come, and returns the time of the next sweep.
fn sweep(inner: &Arc<HostState>) -> Result<Timestamp, Error> {
    let now = inner.now()?;
    let mut next = crate::issuer::after(now, LOOK_AGAIN);
    for FirstEnded { tenant, at: first } in inner.journals.store.first_ended().wait()? {
        let age = inner.journals.settings.of(&tenant).quotas.retention.max(SHORTEST);
        let Some(by) = before(now, age) else { continue };
        if first <= by {
            sweep_of(inner, &tenant, by)?;
        } else {
            next = next.min(crate::issuer::after(first, age));
        }
    }
    sweep_artifacts(inner, None);
    Ok(next)
}

/// Sweeps one tenant. An instance that needs a review first is skipped.
fn sweep_of(inner: &Arc<HostState>, tenant: &TenantId, by: Timestamp) -> Result<(), Error> {
    let mut stay = 0;
    loop {
        let keys = inner.journals.store.ended(tenant, by, stay, BATCH).wait()?;
        if keys.is_empty() {
            return Ok(());
        }
        stay += delete_all(inner, &keys)?;
    }
}

/// Deletes instances together, and returns the number that could not be deleted.
fn delete_all(inner: &Arc<HostState>, keys: &[InstanceKey]) -> Result<u32, Error> {
    let mut stay = 0;
    let mut under_way = Vec::with_capacity(keys.len());
    for key in keys {
        match delete(inner, key, BY) {
            Ok(deletion) => under_way.push(deletion),
            Err(_) => stay += 1,
        }
    }
    for Deletion { lease: _lease, commit, .. } in under_way {
        match commit.wait() {
            Ok(_) => {}
            // The instance was driven again at this very moment.
            Err(StoreError::Conflict(_) | StoreError::NoInstance(_)) => stay += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(stay)
}

/// The time `age` before `now`; `None` if that is before all time, as for an age without end.
fn before(now: Timestamp, age: Duration) -> Option<Timestamp> {
    let age = i64::try_from(age.as_millis()).ok()?;
    now.as_millis().checked_sub(age).filter(|millis| *millis >= 0).map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_another_program_has_locked_is_swept_later() {
        let locked = Arc::new(std::io::Error::other("the journal is locked"));
        assert!(refuses_writes(&StoreError::Unavailable(locked)));
        assert!(!refuses_writes(&StoreError::Damaged("a row is missing".to_owned())));
    }
}
