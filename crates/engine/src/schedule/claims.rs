//! Claiming shards for as long as this host works, where it shares the store with others.

use crate::Host;
use crate::runtime::claims::{BootTime, TTL};
use crate::state::HostState;
use std::convert::Infallible;
use std::time::Duration;
use store::{Shard, StoreError};

/// How often claims are renewed: two renewals may fail before a claim is over.
const RENEW: Duration = Duration::from_secs(TTL.as_secs() / 3);

/// How long to wait after a renewal that failed.
const RETRY: Duration = Duration::from_millis(500);

/// How often it is looked whether what this host drives has ended, when claims are given back.
const LOOK: Duration = Duration::from_millis(20);

/// Claims this host's share of the shards, and renews for as long as it is polled. Where the database is away, this goes on trying.
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
            // Another host may have taken the instances over: what is driven here cannot be written any more.
            inner.leases.interrupt_all(|_| true);
        }
        // What other hosts have deployed is served here too.
        inner.publisher.wake();
        tokio::time::sleep(if is_told { RETRY } else { RENEW }).await;
    }
}

/// Gives the claims back, where nothing is driven any more. What an action is under way for stays claimed until its time is over.
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
    let held = inner.claims.count();
    let lost: Vec<Shard> = inner.claims.renewed(started, &claims);
    if inner.claims.count() > held {
        // What is due in a shard that is new here is due for the worker.
        inner.wakeups.notify_all();
    }
    if !lost.is_empty() {
        inner.leases.interrupt_all(|key| lost.contains(&key.shard()));
    }
    Ok(())
}
