//! Signals: a decision, an event or an operator's command is appended to an instance's journal. A driver that runs at
//! the same time rebases on it.
//!
//! A signal is written when it arrives, at the end of the journal at that moment. A driver that finds an entry there
//! which it did not write rebases on it ([`Driver`](crate::drive::driver::Driver)) and keeps all of its own entries,
//! outcomes in particular.

use crate::runtime::due::moved;
use crate::runtime::journals::LoadedInstance;
use crate::runtime::journals::Origin;
use crate::runtime::lease::Lease;
use crate::runtime::state::HostState;
use crate::{Error, Host, Workflow, text_limits};
use receipt::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;
use store::SignedBy;
use store::{Batch, Fact, InstanceKey, JournalPosition, Stamp, StoreError, StoredReceipt, Write, Writer};
use workflow::{Entry, EventType, Failure, Finding, ReceiptId, Replay, RequestId, Unknown};

/// The most conflicts with other writers before one is reported. With each, another writer has made progress.
const ATTEMPTS: usize = 1_000;

/// The place that a workflow restarts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RestartPoint {
    /// The beginning of the workflow.
    Beginning,
    /// A call of the workflow itself, not inside a step.
    #[serde(rename = "before")]
    Call {
        /// The name of the step, the sleep or the wait.
        name: String,
        /// The index among the calls of that name, from 0.
        nth: usize,
    },
    /// The current position: all calls still count, and other code continues.
    #[serde(rename = "nowhere")]
    Current,
}

/// The state of an instance, for a signal.
pub(crate) struct Snapshot<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) replay: &'a Replay,
    /// The instance's journal.
    pub(crate) facts: &'a [Fact],
    pub(crate) now: Timestamp,
}

/// The entries and records of a signal.
#[derive(Default)]
pub(crate) struct Update {
    pub(crate) entries: Vec<Entry>,
    /// The receipt that the entries refer to.
    pub(crate) receipt: Option<Box<StoredReceipt>>,
    /// The deciders whose denial that receipt is.
    pub(crate) signed: Option<Box<SignedBy>>,
    /// A component that the instance is given.
    pub(crate) component: Option<(Digest, Arc<[u8]>)>,
    /// Requests that wait again.
    pub(crate) reopened: Vec<RequestId>,
    /// Whether it may be refused because of the tenant's quotas.
    pub(crate) counts_against_quotas: bool,
}

/// The write of a signal at the end of a journal.
struct PendingAppend {
    place: JournalPosition,
    batch: Batch,
}

impl PendingAppend {
    fn write(&self) -> Write<'_> {
        // Only the driver records outcomes: another host may be in the middle of the action.
        let settles = |entry: &Entry| matches!(entry, Entry::Performed { .. });
        let writer = if self.batch.entries.iter().any(settles) { Writer::Driver } else { Writer::Outside };
        Write::Append { place: self.place.clone(), batch: &self.batch, writer }
    }
}

impl Update {
    fn of(entries: impl Into<Vec<Entry>>) -> Self {
        Self { entries: entries.into(), ..Self::default() }
    }
}

