//! Durable state behind one small trait. SQLite inside.
//!
//! There is one way to write: a [`Write`] is handed over, and the [`Commit`] that stands for it is answered when it is on disk. Facts and
//! the records that they speak of are committed together or not at all, and only at the place in the journal that the writer expects:
//! two drivers of one instance can never both win. Many writes share one synchronisation of the disk, and none knows of another.

mod agenda;
mod approvals;
mod asked;
mod backup;
mod beside;
mod deletion;
mod error;
mod folder;
mod ledger;
mod log;
mod look;
mod open;
mod quota;
mod readers;
mod record;
mod row;
mod schema;
mod shorthand;
mod sqlite;
mod tail;
mod usage;
mod views;
mod write;
mod writer;

pub use agenda::{Agenda, Entered, NoStanding, Selection, Standing};
pub use approvals::{Asked, RecordedAct, Requests};
pub use backup::{Copied, back_up};
pub use deletion::Deleted;
pub use error::StoreError;
pub use folder::DataFolder;
pub use quota::{OverQuota, Quotas, Usage, quota_names};
pub use sqlite::Sqlite;
pub use write::{Commit, Create, Promise, Stamp, Write, Written};

use engine::trust::Signed;
use receipt::{Artifact, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use workflow::{Entry, InstanceId, ReceiptId, RequestId, TenantId};

/// An instance's full name. An instance id means nothing without its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceKey {
    /// Whom it belongs to.
    pub tenant: TenantId,
    /// Its name there.
    pub instance: InstanceId,
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.instance)
    }
}

/// One entry of a journal, with its place in the world.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// Its place among all facts of this data folder. Later is larger.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// Whose fact it is.
    #[serde(flatten)]
    pub key: InstanceKey,
    /// Its place in its instance's journal, from 0.
    pub index: u64,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
}

/// A receipt with what its owner needs to open it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredReceipt {
    /// The receipt.
    pub id: ReceiptId,
    /// The request that it decides.
    pub request: RequestId,
    /// The signed envelope.
    pub artifact: Artifact,
    /// The exact text under the receipt's commitment.
    pub request_json: String,
    /// The salt of the commitment, as standard base64. As sensitive as the request itself.
    pub request_commitment_salt_b64: String,
    /// The committed summary.
    pub summary: Option<String>,
    /// The committed tenant.
    pub company_id: String,
    /// The committed idempotency key: the request's id.
    pub idem_key: String,
    /// The committed digest of the hashable request.
    pub input_hash: String,
}

/// What became of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceiptState {
    /// When it was spent, and the fact that says so.
    pub redeemed: Option<(Timestamp, u64)>,
    /// The signed outcome in its portable form, as JSON text.
    pub attestation: Option<String>,
    /// When it was taken back, and the signed revocation with what opens it, as JSON text.
    pub revoked: Option<(Timestamp, String)>,
}

/// What is written at once.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    /// The facts.
    pub entries: Vec<Entry>,
    /// A request that they speak of.
    pub request: Option<NewRequest>,
    /// A receipt that they speak of.
    pub receipt: Option<Box<StoredReceipt>>,
    /// Requests that wait again: the instance had ended, and goes on.
    pub reopened: Vec<RequestId>,
    /// A component that the instance is loaded with anew.
    pub component: Option<(Digest, Arc<[u8]>)>,
    /// What the tenant may keep; none for what has to be recorded whatever it keeps already.
    pub quotas: Option<Quotas>,
    /// What has to be as it was; none for what holds whatever happened to other things meanwhile.
    pub seen: Option<Box<Precondition>>,
    /// The people whose denial is issued with it, or whose approval is spent.
    pub signed: Option<Box<Signed>>,
    /// How the instance stands with them, where that is another way than before.
    pub agenda: Option<Agenda>,
}

/// A request, with what it will be found by.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// Its name.
    pub id: RequestId,
    /// What is asked for.
    pub capability: String,
    /// To what.
    pub resource: String,
    /// The request, as JSON text. What it says of its instance and of the fact that it was made is what the journal says, and is kept
    /// there and not once more.
    pub body: String,
}

/// What a writer has seen of a receipt and of those who decide. Where it is not so any more, nothing is written: a verdict is only worth
/// something about the state that it was given on.
#[derive(Debug, Clone)]
pub struct Precondition {
    /// The receipt.
    pub receipt: ReceiptId,
    /// What had become of it.
    pub fate: ReceiptState,
    /// The place of the last act of an operator.
    pub acts: u64,
}

impl Batch {
    /// What writing it adds to the tenant's usage.
    ///
    /// # Errors
    /// When something in it has no JSON form.
    pub fn growth(&self) -> Result<Usage, StoreError> {
        let length = |error: serde_json::Error| StoreError::Damaged(error.to_string());
        let mut bytes = self.request.as_ref().map_or(0, |request| request.body.len());
        for entry in &self.entries {
            bytes += serde_json::to_string(entry).map_err(length)?.len();
        }
        if let Some(receipt) = &self.receipt {
            bytes += serde_json::to_string(receipt).map_err(length)?.len();
        }
        let pending_approvals = u64::from(self.request.is_some());
        Ok(Usage { instances: 0, pending_approvals, stored_bytes: bytes as u64 })
    }
}

/// Where an append goes.
#[derive(Debug, Clone)]
pub struct JournalPosition {
    /// The instance.
    pub key: InstanceKey,
    /// The number of entries that the writer has seen.
    pub after: usize,
    /// The time to record.
    pub at: Timestamp,
}

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
    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Result<Asked, StoreError>;

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

    /// Requests as JSON text with whose they are and how each ended, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn requests(&self, which: Requests) -> Result<Vec<(InstanceKey, String, Option<String>)>, StoreError>;

    /// The facts, in order: of one instance, or of all.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn facts(&self, key: Option<&InstanceKey>) -> Result<Vec<Fact>, StoreError>;

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
    fn entered(&self, key: &InstanceKey) -> Result<Option<Entered>, StoreError>;

    /// Instances and how they stand, newest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn list(&self, selection: &Selection) -> Result<Vec<Entered>, StoreError>;

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

    /// What a tenant keeps. Costs one row.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError>;
}
