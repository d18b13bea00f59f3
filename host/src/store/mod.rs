//! Durable state behind one small trait. SQLite inside.
//!
//! There is one way to write: [`Store::append`] (and [`Store::redeem`], which decides what to append while it holds the
//! transaction). Facts and the records that they speak of are committed together or not at all, and only at the place in the
//! journal that the writer expects: two drivers of one instance can never both win.

mod approvals;
mod folder;
mod open;
mod quota;
mod schema;
mod sqlite;
mod usage;

pub use approvals::Asked;
pub use approvals::RecordedAct;
pub use approvals::Requests;
pub use folder::DataFolder;
pub use quota::OverQuota;
pub use quota::Quotas;
pub use quota::Usage;
pub use quota::quota_names;
pub use sqlite::Sqlite;

use receipt::Artifact;
use receipt::Digest;
use receipt::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use workflow::Entry;
use workflow::InstanceId;
use workflow::ReceiptId;
use workflow::RequestId;
use workflow::TenantId;

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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
pub struct Fate {
    /// When it was spent, and the fact that says so.
    pub redeemed: Option<(Timestamp, u64)>,
    /// The signed outcome in its portable form, as JSON text.
    pub attestation: Option<String>,
    /// When it was taken back, and the signed revocation with what opens it, as JSON text.
    pub revoked: Option<(Timestamp, String)>,
}

/// What is written at once.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    /// The facts.
    pub entries: &'a [Entry],
    /// A request that they speak of.
    pub request: Option<NewRequest<'a>>,
    /// A receipt that they speak of.
    pub receipt: Option<&'a StoredReceipt>,
    /// What the tenant may keep; none for what has to be recorded whatever it keeps already.
    pub quotas: Option<&'a Quotas>,
}

/// A request, with what it will be found by.
#[derive(Debug, Clone, Copy)]
pub struct NewRequest<'a> {
    /// Its name.
    pub id: &'a RequestId,
    /// What is asked for.
    pub capability: &'a str,
    /// What it would be done to.
    pub resource: &'a str,
    /// The request as JSON text.
    pub body: &'a str,
}

impl Batch<'_> {
    /// What writing it adds to the tenant's usage.
    ///
    /// # Errors
    /// When something in it has no JSON form.
    pub fn growth(&self) -> Result<Usage, StoreError> {
        let length = |error: serde_json::Error| StoreError::Damaged(error.to_string());
        let mut bytes = self.request.map_or(0, |request| request.body.len());
        for entry in self.entries {
            bytes += serde_json::to_string(entry).map_err(length)?.len();
        }
        if let Some(receipt) = self.receipt {
            bytes += serde_json::to_string(receipt).map_err(length)?.len();
        }
        let pending_approvals = u64::from(self.request.is_some());
        Ok(Usage { instances: 0, pending_approvals, stored_bytes: bytes as u64 })
    }
}

/// Where an append goes.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The instance.
    pub key: &'a InstanceKey,
    /// The number of entries that the writer has seen.
    pub after: usize,
    /// The time to record.
    pub at: Timestamp,
}

/// Decides, inside the redeeming transaction, between [`Entry::Redeemed`] and [`Entry::Refused`].
pub type Judge<'a> = &'a mut dyn FnMut(Option<&StoredReceipt>, &Fate) -> Entry;

/// Durable state.
pub trait Store: Send + Sync {
    /// Creates an instance with its first entries, and keeps its component; the facts as they were recorded.
    ///
    /// # Errors
    /// When the tenant has an instance of that id, or reaches a quota, or the state cannot be written.
    fn create(
        &self,
        key: &InstanceKey,
        component: (&Digest, &[u8]),
        at: Timestamp,
        entries: &[Entry],
        quotas: &Quotas,
    ) -> Result<Vec<Fact>, StoreError>;

    /// Writes a batch at its place, all or nothing; the facts as they were recorded.
    ///
    /// # Errors
    /// When somebody else has written there, or the tenant reaches a quota of the batch, or the state cannot be written.
    fn append(&self, place: Place<'_>, batch: Batch<'_>) -> Result<Vec<Fact>, StoreError>;

