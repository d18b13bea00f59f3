//! One drive of one instance: the shell that does what the core says.

use crate::Error;
use crate::Fact;
use crate::agenda::agenda;
use crate::agenda::differs;
use crate::capability::Attempt;
use crate::capability::Claim;
use crate::capability::Measure;
use crate::capability::OnInterruption;
use crate::capability::PerformError;
use crate::capability::Performed;
use crate::capability::Permit;
use crate::capability::Refusal;
use crate::inner::Inner;
use crate::inner::Reins;
use crate::sandbox::Answer;
use crate::sandbox::Halt;
use crate::sandbox::Handler;
use crate::store::Agenda;
use crate::store::Batch;
use crate::store::Fate;
use crate::store::InstanceKey;
use crate::store::Place;
use crate::store::Quotas;
use crate::store::Seen;
use crate::store::StoreError;
use crate::store::StoredReceipt;
use crate::trust::Trust;
use crate::trust::scope_of;
use receipt::Digest;
use receipt::Json;
use receipt::PersonId;
use receipt::Scope;
use receipt::Timestamp;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::Mutex;
use workflow::ActorId;
use workflow::Asked;
use workflow::Call;
use workflow::Check;
use workflow::Command;
use workflow::Effect;
use workflow::Entry;
use workflow::Failure;
use workflow::Invocation;
use workflow::Live;
use workflow::Outcome;
use workflow::ReceiptId;
use workflow::Replay;
use workflow::Turn;

/// What does not change while an instance runs.
pub(crate) struct Origin {
    pub(crate) key: InstanceKey,
    pub(crate) actor: ActorId,
    pub(crate) operator: Option<PersonId>,
    pub(crate) submitter: Option<PersonId>,
    pub(crate) workflow: String,
    pub(crate) component: Digest,
    pub(crate) imports: Vec<String>,
    pub(crate) params: String,
    pub(crate) seed: Digest,
    pub(crate) started_at: Timestamp,
}

/// An instance being driven.
pub(crate) struct Driver {
    pub(crate) inner: Arc<Inner>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) replay: Replay,
    pub(crate) quotas: Quotas,
    /// Beginnings of steps that are in the table and not on disk yet.
    unwritten: Vec<Entry>,
    /// Its line in the agenda.
    line: Agenda,
    writing: Writing,
    /// Since when the first of them waits.
    since: Instant,
    /// Nobody else drives this instance while this driver, or an effect that it began, is there.
    pub(crate) reins: Arc<Reins>,
}

/// How long the beginning of a step waits for its end, or the next entry: long enough for most, and short enough for whoever watches.
const PATIENCE: Duration = Duration::from_millis(20);

/// How many of them wait at most.
const UNWRITTEN: usize = 16;

/// When beginnings of steps are written. News between the two undo what was begun, so that with many news nothing would be begun for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// With whatever comes next, or after a while.
    Patiently,
    /// Before the guest hears of them.
    AtOnce,
}

/// Why a drive stops before the workflow ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// It waits: park it.
    #[error("the instance waits")]
    Waiting,
    /// The guest broke a rule: end it.
    #[error("the workflow broke a rule: {0}")]
    Broke(Failure),
    /// The guest took another path than before: it stands still until somebody looks at it.
    #[error(transparent)]
    Diverged(#[from] workflow::Divergence),
    /// The host cannot go on.
    #[error(transparent)]
    Error(#[from] Error),
}

/// Writes down the beginnings of steps that take long. Ends when nobody waits for it any more.
pub(crate) async fn write_patiently(driver: &Mutex<Driver>) -> Infallible {
    loop {
        tokio::time::sleep(PATIENCE).await;
        let mut driver = driver.lock().await;
        if driver.since.elapsed() >= PATIENCE {
            // Where this fails, the next entry that has to be written fails too, and the drive with it.
            let _ = driver.flush().await;
        }
    }
}

/// A driver, shared between the guest's store and whoever waits for the drive to end.
pub(crate) struct Shared {
    driver: Arc<Mutex<Driver>>,
    position: usize,
}

impl Shared {
    pub(crate) fn new(driver: &Arc<Mutex<Driver>>) -> Self {
        Self { driver: Arc::clone(driver), position: 0 }
    }
}

impl Handler for Shared {
    fn handle(&mut self, command: Command) -> Answer<'_> {
        Box::pin(async move {
            let mut driver = self.driver.lock().await;
            let answer = driver.answer(&command).await;
            self.position = driver.replay.position();
            answer.map_err(|stop| Box::new(stop) as Halt)
        })
    }

    fn position(&self) -> usize {
        self.position
    }
}

