//! A batch: the content of one append, and its precondition.

use crate::{Deployment, InstanceKey, Quotas, ReceiptState, ScheduleRow, SignedBy, StoredReceipt};
use receipt::{Digest, Timestamp};
use std::sync::Arc;
use workflow::{Entry, ReceiptId, RequestId};

/// The content of one append.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    /// The facts.
    pub entries: Vec<Entry>,
    /// A request that the entries refer to.
    pub request: Option<NewRequest>,
    /// A receipt that the entries refer to.
    pub receipt: Option<Box<StoredReceipt>>,
    /// Requests that wait again: their instance had ended and continues.
    pub reopened: Vec<RequestId>,
    /// A component that the instance is reloaded with.
    pub component: Option<(Digest, Arc<[u8]>)>,
    /// The tenant's quotas; `None` for entries that must be recorded even beyond them.
    pub quotas: Option<Quotas>,
    /// The required state of other records; `None` for entries that hold in any state.
    pub seen: Option<Box<Precondition>>,
    /// The people whose denial is issued with it, or whose approval is spent.
    pub signed: Option<Box<SignedBy>>,
    /// A deployment that took place. One whose id is on record already changes nothing.
    pub deployment: Option<Box<Deployment>>,
    /// An artifact that is kept from now on, while the instance exists. If its bytes exceed the tenant's quota, nothing
    /// is written.
    pub artifact: Option<Box<KeptArtifact>>,
    /// The instance's new schedule row, if it changes.
    pub schedule: Option<ScheduleRow>,
}

/// An artifact that the host keeps.
#[derive(Debug, Clone)]
pub struct KeptArtifact {
    /// The artifact's digest.
    pub sha256: Digest,
    /// The artifact's size in bytes.
    pub bytes: u64,
    /// The tenant's quotas. Only these bytes of the batch are judged by them.
    pub quotas: Quotas,
}

/// A request, with the fields that it is found by.
#[derive(Debug, Clone)]
pub struct NewRequest {
    /// The request's id.
    pub id: RequestId,
    /// The capability.
    pub capability: String,
    /// The resource that the action is on.
    pub resource: String,
    /// The request, as JSON text, without the fields that the journal already has: its instance and the entry that
    /// records it.
    pub body: String,
}

/// The state of a receipt and of the deciders that a writer has seen. If it has changed, nothing is written, because a
/// verdict holds only for the state that it was given on.
#[derive(Debug, Clone)]
pub struct Precondition {
    /// The receipt.
    pub receipt: ReceiptId,
    /// The receipt's state.
    pub receipt_state: ReceiptState,
    /// The place of the last act of an operator.
    pub acts: u64,
}

/// The place of an append.
#[derive(Debug, Clone)]
pub struct JournalPosition {
    /// The instance.
    pub key: InstanceKey,
    /// The number of entries that the writer has seen.
    pub after: usize,
    /// The time to record.
    pub at: Timestamp,
}
