//! The effect of one write on locked rows in memory: pure, and independent of the other writes of the transaction.

use crate::write::artifacts::{hold, record_deployment};
use crate::write::entries::{EncodedEntries, RowPosition, sum};
use crate::write::record::{Projections, Record};
use crate::write::state::{EntryRow, GroupState, Instance, NewReceipt, Request, Users};
use crate::write::usage_stripes::ChargeError;
use receipt::{Digest, Timestamp};
use std::sync::Arc;
use store::{
    InstanceKey, InstanceState, JournalPosition, KeptArtifact, NewRequest, Precondition, Quotas, RATE_WINDOW,
    ScheduleRow, SentNotices, SignedBy, Stamp, StoreError, UsageChange, Writer, Written,
};
use workflow::{Entry, ReceiptId, RequestId, TenantId};

/// The greatest length of an instance's output; only the last characters are kept.
const OUTPUT: usize = 1 << 20;

/// Writes a record, whose entries get the places from `seq` on, or refuses it. After a refusal the caller undoes its
/// changes.
pub(crate) fn write(state: &mut GroupState, record: &Record, seq: i64) -> Written {
    match record {
        Record::Create { place, component, encoded, quotas } => {
            create(state, (place, seq), component, encoded, quotas)
        }
        Record::Append { place, encoded, quotas, projections, writer } => {
            check_claim(state, &place.key, *writer)?;
            append(state, (place, seq), encoded, quotas.as_ref(), projections.as_deref())
        }
        Record::Output { key, text, quotas } => keep_output(state, key, text, quotas).map(|()| None),
        Record::Postpone { key, until } => {
            check_claim(state, key, Writer::Driver)?;
            let instance = instance(state, key)?;
            if instance.due.is_some() {
                state.instances.set(key.clone(), Instance { due: Some(until.as_millis()), ..instance });
            }
            Ok(None)
        }
        Record::Notified { request, marks, .. } => {
            if let Some(found) = state.requests.get(request).cloned() {
                let notified = found.notified | marks.bits().cast_signed();
                state.requests.set(request.clone(), Request { notified, ..found });
            }
            Ok(None)
        }
        Record::Act { seen, at, body } => act(state, *seen, *at, body).map(|()| None),
        Record::Revoke { receipt, at, body } => revoke(state, receipt, *at, body).map(|()| None),
        // Has a transaction of its own.
        Record::Delete(deletion) => Err(StoreError::Conflict(deletion.place.key.clone())),
    }
}

fn create(
    state: &mut GroupState,
    (place, seq): (&JournalPosition, i64),
    component: &(Digest, Arc<[u8]>),
    encoded: &EncodedEntries,
    quotas: &Quotas,
) -> Written {
    let key = &place.key;
    if state.instances.get(key).is_some() {
        return Err(StoreError::Exists(key.clone()));
    }
    let id = state.ids.pop().ok_or(StoreError::Stopped)?;
    let (at, queued) = (place.at.as_millis(), number(InstanceState::Queued));
    let made = Instance { id, next: 0, at, state: queued, due: Some(at), since: at, ended: false };
    state.instances.set(key.clone(), made.clone());
    let mut change = UsageChange { instances: 1, ..UsageChange::of_bytes(encoded.bytes) };
    keep_component(state, &key.tenant, component, &mut change)?;
    let stamp = add(state, place, (made, seq), encoded);
    charge(state, &key.tenant, change, Some(quotas))?;
    Ok(stamp)
}

/// Refuses a driver whose claim has expired.
fn check_claim(state: &GroupState, key: &InstanceKey, writer: Writer) -> Result<(), StoreError> {
    match writer {
        Writer::Driver if !state.held.contains(&key.shard()) => Err(StoreError::ClaimLost(key.clone())),
        Writer::Driver | Writer::Outside => Ok(()),
    }
}

