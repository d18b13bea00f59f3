//! The contract, by concern. Each read answers like a write: await it, or wait for it on a thread that has nothing else to do.

use crate::{
    Answer, AskHistory, Batch, Commit, Create, Deleted, Deployment, DeploymentPage, Fact, FirstEnded,
    InstanceKey, InstanceSummary, JournalPosition, RecordedAct, RecordedDeployment, RecordedReceipt,
    RecordedRequest, RequestFilter, RequestWithJournal, Selection, StoreError, StoredReceipt, Usage, Write,
    Written,
};
use receipt::{Digest, Timestamp};
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

    /// [`Write::Append`].
    fn append(&self, place: JournalPosition, batch: &Batch) -> Commit {
        self.write(Write::Append { place, batch })
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

    /// What an instance's guest has printed.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn output(&self, key: &InstanceKey) -> Answer<String>;

    /// The latest time ever recorded.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn latest(&self) -> Answer<Option<Timestamp>>;
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

/// What operators said.
pub trait ActStore: Send + Sync {
    /// The acts after that place, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn acts(&self, after: u64) -> Answer<Vec<RecordedAct>>;
}

/// How instances stand, and when they are due.
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

    /// What a resource serves now.
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

/// What tenants keep.
pub trait UsageStore: Send + Sync {
    /// What a tenant keeps. Costs one row.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn usage(&self, tenant: &TenantId) -> Answer<Usage>;
}