impl Driver {
    pub(crate) fn new(
        inner: Arc<Inner>,
        origin: Origin,
        replay: Replay,
        line: Agenda,
        (reins, writing): (Arc<Reins>, Writing),
    ) -> Self {
        let quotas = inner.settings.of(&origin.key.tenant).quotas;
        let (unwritten, since) = (Vec::new(), Instant::now());
        Self { inner, origin: Arc::new(origin), replay, quotas, unwritten, writing, line, since, reins }
    }

    async fn answer(&mut self, command: &Command) -> Result<Outcome, Stop> {
        // Somebody may have paused or ended it while it did what it was asked for last.
        while !self.replay.stands_still() {
            match self.replay.next(command, self.inner.now()?)? {
                Turn::Return(outcome) => return Ok(outcome),
                Turn::Wait(_) => return Err(Stop::Waiting),
                Turn::Break(failure) => return Err(Stop::Broke(failure)),
                Turn::Do(live) => self.carry_out(live).await?,
            }
        }
        Err(Stop::Waiting)
    }

    /// Records the workflow's own end, or its being ended.
    pub(crate) async fn finish(&mut self, end: Result<Result<String, Failure>, Failure>) -> Result<(), Stop> {
        let entry = match end {
            Ok(returned) => self.replay.finish(&returned)?,
            Err(failure) => Entry::Failed { failure },
        };
        let mut entries = self.inner.settlement(&self.replay)?;
        entries.push(entry);
        Ok(self.append(entries).await?)
    }

    /// Records where the guest took another path.
    pub(crate) async fn diverge(&mut self, divergence: workflow::Divergence) -> Result<(), Error> {
        let (call, message) = (divergence.call, divergence.to_string());
        self.append([Entry::Diverged { call, message }]).await
    }

    /// The one place where the host does anything.
    async fn carry_out(&mut self, live: Live) -> Result<(), Error> {
        match live {
            Live::Record(entry) if can_wait(&entry) => self.begin(entry).await,
            Live::Record(entry) => self.append([entry]).await,
            Live::Request { call, asked, action, manner } => self.request(call, asked, action, manner).await,
            Live::Redeem { call, asked, invocation } => self.redeem(call, asked, invocation).await,
            Live::Effect { call, invocation, interrupted } => self.act(call, &invocation, interrupted).await,
            Live::Attest { call, receipt, effect } => {
                let attested = self.inner.attested(call, &receipt, &effect)?;
                self.append([attested]).await
            }
        }
    }

    /// Checks the receipt, spends it and records the intent: nothing has happened in the world yet. The verdict is written only where
    /// everything that it was given on still is as it was.
    async fn redeem(&mut self, call: Call, asked: Asked, invocation: Invocation) -> Result<(), Error> {
        loop {
            let (trust, at) = (self.inner.trust()?, self.inner.now()?);
            let (receipt, fate) = self.inner.store.receipt(&invocation.receipt)?.unzip();
            let fate = fate.unwrap_or_default();
            let verdict = self.verdict(&invocation, receipt.as_ref(), &fate, &trust, at);
            let entry = verdict_entry(call, asked.clone(), &invocation, verdict);
            let seen = Seen { receipt: invocation.receipt.clone(), fate, acts: trust.seq() };
            match self
                .write(Batch { entries: vec![entry], seen: Some(Box::new(seen)), ..Batch::default() })
                .await
            {
                // Somebody was removed, everything was frozen, or the receipt was taken back, since we looked.
                Err(Error::Store(StoreError::ActsMoved | StoreError::FateMoved(_))) => {}
                // Somebody told the instance something. It is looked at again, unless that was to stop.
                Err(Error::Store(StoreError::Conflict(_))) => {
                    self.catch_up(&[])?;
                    if self.replay.stands_still() {
                        return Ok(());
                    }
                }
                Ok(facts) => return self.take_in(&facts),
                Err(error) => return Err(error),
            }
        }
    }