fn append(
    state: &mut GroupState,
    (place, seq): (&JournalPosition, i64),
    encoded: &EncodedEntries,
    quotas: Option<&Quotas>,
    projections: Option<&Projections>,
) -> Written {
    if let Some(seen) = projections.and_then(|projections| projections.batch.seen.as_deref()) {
        check_seen(state, seen)?;
    }
    let found = instance(state, &place.key)?;
    if usize::try_from(found.next) != Ok(place.after) {
        return Err(StoreError::Conflict(place.key.clone()));
    }
    let mut change = UsageChange::of_bytes(encoded.bytes);
    if let Some(projections) = projections {
        prepare(state, place, &found, (projections, quotas), &mut change)?;
    }
    let (id, first) = (found.id, seq);
    let stamp = add(state, place, (found, seq), encoded);
    if let Some(projections) = projections {
        keep_records(state, (place, id), (stamp, first), projections, &mut change)?;
        settle(state, (place, first), projections, &mut change)?;
        if let Some(schedule) = projections.batch.schedule {
            enter(state, &place.key, schedule, &mut change)?;
        }
        for request in &projections.batch.reopened {
            reopen(state, request, &mut change);
        }
    }
    charge(state, &place.key.tenant, change, quotas)?;
    Ok(stamp)
}

/// The changes before the entries: the rate, the component, the artifact.
fn prepare(
    state: &mut GroupState,
    place: &JournalPosition,
    found: &Instance,
    (projections, quotas): (&Projections, Option<&Quotas>),
    change: &mut UsageChange,
) -> Result<(), StoreError> {
    let tenant = &place.key.tenant;
    if let (Some(_), Some(quotas)) = (&projections.batch.request, quotas) {
        ask(state, tenant, found.at.max(place.at.as_millis()), quotas)?;
    }
    if let Some(component) = &projections.batch.component {
        keep_component(state, tenant, component, change)?;
    }
    if let Some(KeptArtifact { sha256, bytes, quotas }) = projections.batch.artifact.as_deref() {
        let more = hold(state, tenant, (&sha256.to_string(), *bytes), found.id)?;
        let kept = UsageChange { bytes: more, ..UsageChange::default() };
        let checked = state.usage_of(tenant).check(tenant, kept, Some(quotas));
        checked.map_err(|refused| state.refuse(tenant, refused))?;
        change.bytes = change.bytes.saturating_add(more);
    }
    Ok(())
}

/// Adds entries, as one row.
fn add(
    state: &mut GroupState,
    place: &JournalPosition,
    (found, seq): (Instance, i64),
    encoded: &EncodedEntries,
) -> Option<Stamp> {
    let count = i32::try_from(encoded.count).unwrap_or(i32::MAX);
    if count == 0 {
        return None;
    }
    let at = found.at.max(place.at.as_millis());
    let position = RowPosition { seq, index: found.next, at, count };
    let sum = sum(&encoded.text, &place.key, position);
    state.entries.push(EntryRow { instance: found.id, position, sum, text: encoded.text.clone() });
    let next = found.next + i64::from(count);
    state.instances.set(place.key.clone(), Instance { next, at, ..found });
    Some(Stamp { seq: seq.unsigned_abs(), at: Timestamp::from_millis(at) })
}

