//! Writes, and the answer that comes when one is on disk.

pub(crate) mod batch;

use crate::{Answer, Batch, Fact, InstanceKey, JournalPosition, Quotas, SentNotices, StoreError};
use receipt::{Digest, Timestamp};
use std::sync::Arc;
use workflow::{Entry, ReceiptId, RequestId};

/// One change of the durable state. It is atomic, and independent of the other writes in the same commit.
#[derive(Debug)]
pub enum Write<'a> {
    /// Create an instance with its first entries, and keep its component.
    Create(&'a Create),
    /// Write a batch at its place.
    Append {
        /// The place of the append.
        place: JournalPosition,
        /// The batch.
        batch: &'a Batch,
        /// The writer.
        writer: Writer,
    },
    /// Append to the guest's output, if the tenant's quota allows it. The last million characters are kept.
    Output {
        /// The instance.
        key: InstanceKey,
        /// The output.
        text: String,
        /// The tenant's quotas.
        quotas: Quotas,
    },
    /// Do not drive an instance until this time, if it is due at any time: the word of its [driver](Writer::Driver), and refused as such.
    Postpone {
        /// The instance.
        key: InstanceKey,
        /// The time until which the instance is not driven.
        until: Timestamp,
    },
    /// Record that notices of a request were delivered, or failed. Recorded marks stay until the request is reopened.
    /// If there is no such request, nothing is recorded.
    Notified {
        /// The instance that made the request.
        key: InstanceKey,
        /// The request.
        request: RequestId,
        /// The marks that are added to the stored ones.
        marks: SentNotices,
    },
    /// Delete an ended instance, if it has as many entries as `place` says.
    Delete {
        /// The instance, as its deleter has seen it.
        place: JournalPosition,
        /// The components that it was loaded with.
        components: Vec<Digest>,
        /// The bytes counted for its entries and its requests.
        bytes: usize,
        /// The account that deletes it.
        by: String,
    },
    /// Record an act of an operator, if the last one is still `seen`.
    Act {
        /// The sequence number of the last act that the writer has seen; 0 if there is none.
        seen: u64,
        /// The time of the act.
        at: Timestamp,
        /// The act, as JSON text.
        body: String,
    },
    /// Revoke a receipt, unless it is spent or already revoked.
    Revoke {
        /// The receipt.
        receipt: ReceiptId,
        /// The time of the revocation.
        at: Timestamp,
        /// The signed revocation with its opening, as JSON text.
        body: String,
    },
}

/// The writer of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The instance's driver. Refused with [`StoreError::ClaimLost`] if this store no longer holds the claim of the
    /// instance's shard; the writing transaction itself checks that.
    Driver,
    /// A decision, an event or an operator's word, from any host. Only the number of entries has to be as expected.
    Outside,
}

/// An instance to be.
#[derive(Debug)]
pub struct Create {
    /// The instance's name.
    pub key: InstanceKey,
    /// The digest of its component, and the bytes.
    pub component: (Digest, Arc<[u8]>),
    /// The time to record.
    pub at: Timestamp,
    /// The first entries: the code and the start. None of them refers to a record of another table.
    pub entries: Vec<Entry>,
    /// The tenant's quotas.
    pub quotas: Quotas,
}

/// The places and the time of one write's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The place of the first entry among all facts. The others follow.
    pub seq: u64,
    /// The time that was recorded.
    pub at: Timestamp,
}

impl Stamp {
    /// The entries as facts: they were written to that place in their instance's journal.
    pub fn facts<'a>(
        self,
        key: &'a InstanceKey,
        after: usize,
        entries: &'a [Entry],
    ) -> impl Iterator<Item = Fact> + 'a {
        let places = (self.seq..).zip(after as u64..);
        let fact = move |((seq, index), entry): ((u64, u64), &Entry)| Fact {
            seq,
            at: self.at,
            key: key.clone(),
            index,
            entry: entry.clone(),
        };
        places.zip(entries).map(fact)
    }
}

/// The answer to a write: the stamp of its entries, or `None` if it adds none to a journal.
pub type Written = Result<Option<Stamp>, StoreError>;

/// The answer to a write. The write takes place whether or not its caller waits for the answer.
pub type Commit = Answer<Option<Stamp>>;
