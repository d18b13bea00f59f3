//! Deciding: requests that wait, and signed statements about them.

use crate::history::RequestEnd;
use crate::instances::signal::{Snapshot, Update};
use crate::issuer::{AdmittedEnvelope, DecisionBasis, Issued, Judgement, JudgingContext, Request};
use crate::runtime::journals::LoadedInstance;
use crate::runtime::requests;
use crate::trust::{
    Count, CountVerdict, Recall, Subject, Trust, can_count, is_own, key_counts, signed_denials,
};
use crate::{Error, Host, Waiting, ids, issuer, text_limits};
use policy::Answer;
use receipt::{Decision, DecisionStatement, Envelope, Nonce, Person, PersonId, Role, Salt, Scope, Timestamp};
use std::sync::Arc;
use store::{InstanceKey, SignedBy, StoredReceipt};
use workflow::{Entry, ReceiptId, Replay, RequestId, TenantId};

/// The result of a signed statement.
#[derive(Debug, Clone)]
pub enum SignOutcome {
    /// The statement is stored; more statements are needed.
    Waiting(Count),
    /// The statement decided the request.
    Issued(Box<StoredReceipt>),
}

/// A request that waits for a decision, its instance's journal, and the acts and the time by which it is judged.
struct OpenRequest {
    key: InstanceKey,
    request: Request,
    loaded: LoadedInstance,
    trust: Arc<Trust>,
    at: Timestamp,
}

impl Host {
    /// A request, as an approver sees it.
    ///
    /// # Errors
    /// There is no request with this id.
    pub fn request(&self, id: &RequestId) -> Result<Request, Error> {
        self.0.request(id).map(|(_, request)| request)
    }

