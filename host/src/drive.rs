//! One drive of one instance: the shell that does what the core says.

use crate::Error;
use crate::authority::REQUEST_LIFETIME;
use crate::authority::Request;
use crate::authority::Reversibility;
use crate::authority::after;
use crate::capability::Attempt;
use crate::capability::Capability;
use crate::capability::Claim;
use crate::capability::OnInterruption;
use crate::capability::PerformError;
use crate::capability::Performed;
use crate::capability::Permit;
use crate::entropy;
use crate::inner::Inner;
use crate::sandbox::Halt;
use crate::sandbox::Handler;
use crate::store::Batch;
use crate::store::InstanceKey;
use crate::store::NewRequest;
use crate::store::Place;
use crate::store::Quotas;
use crate::store::StoreError;
use receipt::Digest;
use receipt::Json;
use receipt::Timestamp;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use workflow::Action;
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
use workflow::Manner;
use workflow::Outcome;
use workflow::ReceiptId;
use workflow::Replay;
use workflow::Turn;
use workflow::Unsettled;

/// What does not change while an instance runs.
pub(crate) struct Origin {
    pub(crate) key: InstanceKey,
    pub(crate) actor: ActorId,
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
    /// The host cannot go on.
    #[error(transparent)]
    Error(#[from] Error),
}

/// A driver, shared between the guest's store and whoever waits for the drive to end.
pub(crate) struct Shared(pub(crate) Arc<Mutex<Driver>>);

impl Handler for Shared {
    fn handle(&mut self, command: Command) -> Result<Outcome, Halt> {
        let answer = self.0.lock().unwrap_or_else(PoisonError::into_inner).answer(&command);
        answer.map_err(|stop| Box::new(stop) as Halt)
    }

    fn position(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replay.position()
    }
}

impl Driver {
    fn answer(&mut self, command: &Command) -> Result<Outcome, Stop> {
        loop {
            let now = self.inner.now()?;
            let turn = self.replay.next(command, now).map_err(|divergence| self.diverged(divergence))?;
            match turn {
                Turn::Return(outcome) => return Ok(outcome),
                Turn::Wait(_) => return Err(Stop::Waiting),
                Turn::Break(failure) => return Err(Stop::Broke(failure)),
                Turn::Do(live) => self.carry_out(live)?,
            }
        }
    }

    /// Records the workflow's own end, or its being ended.
    pub(crate) fn finish(&mut self, end: Result<Result<String, Failure>, Failure>) -> Result<(), Error> {
        let entry = match end {
            Ok(returned) => self.replay.finish(&returned).map_err(|divergence| self.diverged(divergence))?,
            Err(failure) => Entry::Failed { failure },
        };
        self.settle()?;
        self.append(&[entry])
    }

    /// No instance ends with an action whose outcome nobody has signed. One that was interrupted and not taken up again is unknown.
    fn settle(&mut self) -> Result<(), Error> {
        for Unsettled { call, receipt, effect } in self.replay.unsettled() {
            let effect = match effect {
                Some(effect) => effect,
                None => {
                    let message =
                        "the host stopped while it acted, and the workflow ended without asking again";
                    let effect = Effect::Unknown { message: message.to_owned() };
                    self.append(&[Entry::Performed {
                        call,
                        receipt: receipt.clone(),
                        effect: effect.clone(),
                    }])?;
                    effect
                }
            };
            let attested = self.attested(call, &receipt, &effect)?;
            self.append(&[attested])?;
        }
        Ok(())
    }

    fn diverged(&self, divergence: workflow::Divergence) -> Error {
        Error::Diverged { key: self.origin.key.clone(), divergence: Box::new(divergence) }
    }

    /// The one place where the host does anything.
    fn carry_out(&mut self, live: Live) -> Result<(), Error> {
        match live {
            Live::Record(entry) => self.append(&[entry]),
            Live::Request { call, asked, action, manner } => self.request(call, asked, action, manner),
            Live::Redeem { call, asked, invocation } => self.redeem(call, &asked, &invocation),
            Live::Effect { call, invocation, interrupted } => self.act(call, &invocation, interrupted),
            Live::Attest { call, receipt, effect } => {
                let attested = self.attested(call, &receipt, &effect)?;
                self.append(&[attested])
            }
        }
    }

    fn request(&mut self, call: Call, asked: Asked, action: Action, manner: Manner) -> Result<(), Error> {
        let now = self.inner.now()?;
        let origin = &self.origin;
        let capability = self.inner.capability(&action.capability);
        let request = Request {
            id: entropy::id("apr_")?,
            tenant: origin.key.tenant.clone(),
            instance: origin.key.instance.clone(),
            call,
            actor: origin.actor.clone(),
            workflow: origin.workflow.clone(),
            component: origin.component,
            imports: origin.imports.clone(),
            artifact: action.artifact.map(|artifact| artifact.facts().clone()),
            // What the host cannot perform itself it cannot undo either.
            reversibility: capability.map_or(Reversibility::Irreversible, Capability::reversibility),
            capability: action.capability,
            resource: action.resource,
            reason: action.reason,
            evidence: action.evidence,
            environment: self.inner.environment,
            created_at: now,
            expires_at: after(now, REQUEST_LIFETIME),
        };
        let entry = Entry::Requested {
            call,
            request: request.id.clone(),
            asked: asked.clone(),
            artifact: request.artifact.clone(),
            input_hash: request.input_hash().map_err(|error| Error::Internal(error.to_string()))?,
            expires_at: request.expires_at,
            manner,
        };
        let body = serde_json::to_string(&request).map_err(|error| Error::Internal(error.to_string()))?;
        let entries = [entry];
        let kept = NewRequest {
            id: &request.id,
            capability: &request.capability,
            resource: &request.resource,
            body: &body,
        };
        let batch = Batch { entries: &entries, request: Some(kept), ..Batch::default() };
        let (tenant, growth) = (&self.origin.key.tenant, batch.growth()?);
        match self.quotas.check(tenant, &self.inner.store.usage(tenant)?, &growth) {
            Ok(()) => self.append_batch(batch),
            Err(over) => self.append(&[Entry::Rejected { call, asked, message: over.to_string() }]),
        }
    }

