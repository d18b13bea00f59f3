//! A batch: the content of one append, and its precondition.

use crate::{Deployment, InstanceKey, Quotas, ReceiptState, ScheduleRow, Signed, StoredReceipt};
use receipt::{Digest, Timestamp};
use std::sync::Arc;
use workflow::{Entry, ReceiptId, RequestId};

/// The content of one append.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    /// The facts.
    pub entries: Vec<Entry>,
    /// A request that they speak of.
    pub request: Option<NewRequest>,
    /// A receipt that they speak of.
    pub receipt: Option<Box<StoredReceipt>>,
    /// Requests that wait again: their instance had ended and continues.
    pub reopened: Vec<RequestId>,
    /// A component that the instance is loaded with anew.
    pub component: Option<(Digest, Arc<[u8]>)>,
    /// What the tenant may keep; none for what has to be recorded whatever it keeps already.
    pub quotas: Option<Quotas>,
    /// What has to be as it was; none for what holds whatever happened to other things meanwhile.
    pub seen: Option<Box<Precondition>>,
    /// The people whose denial is issued with it, or whose approval is spent.
    pub signed: Option<Box<Signed>>,
    /// A deployment that took place. One whose id is on record already changes nothing.
    pub deployment: Option<Box<Deployment>>,
    /// An artifact that is kept from then on, for as long as the instance is. Where its bytes are more than the tenant may keep, nothing is
    /// written.
    pub artifact: Option<Box<KeptArtifact>>,
    /// How the instance stands with them, where that is another way than before.
    pub agenda: Option<ScheduleRow>,
}

/// An artifact that the host keeps.
#[derive(Debug, Clone)]
pub struct KeptArtifact {
    /// Its digest.
    pub sha256: Digest,
    /// Its size in bytes.
    pub bytes: u64,
    /// What the tenant may keep. Of the batch, only these bytes are judged by it.
    pub quotas: Quotas,
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