    /// The requests that wait for a decision, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>, Error> {
        let (trust, at) = self.0.trust_now()?;
        let gate = self.0.gate();
        requests::waiting(&*self.0.journals.store, self.0.judge(&gate, &trust, at), |_| true)
    }

    /// The state of a waiting request.
    ///
    /// # Errors
    /// There is no request with this id.
    pub fn waiting_request(&self, id: &RequestId) -> Result<Waiting, Error> {
        let (key, request) = self.0.request(id)?;
        let (trust, at) = self.0.trust_now()?;
        let gate = self.0.gate();
        requests::waiting_request(&*self.0.journals.store, self.0.judge(&gate, &trust, at), key, request)
    }

    /// Decides a request as a demo decider: signs the receipt and records both. Drive the instance afterwards.
    ///
    /// # Errors
    /// When the request does not wait for a decision, the decider may not decide it, decisions here require people's
    /// signatures, or the receipt cannot be signed. The request is undecided then.
    pub fn decide(&self, id: &RequestId, judgement: &Judgement) -> Result<StoredReceipt, Error> {
        let (key, loaded, issued) = self.decided(id, judgement)?;
        self.0.signal_from(
            &key,
            loaded,
            update_of(id, None, issued.entries(id).into(), Some((&issued, None))),
        )?;
        Ok(issued.receipt)
    }

    /// [`decide`](Self::decide), without blocking a thread of the caller's runtime.
    ///
    /// # Errors
    /// Those of [`decide`](Self::decide).
    pub async fn decide_async(&self, id: &RequestId, judgement: &Judgement) -> Result<StoredReceipt, Error> {
        let (key, loaded, issued) = match self.0.claims.are_shared() {
            // Each read is an exchange with a server.
            true => {
                let (host, id, judgement) = (self.clone(), id.clone(), judgement.clone());
                let decided = tokio::task::spawn_blocking(move || host.decided(&id, &judgement)).await;
                decided.map_err(|error| Error::Internal(format!("a decision broke off: {error}")))??
            }
            false => self.decided(id, judgement)?,
        };
        let update = update_of(id, None, issued.entries(id).into(), Some((&issued, None)));
        self.0.signal_from_async(&key, loaded, update).await?;
        Ok(issued.receipt)
    }

    /// A demo decider's decision, signed and not recorded.
    fn decided(
        &self,
        id: &RequestId,
        judgement: &Judgement,
    ) -> Result<(InstanceKey, LoadedInstance, Issued), Error> {
        text_limits::check(judgement.by.name().as_str(), judgement.reason.as_deref())?;
        let OpenRequest { key, request, loaded, trust, at } = self.open_request(id)?;
        if self.0.governance.scope(&trust) == Scope::Production {
            return Err(Error::DemoNotAllowed(id.clone()));
        }
        check_own(&request, judgement.by.name().as_str())?;
        let issued = self.0.issue(&request, DecisionBasis::Demo(judgement), (&trust, at))?;
        Ok((key, loaded, issued))
    }

    /// The statement that `by` would sign to decide a request. Only these exact bytes count.
    ///
    /// # Errors
    /// When the request does not wait for a decision, or `by` may not decide it.
    pub fn statement(
        &self,
        id: &RequestId,
        by: &PersonId,
        role: Option<&Role>,
        decision: Decision,
        reason: Option<&str>,
    ) -> Result<DecisionStatement, Error> {
        let OpenRequest { request, trust, at, .. } = self.open_request(id)?;
        request.check().map_err(|error| Error::Statement(error.to_string()))?;
        let role = self.role_of(&trust, &request, by, role, decision)?;
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&ids::random_bytes()?[..16]);
        let longest = match role.is_break_glass() {
            true => issuer::after(at, BREAK_GLASS),
            false => request.expires_at,
        };
        let statement = DecisionStatement {
            matter: issuer::matter(&request, &*self.0.governance.policy)?,
            decision,
            reason: reason.map(ToOwned::to_owned),
            decider: by.clone(),
            role,
            decided_at: at,
            expires_at: request.expires_at.min(longest),
            nonce: Nonce::from_bytes(nonce),
        };
        statement.validate().map_err(|error| Error::Statement(error.to_string()))?;
        Ok(statement)
    }

    /// Admits a signed statement about a request. The statement that completes the quorum issues the receipt, once.
    ///
    /// # Errors
    /// The request does not wait for a decision, or the statement does not count; the error has the reason. Nothing is
    /// recorded then.
    pub fn sign(&self, id: &RequestId, envelope: &Envelope) -> Result<SignOutcome, Error> {
        // Another signature came first: count again, with it. No signer loses that often.
        for _ in 0..AT_THE_SAME_MOMENT {
            match self.try_sign(id, envelope) {
                Err(Error::SignedMeanwhile(_)) => {}
                done => return done,
            }
        }
        self.try_sign(id, envelope)
    }

    fn try_sign(&self, id: &RequestId, envelope: &Envelope) -> Result<SignOutcome, Error> {
        let OpenRequest { key, request, loaded, trust, at } = self.open_request(id)?;
        let context = JudgingContext { trust: &trust, policy: &*self.0.governance.policy };
        let decision = issuer::admit(&request, envelope, context, at)?;
        let mut admitted = requests::admitted(&loaded.facts, id)?;
        if AdmittedEnvelope::is_full(&admitted, decision.person()) {
            return Err(Error::SignedTooOften(decision.person().clone(), id.clone()));
        }
        self.check_counts(&request, &decision, &admitted, (&trust, at))?;
        let before = Some(admitted.len());
        // The stored envelope has no unsigned members.
        admitted.push(AdmittedEnvelope { envelope: decision.envelope().clone(), at });
        let signed = Entry::Signed {
            request: id.clone(),
            decision: decision.decision(),
            decider: decision.person().to_string(),
            key_id: decision.key_id().to_string(),
            envelope: decision.envelope().to_json().canonical(),
        };
        let (count, decisions) = issuer::tally(&request, &admitted, context, at)?;
        issuer::check_open(&request, count.verdict, &trust)?;
        if count.verdict == CountVerdict::Waiting {
            // An authority in another process admits by its own clock, so the host submits the statement now, while the
            // key may sign.
            self.0.governance.issuer.admit(&request, decision.envelope()).transpose()?;
            self.0.signal_from(&key, loaded, update_of(id, before, vec![signed], None))?;
            return Ok(SignOutcome::Waiting(count));
        }
        // Recorded before anything is signed, so that it is on record even if signing fails. An authority elsewhere
        // records it there.
        if let Some(act) = issuer::break_glass_used(&request, &count, &trust)
            && !self.0.governance.issuer.is_remote()
        {
            self.0.governance.record_act(&self.0.journals, decision.person().as_str(), act)?;
        }
        // Read again: a break-glass decision that waits for its review keeps others from being approved, and the gate does not ask for that.
        let (trust, at) = self.0.trust_now()?;
        if self.0.governance.issuer.is_remote() {
            // The authority has admitted the other statements itself. However many people have signed, these fit into a
            // message.
            let statements = count.statements.iter().map(|decision| decision.envelope().clone());
            admitted = statements.map(|envelope| AdmittedEnvelope { envelope, at }).collect();
        }
        let issued = self.0.issue(&request, DecisionBasis::People(&admitted), (&trust, at))?;
        // An authority elsewhere may have decided before and its answer was lost: then this signature is too late.
        let expected = match count.verdict {
            CountVerdict::Denied | CountVerdict::Forbidden => Decision::Denied,
            _ => Decision::Approved,
        };
        let in_time = issued.decision == expected;
        let signed = in_time.then_some(signed);
        let entries = signed.into_iter().chain(issued.entries(id)).collect();
        let denied = (in_time && issued.decision == Decision::Denied).then(|| signed_denials(&decisions));
        self.0.signal_from(&key, loaded, update_of(id, before, entries, Some((&issued, denied))))?;
        Ok(SignOutcome::Issued(Box::new(issued.receipt)))
    }

    /// Takes a request back before it is decided.
    ///
    /// # Errors
    /// The request does not wait for a decision.
    pub fn withdraw(&self, id: &RequestId, by: &str, reason: Option<&str>) -> Result<(), Error> {
        text_limits::check(by, reason)?;
        let OpenRequest { key, loaded, .. } = self.open_request(id)?;
        let (by, reason) = (by.to_owned(), reason.map(ToOwned::to_owned));
        self.0.signal_from(
            &key,
            loaded,
            update_of(id, None, vec![Entry::Withdrawn { request: id.clone(), by, reason }], None),
        )
    }

    /// Takes a receipt back before it is spent: a signed revocation.
    ///
    /// # Errors
    /// There is no such receipt, it is a denial, it is spent, or it was revoked before.
    pub fn revoke(&self, id: &ReceiptId, by: &str, reason: Option<&str>) -> Result<StoredReceipt, Error> {
        text_limits::check(by, reason)?;
        let found = self.0.journals.store.receipt(id).wait()?;
        let receipt = found.ok_or_else(|| Error::NoReceipt(id.clone()))?.receipt;
        if receipt.artifact.status.as_deref() != Some(Decision::Approved.as_str()) {
            return Err(Error::NothingToRevoke(id.clone()));
        }
        let at = self.0.now()?;
        let (name, salt) = (ids::id("rcpt_rev_", at)?, Salt::from_bytes(ids::random_bytes()?));
        let revocation = self.0.governance.issuer.revoke(&receipt, (by, reason), name, salt, at)?;
        let body = serde_json::to_string(&revocation).map_err(|error| Error::Internal(error.to_string()))?;
        self.0.journals.store.revoke(id.clone(), at, body)?;
        Ok(revocation)
    }

    /// A request that waits for a decision.
    fn open_request(&self, id: &RequestId) -> Result<OpenRequest, Error> {
        let (key, mut request, facts) = requests::request_and_journal(&*self.0.journals.store, id)?;
        let (trust, at) = self.0.trust_now()?;
        let gate = self.0.gate();
        let mut recall = Recall::new(&*self.0.journals.store, self.0.judge(&gate, &trust, at));
        requests::recall(&mut recall, &mut request)?;
        let end = RequestEnd::of(&facts, id);
        let loaded = self.0.journals.load_at(&key, facts)?;
        check_pending(id, &loaded.replay, end.as_ref())?;
        if at >= request.expires_at {
            let state = "it has lapsed; drive the instance, so that it continues".to_owned();
            return Err(Error::NotWaiting { request: id.clone(), state });
        }
        Ok(OpenRequest { key, request, loaded, trust, at })
    }

    /// Refuses a decision that would not help: on one's own request, in a role that the policy does not ask for, or a
    /// second one to the same effect.
    fn check_counts(
        &self,
        request: &Request,
        decision: &receipt::VerifiedDecision,
        before: &[AdmittedEnvelope],
        (trust, at): (&Trust, Timestamp),
    ) -> Result<(), Error> {
        let person = decision.person();
        check_own(request, person.as_str())?;
        let asked = self.asked(request)?;
        if !can_count(&asked, decision.decision(), decision.role()) {
            let deciding = decider(trust, &request.tenant, person)?;
            return Err(cannot_count(deciding, decision.decision(), Some(decision.role()), &asked));
        }
        if !key_counts(&asked, decision) {
            return Err(Error::KeyCannotCount { decider: person.clone(), asked: asked.to_string() });
        }
        let context = JudgingContext { trust, policy: &*self.0.governance.policy };
        let (_, decisions) = issuer::tally(request, before, context, at)?;
        let same = |other: &receipt::VerifiedDecision| {
            other.person() == person
                && other.decision() == decision.decision()
                && other.role() == decision.role()
        };
        match decisions.iter().any(same) {
            true => Err(Error::SignedAlready(person.clone(), request.id.clone())),
            false => Ok(()),
        }
    }

    /// The policy's answer to a request without approvals.
    fn asked(&self, request: &Request) -> Result<Answer, Error> {
        let document = request.document().map_err(|error| Error::Internal(error.to_string()))?;
        let subject =
            Subject::of(&document, &request.known).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(self.0.governance.policy.rule(&subject.question(&[])).answer)
    }

    /// The role in which a decider signs: the named role, or else one of the decider's roles in which the decision
    /// counts. No key is asked to sign a decision that cannot count.
    fn role_of(
        &self,
        trust: &Trust,
        request: &Request,
        by: &PersonId,
        named: Option<&Role>,
        decision: Decision,
    ) -> Result<Role, Error> {
        check_own(request, by.as_str())?;
        let person = decider(trust, &request.tenant, by)?;
        if let Some(named) = named.filter(|named| !person.has_role(named)) {
            return Err(Error::NoRole { decider: by.clone(), role: Some(named.clone()) });
        }
        let asked = self.asked(request)?;
        let counts = |role: &&Role| can_count(&asked, decision, role);
        let chosen = match named {
            Some(named) => Some(named).filter(counts),
            None => best_role(person, &asked).filter(counts),
        };
        chosen.cloned().ok_or_else(|| cannot_count(person, decision, named, &asked))
    }
}