    /// What the gate says to an action, and whether this host knows how to do it.
    fn verdict(
        &self,
        invocation: &Invocation,
        receipt: Option<&StoredReceipt>,
        fate: &Fate,
        trust: &Trust,
        at: Timestamp,
    ) -> Result<bool, Refusal> {
        let measure = Measure { scope: self.inner.scope(trust), trust, policy: &*self.inner.policy };
        self.inner.gate.check(&claim(&self.origin, invocation, at), receipt, fate, measure)?;
        Ok(self.inner.capability(&invocation.capability).is_some())
    }

    /// Acts, and records how that ended.
    async fn act(&mut self, call: Call, invocation: &Invocation, interrupted: bool) -> Result<(), Error> {
        let effect = self.effect(invocation, interrupted).await?;
        let receipt = invocation.receipt.clone();
        let attested = self.inner.attested(call, &receipt, &effect);
        let performed = Entry::Performed { call, receipt, effect };
        match attested {
            Ok(attested) => self.append([performed, attested]).await,
            // What happened is recorded even where it cannot be signed; the next drive signs it.
            Err(error) => self.append([performed]).await.and(Err(error)),
        }
    }

    async fn effect(&self, invocation: &Invocation, interrupted: bool) -> Result<Effect, Error> {
        let unknown = |message: String| Ok(Effect::Unknown { message });
        let Some(capability) = self.inner.capability(&invocation.capability) else {
            return unknown(format!("this host has no capability {:?} any more", invocation.capability));
        };
        if interrupted && capability.on_interruption() == OnInterruption::ReportUnknown {
            return unknown("the host stopped while it acted; an operator has to look".to_owned());
        }
        let started_at = self.inner.now()?;
        let (permit, attempt) = match self.permit(invocation)? {
            Ok(permitted) => permitted,
            Err(message) if interrupted => return unknown(message),
            Err(message) => return Ok(Effect::Failed { message, started_at, finished_at: started_at }),
        };
        let performed = self.perform(permit, invocation, attempt).await?;
        let finished_at = self.inner.now()?;
        Ok(match performed {
            Ok(performed) => {
                Effect::Succeeded { output: output(&performed, invocation), started_at, finished_at }
            }
            // An earlier attempt may have got further than this one.
            Err(PerformError::Failed(message)) if interrupted => Effect::Unknown { message },
            Err(PerformError::Failed(message)) => Effect::Failed { message, started_at, finished_at },
            Err(PerformError::Unknown(message)) => Effect::Unknown { message },
        })
    }

    /// On a thread of its own: it may take long, and others are driven on this one. When it breaks off, or this future is dropped, the
    /// journal has the intent and no outcome, and the next drive takes it for what it is: interrupted. It cannot begin before this has
    /// ended, as the reins are held until then.
    async fn perform(
        &self,
        permit: Permit,
        invocation: &Invocation,
        attempt: Attempt,
    ) -> Result<Result<Performed, PerformError>, Error> {
        let (inner, reins) = (Arc::clone(&self.inner), Arc::clone(&self.reins));
        let (name, artifact) = (invocation.capability.clone(), invocation.artifact.clone());
        let performing = tokio::task::spawn_blocking(move || {
            let _reins = reins;
            let capability = inner.capability(&name)?;
            Some(capability.perform(&permit, &artifact, attempt))
        });
        let broke_off = |error: String| Error::Internal(format!("an action broke off: {error}"));
        let performed = performing.await.map_err(|error| broke_off(error.to_string()))?;
        performed.ok_or_else(|| broke_off("the capability is gone".to_owned()))
    }