impl HostState {
    /// Records a signal, judged by the instance's state at that moment.
    pub(crate) fn signal(
        &self,
        key: &InstanceKey,
        update_for: impl Fn(&Snapshot<'_>) -> Result<Update, Error>,
    ) -> Result<(), Error> {
        self.signal_from(key, self.load(key)?, update_for)
    }

    /// [`Self::signal`] for a caller that has read the state already.
    pub(crate) fn signal_from(
        &self,
        key: &InstanceKey,
        mut loaded: LoadedInstance,
        update_for: impl Fn(&Snapshot<'_>) -> Result<Update, Error>,
    ) -> Result<(), Error> {
        for _ in 1..ATTEMPTS {
            let done = self.prepare(key, loaded, &update_for).and_then(|append| {
                let stamp = self.journals.store.write_here(append.write())?;
                self.signalled(&append, stamp);
                Ok(())
            });
            match done {
                Err(Error::Store(StoreError::Conflict(_))) => loaded = self.load(key)?,
                done => return done,
            }
        }
        Err(StoreError::Conflict(key.clone()).into())
    }

    /// [`Self::signal_from`] without blocking.
    pub(crate) async fn signal_from_async(
        &self,
        key: &InstanceKey,
        mut loaded: LoadedInstance,
        update_for: impl Fn(&Snapshot<'_>) -> Result<Update, Error>,
    ) -> Result<(), Error> {
        for _ in 1..ATTEMPTS {
            let done = match self.prepare(key, loaded, &update_for) {
                Ok(append) => {
                    let written = self.journals.store.write(append.write()).await;
                    written.map(|stamp| self.signalled(&append, stamp)).map_err(Error::from)
                }
                Err(error) => Err(error),
            };
            match done {
                Err(Error::Store(StoreError::Conflict(_))) => {
                    loaded = self.journals.load_at(key, self.journals.store.facts(Some(key)).await?)?;
                }
                done => return done,
            }
        }
        Err(StoreError::Conflict(key.clone()).into())
    }

    /// The entries that a signal writes.
    fn prepare(
        &self,
        key: &InstanceKey,
        LoadedInstance { facts, origin, mut replay }: LoadedInstance,
        update_for: impl Fn(&Snapshot<'_>) -> Result<Update, Error>,
    ) -> Result<PendingAppend, Error> {
        let (after, before, now) = (replay.len(), replay.status(), self.now()?);
        let update = update_for(&Snapshot { origin: &origin, replay: &replay, facts: &facts, now })?;
        for entry in &update.entries {
            replay.apply(entry).map_err(|illegal| Error::Journal { key: key.clone(), illegal })?;
        }
        let schedule = moved(&before, &replay.status(), now);
        let quotas = update.counts_against_quotas.then(|| self.journals.settings.of(&key.tenant).quotas);
        let Update { entries, receipt, signed, component, reopened, .. } = update;
        let batch =
            Batch { entries, receipt, signed, component, reopened, quotas, schedule, ..Batch::default() };
        Ok(PendingAppend { place: JournalPosition { key: key.clone(), after, at: now }, batch })
    }

    /// The signal is on disk: calls the observers, and wakes the worker if the instance can continue now.
    fn signalled(&self, PendingAppend { place, batch }: &PendingAppend, stamp: Option<Stamp>) {
        self.journals.report(stamp, &place.key, place.after, &batch.entries);
        if batch.schedule.is_some() {
            self.wakeups.notify(&place.key);
        }
    }
}

/// The type of the event that tells a script of an approval. The receipt causes it; it cannot be sent from outside.
const RESERVED: &str = "pp-approval";

impl Host {
    /// Sends an instance an event: JSON text of a type. A wait for that type gets it now, or finds it later. Events of
    /// a type are delivered in the order in which they were sent.
    ///
    /// # Errors
    /// There is no such instance, it has ended, a limit on its events is reached, or the type is reserved.
    pub fn send_event(&self, key: &InstanceKey, event_type: &EventType, payload: &str) -> Result<(), Error> {
        if event_type.to_string() == RESERVED {
            let message = format!(
                "only the host sends {RESERVED}, when it has approved a workflow's request: use approve or deny"
            );
            let failure = Failure { name: "event-reserved".to_owned(), message };
            return Err(Error::Event { key: key.clone(), failure });
        }
        self.0.signal(key, |snapshot| {
            check_lives(key, snapshot)?;
            let received = snapshot.replay.receive(event_type.clone(), payload.to_owned(), snapshot.now);
            let entry = received.map_err(|failure| Error::Event { key: key.clone(), failure })?;
            Ok(Update { counts_against_quotas: true, ..Update::of([entry]) })
        })
    }

    /// Pauses an instance until it is [resumed](Self::resume). An action in progress is completed.
    ///
    /// # Errors
    /// The instance has ended, or is already stopped.
    pub fn pause(&self, key: &InstanceKey, by: &str) -> Result<(), Error> {
        text_limits::check(by, None)?;
        let acts = Cell::new(false);
        self.0.signal(key, |snapshot| {
            check_lives(key, snapshot)?;
            if snapshot.replay.stands_still() {
                return Err(Error::AlreadyStopped(key.clone(), snapshot.replay.status().to_string()));
            }
            acts.set(!snapshot.replay.unsettled().is_empty());
            Ok(Update::of([Entry::Paused { by: by.to_owned() }]))
        })?;
        // The driver stops after the action.
        if !acts.get() {
            self.0.leases.interrupt(key);
        }
        Ok(())
    }

    /// Resumes an instance that was paused, or has diverged.
    ///
    /// # Errors
    /// The instance has ended, or is not stopped.
    pub fn resume(&self, key: &InstanceKey, by: &str) -> Result<(), Error> {
        text_limits::check(by, None)?;
        self.0.signal(key, |snapshot| {
            check_lives(key, snapshot)?;
            match snapshot.replay.stands_still() {
                true => Ok(Update::of([Entry::Resumed { by: by.to_owned() }])),
                false => Err(Error::NotStopped(key.clone(), snapshot.replay.status().to_string())),
            }
        })
    }

    /// Ends an instance in any state. An action that a crash interrupted becomes unknown.
    ///
    /// # Errors
    /// The instance has ended, or an action of it is in progress: its outcome has to be recorded first.
    pub fn terminate(&self, key: &InstanceKey, by: &str, reason: Option<&str>) -> Result<(), Error> {
        text_limits::check(by, reason)?;
        let lease = RefCell::new(None);
        self.0.signal(key, |snapshot| {
            check_lives(key, snapshot)?;
            let mut entries = self.settled(snapshot, &lease)?;
            entries.push(Entry::Terminated { by: by.to_owned(), reason: reason.map(ToOwned::to_owned) });
            Ok(Update::of(entries))
        })?;
        self.0.leases.interrupt(key);
        Ok(())
    }

    /// Restarts a workflow from a call. The calls from there on no longer count. Decisions, redemptions and effects
    /// still do, and waiting requests are withdrawn. An ended instance continues from there. If other code is given,
    /// the instance continues with that code.
    ///
    /// # Errors
    /// The instance has no such call, or an action of it is in progress.
    pub fn restart(
        &self,
        key: &InstanceKey,
        point: &RestartPoint,
        with: Option<&Workflow>,
        by: &str,
    ) -> Result<(), Error> {
        text_limits::check(by, None)?;
        let lease = RefCell::new(None);
        self.0.signal(key, |snapshot| {
            let from = match point {
                RestartPoint::Beginning => 0,
                RestartPoint::Call { name, nth } => snapshot
                    .replay
                    .named(name, *nth)
                    .ok_or_else(|| Error::NoSuchCall(key.clone(), name.clone(), nth.saturating_add(1)))?,
                RestartPoint::Current => snapshot.replay.next_call(),
            };
            let mut entries = self.settled(snapshot, &lease)?;
            let restarted = Entry::Restarted { from, by: by.to_owned() };
            let AffectedRequests { dropped, reopened } = affected_requests(snapshot, &entries, &restarted);
            let reason = || Some("the workflow was sent back to before it asked".to_owned());
            let withdrawn = |request| Entry::Withdrawn { request, by: by.to_owned(), reason: reason() };
            entries.extend(dropped.into_iter().map(withdrawn));
            entries.push(restarted);
            entries.extend(with.map(Workflow::loaded));
            let component = with.map(|with| (with.program().digest(), Arc::clone(&with.bytes)));
            // An ended instance counts against the quotas again, and its requests wait again.
            let counts_against_quotas = with.is_some() || snapshot.replay.status().has_ended();
            Ok(Update { component, counts_against_quotas, reopened, ..Update::of(entries) })
        })?;
        self.0.leases.interrupt(key);
        Ok(())
    }

    /// Records a person's finding about an action whose signed outcome is unknown.
    ///
    /// # Errors
    /// The instance has no such action on that receipt, or a finding was recorded before.
    pub fn resolve(
        &self,
        key: &InstanceKey,
        receipt: &ReceiptId,
        finding: Finding,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        text_limits::check(by, reason)?;
        self.0.signal(key, |snapshot| {
            let unknown = snapshot.replay.unknown();
            match unknown.iter().find(|unknown| unknown.receipt == *receipt) {
                None => Err(Error::NoUnknownOutcome(key.clone(), receipt.clone())),
                Some(Unknown { finding: Some(_), .. }) => {
                    Err(Error::AlreadyResolved(key.clone(), receipt.clone()))
                }
                Some(Unknown { call, .. }) => {
                    let (by, reason) = (by.to_owned(), reason.map(ToOwned::to_owned));
                    Ok(Update::of([Entry::Resolved { call: *call, finding, by, reason }]))
                }
            }
        })
    }

    /// The outcomes that have to be signed before an instance ends or is restarted. If there are any, the lease is held
    /// during the signing.
    fn settled(
        &self,
        snapshot: &Snapshot<'_>,
        lease: &RefCell<Option<Arc<Lease>>>,
    ) -> Result<Vec<Entry>, Error> {
        if !snapshot.replay.unsettled().is_empty() && lease.borrow().is_none() {
            let key = &snapshot.origin.key;
            let taken = self.0.leases.acquire(key).map_err(|_| Error::ActionInProgress(key.clone()))?;
            *lease.borrow_mut() = Some(taken);
            match self.0.claims.unsettled_for(key) {
                Ok(Duration::ZERO) => {}
                _ => return Err(Error::ActionInProgress(key.clone())),
            }
            // Retried by the caller, now with the lease held.
            return Err(StoreError::Conflict(key.clone()).into());
        }
        self.0.settlement(snapshot.replay)
    }
}

fn check_lives(key: &InstanceKey, snapshot: &Snapshot<'_>) -> Result<(), Error> {
    let status = snapshot.replay.status();
    match status.has_ended() {
        true => Err(Error::Ended(key.clone(), status.to_string())),
        false => Ok(()),
    }
}

/// The requests that a restart affects.
#[derive(Default)]
struct AffectedRequests {
    /// Waiting requests that would be dropped.
    dropped: Vec<RequestId>,
    /// Requests that wait again, because the instance had ended.
    reopened: Vec<RequestId>,
}

fn affected_requests(snapshot: &Snapshot<'_>, settlement: &[Entry], restarted: &Entry) -> AffectedRequests {
    let mut after = snapshot.replay.clone();
    if settlement.iter().chain([restarted]).any(|entry| after.apply(entry).is_err()) {
        // The restart is refused below, with the reason.
        return AffectedRequests::default();
    }
    let mut affected = AffectedRequests::default();
    for fact in snapshot.facts {
        let Entry::Requested { request, .. } = &fact.entry else { continue };
        match (snapshot.replay.is_pending(request), after.is_pending(request)) {
            (true, false) => affected.dropped.push(request.clone()),
            (false, true) => affected.reopened.push(request.clone()),
            _ => {}
        }
    }
    affected
}
