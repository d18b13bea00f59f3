//! A write with encoded texts. The caller's thread encodes them, not the writer's.

use crate::error::damaged;
use crate::write::entries::EncodedEntries;
use receipt::{Digest, Timestamp};
use std::sync::Arc;
use store::InstanceKey;
use store::{Batch, Create, JournalPosition, Quotas, SentNotices, StoreError, Write, Writer};
use workflow::{Entry, ReceiptId, RequestId};

/// A write.
pub(crate) enum Record {
    Create {
        place: JournalPosition,
        component: (Digest, Arc<[u8]>),
        encoded: EncodedEntries,
        quotas: Quotas,
    },
    Append {
        place: JournalPosition,
        encoded: EncodedEntries,
        quotas: Option<Quotas>,
        projections: Option<Box<Projections>>,
        writer: Writer,
    },
    Output {
        key: InstanceKey,
        text: String,
        quotas: Quotas,
    },
    Postpone {
        key: InstanceKey,
        until: Timestamp,
    },
    Notified {
        key: InstanceKey,
        request: RequestId,
        marks: SentNotices,
    },
    Delete(Deletion),
    Act {
        seen: u64,
        at: Timestamp,
        body: String,
    },
    Revoke {
        receipt: ReceiptId,
        at: Timestamp,
        body: String,
    },
}

/// An append's changes of other tables. A step has none.
pub(crate) struct Projections {
    pub(crate) batch: Batch,
    /// The receipt as JSON text.
    pub(crate) receipt: Option<String>,
}

/// A deletion.
pub(crate) struct Deletion {
    pub(crate) place: JournalPosition,
    pub(crate) components: Vec<Digest>,
    pub(crate) bytes: usize,
    pub(crate) by: String,
}

impl Record {
    /// Encodes the texts.
    pub(crate) fn of(write: Write<'_>) -> Result<Self, StoreError> {
        Ok(match write {
            Write::Create(Create { key, component, at, entries, quotas }) => Self::Create {
                place: JournalPosition { key: key.clone(), after: 0, at: *at },
                component: component.clone(),
                encoded: EncodedEntries::of(entries)?,
                quotas: quotas.clone(),
            },
            Write::Append { place, batch, writer } => {
                let (encoded, projections) = (EncodedEntries::of(&batch.entries)?, Projections::of(batch)?);
                Self::Append { place, encoded, quotas: batch.quotas.clone(), projections, writer }
            }
            Write::Output { key, text, quotas } => Self::Output { key, text, quotas },
            Write::Postpone { key, until } => Self::Postpone { key, until },
            Write::Notified { key, request, marks } => Self::Notified { key, request, marks },
            Write::Delete { place, components, bytes, by } => {
                Self::Delete(Deletion { place, components, bytes, by })
            }
            Write::Act { seen, at, body } => Self::Act { seen, at, body: plain(body)? },
            Write::Revoke { receipt, at, body } => Self::Revoke { receipt, at, body: plain(body)? },
        })
    }

    /// The bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Create { component, encoded, .. } => component.1.len() + encoded.bytes,
            Self::Append { encoded, projections, .. } => {
                encoded.bytes + projections.as_ref().map_or(0, |projections| projections.bytes())
            }
            Self::Output { text, .. } => text.len(),
            Self::Postpone { .. } | Self::Notified { .. } | Self::Delete(_) => 0,
            Self::Act { body, .. } | Self::Revoke { body, .. } => body.len(),
        }
    }

    /// The number of its entries.
    pub(crate) fn entries(&self) -> usize {
        match self {
            Self::Create { encoded, .. } | Self::Append { encoded, .. } => encoded.count,
            _ => 0,
        }
    }
}

impl Projections {
    fn of(batch: &Batch) -> Result<Option<Box<Self>>, StoreError> {
        let Batch {
            entries,
            request,
            receipt,
            reopened,
            component,
            seen,
            deployment,
            artifact,
            schedule,
            ..
        } = batch;
        let none_named = request.is_none() && receipt.is_none() && reopened.is_empty();
        let no_record = component.is_none() && deployment.is_none() && artifact.is_none();
        let is_step = none_named && no_record && seen.is_none() && schedule.is_none();
        if is_step && entries.iter().all(stands_for_nothing_else) {
            return Ok(None);
        }
        if let Some(request) = request {
            plain(&*request.body)?;
        }
        if let Some(deployment) = deployment {
            plain(&*deployment.id)?;
            plain(&*deployment.receipt_id)?;
        }
        for entry in entries {
            if let Entry::Attested { document, .. } = entry {
                plain(&**document)?;
            }
        }
        let receipt = receipt.as_deref().map(serde_json::to_string).transpose().map_err(damaged)?;
        Ok(Some(Box::new(Self { batch: batch.clone(), receipt })))
    }

    fn bytes(&self) -> usize {
        let component = self.batch.component.as_ref().map_or(0, |component| component.1.len());
        let request = self.batch.request.as_ref().map_or(0, |request| request.body.len());
        component + request + self.receipt.as_ref().map_or(0, String::len)
    }

    /// The requests that its entries are about.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestId> {
        self.batch.entries.iter().filter_map(|entry| match entry {
            Entry::Decided { request, .. }
            | Entry::Issued { request, .. }
            | Entry::Lapsed { request }
            | Entry::Withdrawn { request, .. } => Some(request),
            _ => None,
        })
    }

    /// The receipts that its entries spend or attest.
    pub(crate) fn receipts(&self) -> impl Iterator<Item = &ReceiptId> {
        self.batch.entries.iter().filter_map(|entry| match entry {
            Entry::Redeemed { receipt, .. } | Entry::Attested { receipt, .. } => Some(receipt),
            _ => None,
        })
    }
}

/// Entries that change no table but their own.
fn stands_for_nothing_else(entry: &Entry) -> bool {
    !matches!(
        entry,
        Entry::Decided { .. }
            | Entry::Issued { .. }
            | Entry::Lapsed { .. }
            | Entry::Withdrawn { .. }
            | Entry::Redeemed { .. }
            | Entry::Attested { .. }
    )
}

/// A text for a text column. A zero character would fail the whole transaction, so it is refused here.
pub(crate) fn plain<T: AsRef<str>>(text: T) -> Result<T, StoreError> {
    match text.as_ref().contains('\0') {
        true => {
            Err(StoreError::Damaged("a text to be written has a zero character, and is no JSON".to_owned()))
        }
        false => Ok(text),
    }
}

/// The id of a signed revocation.
pub(crate) fn revocation_id(body: &str) -> Option<String> {
    serde_json::from_str::<serde_json::Value>(body).ok()?["id"].as_str().map(str::to_owned)
}