/// Writes the records that the entries refer to.
fn keep_records(
    state: &mut GroupState,
    (place, id): (&JournalPosition, i64),
    (stamp, first): (Option<Stamp>, i64),
    projections: &Projections,
    change: &mut UsageChange,
) -> Result<(), StoreError> {
    let (tenant, conflict) = (&place.key.tenant, || StoreError::Conflict(place.key.clone()));
    if let Some(NewRequest { id: request, capability, resource, body }) = &projections.batch.request {
        let stamp = stamp.ok_or_else(|| StoreError::Damaged("a request without a fact".to_owned()))?;
        if state.requests.get(request).is_some() {
            return Err(conflict());
        }
        let fact = projections.batch.entries.iter().position(|entry| is_about(entry, request));
        let (seq, subject) =
            (first + fact.unwrap_or(0).cast_signed() as i64, format!("{capability} {resource}"));
        GroupState::count(&mut state.subjects, (tenant.clone(), subject.clone()));
        GroupState::count(&mut state.rates, (tenant.clone(), minute(stamp.at.as_millis())));
        let (tenant, body) = (tenant.clone(), Some(Arc::from(&**body)));
        let made =
            Request { instance: id, seq, tenant, subject, open: true, outcome: None, notified: 0, body };
        change.pending += 1;
        change.keep(made.body.as_deref().map_or(0, str::len));
        state.requests.set(request.clone(), made);
    }
    if let (Some(receipt), Some(body)) = (&projections.batch.receipt, &projections.receipt) {
        let is_taken =
            |(id, known): (&ReceiptId, &NewReceipt)| *id == receipt.id || known.request == receipt.request;
        if state.receipts.iter().any(is_taken) {
            return Err(conflict());
        }
        state.receipts.set(receipt.id.clone(), NewReceipt::of(receipt, body));
        change.keep(body.len());
    }
    if let Some(deployment) = &projections.batch.deployment {
        change.bytes = change.bytes.saturating_add(record_deployment(state, deployment, id)?);
    }
    Ok(())
}

/// Updates the small tables for the entries.
fn settle(
    state: &mut GroupState,
    (place, first): (&JournalPosition, i64),
    projections: &Projections,
    change: &mut UsageChange,
) -> Result<(), StoreError> {
    let signed = projections.batch.signed.as_deref();
    for (offset, entry) in projections.batch.entries.iter().enumerate() {
        let seq = first + offset.cast_signed() as i64;
        match entry {
            Entry::Decided { request, .. } => close(state, request, change),
            Entry::Issued { request, decision, .. } => end(state, request, decision.as_str(), signed),
            Entry::Lapsed { request } => {
                close(state, request, change);
                end(state, request, "LAPSED", None);
            }
            Entry::Withdrawn { request, .. } => {
                close(state, request, change);
                end(state, request, "WITHDRAWN", None);
            }
            Entry::Redeemed { receipt, .. } => redeem(state, (place, seq), receipt, signed)?,
            Entry::Attested { receipt, document, .. } => attest(state, place, receipt, document)?,
            _ => {}
        }
    }
    Ok(())
}

fn redeem(
    state: &mut GroupState,
    (place, seq): (&JournalPosition, i64),
    receipt: &ReceiptId,
    signed: Option<&SignedBy>,
) -> Result<(), StoreError> {
    let mut receipt_state = state.receipt_states.get(receipt).cloned().unwrap_or_default();
    match (&receipt_state.redeemed, &receipt_state.revoked) {
        (Some(_), _) => return Err(StoreError::Conflict(place.key.clone())),
        (None, Some(_)) => return Err(StoreError::ReceiptMoved(receipt.clone())),
        (None, None) => {}
    }
    let at = instance(state, &place.key)?.at;
    receipt_state.redeemed = Some((Timestamp::from_millis(at), seq.unsigned_abs()));
    state.receipt_states.set(receipt.clone(), receipt_state);
    for digest in signed.iter().flat_map(|signed| &signed.digests) {
        let people = signed.map(|signed| signed.keys.clone()).unwrap_or_default();
        let key = (place.key.tenant.clone(), (digest.to_string(), people));
        state.precedents.set(key, (seq, receipt.clone()));
    }
    Ok(())
}

fn attest(
    state: &mut GroupState,
    place: &JournalPosition,
    receipt: &ReceiptId,
    document: &str,
) -> Result<(), StoreError> {
    let mut receipt_state = state.receipt_states.get(receipt).cloned().unwrap_or_default();
    if receipt_state.attestation.is_some() {
        return Err(StoreError::Conflict(place.key.clone()));
    }
    receipt_state.attestation = Some(document.to_owned());
    state.receipt_states.set(receipt.clone(), receipt_state);
    Ok(())
}