    /// The permit for a receipt that this call has spent: verified once more, from what is on disk.
    fn permit(&self, invocation: &Invocation) -> Result<Result<(Permit, Attempt), String>, Error> {
        let found = self.inner.store.receipt(&invocation.receipt)?;
        let redeemed = found.as_ref().and_then(|(_, fate)| fate.redeemed);
        let Some((at, order)) = redeemed else {
            return Err(Error::Internal(format!("receipt {} is not redeemed", invocation.receipt)));
        };
        let receipt = found.as_ref().map(|(receipt, _)| receipt);
        let attempt = Attempt { idempotency_key: idempotency_key(&invocation.receipt), order };
        // The scope was judged when it was spent; it is the receipt's own since.
        let scope = receipt.map_or(Scope::Production, |receipt| scope_of(&receipt.artifact.key_id));
        let permit = self.inner.gate.check_spent(&claim(&self.origin, invocation, at), receipt, scope);
        Ok(permit
            .map(|permit| (permit, attempt))
            .map_err(|refusal| format!("the receipt was spent and is now {refusal}")))
    }

    pub(crate) async fn append(&mut self, entries: impl Into<Vec<Entry>>) -> Result<(), Error> {
        self.append_batch(Batch { entries: entries.into(), ..Batch::default() }).await
    }

