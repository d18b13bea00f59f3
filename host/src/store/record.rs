//! What one write does inside its transaction.

use crate::store::Agenda;
use crate::store::Batch;
use crate::store::Create;
use crate::store::InstanceKey;
use crate::store::Place;
use crate::store::Quotas;
use crate::store::Seen;
use crate::store::Stamp;
use crate::store::Standing;
use crate::store::StoreError;
use crate::store::StoredReceipt;
use crate::store::Write;
use crate::store::Written;
use crate::store::agenda::enter;
use crate::store::approvals;
use crate::store::asked::Particulars;
use crate::store::asked::is_about;
use crate::store::deletion::delete;
use crate::store::ledger::Journal;
use crate::store::ledger::Ledger;
use crate::store::look;
use crate::store::look::cell;
use crate::store::look::classify;
use crate::store::look::damaged;
use crate::store::look::one;
use crate::store::row::Lines;
use crate::store::row::Spot;
use crate::store::usage::Change;
use crate::store::usage::reopen;
use crate::store::usage::settle;
use receipt::Digest;
use receipt::Timestamp;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::params;
use serde::Serialize;
use std::sync::Arc;
use workflow::Entry;
use workflow::ReceiptId;
use workflow::RequestId;
use workflow::TenantId;

/// How many of the last characters of an instance's output are kept.
const OUTPUT: i64 = 1 << 20;

/// A write whose texts are made: whoever hands it over does that work, and not the one thread that writes for everybody.
pub(super) enum Record {
    Create {
        place: Place,
        component: (Digest, Arc<[u8]>),
        lines: Lines,
        quotas: Quotas,
    },
    Append {
        place: Place,
        lines: Lines,
        quotas: Option<Quotas>,
        /// None for a step: there are so many of them that what is never in one is kept apart.
        beside: Option<Box<Beside>>,
    },
    Output {
        key: InstanceKey,
        text: String,
    },
    Postpone {
        key: InstanceKey,
        until: Timestamp,
    },
    Delete {
        place: Place,
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

/// What an append changes beside the journal.
pub(super) struct Beside {
    /// The entries that stand for something in another table, and their places in the batch.
    entries: Vec<(usize, Entry)>,
    request: Option<Particulars>,
    receipt: Option<Kept>,
    reopened: Vec<RequestId>,
    component: Option<(Digest, Arc<[u8]>)>,
    seen: Option<Box<Seen>>,
    agenda: Option<Agenda>,
}

/// A receipt's names and its text.
struct Kept {
    id: ReceiptId,
    request: RequestId,
    body: String,
}

impl Record {
    /// Makes the texts.
    pub(super) fn of(write: Write<'_>) -> Result<Self, StoreError> {
        Ok(match write {
            Write::Create(Create { key, component, at, entries, quotas }) => Self::Create {
                place: Place { key: key.clone(), after: 0, at: *at },
                component: component.clone(),
                lines: Lines::of_creation(entries)?,
                quotas: quotas.clone(),
            },
            Write::Append { place, batch } => {
                let (lines, beside) = (Lines::of(&batch.entries)?, Beside::of(batch)?);
                Self::Append { place, lines, quotas: batch.quotas.clone(), beside: beside.map(Box::new) }
            }
            Write::Output { key, text } => Self::Output { key, text },
            Write::Postpone { key, until } => Self::Postpone { key, until },
            Write::Delete { place, components, bytes, by } => Self::Delete { place, components, bytes, by },
            Write::Act { seen, at, body } => Self::Act { seen, at, body },
            Write::Revoke { receipt, at, body } => Self::Revoke { receipt, at, body },
        })
    }

    /// Bytes of text in it.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Create { component, lines, .. } => component.1.len() + lines.bytes,
            Self::Append { lines, beside, .. } => {
                lines.bytes + beside.as_ref().map_or(0, |beside| beside.bytes())
            }
            Self::Output { text, .. } => text.len(),
            Self::Postpone { .. } | Self::Delete { .. } => 0,
            Self::Act { body, .. } | Self::Revoke { body, .. } => body.len(),
        }
    }

    /// Whether it is one row and nothing else, as a step is. Then it is refused before anything is written, and leaves nothing to undo.
    pub(super) fn is_one_row(&self) -> bool {
        matches!(self, Self::Append { beside: None, .. })
    }

