//! Acting on a receipt: the gate's verdict, the intent, the effect, and how that ended.

use crate::Error;
use crate::capability::{
    Capability, Execution, GateContext, OnInterruption, PerformError, Performed, Permit, ProposedAction,
    Refusal,
};
use crate::drive::driver::Driver;
use crate::drive::redeemed::{RedeemedReceipt, idempotency_key};
use crate::runtime::claims::ActionClaim;
use crate::runtime::journals::Origin;
use crate::trust::{Precedents, Trust, scope_of};
use receipt::{Json, Scope, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use store::{Batch, Deployment, KeptArtifact, Precondition, ReceiptState, StoreError, StoredReceipt};
use workflow::{ArtifactFacts, Call, Check, Effect, Entry, Invocation, Quoted, ReceiptId, RecordedCommand};

impl Driver {
    /// Checks the receipt, spends it and records the intent. No effect has taken place yet. The verdict is written only
    /// if the state that it was given on is unchanged.
    pub(crate) async fn redeem(
        &mut self,
        call: Call,
        asked: RecordedCommand,
        invocation: Invocation,
    ) -> Result<(), Error> {
        loop {
            let (trust, known, at) = self.known(Some(&invocation.artifact.facts().sha256)).await?;
            let found = self.inner.journals.store.receipt(&invocation.receipt).await?;
            let (receipt, receipt_state) = found.map(|found| (found.receipt, found.state)).unzip();
            let receipt_state = receipt_state.unwrap_or_default();
            let verdict = self.verdict(&invocation, (receipt.as_ref(), &receipt_state), (&trust, &known), at);
            let entry = verdict_entry(call, asked.clone(), &invocation, verdict.as_ref().err());
            let seen = Precondition { receipt: invocation.receipt.clone(), receipt_state, acts: trust.seq() };
            let signed = verdict.as_ref().ok().and_then(Permit::signed).cloned().map(Box::new);
            let artifact = verdict.is_ok().then(|| self.kept_artifact(&invocation)).flatten();
            let seen = Some(Box::new(seen));
            let batch = Batch { entries: vec![entry], seen, signed, artifact, ..Batch::default() };
            match self.write(batch).await {
                // A decider was removed, a freeze began, or the receipt was revoked since the gate looked.
                Err(Error::Store(StoreError::ActsMoved | StoreError::ReceiptMoved(_))) => {}
                // A signal arrived. The gate looks again, unless the signal stops the instance.
                Err(Error::Store(StoreError::Conflict(_))) => {
                    self.catch_up(&[]).await?;
                    if self.replay.stands_still() {
                        return Ok(());
                    }
                }
                Ok(order) => {
                    self.redeemed =
                        verdict.ok().map(|permit| RedeemedReceipt::new(invocation.receipt, permit, order));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The artifact that is kept with the intent, if the capability keeps it here.
    fn kept_artifact(&self, invocation: &Invocation) -> Option<Box<KeptArtifact>> {
        let capability = self.capability(invocation)?;
        let ArtifactFacts { sha256, bytes, .. } = *invocation.artifact.facts();
        let kept = KeptArtifact { sha256, bytes, quotas: self.quotas.clone() };
        capability.keeps_artifacts().then(|| Box::new(kept))
    }

    /// The gate's verdict on an action, and whether this host has the capability.
    fn verdict(
        &self,
        invocation: &Invocation,
        (receipt, receipt_state): (Option<&StoredReceipt>, &ReceiptState),
        (trust, known): (&Trust, &Precedents),
        at: Timestamp,
    ) -> Result<Permit, Refusal> {
        let measure = GateContext {
            scope: self.inner.governance.scope(trust),
            trust,
            policy: &*self.inner.governance.policy,
            known,
            environment: self.inner.journals.settings.environment(),
        };
        let permit =
            self.inner.gate().check(&self.proposed(invocation, at), receipt, receipt_state, measure)?;
        match self.capability(invocation) {
            Some(_) => Ok(permit),
            None => Err(Refusal {
                check: Check::Capability,
                message: format!("this host has no capability {}", Quoted(&invocation.capability)),
            }),
        }
    }

    /// The capability that performs it here.
    fn capability(&self, invocation: &Invocation) -> Option<&dyn Capability> {
        self.inner.capabilities.registry.called(&invocation.capability, &invocation.resource)
    }

    /// The action that is about to be performed, as the host knows it, with the capability that would perform it.
    fn proposed<'a>(&'a self, invocation: &'a Invocation, at: Timestamp) -> ProposedAction<'a> {
        let origin: &Origin = &self.origin;
        ProposedAction {
            tenant: &origin.key.tenant,
            instance: &origin.key.instance,
            component: &origin.component,
            capability: self.capability(invocation).map_or(&*invocation.capability, Capability::name),
            resource: &invocation.resource,
            artifact: invocation.artifact.facts(),
            receipt: &invocation.receipt,
            at,
        }
    }

    /// Acts, and records how that ended.
    pub(crate) async fn act(
        &mut self,
        call: Call,
        invocation: &Invocation,
        interrupted: bool,
    ) -> Result<(), Error> {
        let receipt = invocation.receipt.clone();
        // A receipt that another drive has spent is read and verified again.
        let redeemed = self.redeemed.take().filter(|redeemed| redeemed.receipt == receipt);
        let scope = match &redeemed {
            Some(RedeemedReceipt { permit, .. }) => scope_of(permit.receipt().key_id()),
            None => self.scope_of(&receipt).await?,
        };
        let (effect, deployment) = self.effect(invocation, redeemed, interrupted).await?;
        let attested = self.attested(call, &receipt, scope, &effect).await;
        let performed = Entry::Performed { call, receipt, effect };
        // The outcome is recorded even if it cannot be signed; the next drive signs it.
        let (entries, signed) = match attested {
            Ok(attested) => (vec![performed, attested], Ok(())),
            Err(error) => (vec![performed], Err(error)),
        };
        let is_deployed = deployment.is_some();
        self.append_batch(Batch { entries, deployment, ..Batch::default() }).await?;
        if is_deployed {
            self.inner.publisher.wake();
        }
        signed
    }

    /// The scope of a receipt that is kept.
    pub(crate) async fn scope_of(&self, receipt: &ReceiptId) -> Result<Scope, Error> {
        let receipt = receipt.clone();
        self.inner.apart(move |inner| inner.scope_of(&receipt)).await
    }

    /// The entry for an outcome, signed.
    pub(crate) async fn attested(
        &self,
        call: Call,
        receipt: &ReceiptId,
        scope: Scope,
        effect: &Effect,
    ) -> Result<Entry, Error> {
        let (receipt, effect) = (receipt.clone(), effect.clone());
        self.inner.apart(move |inner| inner.attested(call, &receipt, scope, &effect)).await
    }

    /// The outcome of the action, and the store's record of it.
    async fn effect(
        &self,
        invocation: &Invocation,
        redeemed: Option<RedeemedReceipt>,
        interrupted: bool,
    ) -> Result<(Effect, Option<Box<Deployment>>), Error> {
        let unknown = |message: String| Ok((Effect::Unknown { message }, None));
        let Some(capability) = self.capability(invocation) else {
            return unknown(format!(
                "this host no longer has the capability {}",
                Quoted(&invocation.capability)
            ));
        };
        if interrupted && capability.on_interruption() == OnInterruption::ReportUnknown {
            self.outlast().await?;
            return unknown("the host stopped while it acted; an operator has to look".to_owned());
        }
        if interrupted {
            self.outlast().await?;
        }
        let started_at = self.inner.now()?;
        let permitted = match redeemed {
            Some(RedeemedReceipt { permit, execution, .. }) => Ok((permit, execution)),
            None => self.permit(invocation).await?,
        };
        let (permit, attempt) = match permitted {
            Ok(permitted) => permitted,
            Err(message) if interrupted => return unknown(message),
            Err(message) => {
                return Ok((Effect::Failed { message, started_at, finished_at: started_at }, None));
            }
        };
        let performed = self.perform(permit, invocation, attempt).await?;
        // If the clock was set back during the action, the action would end before it began, which no attestation may
        // state.
        let finished_at = self.inner.now()?.max(started_at);
        let mut deployment = None;
        let effect = match performed {
            Ok(mut performed) => {
                deployment = performed.deployment.take();
                Effect::Succeeded { output: output(&performed, invocation), started_at, finished_at }
            }
            // An earlier attempt may have got further than this one.
            Err(PerformError::Failed(message)) if interrupted => Effect::Unknown { message },
            Err(PerformError::Failed(message)) => Effect::Failed { message, started_at, finished_at },
            Err(PerformError::Unknown(message)) => Effect::Unknown { message },
        };
        Ok((effect, deployment))
    }

    /// Waits until an action whose beginning is recorded is certainly over: the instance's previous host may be in the
    /// middle of it.
    async fn outlast(&self) -> Result<(), Error> {
        let claims = &self.inner.claims;
        loop {
            match claims.unsettled_for(&self.origin.key)? {
                Duration::ZERO => return Ok(()),
                left => tokio::time::sleep(left).await,
            }
        }
    }

    /// Runs on a thread of its own: the action may take long, and this thread drives other instances. If it panics, or
    /// this future is dropped, the journal has the intent and no outcome, and the next drive treats the action as
    /// interrupted. That drive cannot begin before this thread has ended, because the thread holds the lease.
    async fn perform(
        &self,
        permit: Permit,
        invocation: &Invocation,
        attempt: Execution,
    ) -> Result<Result<Performed, PerformError>, Error> {
        let (inner, lease) = (Arc::clone(&self.inner), Arc::clone(&self.lease));
        let (call, resource) = (invocation.capability.clone(), invocation.resource.clone());
        let (artifact, key) = (invocation.artifact.clone(), self.origin.key.clone());
        let performing = tokio::task::spawn_blocking(move || {
            let _reins = lease;
            let capability = inner.capabilities.registry.called(&call, &resource)?;
            // The last point at which a host that was suspended can notice that another host may already act.
            let begun = inner.claims.action(&key).map(|ActionClaim { epoch, time }| {
                capability.perform(&permit, &artifact, Execution { epoch, time, ..attempt })
            });
            Some(begun)
        });
        let broke_off = |error: String| Error::Internal(format!("an action broke off: {error}"));
        let performed = performing.await.map_err(|error| broke_off(error.to_string()))?;
        performed.ok_or_else(|| broke_off("the capability is gone".to_owned()))?
    }

    /// The permit for a receipt that this call has spent in an earlier drive, verified again from the stored record.
    async fn permit(&self, invocation: &Invocation) -> Result<Result<(Permit, Execution), String>, Error> {
        let found = self.inner.journals.store.receipt(&invocation.receipt).await?;
        let redeemed = found.as_ref().and_then(|found| found.state.redeemed);
        let Some((at, order)) = redeemed else {
            return Err(Error::Internal(format!("receipt {} is not redeemed", invocation.receipt)));
        };
        let receipt = found.as_ref().map(|found| &found.receipt);
        let attempt = Execution::new(idempotency_key(&invocation.receipt), order);
        // The scope was judged when it was spent; it is the receipt's own since.
        let scope = receipt.map_or(Scope::Production, |receipt| scope_of(&receipt.artifact.key_id));
        let permit = self.inner.gate().check_redeemed(&self.proposed(invocation, at), receipt, scope);
        Ok(permit
            .map(|permit| (permit, attempt))
            .map_err(|refusal| format!("the receipt was spent and is now {refusal}")))
    }
}

/// The entry for a verdict.
fn verdict_entry(
    call: Call,
    asked: RecordedCommand,
    invocation: &Invocation,
    refusal: Option<&Refusal>,
) -> Entry {
    match refusal {
        None => Entry::Redeemed {
            call,
            asked,
            receipt: invocation.receipt.clone(),
            idempotency_key: idempotency_key(&invocation.receipt),
        },
        Some(Refusal { check, message }) => {
            Entry::Refused { call, asked, check: *check, message: message.clone() }
        }
    }
}

/// The result of an action that took place: the guest gets it, and the attestation has its digest.
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
