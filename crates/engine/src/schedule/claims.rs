//! Claiming shards for as long as this host works, where it shares the store with others.

use crate::Host;
use crate::runtime::claims::{BootTime, TTL};
use crate::state::HostState;
use std::convert::Infallible;
use std::time::Duration;
use store::{Shard, StoreError};

/// The interval of renewals: two may fail before a claim is over.
const RENEW: Duration = Duration::from_secs(TTL.as_secs() / 3);

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
        let failed = renew_once(inner).await.err();
        if let Some(error) = &failed
            && !is_told
        {
            (inner.problems)(&format!("cannot renew the claims of this host: {error} (it is tried again)"));
        }
        is_told = failed.is_some();
        if inner.claims.are_over() {
            // Another host may have taken over the instances: drives here can no longer write.
            inner.leases.interrupt_all(|_| true);
        }
        // This host also serves the deployments of other hosts.
        inner.publisher.wake();
        tokio::time::sleep(if is_told { RETRY } else { RENEW }).await;
    }
}

/// Releases the claims when all drives have ended. A shard with an action under way stays claimed until its time is
/// over.
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
        // Where this fails, the claims end with their time.
        let _ = inner.journals.store.release().await;
    }
}

async fn renew_once(inner: &HostState) -> Result<(), StoreError> {
    let started = BootTime::now();
    let claims = inner.journals.store.renew(TTL).await?;
    if let Some(notice) = &claims.notice {
        (inner.problems)(notice);
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
    Ok(())
}