    /// Writes it. Whatever comes of an error, it is not kept.
    pub(super) fn write(&self, db: &Connection, ledger: &mut Ledger) -> Written {
        match self {
            Self::Create { place, component, lines, quotas } => {
                create(db, ledger, place, component, lines, quotas)
            }
            Self::Append { place, lines, quotas, beside: None } => {
                let journal = ledger.journal_at(db, place)?;
                ledger.check(db, &place.key.tenant, Change::of_bytes(lines.bytes), quotas.as_ref())?;
                add(db, ledger, place, journal, lines)
            }
            Self::Append { place, lines, quotas, beside: Some(beside) } => {
                beside.append(db, ledger, place, lines, quotas.as_ref())
            }
            Self::Output { key, text } => keep_output(db, ledger, key, text),
            Self::Postpone { key, until } => {
                let postpone = "UPDATE instances SET due = ?2 WHERE id = ?1 AND due IS NOT NULL";
                let row = ledger.journal(db, key)?.row;
                run(db, postpone, params![row, until.as_millis()]).map(|()| None)
            }
            Self::Delete { place, components, bytes, by } => {
                delete(db, ledger, place, (components, *bytes), by)
            }
            Self::Act { seen, at, body } => {
                approvals::add_act(db, *seen, ledger.time(*at), body).map(|()| None)
            }
            Self::Revoke { receipt, at, body } => {
                approvals::revoke(db, receipt, ledger.time(*at), body).map(|()| None)
            }
        }
    }
}

impl Beside {
    /// None where there is nothing beside the journal.
    fn of(batch: &Batch) -> Result<Option<Self>, StoreError> {
        let Batch { entries, request, receipt, reopened, component, quotas: _, seen, agenda } = batch;
        let stand = |(_, entry): &(usize, &Entry)| !stands_for_nothing_else(entry);
        let beside = Self {
            entries: entries
                .iter()
                .enumerate()
                .filter(stand)
                .map(|(place, entry)| (place, entry.clone()))
                .collect(),
            request: request.as_ref().map(|request| Particulars::of(request, entries)).transpose()?,
            receipt: receipt.as_deref().map(Kept::of).transpose()?,
            reopened: reopened.clone(),
            component: component.clone(),
            seen: seen.clone(),
            agenda: *agenda,
        };
        let Self { entries, request, receipt, reopened, component, seen, agenda } = &beside;
        let nothing = entries.is_empty() && request.is_none() && receipt.is_none() && reopened.is_empty();
        let nothing = nothing && component.is_none() && seen.is_none() && agenda.is_none();
        Ok((!nothing).then_some(beside))
    }

    /// Bytes of text in it.
    fn bytes(&self) -> usize {
        let component = self.component.as_ref().map_or(0, |component| component.1.len());
        let request = self.request.as_ref().map_or(0, |request| request.length);
        component + request + self.receipt.as_ref().map_or(0, |receipt| receipt.body.len())
    }

    fn append(
        &self,
        db: &Connection,
        ledger: &mut Ledger,
        place: &Place,
        lines: &Lines,
        quotas: Option<&Quotas>,
    ) -> Written {
        self.seen.as_ref().map_or(Ok(()), |seen| check_seen(db, seen))?;
        let (journal, mut change) = (ledger.journal_at(db, place)?, Change::default());
        if let Some(component) = &self.component {
            keep_component(db, &place.key.tenant, component, &mut change)?;
        }
        let stamp = add(db, ledger, place, journal, lines)?;
        self.keep_records(db, ledger, place, (journal.row, stamp), &mut change)?;
        if let Some(stamp) = stamp {
            self.settle(db, place, stamp, &mut change)?;
        }
        if let Some(agenda) = self.agenda {
            let last = ledger.journal(db, &place.key)?.last;
            enter(db, (journal.row, last), agenda, ledger.time(place.at), &mut change)?;
            change.bytes += ledger.settle(&place.key);
        }
        self.reopened.iter().try_for_each(|request| reopen(db, request, &mut change))?;
        ledger.charge(db, &place.key.tenant, change, quotas)?;
        Ok(stamp)
    }

    /// To the small tables what the entries stand for.
    fn settle(
        &self,
        db: &Connection,
        place: &Place,
        stamp: Stamp,
        change: &mut Change,
    ) -> Result<(), StoreError> {
        for (offset, entry) in &self.entries {
            settle(db, entry, change)?;
            approvals::settle(db, entry)?;
            stand_for(db, entry, &place.key, Stamp { seq: stamp.seq + *offset as u64, ..stamp })?;
        }
        Ok(())
    }

    /// The records that the entries speak of.
    fn keep_records(
        &self,
        db: &Connection,
        ledger: &mut Ledger,
        place: &Place,
        (row, stamp): (i64, Option<Stamp>),
        change: &mut Change,
    ) -> Result<(), StoreError> {
        if let Some(request) = &self.request {
            let stamp = stamp.ok_or_else(|| damaged("a request without a fact"))?;
            let fact = self.entries.iter().find(|(_, entry)| is_about(entry, &request.id));
            let seq = stamp.seq + fact.map_or(0, |(offset, _)| *offset as u64);
            approvals::count(db, &place.key.tenant, &request.subject, place.at)?;
            let common = request.common.as_deref().map(|text| ledger.text(db, text)).transpose()?;
            let inserted = request.insert(db, seq.cast_signed(), row, common);
            inserted.map_err(|error| conflict(error, &place.key))?;
            change.pending += 1;
            change.keep(request.length);
        }
        if let Some(Kept { id, request, body }) = &self.receipt {
            let insert = "INSERT INTO receipts (id, request, body) VALUES (?1, ?2, ?3)";
            unique(db, insert, params![id.as_str(), request.as_str(), body], &place.key)?;
            change.keep(body.len());
        }
        Ok(())
    }
}