/// Closes a request.
fn close(state: &mut GroupState, id: &RequestId, change: &mut UsageChange) {
    if let Some(request) = state.requests.get(id).filter(|request| request.open).cloned() {
        state.requests.set(id.clone(), Request { open: false, ..request });
        change.pending -= 1;
    }
}

/// Records how a request ended and, for a denial, the deciders.
fn end(state: &mut GroupState, id: &RequestId, outcome: &str, signed: Option<&SignedBy>) {
    let Some(request) = state.requests.get(id).cloned() else { return };
    if let ("DENIED", Some(signed)) = (outcome, signed) {
        let people = (request.subject.clone(), signed.keys.clone());
        GroupState::count(&mut state.denials, (request.tenant.clone(), people));
    }
    state.requests.set(id.clone(), Request { outcome: Some(outcome.to_owned()), ..request });
}

/// Reopens an undecided request. People are notified of it again.
fn reopen(state: &mut GroupState, id: &RequestId, change: &mut UsageChange) {
    let closed = |request: &&Request| !request.open && request.outcome.is_none();
    if let Some(request) = state.requests.get(id).filter(closed).cloned() {
        let notified =
            SentNotices::from_bits(request.notified.cast_unsigned()).reopened().bits().cast_signed();
        state.requests.set(id.clone(), Request { open: true, notified, ..request });
        change.pending += 1;
    }
}

/// Enters an instance in the schedule. An instance that has ended does not count for quotas, and its requests are closed.
fn enter(
    state: &mut GroupState,
    key: &InstanceKey,
    schedule: ScheduleRow,
    change: &mut UsageChange,
) -> Result<(), StoreError> {
    let (found, ended) = (instance(state, key)?, schedule.state.has_ended());
    change.instances += i64::from(found.ended) - i64::from(ended);
    if ended {
        let is_left = |(_, request): &(&RequestId, &Request)| request.instance == found.id && request.open;
        let left: Vec<_> = state.requests.iter().filter(is_left).map(|(id, _)| id.clone()).collect();
        left.iter().for_each(|id| close(state, id, change));
    }
    let due = schedule.due.map(Timestamp::as_millis);
    let entered = Instance { state: number(schedule.state), due, since: found.at, ended, ..found };
    state.instances.set(key.clone(), entered);
    Ok(())
}

fn keep_component(
    state: &mut GroupState,
    tenant: &TenantId,
    (digest, bytes): &(Digest, Arc<[u8]>),
    change: &mut UsageChange,
) -> Result<(), StoreError> {
    let key = (tenant.clone(), *digest);
    let Users { own, others } = state.holdings.get(&key).copied().unwrap_or_default();
    if own == 0 && !state.is_fully_locked(tenant) {
        return Err(state.refuse(tenant, ChargeError::Headroom));
    }
    state.holdings.set(key, Users { own: own + 1, others });
    if own + others == 0 {
        change.keep(bytes.len());
        state.components.set(*digest, Arc::clone(bytes));
    }
    Ok(())
}

fn keep_output(
    state: &mut GroupState,
    key: &InstanceKey,
    text: &str,
    quotas: &Quotas,
) -> Result<(), StoreError> {
    let id = instance(state, key)?.id;
    let before = state.outputs.get(&id).cloned().unwrap_or_default();
    let mut kept = format!("{before}{text}");
    if let Some((start, _)) = kept.char_indices().rev().nth(OUTPUT - 1) {
        kept.drain(..start);
    }
    let change = UsageChange {
        bytes: kept.len().cast_signed() as i64 - before.len().cast_signed() as i64,
        ..UsageChange::default()
    };
    state.outputs.set(id, Arc::new(kept));
    charge(state, &key.tenant, change, Some(quotas))
}

