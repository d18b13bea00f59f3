//! The contract, by concern. Each read answers like a write: await it, or wait for it on a thread that has nothing else to do.

use crate::{
    Answer, AskHistory, Batch, Claims, Commit, Create, Deleted, Deployment, DeploymentPage, Fact, FirstEnded,
    HostInfo, Hosts, InstanceKey, InstanceSummary, JournalPosition, RecordedAct, RecordedDeployment,
    RecordedReceipt, RecordedRequest, RequestFilter, RequestWithJournal, Selection, StoreError,
    StoredReceipt, Usage, Write, Writer, Written,
};
use receipt::{Digest, Timestamp};
use std::time::Duration;
use workflow::{ReceiptId, RequestId, TenantId};

/// Durable state: everything that an engine has to offer.
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

/// Writing: the one way in.
pub trait WriteStore: Send + Sync {
    /// Hands over a write. The answer comes when it is on disk, or has been refused: then nothing of it is.
    ///
    /// The store refuses a write at a place that is taken ([`StoreError::Conflict`]), one that exists ([`StoreError::Exists`]), and one that
    /// goes beyond a quota ([`StoreError::Quota`]). No refusal touches another write.
    fn write(&self, write: Write<'_>) -> Commit;

    /// The same, blocking: the caller's thread waits for the answer, and the store may use the thread to write.
    ///
    /// # Errors
    /// When nothing was written.
    fn write_here(&self, write: Write<'_>) -> Written {
        self.write(write).wait()
    }

    /// [`Write::Create`].
    fn create(&self, create: &Create) -> Commit {
        self.write(Write::Create(create))
    }

    /// [`Write::Append`] by the instance's driver.
    fn append(&self, place: JournalPosition, batch: &Batch) -> Commit {
        self.write(Write::Append { place, batch, writer: Writer::Driver })
    }

    /// [`Write::Act`]. Its place is the one after `seen`.
    ///
    /// # Errors
    /// [`StoreError::ActsMoved`] when another act is the last, or the state cannot be written.
    fn act(&self, seen: u64, at: Timestamp, body: String) -> Result<(), StoreError> {
        self.write_here(Write::Act { seen, at, body }).map(drop)
    }

    /// [`Write::Revoke`].
    ///
    /// # Errors
    /// When the receipt is spent or was taken back before, or the state cannot be written.
    fn revoke(&self, receipt: ReceiptId, at: Timestamp, body: String) -> Result<(), StoreError> {
        self.write_here(Write::Revoke { receipt, at, body }).map(drop)
    }
}

/// Journals: what happened to each instance, and what it is loaded with.
pub trait JournalStore: Send + Sync {
    /// The facts, in order: of one instance, or of all.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn facts(&self, key: Option<&InstanceKey>) -> Answer<Vec<Fact>>;

    /// The first facts of an instance from that index on, in order.
    ///
    /// # Errors
    /// When the state cannot be read, or has no such instance.
    fn facts_from(&self, key: &InstanceKey, index: u64, limit: u32) -> Answer<Vec<Fact>>;

    /// The instances that were deleted, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn deletions(&self) -> Answer<Vec<Deleted>>;

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

    /// The first facts of all instances after that place, in order. A fact that is answered never has one before it that was not there:
    /// what is still being committed is answered later, with everything that follows it.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn facts_after(&self, seq: u64, limit: u32) -> Answer<Vec<Fact>>;

    /// The last place that [`facts_after`](Self::facts_after) has something up to; 0 where there is none.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn last_seq(&self) -> Answer<u64>;

    /// The time to judge and to record by. `wall` is the host's clock: an engine without a clock of its own answers that, and never a time
    /// before the latest recorded one. An engine that has a clock answers its own, whatever the host's says.
    ///
    /// Asked before each entry of a drive. An engine elsewhere answers from its clock as it last saw it and the time since on this
    /// machine's boot-time clock, without asking again.
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

    /// The same with that instance's journal, both as they were at one moment.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn request_and_journal(&self, id: &RequestId) -> Answer<Option<RequestWithJournal>>;

    /// Requests as JSON text, with whose they are and how each ended.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn requests(&self, which: RequestFilter) -> Answer<Vec<RecordedRequest>>;