/// A role that the policy names, or else an ordinary one. Break-glass is only used when named.
fn best_role<'a>(person: &'a Person, asked: &Answer) -> Option<&'a Role> {
    let wanted = |role: &&Role| match asked {
        Answer::Ask(ask) => ask.roles().any(|wanted| wanted == *role),
        Answer::Allow | Answer::Deny => false,
    };
    let mut roles = person.roles.iter().filter(|role| !role.is_break_glass());
    roles.clone().find(wanted).or_else(|| roles.next())
}

/// The person who would decide, if they may decide for the tenant at all.
pub(super) fn decider<'a>(trust: &'a Trust, tenant: &TenantId, by: &PersonId) -> Result<&'a Person, Error> {
    let person = trust.deciders().person(by).ok_or_else(|| Error::NotADecider(by.clone()))?;
    if let Some(at) = person.removed_at {
        return Err(Error::RemovedDecider(by.clone(), at));
    }
    match person.decides_for(tenant.as_str()) {
        true => Ok(person),
        false => Err(Error::OtherTenant(by.clone(), tenant.clone())),
    }
}

/// Why a decision would change nothing, and which one would.
fn cannot_count(person: &Person, decision: Decision, role: Option<&Role>, asked: &Answer) -> Error {
    let better = person.roles.iter().find(|role| !role.is_break_glass() && can_count(asked, decision, role));
    Error::CannotCount {
        decider: person.id.clone(),
        asked: asked.to_string(),
        roles: role.map_or_else(|| person.roles.clone(), |role| vec![role.clone()]),
        better: better.cloned(),
    }
}

