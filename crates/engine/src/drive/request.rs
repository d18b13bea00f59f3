//! Asking for permission: from an action to a request that waits, or to the policy's own decision.

use crate::capability::Capability;
use crate::drive::driver::Driver;
use crate::issuer::{
    Before, DecisionBasis, Form, Governed, InvalidRequest, Issued, ModuleFacts, Performer, Request,
    Reversibility, ScriptFacts, after,
};
use crate::trust::{Precedents, Subject, Trust};
use crate::{Error, ids};
use policy::{Answer, Ask, Novelty, Ruling};
use receipt::{Digest, Json, Scope, Timestamp};
use sandbox::script::Script;
use std::sync::Arc;
use store::{Batch, NewRequest, OverQuota, RATE_WINDOW, StoreError};
use workflow::{Action, Call, CallMode, Entry, RecordedCommand};

fn facts_of(script: &Script) -> ScriptFacts {
    let module = |(name, sha256, bytes): &(String, Digest, u64)| ModuleFacts {
        name: name.clone(),
        sha256: *sha256,
        bytes: *bytes,
    };
    ScriptFacts {
        engine: script.engine.engine,
        prepare: script.engine.prepare,
        main: script.main.clone(),
        modules: script.modules.iter().map(module).collect(),
    }
}

impl Driver {
    /// Makes a request of an action. If the policy asks no person, the request is decided at once, in the same
    /// transaction.
    pub(crate) async fn request(
        &mut self,
        call: Call,
        asked: RecordedCommand,
        action: Action,
        mode: CallMode,
    ) -> Result<(), Error> {
        let now = self.inner.now()?;
        if let Some(over) = self.too_often(now).await? {
            return self.append([Entry::Rejected { call, asked, message: over.to_string() }]).await;
        }
        let (trusted, drawn_up) = self.drawn_up(call, action, now).await?;
        let (request, ruling) = match self.judged(drawn_up, &trusted.0)? {
            Ok(judged) => judged,
            Err(invalid) => {
                let message = invalid.to_string();
                return self.append([Entry::Rejected { call, asked, message }]).await;
            }
        };
        let issued = match ruling.answer {
            Answer::Ask(_) => None,
            Answer::Allow | Answer::Deny => Some(self.decided_by_policy(&request, trusted).await?),
        };
        let mut entries = vec![Entry::Requested {
            call,
            request: request.id.clone(),
            asked: asked.clone(),
            artifact: request.artifact.clone(),
            input_hash: request.input_hash().map_err(|error| Error::Internal(error.to_string()))?,
            expires_at: request.expires_at,
            mode,
        }];
        entries.extend(issued.iter().flat_map(|issued| issued.entries(&request.id)));
        let body = serde_json::to_string(&request).map_err(|error| Error::Internal(error.to_string()))?;
        let Request { id, capability, resource, .. } = request;
        let kept = NewRequest { id, capability, resource, body };
        let receipt = issued.map(|issued| Box::new(issued.receipt));
        let (made, waited) = (entries.len(), self.unwritten.clone());
        let batch = Batch { entries, request: Some(kept), receipt, ..Batch::default() };
        match self.append_batch(batch).await {
            Err(Error::Store(StoreError::Quota(over))) => {
                self.take_back(waited, made).await?;
                self.append([Entry::Rejected { call, asked, message: over.to_string() }]).await
            }
            made => made,
        }
    }

    /// Whether the tenant exceeds its hourly quota of requests. This saves the authority a signature: the store checks
    /// it again, in the transaction that records the request.
    async fn too_often(&self, now: Timestamp) -> Result<Option<OverQuota>, Error> {
        let window = i64::try_from(RATE_WINDOW.as_millis()).unwrap_or(0);
        let since = Timestamp::from_millis(now.as_millis() - window);
        let asked = self.inner.journals.store.asked_since(&self.origin.key.tenant, since).await?;
        Ok(self.quotas.check_rate(&self.origin.key.tenant, asked).err())
    }

