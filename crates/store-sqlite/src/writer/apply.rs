//! Applies one write inside its transaction.

use crate::journal::EncodedEntries;
use crate::sql::{cell, classify, is_constraint, one, run};
use crate::tables::{acts, decisions, schedule};
use crate::writer::append::{add, keep_component};
use crate::writer::cache::WriterCache;
use crate::writer::deletion::delete;
use crate::writer::projections::Projections;
use receipt::{Digest, Timestamp};
use rusqlite::{Connection, params};
use std::sync::Arc;
use store::{
    Create, InstanceKey, InstanceState, JournalPosition, Quotas, SentNotices, StoreError, UsageChange, Write,
    Written,
};
use workflow::{ReceiptId, RequestId};

/// The greatest length of an instance's output; only the last characters are kept.
const OUTPUT: usize = 1 << 20;

/// A write with encoded texts. The caller's thread encodes them, not the writing thread.
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
        /// `None` for a step: steps are frequent, so the fields that they never have are stored apart.
        projections: Option<Box<Projections>>,
    },
    Output {
        key: InstanceKey,
        text: String,
        quotas: Quotas,
    },
    Notified {
        request: RequestId,
        marks: SentNotices,
    },
    Postpone {
        key: InstanceKey,
        until: Timestamp,
    },
    Delete {
        place: JournalPosition,
        components: Vec<Digest>,
        bytes: usize,
        by: String,
    },
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

impl Record {
    /// Makes the texts.
    pub(crate) fn of(write: Write<'_>) -> Result<Self, StoreError> {
        Ok(match write {
            Write::Create(Create { key, component, at, entries, quotas }) => Self::Create {
                place: JournalPosition { key: key.clone(), after: 0, at: *at },
                component: component.clone(),
                encoded: EncodedEntries::of_creation(entries)?,
                quotas: quotas.clone(),
            },
            // The folder's lock is the driver's claim.
            Write::Append { place, batch, writer: _ } => {
                let (encoded, projections) = (EncodedEntries::of(&batch.entries)?, Projections::of(batch)?);
                Self::Append {
                    place,
                    encoded,
                    quotas: batch.quotas.clone(),
                    projections: projections.map(Box::new),
                }
            }
            Write::Output { key, text, quotas } => Self::Output { key, text, quotas },
            Write::Postpone { key, until } => Self::Postpone { key, until },
            Write::Notified { key: _, request, marks } => Self::Notified { request, marks },
            Write::Delete { place, components, bytes, by } => Self::Delete { place, components, bytes, by },
            Write::Act { seen, at, body } => Self::Act { seen, at, body },
            Write::Revoke { receipt, at, body } => Self::Revoke { receipt, at, body },
        })
    }

    /// The bytes of text in the write.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Create { component, encoded, .. } => component.1.len() + encoded.bytes,
            Self::Append { encoded, projections, .. } => {
                encoded.bytes + projections.as_ref().map_or(0, |projections| projections.bytes())
            }
            Self::Output { text, .. } => text.len(),
            Self::Postpone { .. } | Self::Notified { .. } | Self::Delete { .. } => 0,
            Self::Act { body, .. } | Self::Revoke { body, .. } => body.len(),
        }
    }

    /// Whether the write is one row only, like a step. Such a write is refused before anything is written, and leaves
    /// nothing to undo.
    pub(crate) fn is_one_row(&self) -> bool {
        matches!(self, Self::Append { projections: None, .. })
    }

    /// Writes it. After an error the caller undoes the write.
    pub(crate) fn write(&self, db: &Connection, cache: &mut WriterCache) -> Written {
        match self {
            Self::Create { place, component, encoded, quotas } => {
                create(db, cache, place, component, encoded, quotas)
            }
            Self::Append { place, encoded, quotas, projections: None } => {
                let journal = cache.journal_at(db, place)?;
                cache.check(db, &place.key.tenant, UsageChange::of_bytes(encoded.bytes), quotas.as_ref())?;
                add(db, cache, place, journal, encoded)
            }
            Self::Append { place, encoded, quotas, projections: Some(projections) } => {
                projections.append(db, cache, place, encoded, quotas.as_ref())
            }
            Self::Output { key, text, quotas } => keep_output(db, cache, key, text, quotas),
            Self::Postpone { key, until } => {
                let postpone = "UPDATE instances SET due = ?2 WHERE id = ?1 AND due IS NOT NULL";
                let row = cache.journal(db, key)?.row;
                run(db, postpone, params![row, until.as_millis()]).map(|()| None)
            }
            Self::Notified { request, marks } => {
                let keep = "UPDATE requests SET notified = notified | ?2 WHERE id = ?1";
                run(db, keep, params![request.as_str(), marks.bits()]).map(|()| None)
            }
            Self::Delete { place, components, bytes, by } => {
                delete(db, cache, place, (components, *bytes), by)
            }
            Self::Act { seen, at, body } => acts::add(db, *seen, cache.time(*at), body).map(|()| None),
            Self::Revoke { receipt, at, body } => {
                decisions::revoke(db, receipt, cache.time(*at), body).map(|()| None)
            }
        }
    }
}

fn create(
    db: &Connection,
    cache: &mut WriterCache,
    place: &JournalPosition,
    component: &(Digest, Arc<[u8]>),
    encoded: &EncodedEntries,
    quotas: &Quotas,
) -> Written {
    let key = &place.key;
    let mut change = UsageChange { instances: 1, ..UsageChange::default() };
    keep_component(db, &key.tenant, component, &mut change)?;
    let loaded = encoded.loaded.as_deref().map(|text| cache.text(db, text)).transpose()?;
    let insert = "INSERT INTO instances (tenant, instance, state, due, since, loaded, first, last) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?6)";
    let mut insert = db.prepare_cached(insert).map_err(classify)?;
    let (state, at) = (schedule::number(InstanceState::Queued), cache.time(place.at).as_millis());
    let first = cache.next(db)?;
    let values = params![key.tenant.as_str(), key.instance.as_str(), state, at, loaded, first];
    let row = insert.insert(values).map_err(|error| match is_constraint(&error) {
        true => StoreError::Exists(key.clone()),
        false => classify(error),
    })?;
    let journal = cache.begun(key, row);
    let stamp = add(db, cache, place, journal, encoded)?;
    change.bytes += cache.settle(key);
    cache.charge(db, &place.key.tenant, change, Some(quotas))?;
    Ok(stamp)
}

fn keep_output(
    db: &Connection,
    cache: &mut WriterCache,
    key: &InstanceKey,
    text: &str,
    quotas: &Quotas,
) -> Written {
    let row = cache.journal(db, key)?.row;
    let select = "SELECT text FROM outputs WHERE instance = ?1";
    let mut kept: String = one(db, select, [row], |row| cell(row, 0))?.unwrap_or_default();
    let before = kept.len().cast_signed() as i64;
    kept.push_str(text);
    // Not by SQL: its functions take a zero character for the end of a text.
    if let Some((start, _)) = kept.char_indices().rev().nth(OUTPUT - 1) {
        kept.drain(..start);
    }
    let keep =
        "INSERT INTO outputs VALUES (?1, ?2) ON CONFLICT (instance) DO UPDATE SET text = excluded.text";
    run(db, keep, params![row, kept])?;
    let bytes = kept.len().cast_signed() as i64 - before;
    let change = UsageChange { bytes, ..UsageChange::default() };
    cache.charge(db, &key.tenant, change, Some(quotas))?;
    Ok(None)
}