    /// Lets `judge` decide about a receipt and writes its decision, in one transaction. A receipt is redeemed at most once.
    ///
    /// # Errors
    /// As [`append`](Self::append), and [`StoreError::ActsMoved`] when there are other acts than `acts` of them: `judge` knew less.
    fn redeem(
        &self,
        place: Place<'_>,
        receipt: &ReceiptId,
        acts: u64,
        judge: Judge<'_>,
    ) -> Result<Fact, StoreError>;

    /// Records an act of an operator, if the last one is still `seen`; its place.
    ///
    /// # Errors
    /// [`StoreError::ActsMoved`] when it is not, or the state cannot be written.
    fn act(&self, seen: u64, at: Timestamp, body: &str) -> Result<u64, StoreError>;

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

    /// How many requests a tenant has made since.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Result<u64, StoreError>;

    /// Whether a component or an artifact of that digest was ever part of something approved.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn is_known(&self, tenant: &TenantId, digest: &Digest) -> Result<bool, StoreError>;

    /// Requests as JSON text with whose they are and how each ended, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn requests(&self, which: Requests) -> Result<Vec<(InstanceKey, String, Option<String>)>, StoreError>;

    /// Takes a receipt back: `body` is the signed revocation with what opens it, as JSON text.
    ///
    /// # Errors
    /// When the receipt is spent or was taken back before, or the state cannot be written.
    fn revoke(&self, receipt: &ReceiptId, at: Timestamp, body: &str) -> Result<(), StoreError>;

    /// The facts, in order: of one instance, or of all.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn facts(&self, key: Option<&InstanceKey>) -> Result<Vec<Fact>, StoreError>;

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

    /// A receipt and what became of it.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn receipt(&self, id: &ReceiptId) -> Result<Option<(StoredReceipt, Fate)>, StoreError>;

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

    /// Adds to what an instance's guest has printed. The last million characters are kept.
    ///
    /// # Errors
    /// When the state cannot be written.
    fn keep_output(&self, key: &InstanceKey, output: &str) -> Result<(), StoreError>;

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

/// What is wrong with the durable state.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder.
    #[error("cannot use the data folder {}: {error} (name another with --data DIR or PP_HOST_DATA)", path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Nothing there yet.
    #[error("there is no data in {} yet: run a workflow first, or name another folder with --data DIR or PP_HOST_DATA", .0.display())]
    NoData(PathBuf),
    /// In use.
    #[error("the data folder {} is in use by another pp-host: wait until it ends, or name another with --data DIR", .0.display())]
    Locked(PathBuf),
    /// From the future.
    #[error("the data folder {} was written by a newer pp-host (format {found}; this one knows {known}): use that version", path.display())]
    Newer {
        /// Where.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The format known.
        known: i64,
    },
    /// Somebody else's.
    #[error("{} is not a database of pp-host: name another folder with --data DIR", .0.display())]
    Foreign(PathBuf),
    /// No room.
    #[error(
        "the data folder cannot be written, the disk is full or a size limit is reached: make room and resume; nothing is lost"
    )]
    Full,
    /// Two writers.
    #[error(
        "instance {0} was changed by somebody else meanwhile: nothing was written; look at it and try again"
    )]
    Conflict(InstanceKey),
    /// Somebody said something meanwhile.
    #[error("an operator has changed who may decide meanwhile: nothing was written; try again")]
    ActsMoved,
    /// Too late to take it back.
    #[error("receipt {0} is spent already: its action is under way or done (pp-host receipts show {0})")]
    Spent(ReceiptId),
    /// Taken back before.
    #[error("receipt {0} is revoked already")]
    Revoked(ReceiptId),
    /// A name that is taken.
    #[error("tenant {} already has an instance {}", .0.tenant, .0.instance)]
    Exists(InstanceKey),
    /// A name that nothing has.
    #[error("there is no instance {0} (pp-host audit lists what there is)")]
    NoInstance(String),
    /// A tenant has what it may have.
    #[error(transparent)]
    Quota(#[from] OverQuota),
    /// Damage.
    #[error("the data is damaged: {0}")]
    Damaged(String),
    /// Anything else that the database says.
    #[error("the database says: {0}")]
    Database(#[source] rusqlite::Error),
}