impl Kept {
    fn of(receipt: &StoredReceipt) -> Result<Self, StoreError> {
        Ok(Self { id: receipt.id.clone(), request: receipt.request.clone(), body: to_json(receipt)? })
    }
}

fn create(
    db: &Connection,
    ledger: &mut Ledger,
    place: &Place,
    component: &(Digest, Arc<[u8]>),
    lines: &Lines,
    quotas: &Quotas,
) -> Written {
    let key = &place.key;
    let mut change = Change { instances: 1, ..Change::default() };
    keep_component(db, &key.tenant, component, &mut change)?;
    let loaded = lines.loaded.as_deref().map(|text| ledger.text(db, text)).transpose()?;
    let insert = "INSERT INTO instances (tenant, instance, state, due, since, loaded, first, last) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?6)";
    let mut insert = db.prepare_cached(insert).map_err(classify)?;
    let (state, at) = (Standing::Queued.number(), ledger.time(place.at).as_millis());
    let first = ledger.next(db)?;
    let values = params![key.tenant.as_str(), key.instance.as_str(), state, at, loaded, first];
    let row = insert.insert(values).map_err(|error| match is_constraint(&error) {
        true => StoreError::Exists(key.clone()),
        false => classify(error),
    })?;
    let journal = ledger.begun(key, row);
    let stamp = add(db, ledger, place, journal, lines)?;
    change.bytes += ledger.settle(key);
    ledger.charge(db, &place.key.tenant, change, Some(quotas))?;
    Ok(stamp)
}

/// Keeps a component that an instance of the tenant is loaded with.
fn keep_component(
    db: &Connection,
    tenant: &TenantId,
    (digest, bytes): &(Digest, Arc<[u8]>),
    change: &mut Change,
) -> Result<(), StoreError> {
    if change.hold(db, tenant, (digest, bytes))? {
        run(db, "INSERT OR IGNORE INTO components VALUES (?1, ?2)", params![digest.to_string(), &**bytes])?;
    }
    Ok(())
}

/// Refuses what was decided when things stood differently.
fn check_seen(db: &Connection, seen: &Seen) -> Result<(), StoreError> {
    approvals::check_acts(db, seen.acts)?;
    match look::fate(db, &seen.receipt)? == seen.fate {
        true => Ok(()),
        false => Err(StoreError::FateMoved(seen.receipt.clone())),
    }
}

fn keep_output(db: &Connection, ledger: &mut Ledger, key: &InstanceKey, text: &str) -> Written {
    let row = ledger.journal(db, key)?.row;
    let length = || -> Result<i64, StoreError> {
        let select = "SELECT octet_length(text) FROM outputs WHERE instance = ?1";
        Ok(one(db, select, [row], |row| cell(row, 0))?.unwrap_or(0))
    };
    let before = length()?;
    let append = "INSERT INTO outputs VALUES (?1, ?2) ON CONFLICT (instance) DO UPDATE SET text = substr(text || ?2, -?3)";
    run(db, append, params![row, text, OUTPUT])?;
    let change = Change { bytes: length()? - before, ..Change::default() };
    ledger.charge(db, &key.tenant, change, None)?;
    Ok(None)
}

/// Adds entries, as one row.
fn add(db: &Connection, ledger: &mut Ledger, place: &Place, journal: Journal, lines: &Lines) -> Written {
    let (key, after) = (&place.key, place.after as u64);
    if lines.count == 0 {
        return Ok(None);
    }
    let count = lines.count as i64;
    let (seq, at) = (ledger.take(db, count)?, ledger.time(place.at));
    let spot = Spot { seq, instance: journal.row, index: after.cast_signed(), at, count, prev: journal.last };
    lines.insert(db, spot, key).map_err(|error| conflict(error, key))?;
    let journal = Journal { length: after + count.unsigned_abs(), ..journal };
    ledger.add(key, journal, (seq, lines.bytes));
    Ok(Some(Stamp { seq: seq.unsigned_abs(), at }))
}

/// Entries that change no table but their own: those of steps, as there are so many of them.
fn stands_for_nothing_else(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::StepStarted { .. }
            | Entry::StepCompleted { .. }
            | Entry::StepFailed { .. }
            | Entry::AttemptStarted { .. }
            | Entry::AttemptFailed { .. }
            | Entry::Told { .. }
    )
}

/// What has to be found by another name than its place.
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

pub(super) fn run(db: &Connection, statement: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(statement).map_err(classify)?;
    statement.execute(values).map(drop).map_err(classify)
}

/// An insert that fails where somebody else was first.
pub(super) fn unique(
    db: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
    key: &InstanceKey,
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(statement).map_err(classify)?;
    statement.execute(values).map(drop).map_err(|error| conflict(error, key))
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(damaged)
}

pub(super) fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

pub(super) fn conflict(error: rusqlite::Error, key: &InstanceKey) -> StoreError {
    if is_constraint(&error) { StoreError::Conflict(key.clone()) } else { classify(error) }
}
