//! Projections: the rows of other tables that are written with entries.
//!
//! A step has none, and steps are frequent, so a write without projections has none of these fields.

use crate::journal::EncodedEntries;
use crate::sql::{conflict, damaged, unique};
use crate::tables::requests::{RequestText, is_about};
use crate::tables::schedule::enter;
use crate::tables::usage::{reopen, settle};
use crate::tables::{acts, artifacts, decisions, deployments, query};
use crate::writer::append::{add, keep_component};
use crate::writer::cache::WriterCache;
use receipt::Digest;
use rusqlite::{Connection, params};
use serde::Serialize;
use std::sync::Arc;
use store::{
    Batch, Deployment, InstanceKey, JournalPosition, KeptArtifact, Precondition, Quotas, ScheduleRow,
    SignedBy, Stamp, StoreError, StoredReceipt, UsageChange, Written,
};
use workflow::{Entry, ReceiptId, RequestId};

/// An append's changes of other tables.
pub(crate) struct Projections {
    /// The entries that have a row in another table, with their places in the batch.
    entries: Vec<(usize, Entry)>,
    request: Option<RequestText>,
    receipt: Option<ReceiptText>,
    reopened: Vec<RequestId>,
    component: Option<(Digest, Arc<[u8]>)>,
    seen: Option<Box<Precondition>>,
    signed: Option<Box<SignedBy>>,
    deployment: Option<Box<Deployment>>,
    artifact: Option<Box<KeptArtifact>>,
    schedule: Option<ScheduleRow>,
}

/// A receipt's names and its text.
struct ReceiptText {
    id: ReceiptId,
    request: RequestId,
    /// The committed tenant.
    tenant: String,
    body: String,
}

impl Projections {
    /// `None` if only the journal changes.
    pub(crate) fn of(batch: &Batch) -> Result<Option<Self>, StoreError> {
        let Batch {
            entries,
            request,
            receipt,
            reopened,
            component,
            seen,
            signed,
            deployment,
            artifact,
            schedule,
            ..
        } = batch;
        let stand = |(_, entry): &(usize, &Entry)| !stands_for_nothing_else(entry);
        let projections = Self {
            entries: entries
                .iter()
                .enumerate()
                .filter(stand)
                .map(|(place, entry)| (place, entry.clone()))
                .collect(),
            request: request.as_ref().map(|request| RequestText::of(request, entries)).transpose()?,
            receipt: receipt.as_deref().map(ReceiptText::of).transpose()?,
            reopened: reopened.clone(),
            component: component.clone(),
            seen: seen.clone(),
            signed: signed.clone(),
            deployment: deployment.clone(),
            artifact: artifact.clone(),
            schedule: *schedule,
        };
        Ok((!projections.is_nothing()).then_some(projections))
    }

    fn is_nothing(&self) -> bool {
        let Self {
            entries, request, receipt, reopened, component, seen, deployment, artifact, schedule, ..
        } = self;
        let none_named = request.is_none() && receipt.is_none() && reopened.is_empty();
        let no_record = component.is_none() && deployment.is_none() && artifact.is_none();
        entries.is_empty() && none_named && no_record && seen.is_none() && schedule.is_none()
    }

    /// The bytes of text in the projections.
    pub(crate) fn bytes(&self) -> usize {
        let component = self.component.as_ref().map_or(0, |component| component.1.len());
        let request = self.request.as_ref().map_or(0, |request| request.length);
        component + request + self.receipt.as_ref().map_or(0, |receipt| receipt.body.len())
    }

    /// Writes it with the entries themselves.
    pub(crate) fn append(
        &self,
        db: &Connection,
        cache: &mut WriterCache,
        place: &JournalPosition,
        encoded: &EncodedEntries,
        quotas: Option<&Quotas>,
    ) -> Written {
        self.seen.as_ref().map_or(Ok(()), |seen| check_seen(db, seen))?;
        let (journal, mut change) = (cache.journal_at(db, place)?, UsageChange::default());
        if let (Some(_), Some(quotas)) = (&self.request, quotas) {
            decisions::check_rate(db, &place.key.tenant, cache.time(place.at), quotas)?;
        }
        if let Some(component) = &self.component {
            keep_component(db, &place.key.tenant, component, &mut change)?;
        }
        if let Some(KeptArtifact { sha256, bytes, quotas }) = self.artifact.as_deref() {
            let bytes = artifacts::hold(db, &place.key.tenant, (sha256, *bytes), journal.row)?;
            let kept = UsageChange { bytes, ..UsageChange::default() };
            cache.check(db, &place.key.tenant, kept, Some(quotas))?;
            change.add(kept);
        }
        let stamp = add(db, cache, place, journal, encoded)?;
        self.keep_records(db, cache, place, (journal.row, stamp), &mut change)?;
        if let Some(stamp) = stamp {
            self.settle(db, place, stamp, &mut change)?;
        }
        if let Some(schedule) = self.schedule {
            let last = cache.journal(db, &place.key)?.last;
            enter(db, (journal.row, last), schedule, cache.time(place.at), &mut change)?;
            change.bytes += cache.settle(&place.key);
        }
        self.reopened.iter().try_for_each(|request| reopen(db, request, &mut change))?;
        cache.charge(db, &place.key.tenant, change, quotas)?;
        Ok(stamp)
    }