/// The most concurrent signatures of one request before one of the signers has to try again.
const AT_THE_SAME_MOMENT: usize = 1_000;

/// The validity of a decision taken alone. The format's bound.
pub(super) const BREAK_GLASS: std::time::Duration =
    std::time::Duration::from_millis(receipt::BREAK_GLASS_MS.unsigned_abs());

/// The update for a request, if it still waits. A caller that has seen `signed` signatures has to retry if the number
/// has changed.
fn update_of<'a>(
    id: &'a RequestId,
    signed: Option<usize>,
    entries: Vec<Entry>,
    issued: Option<(&'a Issued, Option<SignedBy>)>,
) -> impl Fn(&Snapshot<'_>) -> Result<Update, Error> + use<'a> {
    move |snapshot| {
        check_pending(id, snapshot.replay, RequestEnd::of(snapshot.facts, id).as_ref())?;
        if signed.is_some_and(|signed| signed != requests::signatures(snapshot.facts, id).count()) {
            return Err(Error::SignedMeanwhile(id.clone()));
        }
        let receipt = issued.as_ref().map(|(issued, _)| Box::new(issued.receipt.clone()));
        let signed = issued.as_ref().and_then(|(_, signed)| signed.clone()).map(Box::new);
        Ok(Update { entries: entries.clone(), receipt, signed, ..Update::default() })
    }
}

fn check_pending(id: &RequestId, replay: &Replay, end: Option<&RequestEnd>) -> Result<(), Error> {
    let not_waiting = |state| Err(Error::NotWaiting { request: id.clone(), state });
    match (replay.is_pending(id), end) {
        (true, _) => Ok(()),
        (false, Some(end)) => not_waiting(end.to_string()),
        (false, None) if replay.status().has_ended() => not_waiting("its instance has ended".to_owned()),
        (false, None) => not_waiting("its workflow went back to before it".to_owned()),
    }
}

pub(super) fn check_own(request: &Request, name: &str) -> Result<(), Error> {
    match is_own(&request.actor, [request.operator.as_ref(), request.submitter.as_ref()], name) {
        true => Err(Error::SelfApproval(name.to_owned(), request.id.clone())),
        false => Ok(()),
    }
}
