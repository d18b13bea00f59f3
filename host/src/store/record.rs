//! What one write does inside its transaction.

use crate::store::Agenda;
use crate::store::Batch;
use crate::store::Create;
use crate::store::Fact;
use crate::store::InstanceKey;
use crate::store::Place;
use crate::store::Quotas;
use crate::store::Seen;
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
use crate::store::row::numbered;
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
        request: Option<Box<Particulars>>,
        receipt: Option<Kept>,
        reopened: Vec<RequestId>,
        component: Option<(Digest, Arc<[u8]>)>,
        quotas: Option<Quotas>,
        seen: Option<Box<Seen>>,
        agenda: Option<Agenda>,
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

/// A receipt's names and its text.
pub(super) struct Kept {
    id: ReceiptId,
    request: RequestId,
    body: String,
}

impl Record {
    /// Makes the texts.
    pub(super) fn of(write: Write) -> Result<Self, StoreError> {
        Ok(match write {
            Write::Create(Create { key, component, at, entries, quotas }) => {
                let lines = Lines::of_creation(entries)?;
                Self::Create { place: Place { key, after: 0, at }, component, lines, quotas }
            }
            Write::Append {
                place,
                batch: Batch { entries, request, receipt, reopened, component, quotas, seen, agenda },
            } => {
                let request =
                    request.map(|request| Particulars::of(request, &entries).map(Box::new)).transpose()?;
                let receipt = receipt.map(|receipt| Kept::of(*receipt)).transpose()?;
                Self::Append {
                    place,
                    lines: Lines::of(entries)?,
                    request,
                    receipt,
                    reopened,
                    component,
                    quotas,
                    seen,
                    agenda,
                }
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
            Self::Create { component, lines, .. } => component.1.len() + lines.bytes(),
            Self::Append { lines, request, receipt, component, .. } => {
                let component = component.as_ref().map_or(0, |component| component.1.len());
                let request = request.as_ref().map_or(0, |request| request.length);
                component + lines.bytes() + request + receipt.as_ref().map_or(0, |receipt| receipt.body.len())
            }
            Self::Output { text, .. } => text.len(),
            Self::Postpone { .. } | Self::Delete { .. } => 0,
            Self::Act { body, .. } | Self::Revoke { body, .. } => body.len(),
        }
    }

    /// Whether it is one row and nothing else, as a step is. Then it is refused before anything is written, and leaves nothing to undo.
    pub(super) fn is_one_row(&self) -> bool {
        match self {
            Self::Append {
                lines,
                request: None,
                receipt: None,
                reopened,
                component: None,
                seen: None,
                agenda: None,
                ..
            } => reopened.is_empty() && lines.entries.iter().all(stands_for_nothing_else),
            _ => false,
        }
    }

    /// Writes it. Whatever comes of an error, it is not kept.
    pub(super) fn write(self, db: &Connection, ledger: &mut Ledger) -> Written {
        let one_row = self.is_one_row();
        match self {
            Self::Append { place, lines, quotas, .. } if one_row => {
                let journal = ledger.journal(db, &place.key)?;
                if journal.length != place.after as u64 {
                    return Err(StoreError::Conflict(place.key));
                }
                ledger.check(db, &place.key.tenant, Change::of_bytes(lines.bytes()), quotas.as_ref())?;
                add(db, ledger, &place, journal, lines)
            }
            Self::Create { place, component, lines, quotas } => {
                create(db, ledger, place, (&component.0, &component.1), lines, &quotas)
            }
            Self::Append { place, lines, request, receipt, reopened, component, quotas, seen, agenda } => {
                seen.map_or(Ok(()), |seen| check_seen(db, &seen))?;
                let (journal, mut change) = (ledger.journal(db, &place.key)?, Change::default());
                if journal.length != place.after as u64 {
                    return Err(StoreError::Conflict(place.key));
                }
                if let Some((digest, bytes)) = &component {
                    keep_component(db, &place.key.tenant, (digest, bytes), &mut change)?;
                }
                let facts = add(db, ledger, &place, journal, lines)?;
                keep_records(db, ledger, &place, (journal.row, &facts), (request, receipt), &mut change)?;
                settle_all(db, &facts, &mut change)?;
                if let Some(agenda) = agenda {
                    let last = ledger.journal(db, &place.key)?.last;
                    enter(db, (journal.row, last), agenda, ledger.time(place.at), &mut change)?;
                    change.bytes += ledger.settle(&place.key);
                }
                reopened.iter().try_for_each(|request| reopen(db, request, &mut change))?;
                ledger.charge(db, &place.key.tenant, change, quotas.as_ref())?;
                Ok(facts)
            }
            Self::Output { key, text } => keep_output(db, ledger, &key, &text),
            Self::Postpone { key, until } => {
                let postpone = "UPDATE instances SET due = ?2 WHERE id = ?1 AND due IS NOT NULL";
                run(db, postpone, params![ledger.journal(db, &key)?.row, until.as_millis()])
                    .map(|()| Vec::new())
            }
            Self::Delete { place, components, bytes, by } => {
                delete(db, ledger, &place, (&components, bytes), &by)
            }
            Self::Act { seen, at, body } => {
                approvals::add_act(db, seen, ledger.time(at), &body).map(|()| Vec::new())
            }
            Self::Revoke { receipt, at, body } => {
                approvals::revoke(db, &receipt, ledger.time(at), &body).map(|()| Vec::new())
            }
        }
    }
}

impl Kept {
    fn of(receipt: StoredReceipt) -> Result<Self, StoreError> {
        let body = to_json(&receipt)?;
        Ok(Self { id: receipt.id, request: receipt.request, body })
    }
}

fn create(
    db: &Connection,
    ledger: &mut Ledger,
    place: Place,
    component: (&Digest, &[u8]),
    lines: Lines,
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
    let facts = add(db, ledger, &place, journal, lines)?;
    change.bytes += ledger.settle(key);
    settle_all(db, &facts, &mut change)?;
    ledger.charge(db, &place.key.tenant, change, Some(quotas))?;
    Ok(facts)
}

/// Keeps a component that an instance of the tenant is loaded with.
fn keep_component(
    db: &Connection,
    tenant: &TenantId,
    component: (&Digest, &[u8]),
    change: &mut Change,
) -> Result<(), StoreError> {
    if change.hold(db, tenant, component)? {
        let (digest, bytes) = component;
        run(db, "INSERT OR IGNORE INTO components VALUES (?1, ?2)", params![digest.to_string(), bytes])?;
    }
    Ok(())
}

/// The records that a batch's entries speak of.
fn keep_records(
    db: &Connection,
    ledger: &mut Ledger,
    place: &Place,
    (row, facts): (i64, &[Fact]),
    (request, receipt): (Option<Box<Particulars>>, Option<Kept>),
    change: &mut Change,
) -> Result<(), StoreError> {
    if let Some(request) = request {
        let fact = facts.iter().find(|fact| is_about(&fact.entry, &request.id)).or(facts.first());
        let fact = fact.ok_or_else(|| damaged("a request without a fact"))?;
        approvals::count(db, &place.key.tenant, &request.subject, place.at)?;
        let common = request.common.as_deref().map(|text| ledger.text(db, text)).transpose()?;
        let inserted = request.insert(db, fact.seq.cast_signed(), row, common);
        inserted.map_err(|error| conflict(error, &place.key))?;
        change.pending += 1;
        change.keep(request.length);
    }
    if let Some(Kept { id, request, body }) = receipt {
        let insert = "INSERT INTO receipts (id, request, body) VALUES (?1, ?2, ?3)";
        unique(db, insert, params![id.as_str(), request.as_str(), body], &place.key)?;
        change.keep(body.len());
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
    Ok(Vec::new())
}

/// Adds entries, as one row.
fn add(db: &Connection, ledger: &mut Ledger, place: &Place, journal: Journal, lines: Lines) -> Written {
    let (key, after) = (&place.key, place.after as u64);
    if lines.entries.is_empty() {
        return Ok(Vec::new());
    }
    let count = lines.entries.len() as i64;
    let (seq, at) = (ledger.take(db, count)?, ledger.time(place.at));
    let spot = Spot { seq, instance: journal.row, index: after.cast_signed(), at, count, prev: journal.last };
    lines.insert(db, spot, key).map_err(|error| conflict(error, key))?;
    let journal = Journal { length: after + count.unsigned_abs(), ..journal };
    ledger.add(key, journal, (seq, lines.bytes()));
    Ok(numbered(spot, key, lines.entries))
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

/// To the small tables what entries stand for.
fn settle_all(db: &Connection, facts: &[Fact], change: &mut Change) -> Result<(), StoreError> {
    for fact in facts {
        settle(db, &fact.entry, change)?;
        approvals::settle(db, &fact.entry)?;
        stand_for(db, fact)?;
    }
    Ok(())
}

/// What has to be found by another name than its place.
fn stand_for(db: &Connection, fact: &Fact) -> Result<(), StoreError> {
    match &fact.entry {
        Entry::Redeemed { receipt, .. } => {
            let insert = "INSERT INTO redemptions VALUES (?1, ?2, ?3)";
            let values = params![receipt.as_str(), fact.seq.cast_signed(), fact.at.as_millis()];
            unique(db, insert, values, &fact.key)
        }
        Entry::Attested { receipt, document, .. } => {
            let insert = "INSERT INTO attestations VALUES (?1, ?2)";
            unique(db, insert, params![receipt.as_str(), document], &fact.key)
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