    /// How requests for this have fared before.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Answer<AskHistory>;

    /// How many requests a tenant has made since the beginning of that minute.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Answer<u64>;
}

/// Receipts and what became of them.
pub trait ReceiptStore: Send + Sync {
    /// A receipt and what became of it.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn receipt(&self, id: &ReceiptId) -> Answer<Option<RecordedReceipt>>;

    /// The signed revocation of that id.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn revocation(&self, id: &ReceiptId) -> Answer<Option<StoredReceipt>>;

    /// All receipts, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn receipts(&self) -> Answer<Vec<ReceiptId>>;

    /// Where to look for whether a component or an artifact of that digest is known: a bounded number of receipts that were spent, the latest
    /// first. Whether they count is for the caller to judge. Costs a look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn precedents(&self, tenant: &TenantId, digest: &Digest) -> Answer<Vec<ReceiptId>>;
}

/// Operators' acts.
pub trait ActStore: Send + Sync {
    /// The acts after that place, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn acts(&self, after: u64) -> Answer<Vec<RecordedAct>>;
}

/// How instances stand, and when they are due. What is due is answered for the shards that this store holds a claim of, and for no others.
pub trait ScheduleStore: Send + Sync {
    /// The tenants that have an instance that is due by then. Costs a look-up a tenant.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn due_tenants(&self, by: Timestamp) -> Answer<Vec<TenantId>>;

    /// A tenant's instances that are due by then, the longest due first. Costs a look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn due(&self, tenant: &TenantId, by: Timestamp, limit: u32) -> Answer<Vec<InstanceKey>>;

    /// The first time after that at which an instance is due. Costs a look-up a tenant.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn next_due(&self, after: Timestamp) -> Answer<Option<Timestamp>>;

    /// How an instance stands, from its line in the agenda.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn entered(&self, key: &InstanceKey) -> Answer<Option<InstanceSummary>>;

    /// Instances and how they stand, newest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn list(&self, selection: &Selection) -> Answer<Vec<InstanceSummary>>;

    /// The tenants that have instances which have ended, and when the first of those did. Costs a look-up a tenant.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn first_ended(&self) -> Answer<Vec<FirstEnded>>;

    /// A tenant's instances that had ended by then, the longest ended first, without the first `skip` of them. Costs a look-up.
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

    /// Whether an artifact is kept: a resource serves it, or an instance that is there has acted with it. Costs a look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn keeps_artifact(&self, sha256: &Digest) -> Answer<bool>;
}

/// Tenants' usage.
pub trait UsageStore: Send + Sync {
    /// A tenant's usage, read from one row.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn usage(&self, tenant: &TenantId) -> Answer<Usage>;
}

/// Which instances this host drives, where several share one store.
///
/// Each instance belongs to a [`Shard`](crate::Shard). A host drives the instances of the shards that it has claimed. A claim lasts for a
/// time that the engine's own clock measures; a [driver's append](crate::Writer::Driver) is refused where the claim under which it was
/// made is over.
pub trait ClaimStore: Send + Sync {
    /// Puts a host on record, with its keys. The same host once more replaces what was on record of it.
    ///
    /// # Errors
    /// When the state cannot be written.
    fn register(&self, host: &HostInfo) -> Answer<()>;

    /// Says that the [registered](Self::register) host is alive, renews its claims, claims shards that are free or whose claims are over up to
    /// this host's fair share among the live hosts, and gives up what is more than that: for the next holder, such a claim
    /// [expired](crate::PreviousHolder::Expired).
    ///
    /// The claims that are answered last for `ttl` from the start of this call. A host that starts again under its id takes its own
    /// shards over at once: only one process at a time has the folder that the id is kept in.
    ///
    /// # Errors
    /// When the state cannot be written. Claims that were answered before last as long as they did.
    fn renew(&self, ttl: Duration) -> Answer<Claims>;

    /// Releases all claims: no action is under way under any of them. Other hosts have them with their next renewal. A host that renews again has claims again.
    ///
    /// # Errors
    /// When the state cannot be written. Then the claims end with their time.
    fn release(&self) -> Answer<()>;

    /// The hosts on record, those that are gone included, and how commits are replicated.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn hosts(&self) -> Answer<Hosts>;
}
