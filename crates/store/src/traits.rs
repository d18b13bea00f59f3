//! The contract, by concern. Each read is answered like a write: await it, or wait for it on a thread without an
//! executor.

use crate::{
    Answer, AskHistory, Batch, Claims, Commit, Create, Deleted, Deployment, DeploymentPage, Fact, FirstEnded,
    HostInfo, Hosts, InstanceKey, InstanceSummary, JournalPosition, ReceiptPage, RecordedAct,
    RecordedDeployment, RecordedReceipt, RecordedRequest, RequestFilter, RequestWithJournal, Selection,
    StoreError, StoredReceipt, Usage, Write, Writer, Written,
};
use receipt::{Digest, Timestamp};
use std::time::Duration;
use workflow::{ReceiptId, RequestId, TenantId};

/// Durable state: everything that a database has to offer to the engine.
pub trait Store:
    WriteStore
    + JournalStore
    + RequestStore
    + ReceiptStore
    + ActStore
    + ScheduleStore
    + DeploymentStore
    + UsageStore
    + ClaimStore
{
}

impl<T> Store for T where
    T: WriteStore
        + JournalStore
        + RequestStore
        + ReceiptStore
        + ActStore
        + ScheduleStore
        + DeploymentStore
        + UsageStore
        + ClaimStore
{
}

/// Writing: the only way to change the state.
pub trait WriteStore: Send + Sync {
    /// Submits a write. The answer comes when it is on disk, or when it has been refused without any effect.
    ///
    /// The store refuses a write at a position that is taken ([`StoreError::Conflict`]), one that exists
    /// ([`StoreError::Exists`]), and one that exceeds a quota ([`StoreError::Quota`]). A refusal does not affect other
    /// writes.
    fn write(&self, write: Write<'_>) -> Commit;

    /// [`write`](Self::write), blocking: the caller's thread waits for the answer, and the store may use the thread to
    /// write.
    ///
    /// # Errors
    /// Nothing was written.
    fn write_here(&self, write: Write<'_>) -> Written {
        self.write(write).wait()
    }

    /// [`write`](Self::write), for a caller whose thread has nothing else to do: a store whose writes need no other
    /// machine may use the thread to write.
    fn write_alone(&self, write: Write<'_>) -> Commit {
        self.write(write)
    }

    /// [`Write::Create`].
    fn create(&self, create: &Create) -> Commit {
        self.write(Write::Create(create))
    }

    /// [`Write::Append`] by the instance's driver.
    fn append(&self, place: JournalPosition, batch: &Batch) -> Commit {
        self.write(Write::Append { place, batch, writer: Writer::Driver })
    }

    /// Writes a [`Write::Act`] at the place after `seen`.
    ///
    /// # Errors
    /// [`StoreError::ActsMoved`] when another act is the last, or the state cannot be written.
    fn act(&self, seen: u64, at: Timestamp, body: String) -> Result<(), StoreError> {
        self.write_here(Write::Act { seen, at, body }).map(drop)
    }

    /// [`Write::Revoke`].
    ///
    /// # Errors
    /// When the receipt is spent or already revoked, or the state cannot be written.
    fn revoke(&self, receipt: ReceiptId, at: Timestamp, body: String) -> Result<(), StoreError> {
        self.write_here(Write::Revoke { receipt, at, body }).map(drop)
    }
}

/// Journals: the entries of each instance, and the code that it runs.
pub trait JournalStore: Send + Sync {
    /// The facts, in order: of one instance, or of all.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn facts(&self, key: Option<&InstanceKey>) -> Answer<Vec<Fact>>;

    /// The first facts of an instance from that index on, in order. Reading a journal in parts from its beginning costs as
    /// much as reading it once.
    ///
    /// # Errors
    /// When the state cannot be read, or has no such instance.
    fn facts_from(&self, key: &InstanceKey, index: u64, limit: u32) -> Answer<Vec<Fact>>;

    /// The first deletions from that time on, in order: of one tenant's instances, or of all. Costs one look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn deletions(&self, tenant: Option<&TenantId>, from: Timestamp, limit: u32) -> Answer<Vec<Deleted>>;

    /// The instances, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn instances(&self) -> Answer<Vec<InstanceKey>>;

    /// The bytes of a component.
    ///
    /// # Errors
    /// When the state cannot be read, or does not have it.
    fn component(&self, digest: &Digest) -> Answer<Vec<u8>>;

    /// The output of an instance's guest.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn output(&self, key: &InstanceKey) -> Answer<String>;

    /// The first facts of all instances after that sequence number, in order. No fact appears later before one that was
    /// answered: a fact that is still being committed is answered later, with everything that follows it.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn facts_after(&self, seq: u64, limit: u32) -> Answer<Vec<Fact>>;

    /// [`facts_after`](Self::facts_after), of one tenant's instances only. Costs no more than reading that tenant's facts
    /// after the place, whatever other tenants have.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn facts_of_tenant(&self, tenant: &TenantId, seq: u64, limit: u32) -> Answer<Vec<Fact>>;

    /// The last sequence number up to which [`facts_after`](Self::facts_after) has facts; 0 if there are none.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn last_seq(&self) -> Answer<u64>;

    /// The time to judge and to record by. `wall` is the host's clock: an engine without a clock of its own answers
    /// that time, or the latest recorded one if that is later. An engine with a clock answers its own time and ignores
    /// the host's.
    ///
    /// Called before each entry of a drive. An engine on another machine answers from its last reading of that clock
    /// plus the time since on this machine's boot-time clock, without a round trip.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn now(&self, wall: Timestamp) -> Answer<Timestamp>;
}

/// Requests for approval, and how like ones have fared.
pub trait RequestStore: Send + Sync {
    /// A request as JSON text, and the instance that made it.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn request(&self, id: &RequestId) -> Answer<Option<RecordedRequest>>;

