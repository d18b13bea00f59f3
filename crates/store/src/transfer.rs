//! Everything that a store keeps, row by row, for another database to take over. Names, sequence numbers and times stay
//! as they are.

use crate::SentNotices;
use crate::{
    Deleted, Fact, InstanceKey, ReceiptState, RecordedAct, RecordedDeployment, ScheduleRow, StoreError, Usage,
};
use receipt::{Digest, Digester, Timestamp};
use serde::{Deserialize, Serialize};
use workflow::{ReceiptId, RequestId, TenantId};

/// Takes rows over, one by one, or says why it cannot.
pub type TakeRow<'a> = &'a mut dyn FnMut(TransferRow) -> Result<(), StoreError>;

/// One row. Rows may come in any order.
#[derive(Debug, Clone, PartialEq)]
pub enum TransferRow {
    /// The bytes of a component, which have that digest.
    Component(Digest, Vec<u8>),
    /// How many instances of a tenant are loaded with a component.
    Holding(TenantId, Digest, u64),
    /// Entries that were appended together.
    Entries(MovedEntries),
    /// An instance.
    Instance(MovedInstance),
    /// A request.
    Request(MovedRequest),
    /// How often a subject was asked for, as `CAPABILITY RESOURCE`.
    Subject(TenantId, String, u64),
    /// How often that was denied by these people: the ids of their keys with blanks between.
    Denial(TenantId, String, String, u64),
    /// How many requests a tenant has made in a minute since 1970.
    Rate(TenantId, i64, u64),
    /// A receipt.
    Receipt(MovedReceipt),
    /// The state of a receipt.
    ReceiptState(ReceiptId, ReceiptState),
    /// A receipt that may make a digest known.
    Precedent(MovedPrecedent),
    /// An operator's act.
    Act(RecordedAct),
    /// The usage of a tenant.
    Usage(TenantId, Usage),
    /// An instance that was deleted.
    Deletion(Deleted),
    /// A deployment, and whether its resource serves it.
    Deployment(RecordedDeployment),
    /// An artifact with a holder.
    Holder(MovedHolder),
    /// The bytes of an artifact, which have that digest.
    Artifact(Digest, Vec<u8>),
    /// The last place among all facts that was ever given out, whether or not its fact is still there.
    LastPlace(u64),
}

/// Entries that were appended together.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedEntries {
    /// The number of the instance.
    pub instance: i64,
    /// The instance's name.
    pub key: InstanceKey,
    /// The place of the first entry among all facts.
    pub seq: u64,
    /// The index of the first entry in the instance's journal.
    pub index: u64,
    /// When the entries were recorded.
    pub at: Timestamp,
    /// The entries as JSON texts, as they were written.
    pub texts: Vec<String>,
}

/// An instance.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedInstance {
    /// The instance's number. Later instances have larger numbers.
    pub number: i64,
    /// The instance's name.
    pub key: InstanceKey,
    /// The number of its entries.
    pub entries: u64,
    /// When the last of the entries was recorded.
    pub at: Timestamp,
    /// The instance's schedule row.
    pub schedule: ScheduleRow,
    /// The time at which this state began.
    pub since: Timestamp,
    /// The guest's output.
    pub output: String,
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct MovedRequest {
    /// The request's id.
    pub id: RequestId,
    /// The number of the instance that made it.
    pub instance: i64,
    /// The tenant.
    pub tenant: TenantId,
    /// The place of the fact that it was made; negative if an older format did not keep that.
    pub seq: i64,
    /// The subject of the request, as `CAPABILITY RESOURCE`.
    pub subject: String,
    /// Whether it waits for a decision.
    pub is_open: bool,
    /// How it ended, in a word.
    pub outcome: Option<String>,
    /// The whole request as JSON text.
    pub body: String,
    /// The request's notices that were delivered.
    pub sent: SentNotices,
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedReceipt {
    /// The place among all receipts.
    pub seq: u64,
    /// The receipt's id.
    pub id: ReceiptId,
    /// The request that it decides.
    pub request: RequestId,
    /// The committed tenant.
    pub tenant: String,
    /// The stored receipt as JSON text.
    pub body: String,
}

/// A receipt that may make a digest known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedPrecedent {
    /// The tenant.
    pub tenant: TenantId,
    /// The component or artifact.
    pub digest: Digest,
    /// The signers: the ids of their keys with blanks between.
    pub signers: String,
    /// The place of the fact that it was spent.
    pub seq: u64,
    /// The receipt.
    pub receipt: ReceiptId,
}

/// An artifact with a holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedHolder {
    /// The tenant.
    pub tenant: TenantId,
    /// The artifact.
    pub sha256: Digest,
    /// The artifact's size.
    pub bytes: u64,
    /// The number of an instance that has acted with it; or the place of a deployment that a resource serves, negative.
    pub holder: i64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferCounts {
    /// Instances.
    pub instances: u64,
    /// Entries of their journals.
    pub facts: u64,
    /// Requests for approval.
    pub requests: u64,
    /// Receipts.
    pub receipts: u64,
    /// Operators' acts.
    pub acts: u64,
    /// Instances that were deleted.
    pub deletions: u64,
    /// Deployments.
    pub deployments: u64,
    /// Components.
    pub components: u64,
    /// Artifacts.
    pub artifacts: u64,
}

impl TransferCounts {
    /// Counts a row.
    pub fn add(&mut self, row: &TransferRow) {
        match row {
            TransferRow::Instance(_) => self.instances += 1,
            TransferRow::Entries(row) => self.facts += row.texts.len() as u64,
            TransferRow::Request(_) => self.requests += 1,
            TransferRow::Receipt(_) => self.receipts += 1,
            TransferRow::Act(_) => self.acts += 1,
            TransferRow::Deletion(_) => self.deletions += 1,
            TransferRow::Deployment(_) => self.deployments += 1,
            TransferRow::Component(..) => self.components += 1,
            TransferRow::Artifact(..) => self.artifacts += 1,
            _ => {}
        }
    }
}

/// A digest of the facts of all instances, in order, as JSON texts: two stores with the same digest have the same audit.
#[derive(Clone, Default)]
pub struct AuditDigest(Digester);

impl AuditDigest {
    /// Takes in the next fact.
    ///
    /// # Errors
    /// The fact cannot be written as JSON, which does not happen for a store's facts.
    pub fn add(&mut self, fact: &Fact) -> Result<(), StoreError> {
        let text = serde_json::to_vec(fact).map_err(|error| StoreError::Damaged(error.to_string()))?;
        self.0.update(&text);
        self.0.update(b"\n");
        Ok(())
    }

    /// The digest of everything so far.
    #[must_use]
    pub fn finish(self) -> Digest {
        self.0.finish()
    }
}