    /// Updates the small tables for the entries.
    fn settle(
        &self,
        db: &Connection,
        place: &JournalPosition,
        stamp: Stamp,
        change: &mut UsageChange,
    ) -> Result<(), StoreError> {
        for (offset, entry) in &self.entries {
            settle(db, entry, change)?;
            let seq = stamp.seq + *offset as u64;
            decisions::settle(db, (seq, entry), &place.key.tenant, self.signed.as_deref())?;
            stand_for(db, entry, &place.key, Stamp { seq, ..stamp })?;
        }
        Ok(())
    }

    /// Writes the records that the entries refer to.
    fn keep_records(
        &self,
        db: &Connection,
        cache: &mut WriterCache,
        place: &JournalPosition,
        (row, stamp): (i64, Option<Stamp>),
        change: &mut UsageChange,
    ) -> Result<(), StoreError> {
        if let Some(request) = &self.request {
            let stamp = stamp.ok_or_else(|| damaged("a request without a fact"))?;
            let fact = self.entries.iter().find(|(_, entry)| is_about(entry, &request.id));
            let seq = stamp.seq + fact.map_or(0, |(offset, _)| *offset as u64);
            decisions::count(db, &place.key.tenant, &request.subject, cache.time(place.at))?;
            let common = request.common.as_deref().map(|text| cache.text(db, text)).transpose()?;
            let inserted = request.insert(db, seq.cast_signed(), row, common);
            inserted.map_err(|error| conflict(error, &place.key))?;
            change.pending += 1;
            change.keep(request.length);
        }
        if let Some(ReceiptText { id, request, tenant, body }) = &self.receipt {
            let insert = "INSERT INTO receipts (id, request, tenant, body) VALUES (?1, ?2, ?3, ?4)";
            unique(db, insert, params![id.as_str(), request.as_str(), tenant, body], &place.key)?;
            change.keep(body.len());
        }
        if let Some(deployment) = &self.deployment {
            change.bytes += deployments::record(db, deployment, Some(row))?;
        }
        Ok(())
    }
}

impl ReceiptText {
    fn of(receipt: &StoredReceipt) -> Result<Self, StoreError> {
        Ok(Self {
            id: receipt.id.clone(),
            request: receipt.request.clone(),
            tenant: receipt.company_id.clone(),
            body: to_json(receipt)?,
        })
    }
}

/// Refuses a write whose precondition no longer holds.
fn check_seen(db: &Connection, seen: &Precondition) -> Result<(), StoreError> {
    acts::check(db, seen.acts)?;
    match query::receipt_state(db, &seen.receipt)? == seen.receipt_state {
        true => Ok(()),
        false => Err(StoreError::ReceiptMoved(seen.receipt.clone())),
    }
}

/// Whether an entry changes only the table of entries, as all entries of steps do.
fn stands_for_nothing_else(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::StepStarted { .. }
            | Entry::StepCompleted { .. }
            | Entry::StepFailed { .. }
            | Entry::AttemptStarted { .. }
            | Entry::AttemptFailed { .. }
            | Entry::Delivered { .. }
    )
}

/// Writes the records that are found by another name than their place.
fn stand_for(
    db: &Connection,
    entry: &Entry,
    key: &InstanceKey,
    Stamp { seq, at }: Stamp,
) -> Result<(), StoreError> {
    match entry {
        Entry::Redeemed { receipt, .. } => {
            let insert = "INSERT INTO redemptions VALUES (?1, ?2, ?3)";
            let values = params![receipt.as_str(), seq.cast_signed(), at.as_millis()];
            unique(db, insert, values, key)
        }
        Entry::Attested { receipt, document, .. } => {
            let insert = "INSERT INTO attestations VALUES (?1, ?2)";
            unique(db, insert, params![receipt.as_str(), document], key)
        }
        _ => Ok(()),
    }
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(damaged)
}