    /// A request, with its instance's journal, both as they were at one moment.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn request_and_journal(&self, id: &RequestId) -> Answer<Option<RequestWithJournal>>;

    /// Requests as JSON text, with whose they are and how each ended.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn requests(&self, which: RequestFilter) -> Answer<Vec<RecordedRequest>>;

    /// The history of requests for this capability and resource.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Answer<AskHistory>;

    /// The number of requests that a tenant has made since the beginning of that minute.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Answer<u64>;
}

/// Receipts and their state.
pub trait ReceiptStore: Send + Sync {
    /// A receipt and its state.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn receipt(&self, id: &ReceiptId) -> Answer<Option<RecordedReceipt>>;

    /// The receipt that decided that request. It outlasts the request, which is deleted with its instance. Costs one
    /// look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn receipt_of(&self, request: &RequestId) -> Answer<Option<StoredReceipt>>;

    /// The signed revocation of that id.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn revocation(&self, id: &ReceiptId) -> Answer<Option<StoredReceipt>>;

    /// Receipts, in the order in which they were issued. A page costs a scan of the receipts that it skips, and little
    /// memory.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn receipts(&self, page: ReceiptPage) -> Answer<Vec<ReceiptId>>;

    /// Receipts that may make components or artifacts of these digests known: of each digest a bounded number of spent receipts, the
    /// latest first. The caller judges whether they count. Costs one look-up a digest.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn precedents(&self, tenant: &TenantId, digests: &[Digest]) -> Answer<Vec<(Digest, ReceiptId)>>;
}

/// Operators' acts.
pub trait ActStore: Send + Sync {
    /// The acts after that place, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn acts(&self, after: u64) -> Answer<Vec<RecordedAct>>;

    /// The first acts after that place, in order. Costs one look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn acts_after(&self, seq: u64, limit: u32) -> Answer<Vec<RecordedAct>>;
}

/// The states of instances, and when they are due. Due instances are answered only for the shards of which this store
/// holds a claim.
pub trait ScheduleStore: Send + Sync {
    /// The tenants that have an instance that is due at the time `by`. Costs one look-up per tenant.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn due_tenants(&self, by: Timestamp) -> Answer<Vec<TenantId>>;

    /// A tenant's instances that are due at the time `by`, the longest due first. Costs one look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn due(&self, tenant: &TenantId, by: Timestamp, limit: u32) -> Answer<Vec<InstanceKey>>;

    /// The first time after that at which an instance is due. Costs a look-up a tenant.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn next_due(&self, after: Timestamp) -> Answer<Option<Timestamp>>;

    /// The state of an instance, from its schedule row.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn entered(&self, key: &InstanceKey) -> Answer<Option<InstanceSummary>>;

    /// Instances and their states, newest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn list(&self, selection: &Selection) -> Answer<Vec<InstanceSummary>>;

    /// The tenants that have instances which have ended, and when the first of those did. Costs a look-up a tenant.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn first_ended(&self) -> Answer<Vec<FirstEnded>>;

    /// A tenant's instances that had ended at the time `by`, the longest ended first, without the first `skip` of them.
    /// Costs one look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn ended(&self, tenant: &TenantId, by: Timestamp, skip: u32, limit: u32) -> Answer<Vec<InstanceKey>>;
}

/// Deployments, and what each resource serves.
pub trait DeploymentStore: Send + Sync {
    /// Deployments, in the order in which they were recorded.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn deployments(&self, page: DeploymentPage) -> Answer<Vec<RecordedDeployment>>;

    /// The deployment that a resource serves now.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn live_deployment(&self, tenant: &TenantId, resource: &str) -> Answer<Option<Deployment>>;

    /// Whether an artifact is still needed: a resource serves it, or an existing instance has acted with it. Costs one
    /// look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn keeps_artifact(&self, sha256: &Digest) -> Answer<bool>;
}

/// Tenants' usage.
pub trait UsageStore: Send + Sync {
    /// A tenant's usage, read from a few rows.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn usage(&self, tenant: &TenantId) -> Answer<Usage>;
}

/// Which instances this host drives, if several share one store.
///
/// Each instance belongs to a [`Shard`](crate::Shard). A host drives the instances of the shards that it has claimed. A
/// claim is valid for a time that the engine's own clock measures; a [driver's append](crate::Writer::Driver) is
/// refused if the claim under which it was made is over.
pub trait ClaimStore: Send + Sync {
    /// Records a host with its keys. Registering the same host again replaces its record.
    ///
    /// # Errors
    /// When the state cannot be written.
    fn register(&self, host: &HostInfo) -> Answer<()>;

    /// Records that the [registered](Self::register) host is alive, renews its claims, claims shards that are free or
    /// whose claims are over, up to this host's fair share among the live hosts, and gives up the shards above that
    /// share: for the next holder, such a claim [expired](crate::PreviousHolder::Expired).
    ///
    /// The returned claims are valid for `ttl` from the start of this call. A host that starts again under its id takes
    /// over its own shards at once, if its [place](HostInfo::place) is the same. If another process has valid claims under the id in another place, the
    /// call fails: the folder with the id was copied.
    ///
    /// # Errors
    /// When the state cannot be written. Claims that were returned before stay valid for their time.
    fn renew(&self, ttl: Duration) -> Answer<Claims>;

    /// Releases all claims: no action is under way under any of them. Other hosts can claim them at their next renewal.
    /// A host that renews again has claims again.
    ///
    /// # Errors
    /// When the state cannot be written. Then the claims end with their time.
    fn release(&self) -> Answer<()>;

    /// The hosts on record, including those that are gone, and the replication of commits.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn hosts(&self) -> Answer<Hosts>;
}
