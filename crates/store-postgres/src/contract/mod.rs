//! The store's contract: implements each of its traits by the functions that read and write.

mod claims;

use crate::blob::{blobs, objects};
use crate::error::DatabaseError;
use crate::postgres::Postgres;
use crate::read::{journals, requests, schedule, tail};
use crate::session::readers::Readers;
use crate::session::shared::{HostPlace, Shared};
use crate::write::record::Record;
use receipt::{Digest, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{
    ActStore, Answer, AskHistory, BlobStore, ClaimStore, Claims, Commit, Deleted, Deployment, DeploymentPage,
    DeploymentStore, Fact, FirstEnded, HostInfo, Hosts, InstanceKey, InstanceSummary, JournalStore,
    ReceiptPage, ReceiptStore, RecordedAct, RecordedDeployment, RecordedReceipt, RecordedRequest,
    RequestFilter, RequestStore, RequestWithJournal, ScheduleStore, Selection, StoredReceipt, Usage,
    UsageStore, Write, WriteStore,
};
use workflow::{ReceiptId, RequestId, TenantId};

/// Reads with copies of the named values.
macro_rules! read {
    ($store:ident, |$db:ident $(, $name:ident)*| $read:expr) => {{
        $(let $name = $name.to_owned();)*
        $store.read(move |$db| async move { $read.await })
    }};
}

/// Reads that borrow sessions themselves, with copies of the named values.
macro_rules! with_readers {
    ($store:ident, |$readers:ident $(, $name:ident)*| $read:expr) => {{
        $(let $name = $name.to_owned();)*
        $store.read_with(move |$readers| async move { $read.await })
    }};
}

impl WriteStore for Postgres {
    fn write(&self, write: Write<'_>) -> Commit {
        match Record::of(write) {
            Ok(record) => self.submit(record),
            Err(error) => Commit::ready(Err(error)),
        }
    }
}

impl JournalStore for Postgres {
    fn facts(&self, key: Option<&InstanceKey>) -> Answer<Vec<Fact>> {
        match key {
            Some(key) => read!(self, |db, key| journals::journal(&db, &key)),
            None => read!(self, |db| journals::all(&db)),
        }
    }

    fn facts_from(&self, key: &InstanceKey, index: u64, limit: u32) -> Answer<Vec<Fact>> {
        read!(self, |db, key| journals::from(&db, &key, index, limit))
    }

    fn deletions(&self, tenant: Option<&TenantId>, from: Timestamp, limit: u32) -> Answer<Vec<Deleted>> {
        let tenant = &tenant.cloned();
        read!(self, |db, tenant| journals::deletions(&db, tenant.as_ref(), from, limit))
    }

    fn instances(&self) -> Answer<Vec<InstanceKey>> {
        read!(self, |db| journals::instances(&db))
    }

    fn component(&self, digest: &Digest) -> Answer<Vec<u8>> {
        read!(self, |db, digest| journals::component(&db, &digest))
    }

    fn output(&self, key: &InstanceKey) -> Answer<String> {
        read!(self, |db, key| journals::output(&db, &key))
    }

    fn facts_after(&self, seq: u64, limit: u32) -> Answer<Vec<Fact>> {
        let shared = &self.shared;
        with_readers!(self, |readers, shared| async move {
            let horizon = horizon(&shared, &readers).await?;
            tail::after(&*readers.acquire().await?, seq, limit, horizon).await
        })
    }

    fn facts_of_tenant(&self, tenant: &TenantId, seq: u64, limit: u32) -> Answer<Vec<Fact>> {
        let shared = &self.shared;
        with_readers!(self, |readers, shared, tenant| async move {
            let horizon = horizon(&shared, &readers).await?;
            tail::of_tenant(&*readers.acquire().await?, &tenant, seq, limit, horizon).await
        })
    }

    fn last_seq(&self) -> Answer<u64> {
        let shared = &self.shared;
        with_readers!(self, |readers, shared| async move {
            let horizon = horizon(&shared, &readers).await?;
            tail::last(&*readers.acquire().await?, horizon).await
        })
    }

    fn now(&self, _wall: Timestamp) -> Answer<Timestamp> {
        Answer::ready(Ok(self.shared.clock.now()))
    }
}

/// The place up to which no further fact can appear.
async fn horizon(shared: &Shared, readers: &Arc<Readers>) -> Result<i64, DatabaseError> {
    let found = tail::horizon(readers, shared.horizon.load(Ordering::Acquire)).await?;
    Ok(shared.horizon.fetch_max(found, Ordering::AcqRel).max(found))
}

impl ClaimStore for Postgres {
    fn register(&self, host: &HostInfo) -> Answer<()> {
        self.shared.set_host(HostPlace { host: host.id.clone(), place: host.place.clone() });
        let host = host.clone();
        self.keep(move |_, db| {
            let host = host.clone();
            async move { claims::register(&db, &host).await }
        })
    }

    fn renew(&self, ttl: Duration) -> Answer<Claims> {
        self.keep(move |shared, db| async move {
            // A failover closes every connection, so this one still reaches the server that was compared when it was opened.
            shared.look(&db).await?;
            let claims = claims::renew(&db, &shared.host()?, &shared.claim(), ttl).await?;
            Ok(Claims { notice: shared.take_notice(), ..claims })
        })
    }

    fn release(&self) -> Answer<()> {
        self.keep(
            |shared, db| async move { claims::release(&db, &shared.host()?.host, &shared.claim()).await },
        )
    }

    fn hosts(&self) -> Answer<Hosts> {
        read!(self, |db| claims::hosts(&db))
    }
}

impl BlobStore for Postgres {
    fn keep_blob(&self, digest: &Digest, bytes: Arc<[u8]>) -> Answer<()> {
        let objects = self.objects.clone();
        with_readers!(self, |readers, digest| blobs::keep(&readers, objects, &digest, bytes))
    }

    fn blob(&self, digest: &Digest) -> Answer<Option<Vec<u8>>> {
        let objects = self.objects.clone();
        with_readers!(self, |readers, digest| blobs::read(&readers, objects, &digest))
    }

    fn blobs(&self) -> Answer<Vec<Digest>> {
        read!(self, |db| blobs::list(&db))
    }

    fn sweep_blob(&self, digest: &Digest) -> Answer<()> {
        let objects = self.objects.clone();
        with_readers!(self, |readers, digest| blobs::sweep(&readers, objects, &digest))
    }

    fn sweep_unnamed(&self) -> Answer<()> {
        let objects = self.objects.clone();
        with_readers!(self, |readers| objects::sweep(&readers, objects))
    }
}

impl RequestStore for Postgres {
    fn request(&self, id: &RequestId) -> Answer<Option<RecordedRequest>> {
        read!(self, |db, id| requests::request(&db, &id))
    }

    fn request_and_journal(&self, id: &RequestId) -> Answer<Option<RequestWithJournal>> {
        read!(self, |db, id| requests::with_journal(&db, &id))
    }

    fn requests(&self, which: RequestFilter) -> Answer<Vec<RecordedRequest>> {
        read!(self, |db| requests::list(&db, &which))
    }

    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Answer<AskHistory> {
        let subject = format!("{capability} {resource}");
        read!(self, |db, tenant| requests::asked(&db, &tenant, &subject))
    }

    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Answer<u64> {
        read!(self, |db, tenant| requests::asked_since(&db, &tenant, since))
    }
}

impl ReceiptStore for Postgres {
    fn receipt(&self, id: &ReceiptId) -> Answer<Option<RecordedReceipt>> {
        read!(self, |db, id| requests::receipt(&db, &id))
    }

    fn receipt_of(&self, request: &RequestId) -> Answer<Option<StoredReceipt>> {
        read!(self, |db, request| requests::receipt_of(&db, &request))
    }

    fn revocation(&self, id: &ReceiptId) -> Answer<Option<StoredReceipt>> {
        read!(self, |db, id| requests::revocation(&db, &id))
    }

    fn receipts(&self, page: ReceiptPage) -> Answer<Vec<ReceiptId>> {
        read!(self, |db, page| requests::receipts(&db, &page))
    }

    fn precedents(&self, tenant: &TenantId, digests: &[Digest]) -> Answer<Vec<(Digest, ReceiptId)>> {
        read!(self, |db, tenant, digests| requests::precedents(&db, &tenant, &digests))
    }
}

impl ActStore for Postgres {
    fn acts(&self, after: u64) -> Answer<Vec<RecordedAct>> {
        read!(self, |db| requests::acts(&db, after))
    }

    fn acts_after(&self, seq: u64, limit: u32) -> Answer<Vec<RecordedAct>> {
        read!(self, |db| requests::acts_after(&db, seq, limit))
    }
}

impl ScheduleStore for Postgres {
    fn due_tenants(&self, by: Timestamp) -> Answer<Vec<TenantId>> {
        let claim = self.shared.claim();
        read!(self, |db| schedule::due_tenants(&db, by, claim))
    }

    fn due(&self, tenant: &TenantId, by: Timestamp, limit: u32) -> Answer<Vec<InstanceKey>> {
        let claim = self.shared.claim();
        read!(self, |db, tenant| schedule::due(&db, &tenant, (by, limit), claim))
    }

    fn next_due(&self, after: Timestamp) -> Answer<Option<Timestamp>> {
        let claim = self.shared.claim();
        read!(self, |db| schedule::next_due(&db, after, claim))
    }

    fn entered(&self, key: &InstanceKey) -> Answer<Option<InstanceSummary>> {
        read!(self, |db, key| schedule::entered(&db, &key))
    }

    fn list(&self, selection: &Selection) -> Answer<Vec<InstanceSummary>> {
        read!(self, |db, selection| schedule::list(&db, &selection))
    }

    fn first_ended(&self) -> Answer<Vec<FirstEnded>> {
        read!(self, |db| schedule::first_ended(&db))
    }

    fn ended(&self, tenant: &TenantId, by: Timestamp, skip: u32, limit: u32) -> Answer<Vec<InstanceKey>> {
        read!(self, |db, tenant| schedule::ended(&db, &tenant, by, (skip, limit)))
    }
}

impl DeploymentStore for Postgres {
    fn deployments(&self, page: DeploymentPage) -> Answer<Vec<RecordedDeployment>> {
        read!(self, |db, page| schedule::deployments(&db, &page))
    }

    fn live_deployment(&self, tenant: &TenantId, resource: &str) -> Answer<Option<Deployment>> {
        read!(self, |db, tenant, resource| schedule::live(&db, &tenant, &resource))
    }

    fn keeps_artifact(&self, sha256: &Digest) -> Answer<bool> {
        read!(self, |db, sha256| schedule::keeps(&db, &sha256))
    }
}

impl UsageStore for Postgres {
    fn usage(&self, tenant: &TenantId) -> Answer<Usage> {
        read!(self, |db, tenant| schedule::kept(&db, &tenant))
    }
}
