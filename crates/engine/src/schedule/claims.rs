//! Claiming shards while this host works, if it shares the store with other hosts.

use crate::Host;
use crate::runtime::claims::{BootTime, TTL};
use crate::runtime::state::HostState;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use store::{Shard, StoreError};

/// The interval of renewals: two may fail before a claim is over.
const RENEW: Duration = Duration::from_secs(TTL.as_secs() / 3);

/// The time between the end of another host's claim and this host's look for it: both judge by the database's clock, to
/// the microsecond.
const AFTER_LAPSE: Duration = Duration::from_millis(5);

/// The time limit for the database's answer to a renewal. Claims that nothing renews are over at the end of it at the latest, and drives are interrupted.
const ANSWER: Duration = Duration::from_secs(TTL.as_secs() / 2);

/// The delay after a failed renewal.
const RETRY: Duration = Duration::from_millis(500);

/// The interval at which the release of claims checks whether the drives have ended.
const LOOK: Duration = Duration::from_millis(20);

/// Claims this host's share of the shards, and renews the claims as long as it is polled. While the database is
/// unreachable, it keeps trying.
pub(super) async fn renew(host: &Host) -> Infallible {
    let inner = &host.0;
    if !inner.claims.are_shared() {
        return std::future::pending().await;
    }
    let mut is_told = false;
    loop {
        let pause = match renew_once(inner).await {
            Ok(next_lapse) => {
                is_told = false;
                pause(next_lapse)
            }
            Err(error) => {
                if !is_told {
                    let problem = "cannot renew the claims of this host";
                    (inner.on_background_error)(&format!("{problem}: {error} (it is tried again)"));
                }
                is_told = true;
                RETRY
            }
        };
        if inner.claims.are_over() {
            // Another host may have taken over the instances: drives here can no longer write.
            inner.leases.interrupt_all(|_| true);
        }
        // This host also serves the deployments of other hosts.
        inner.publisher.wake();
        tokio::time::sleep(pause).await;
    }
}

/// The time until the next renewal. A claim of another host that nothing renews is taken over when it ends; while every
/// host renews its own, none ends before the next renewal, and no host asks more often.
fn pause(next_lapse: Option<Duration>) -> Duration {
    next_lapse.map_or(RENEW, |lapse| lapse.saturating_add(AFTER_LAPSE).min(RENEW))
}

/// Releases the claims when all drives have ended. A shard with an action in progress stays claimed until the claim's
/// time is over.
pub(super) async fn end(host: &Host) {
    let inner = &host.0;
    if !inner.claims.are_shared() {
        return;
    }
    inner.claims.clear();
    let ended = async {
        while inner.leases.len() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(RENEW, ended).await.is_ok() {
        // If this fails, the claims end at their expiry.
        let _ = tokio::time::timeout(RENEW, inner.journals.store.release()).await;
    }
}

/// The database accepts a renewal and answers nothing.
#[derive(Debug, thiserror::Error)]
#[error("the database has not answered for {} s", ANSWER.as_secs())]
struct Silent;

/// Returns the time until the first claim of another host is over.
async fn renew_once(inner: &HostState) -> Result<Option<Duration>, StoreError> {
    let started = BootTime::now();
    let answer = tokio::time::timeout(ANSWER, inner.journals.store.renew(TTL)).await;
    let claims = answer.unwrap_or_else(|_| Err(StoreError::Unavailable(Arc::new(Silent))))?;
    if let Some(notice) = &claims.notice {
        (inner.on_background_error)(notice);
    }
    let held = inner.claims.count();
    let lost: Vec<Shard> = inner.claims.renewed(started, &claims);
    if inner.claims.count() > held {
        // The due instances of a newly claimed shard are due for the worker.
        inner.wakeups.notify_all();
    }
    if !lost.is_empty() {
        inner.leases.interrupt_all(|key| lost.contains(&key.shard()));
    }
    Ok(claims.next_lapse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_hosts_claim_is_looked_at_when_it_ends_and_no_host_asks_more_often_while_all_renew() {
        // What a host sees of another host that renews in time.
        for renewed in [None, Some(TTL), Some(TTL - RENEW), Some(RENEW)] {
            assert_eq!(pause(renewed), RENEW, "{renewed:?}");
        }
        for dying in [Duration::ZERO, Duration::from_millis(1), RENEW - AFTER_LAPSE] {
            assert_eq!(pause(Some(dying)), dying + AFTER_LAPSE);
        }
    }
}
