//! Durable state: the contract between the engine and the database that keeps it.
//!
//! There is one way to write: a [`Write`] is handed over, and the [`Commit`] that stands for it is answered when it is on disk. Facts and
//! the records that they speak of are committed together or not at all, and only at the place in the journal that the writer expects:
//! two drivers of one instance can never both win. Many writes share one synchronisation of the disk, and none knows of another.

mod batch;
mod deployment;
mod error;
pub mod files;
pub mod ownership;
mod quota;
mod record;
mod summary;
mod write;

pub use batch::{Batch, JournalPosition, NewRequest, Precondition};
pub use deployment::{Deployment, DeploymentFilter, DeploymentPage, RecordedDeployment};
pub use error::StoreError;
pub use quota::{OverQuota, Quotas, RATE_WINDOW, Usage, quota_names};
pub use record::{
    AskHistory, Fact, InstanceKey, ReceiptState, RecordedAct, RequestFilter, Signed, StoredReceipt,
};
pub use summary::{Deleted, InstanceState, InstanceSummary, ScheduleRow, Selection, UnknownState};
pub use write::{Commit, Create, Promise, Stamp, Write, Written};

use receipt::{Digest, Timestamp};
use workflow::{ReceiptId, RequestId, TenantId};

/// Durable state.
pub trait Store: Send + Sync {
    /// Hands over a write. The answer comes when it is on disk, or has been refused: then nothing of it is.
    ///
    /// Refused is what was written by somebody else meanwhile ([`StoreError::Conflict`]), what exists ([`StoreError::Exists`]), and what
    /// goes beyond a quota ([`StoreError::Quota`]). No refusal touches another write.
    fn write(&self, write: Write<'_>) -> Commit;

    /// The same for whoever has nothing to do meanwhile: blocks this thread until the answer is there, and may use it to write.
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

    /// The acts after that place, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn acts(&self, after: u64) -> Result<Vec<RecordedAct>, StoreError>;

    /// How requests for this have fared before.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Result<AskHistory, StoreError>;

    /// How many requests a tenant has made since the beginning of that minute.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Result<u64, StoreError>;

    /// Where to look for whether a component or an artifact of that digest is known: a bounded number of receipts that were spent, the latest
    /// first. Whether they count is for the caller to judge. Costs a look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn precedents(&self, tenant: &TenantId, digest: &Digest) -> Result<Vec<ReceiptId>, StoreError>;

    /// RequestFilter as JSON text with whose they are and how each ended, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn requests(
        &self,
        which: RequestFilter,
    ) -> Result<Vec<(InstanceKey, String, Option<String>)>, StoreError>;

    /// The facts, in order: of one instance, or of all.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn facts(&self, key: Option<&InstanceKey>) -> Result<Vec<Fact>, StoreError>;

    /// The first facts of an instance from that index on, in order.
    ///
    /// # Errors
    /// When the state cannot be read, or has no such instance.
    fn facts_from(&self, key: &InstanceKey, index: u64, limit: u32) -> Result<Vec<Fact>, StoreError>;

    /// The instances that were deleted, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn deletions(&self) -> Result<Vec<Deleted>, StoreError>;

    /// The signed revocation of that id.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn revocation(&self, id: &ReceiptId) -> Result<Option<StoredReceipt>, StoreError>;

    /// The tenants that have an instance that is due by then. Costs a look-up a tenant.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn due_tenants(&self, by: Timestamp) -> Result<Vec<TenantId>, StoreError>;

    /// A tenant's instances that are due by then, the longest due first. Costs a look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn due(&self, tenant: &TenantId, by: Timestamp, limit: u32) -> Result<Vec<InstanceKey>, StoreError>;

    /// The first time after that at which an instance is due. Costs a look-up a tenant.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// How an instance stands, from its line in the agenda.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn entered(&self, key: &InstanceKey) -> Result<Option<InstanceSummary>, StoreError>;

    /// Instances and how they stand, newest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn list(&self, selection: &Selection) -> Result<Vec<InstanceSummary>, StoreError>;

    /// The tenants that have instances which have ended, and when the first of those did. Costs a look-up a tenant.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn first_ended(&self) -> Result<Vec<(TenantId, Timestamp)>, StoreError>;

    /// A tenant's instances that had ended by then, the longest ended first, without the first `skip` of them. Costs a look-up.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn ended(
        &self,
        tenant: &TenantId,
        by: Timestamp,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<InstanceKey>, StoreError>;

    /// The instances, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn instances(&self) -> Result<Vec<InstanceKey>, StoreError>;

    /// The bytes of a component.
    ///
    /// # Errors
    /// When the state cannot be read, or does not have it.
    fn component(&self, digest: &Digest) -> Result<Vec<u8>, StoreError>;

    /// A request as JSON text, and the instance that made it.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn request(&self, id: &RequestId) -> Result<Option<(InstanceKey, String)>, StoreError>;

    /// The same with that instance's journal, both as they were at one moment.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn request_and_journal(
        &self,
        id: &RequestId,
    ) -> Result<Option<(InstanceKey, serde_json::Value, Vec<Fact>)>, StoreError>;

    /// A receipt and what became of it.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn receipt(&self, id: &ReceiptId) -> Result<Option<(StoredReceipt, ReceiptState)>, StoreError>;

    /// All receipts, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn receipts(&self) -> Result<Vec<ReceiptId>, StoreError>;

    /// The latest time ever recorded.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn latest(&self) -> Result<Option<Timestamp>, StoreError>;

    /// What an instance's guest has printed.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn output(&self, key: &InstanceKey) -> Result<String, StoreError>;

    /// Deployments, in the order in which they were recorded.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn deployments(&self, page: DeploymentPage) -> Result<Vec<RecordedDeployment>, StoreError>;

    /// What a resource serves now.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn live_deployment(&self, tenant: &TenantId, resource: &str) -> Result<Option<Deployment>, StoreError>;

    /// What a tenant keeps. Costs one row.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError>;
}