fn act(state: &mut GroupState, seen: u64, at: Timestamp, body: &str) -> Result<(), StoreError> {
    if state.last_act != seen {
        return Err(StoreError::ActsMoved);
    }
    state.last_act = seen + 1;
    state.acts.set(seen + 1, (at.as_millis(), body.to_owned()));
    Ok(())
}

fn revoke(state: &mut GroupState, receipt: &ReceiptId, at: Timestamp, body: &str) -> Result<(), StoreError> {
    let mut receipt_state = state.receipt_states.get(receipt).cloned().unwrap_or_default();
    match (&receipt_state.redeemed, &receipt_state.revoked) {
        (Some(_), _) => Err(StoreError::AlreadyRedeemed(receipt.clone())),
        (_, Some(_)) => Err(StoreError::Revoked(receipt.clone())),
        (None, None) => {
            receipt_state.revoked = Some((at, body.to_owned()));
            state.receipt_states.set(receipt.clone(), receipt_state);
            Ok(())
        }
    }
}

/// Refuses a write whose precondition no longer holds.
fn check_seen(state: &GroupState, seen: &Precondition) -> Result<(), StoreError> {
    if state.last_act != seen.acts {
        return Err(StoreError::ActsMoved);
    }
    match state.receipt_states.get(&seen.receipt).cloned().unwrap_or_default() == seen.receipt_state {
        true => Ok(()),
        false => Err(StoreError::ReceiptMoved(seen.receipt.clone())),
    }
}

/// Counts a change, or refuses it because of the tenant's quotas.
fn charge(
    state: &mut GroupState,
    tenant: &TenantId,
    change: UsageChange,
    quotas: Option<&Quotas>,
) -> Result<(), StoreError> {
    if change == UsageChange::default() {
        return Ok(());
    }
    let mut usage = state.usage_of(tenant);
    usage.charge(tenant, change, quotas).map_err(|refused| state.refuse(tenant, refused))?;
    state.usage.set(tenant.clone(), usage);
    Ok(())
}

/// Counts a request that is made then, or refuses it because of the requests in the hour before.
fn ask(state: &mut GroupState, tenant: &TenantId, at: i64, quotas: &Quotas) -> Result<(), StoreError> {
    let window = i64::try_from(RATE_WINDOW.as_millis()).unwrap_or(i64::MAX);
    let since = minute(at.saturating_sub(window));
    let (asked, mut usage) = (asked_since(state, tenant, since), state.usage_of(tenant));
    usage.ask(tenant, quotas, (since, asked)).map_err(|refused| state.refuse(tenant, refused))?;
    state.usage.set(tenant.clone(), usage);
    Ok(())
}

/// The number of requests of a tenant from that minute on.
fn asked_since(state: &GroupState, tenant: &TenantId, since: i64) -> u64 {
    let before = state.minutes.get(tenant).into_iter().flatten();
    let before = before.filter(|(minute, _)| *minute >= since).map(|(_, times)| *times);
    let here = state.rates.iter().filter(|((of, minute), _)| of == tenant && *minute >= since);
    before.chain(here.map(|(_, times)| times.unsigned_abs())).sum()
}

pub(crate) fn minute(at: i64) -> i64 {
    at.div_euclid(60_000)
}

fn instance(state: &GroupState, key: &InstanceKey) -> Result<Instance, StoreError> {
    state.instances.get(key).cloned().ok_or_else(|| StoreError::NoInstance(key.to_string()))
}

/// Whether an entry records the creation of this request.
fn is_about(entry: &Entry, id: &RequestId) -> bool {
    matches!(entry, Entry::Requested { request, .. } if request == id)
}

/// A state's number in the database: its index in [`InstanceState::ALL`].
pub(crate) fn number(state: InstanceState) -> i16 {
    InstanceState::ALL
        .iter()
        .position(|known| *known == state)
        .and_then(|index| i16::try_from(index).ok())
        .unwrap_or(-1)
}