    /// The table sees an entry before the disk does. When the disk refuses, this driver is done for, and its replay with it.
    pub(crate) async fn append_batch(&mut self, mut batch: Batch) -> Result<(), Error> {
        self.apply(&batch.entries)?;
        loop {
            let before = self.replay.len() - self.unwritten.len() - batch.entries.len();
            batch.agenda = self.moved()?;
            match self.write_at(before, batch.clone()).await {
                Err(Error::Store(StoreError::Conflict(_))) => self.catch_up(&batch.entries)?,
                Ok(facts) => {
                    facts.iter().for_each(|fact| self.inner.observe(fact));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Somebody has told the instance something: takes it in, as if it had come before what is not on disk yet. That is what waits to be
    /// written, and `applied`.
    fn catch_up(&mut self, applied: &[Entry]) -> Result<(), Error> {
        let key = &self.origin.key;
        let facts = self.inner.store.facts(Some(key))?;
        let line = self.inner.store.entered(key)?;
        let unwritten: Vec<_> = self.unwritten.iter().chain(applied).cloned().collect();
        let caught_up = self.replay.caught_up(facts.iter().map(|fact| &fact.entry), &unwritten);
        let moved_on = facts.len() > self.replay.len() - unwritten.len();
        match caught_up.map_err(|illegal| self.illegal(illegal))? {
            Some(replay) if moved_on => self.replay = replay,
            // What it was about to write has no place any more. The journal says where it stands.
            _ => return Err(StoreError::Conflict(key.clone()).into()),
        }
        if let Some(entered) = line {
            self.line = entered.agenda;
        }
        Ok(())
    }

    /// The beginning of an attempt, or word of an end. What follows is the guest's own computing, which reaches nothing outside: should the host stop in
    /// the middle of it, it is done again. So the entry waits for the next one, or until [`PATIENCE`] is over.
    async fn begin(&mut self, entry: Entry) -> Result<(), Error> {
        if self.writing == Writing::AtOnce {
            return self.append([entry]).await;
        }
        if self.unwritten.is_empty() {
            self.since = Instant::now();
        }
        self.apply(std::slice::from_ref(&entry))?;
        self.unwritten.push(entry);
        match self.unwritten.len() < UNWRITTEN {
            true => Ok(()),
            false => self.flush().await,
        }
    }

    /// Writes what waits to be written.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        self.append_batch(Batch::default()).await
    }

    /// Parks the instance: everything is on disk, and the agenda says what it waits for.
    pub(crate) async fn park(&mut self) -> Result<(), Error> {
        self.flush().await?;
        match differs(self.line, agenda(&self.replay.status(), self.inner.now()?)) {
            true => self.append_batch(Batch::default()).await,
            false => Ok(()),
        }
    }

    /// The line in the agenda that is to be written, where the old one does not hold any more.
    fn moved(&mut self) -> Result<Option<Agenda>, Error> {
        let line = agenda(&self.replay.status(), self.inner.now()?);
        let moved = differs(self.line, line).then_some(line);
        self.line = line;
        Ok(moved)
    }

    /// Writes entries that are not in the table yet. It takes them in when they are on disk.
    async fn write(&mut self, batch: Batch) -> Result<Vec<Fact>, Error> {
        self.write_at(self.replay.len() - self.unwritten.len(), batch).await
    }

    /// Writes what waits, and then the batch.
    async fn write_at(&mut self, after: usize, mut batch: Batch) -> Result<Vec<Fact>, Error> {
        // Taken before anything is waited for: a drive that is dropped meanwhile has handed it over all the same.
        let waiting = std::mem::take(&mut self.unwritten);
        batch.entries.splice(..0, waiting.iter().cloned());
        batch.quotas = batch.entries.iter().any(is_of_the_guest).then(|| self.quotas.clone());
        let place = Place { key: self.origin.key.clone(), after, at: self.inner.now()? };
        let written = self.inner.store.append(place, batch).await;
        if written.is_err() {
            self.unwritten = waiting;
        }
        Ok(written?)
    }

    fn take_in(&mut self, facts: &[Fact]) -> Result<(), Error> {
        for fact in facts {
            if fact.index == self.replay.len() as u64 {
                self.apply(std::slice::from_ref(&fact.entry))?;
            }
            self.inner.observe(fact);
        }
        Ok(())
    }

    fn apply(&mut self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            self.replay.apply(entry).map_err(|illegal| self.illegal(illegal))?;
        }
        Ok(())
    }

    fn illegal(&self, illegal: workflow::Illegal) -> Error {
        Error::Journal { key: self.origin.key.clone(), illegal }
    }
}

/// The entry for a verdict of the gate, which allows an action that this host may or may not know.
fn verdict_entry(call: Call, asked: Asked, invocation: &Invocation, verdict: Result<bool, Refusal>) -> Entry {
    match verdict {
        Ok(true) => Entry::Redeemed {
            call,
            asked,
            receipt: invocation.receipt.clone(),
            idempotency_key: idempotency_key(&invocation.receipt),
        },
        Ok(false) => Entry::Refused {
            call,
            asked,
            check: Check::Capability,
            message: format!("this host has no capability {:?}", invocation.capability),
        },
        Err(Refusal { check, message }) => Entry::Refused { call, asked, check, message },
    }
}

/// Whether an entry says no more than that the guest goes on computing, and where: should the host stop before the next one, the guest
/// comes to the same place again, and it is written then.
fn can_wait(entry: &Entry) -> bool {
    matches!(entry, Entry::StepStarted { .. } | Entry::AttemptStarted { .. } | Entry::Told { .. })
}

/// Whether an entry is there because the guest wanted it, and so counts against the tenant's quotas. What was decided, spent, done and
/// signed is recorded whatever the tenant keeps already: no quota may make the journal know less than the world does.
fn is_of_the_guest(entry: &Entry) -> bool {
    matches!(
        entry,
        Entry::StepStarted { .. }
            | Entry::AttemptFailed { .. }
            | Entry::AttemptStarted { .. }
            | Entry::SleepStarted { .. }
            | Entry::WaitStarted { .. }
            | Entry::EventReceived { .. }
            | Entry::Awaiting { .. }
            | Entry::StepCompleted { .. }
            | Entry::StepFailed { .. }
            | Entry::Rejected { .. }
            | Entry::Requested { .. }
            | Entry::Completed { .. }
    )
}

/// What the guest is told of an action that took place, and what the attestation has the digest of.
fn output(performed: &Performed, invocation: &Invocation) -> String {
    let text = |text: &str| Json::from(text);
    let members = [
        ("id", text(&performed.id)),
        ("location", text(&performed.location)),
        ("artifact_sha256", text(&invocation.artifact.facts().sha256.to_string())),
        ("receipt_id", text(invocation.receipt.as_str())),
    ];
    Json::object(members).canonical()
}

/// A receipt is redeemed once, so its name tells one redemption from every other.
fn idempotency_key(receipt: &ReceiptId) -> Digest {
    Digest::of(format!("pp-host redemption\0{receipt}").as_bytes())
}

fn claim<'a>(origin: &'a Origin, invocation: &'a Invocation, at: Timestamp) -> Claim<'a> {
    Claim {
        tenant: &origin.key.tenant,
        instance: &origin.key.instance,
        component: &origin.component,
        capability: &invocation.capability,
        resource: &invocation.resource,
        artifact: invocation.artifact.facts(),
        receipt: &invocation.receipt,
        at,
    }
}