    /// Checks and spends the receipt in one transaction, and records the intent: nothing has happened in the world yet.
    fn redeem(&mut self, call: Call, asked: &Asked, invocation: &Invocation) -> Result<(), Error> {
        let at = self.inner.now()?;
        let (inner, origin) = (&self.inner, &self.origin);
        let mut judge = |receipt: Option<&_>, fate: &_| {
            let claim = claim(origin, invocation, at);
            let known = inner.capability(&invocation.capability).is_some();
            match inner.gate.check(&claim, receipt, fate) {
                Ok(_) if !known => Entry::Refused {
                    call,
                    asked: asked.clone(),
                    check: Check::Capability,
                    message: format!("this host has no capability {:?}", invocation.capability),
                },
                Ok(_) => Entry::Redeemed {
                    call,
                    asked: asked.clone(),
                    receipt: invocation.receipt.clone(),
                    idempotency_key: idempotency_key(&invocation.receipt),
                },
                Err(refusal) => Entry::Refused {
                    call,
                    asked: asked.clone(),
                    check: refusal.check,
                    message: refusal.message,
                },
            }
        };
        let place = Place { key: &origin.key, after: self.replay.len(), at };
        let fact = loop {
            let trust = inner.trust()?;
            match inner.store.redeem(place, &invocation.receipt, trust.seq(), &mut judge) {
                // Somebody was removed, or everything was frozen, since we looked.
                Err(StoreError::ActsMoved) => {}
                redeemed => break redeemed?,
            }
        };
        self.replay.apply(&fact.entry).map_err(|illegal| self.illegal(illegal))?;
        self.inner.observe(&fact);
        Ok(())
    }

    /// Acts, and records how that ended.
    fn act(&mut self, call: Call, invocation: &Invocation, interrupted: bool) -> Result<(), Error> {
        let effect = self.effect(invocation, interrupted)?;
        let receipt = invocation.receipt.clone();
        let attested = self.attested(call, &receipt, &effect);
        let performed = Entry::Performed { call, receipt, effect };
        match attested {
            Ok(attested) => self.append(&[performed, attested]),
            // What happened is recorded even where it cannot be signed; the next drive signs it.
            Err(error) => self.append(&[performed]).and(Err(error)),
        }
    }

    fn effect(&self, invocation: &Invocation, interrupted: bool) -> Result<Effect, Error> {
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
        let performed = capability.perform(&permit, &invocation.artifact, attempt);
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

    /// The permit for a receipt that this call has spent: verified once more, from what is on disk.
    fn permit(&self, invocation: &Invocation) -> Result<Result<(Permit, Attempt), String>, Error> {
        let found = self.inner.store.receipt(&invocation.receipt)?;
        let redeemed = found.as_ref().and_then(|(_, fate)| fate.redeemed);
        let Some((at, order)) = redeemed else {
            return Err(Error::Internal(format!("receipt {} is not redeemed", invocation.receipt)));
        };
        let receipt = found.as_ref().map(|(receipt, _)| receipt);
        let attempt = Attempt { idempotency_key: idempotency_key(&invocation.receipt), order };
        let permit = self.inner.gate.check_spent(&claim(&self.origin, invocation, at), receipt);
        Ok(permit
            .map(|permit| (permit, attempt))
            .map_err(|refusal| format!("the receipt was spent and is now {refusal}")))
    }

    fn attested(&self, call: Call, receipt: &ReceiptId, effect: &Effect) -> Result<Entry, Error> {
        let document = self.inner.authority.attest(receipt, effect, self.inner.now()?)?;
        Ok(Entry::Attested {
            call,
            receipt: receipt.clone(),
            key_id: self.inner.authority.key_id().to_owned(),
            document,
        })
    }

    fn append(&mut self, entries: &[Entry]) -> Result<(), Error> {
        self.append_batch(Batch { entries, ..Batch::default() })
    }

    /// The table sees an entry before the disk does. When the disk refuses, this driver is done for, and its replay with it.
    fn append_batch(&mut self, batch: Batch<'_>) -> Result<(), Error> {
        let after = self.replay.len();
        for entry in batch.entries {
            self.replay.apply(entry).map_err(|illegal| self.illegal(illegal))?;
        }
        let place = Place { key: &self.origin.key, after, at: self.inner.now()? };
        let quotas = batch.entries.iter().any(is_of_the_guest).then_some(&self.quotas);
        for fact in self.inner.store.append(place, Batch { quotas, ..batch })? {
            self.inner.observe(&fact);
        }
        Ok(())
    }

    fn illegal(&self, illegal: workflow::Illegal) -> Error {
        Error::Journal { key: self.origin.key.clone(), illegal }
    }
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