    /// Everything that the host itself knows about an action, without the policy's ruling; and the acts and the time by
    /// which the action is judged.
    async fn drawn_up(
        &self,
        call: Call,
        action: Action,
        now: Timestamp,
    ) -> Result<((Arc<Trust>, Timestamp), Request), Error> {
        let origin = &self.origin;
        let capability = self.inner.capabilities.registry.named(&action.capability);
        if let Some(artifact) = &action.artifact {
            self.inner.previews.keep(&origin.key.tenant, artifact);
        }
        let artifact = action.artifact.map(|artifact| artifact.facts().clone());
        let sha256 = artifact.as_ref().map(|facts| facts.sha256);
        let (trust, known, at) = self.known(sha256.as_ref()).await?;
        let before =
            self.before((&action.capability, &action.resource), sha256.as_ref(), &known, &trust).await?;
        let request = Request {
            id: ids::id("apr_", now)?,
            tenant: origin.key.tenant.clone(),
            instance: origin.key.instance.clone(),
            call,
            actor: origin.actor.clone(),
            operator: origin.operator.clone(),
            submitter: origin.submitter.clone(),
            workflow: origin.workflow.clone(),
            component: origin.component,
            imports: origin.imports.clone(),
            script: self.script.as_deref().map(facts_of),
            artifact,
            // The host cannot undo an action that it cannot perform.
            reversibility: capability.map_or(Reversibility::Irreversible, Capability::reversibility),
            performer: match capability {
                None => Performer::NoCapability,
                Some(capability) if !capability.acts_on(&action.resource) => Performer::NoTarget,
                Some(_) => Performer::Here,
            },
            before,
            known,
            governed: Governed::default(),
            capability: action.capability,
            resource: action.resource,
            reason: action.reason,
            // In its committed form: the stored and shown text is the signed one.
            evidence: Json::parse(&action.evidence).map_or(action.evidence, |evidence| evidence.canonical()),
            environment: self.inner.journals.settings.environment(),
            form: Form::Dated,
            created_at: now,
            expires_at: after(now, Ask::EXPIRES),
        };
        Ok(((trust, at), request))
    }

    /// The operators' acts, the code and bytes that are known by the approvals that count now, and the time of that.
    pub(crate) async fn known(
        &self,
        artifact: Option<&Digest>,
    ) -> Result<(Arc<Trust>, Precedents, Timestamp), Error> {
        let digests = [self.origin.component].into_iter().chain(artifact.copied()).collect();
        self.inner.known(&self.origin.key.tenant, digests).await
    }

    async fn before(
        &self,
        (capability, resource): (&str, &str),
        artifact: Option<&Digest>,
        known: &Precedents,
        trust: &Trust,
    ) -> Result<Before, Error> {
        let asked = self.inner.journals.store.asked(&self.origin.key.tenant, capability, resource).await?;
        let counts = |(keys, _): &&(String, u64)| keys.split_whitespace().all(|key| trust.counts_still(key));
        Ok(Before {
            component: known.novelty_of(&self.origin.component),
            artifact: artifact.map_or(Novelty::New, |sha256| known.novelty_of(sha256)),
            asked: asked.times,
            denied: asked.denials.iter().filter(counts).map(|(_, times)| times).sum(),
        })
    }

    /// The request with the policy's ruling and its expiry; or why people cannot be asked.
    fn judged(
        &self,
        mut request: Request,
        trust: &Trust,
    ) -> Result<Result<(Request, Ruling), InvalidRequest>, Error> {
        let policy = &self.inner.governance.policy;
        let document = match request.document() {
            Ok(document) => document,
            Err(error) => return Ok(Err(error.into())),
        };
        let subject =
            Subject::of(&document, &request.known).map_err(|error| Error::Internal(error.to_string()))?;
        let mut ruling = policy.rule(&subject.question(&[]));
        // A demonstration has nothing to allow by itself.
        if self.inner.governance.scope(trust) == Scope::Demo && ruling.answer == Answer::Allow {
            ruling.answer = Answer::Ask(Ask::one());
        }
        if let Answer::Ask(ask) = &ruling.answer {
            request.expires_at = after(request.created_at, ask.expires.min(Ask::LONGEST));
            if let Err(too_many) = ask.check() {
                return Ok(Err(too_many.into()));
            }
        }
        request.governed = Governed {
            version: policy.version(),
            sha256: policy.digest(),
            answer: ruling.answer.to_string(),
            rules: ruling.rules.iter().map(ToString::to_string).collect(),
        };
        Ok(request.check().map(|()| (request, ruling)))
    }

    async fn decided_by_policy(
        &self,
        request: &Request,
        (trust, at): (Arc<Trust>, Timestamp),
    ) -> Result<Issued, Error> {
        let request = request.clone();
        self.inner.apart(move |inner| inner.issue(&request, DecisionBasis::Policy, (&trust, at))).await
    }
}
