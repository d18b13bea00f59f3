//! The records of a store: facts, receipts and their states, requests, acts.

use crate::SentNotices;
use receipt::{Artifact, Digest, Opening, Salt, Stated, StatedBinding, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use workflow::{Entry, InstanceId, ReceiptId, RequestId, TenantId};

/// An instance's full name. An instance id means nothing without its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceKey {
    /// The tenant that owns it.
    pub tenant: TenantId,
    /// The instance's name in the tenant.
    pub instance: InstanceId,
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.instance)
    }
}

/// One entry of a journal, with its sequence number and time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// The sequence number of the fact among all facts of this data folder. Later facts have larger numbers.
    pub seq: u64,
    /// When the entry was recorded.
    pub at: Timestamp,
    /// The instance of the fact.
    #[serde(flatten)]
    pub key: InstanceKey,
    /// The index of the entry in its instance's journal, from 0.
    pub index: u64,
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
}

/// A receipt with the data that its owner needs to open it.
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
    /// The committed digest of the hashable request; empty for a revocation, which commits to none.
    pub input_hash: String,
}

impl StoredReceipt {
    /// The committed digest of the hashable request. A revocation commits to none, and is kept with an empty one.
    #[must_use]
    pub fn input_hash(&self) -> Option<&str> {
        Some(self.input_hash.as_str()).filter(|digest| !digest.is_empty())
    }

    /// The opening of the receipt's commitment; `None` when the salt is damaged.
    #[must_use]
    pub fn opening(&self) -> Option<Opening> {
        let salt = Salt::from_base64(&self.request_commitment_salt_b64)?;
        Some(Opening {
            summary: Stated::from_record(self.summary.as_deref()),
            binding: StatedBinding {
                company_id: Stated::Value(self.company_id.clone()),
                idem_key: Stated::Value(self.idem_key.clone()),
                input_hash: Stated::from_record(self.input_hash()),
            },
            ..Opening::new(self.request_json.clone(), salt)
        })
    }
}

/// A selection of receipts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptPage {
    /// Only receipts of this tenant.
    pub tenant: Option<TenantId>,
    /// Only the receipts after this one, in the requested order; all of them if there is no such receipt.
    pub after: Option<ReceiptId>,
    /// The latest first.
    pub newest_first: bool,
    /// The most receipts to return.
    pub limit: u32,
}

impl ReceiptPage {
    /// All receipts, oldest first.
    pub const ALL: Self = Self { tenant: None, after: None, newest_first: false, limit: u32::MAX };
}

/// The state of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceiptState {
    /// The time of redemption, and the place of the entry that records it.
    pub redeemed: Option<(Timestamp, u64)>,
    /// The signed outcome in its portable form, as JSON text.
    pub attestation: Option<String>,
    /// When the receipt was revoked, and the signed revocation with its opening, as JSON text.
    pub revoked: Option<(Timestamp, String)>,
}

/// A receipt, and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedReceipt {
    /// The receipt.
    pub receipt: StoredReceipt,
    /// The receipt's state.
    pub state: ReceiptState,
}

/// A request, as JSON text, and the instance that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    /// The instance.
    pub key: InstanceKey,
    /// The request. Empty for a waiting request that is damaged: the list has the others, and its number is right.
    pub body: String,
    /// The outcome in a word (`APPROVED`, `DENIED`, `LAPSED`); `None` while it waits.
    pub outcome: Option<String>,
    /// The request's notices that were delivered.
    pub sent: SentNotices,
}

/// A request with the journal of the instance that made it, both as they were at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestWithJournal {
    /// The instance.
    pub key: InstanceKey,
    /// The request.
    pub document: serde_json::Value,
    /// The journal.
    pub facts: Vec<Fact>,
}

/// An operator's act, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAct {
    /// The sequence number of the act among all acts. Later acts have larger numbers.
    pub seq: u64,
    /// The time of the act.
    pub at: Timestamp,
    /// The act, as JSON text.
    pub body: String,
}

/// The history of requests for the same capability and resource, in one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AskHistory {
    /// The number of requests.
    pub times: u64,
    /// The deciders who denied, as the ids of their keys separated by blanks, and how often. Empty ids if they were
    /// not recorded.
    pub denials: Vec<(String, u64)>,
}

/// The people whose signed decisions a fact rests on, for later look-ups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The ids of the deciders' keys in order, with blanks between.
    pub keys: String,
    /// The digests that an approval makes known when it is redeemed. Empty for a denial.
    pub digests: Vec<Digest>,
}

/// A filter of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFilter {
    /// The requests that wait for a decision, oldest first.
    Waiting,
    /// Every request, oldest first.
    All,
    /// At most this number of requests, made before the named request (or of all, for `None`), newest first.
    Before(Option<RequestId>, u32),
}
