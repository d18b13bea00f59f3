//! Deciding: requests that wait, and signed statements about them.

use crate::Waiting;
use crate::approvals::requests;
use crate::instances::signal::{Snapshot, Update};
use crate::issuer::{DecisionBasis, Issued, Judgement, JudgingContext, Request};
use crate::runtime::journals::Loaded;
use crate::trust::{Count, CountVerdict, Trust, is_own};
use crate::{Error, Host, ids, issuer};
use receipt::{Decision, DecisionStatement, Envelope, Nonce, PersonId, Role, Salt, Scope};
use store::{InstanceKey, StoredReceipt};
use workflow::{Entry, ReceiptId, Replay, RequestId};

/// What came of a signed statement.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// It is kept, and there are not enough of them yet.
    Waiting(Count),
    /// It decided the request.
    Issued(Box<StoredReceipt>),
}

impl Host {
    /// A request, as an approver sees it.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn request(&self, id: &RequestId) -> Result<Request, Error> {
        requests::request(&*self.0.journals.store, id).map(|(_, request)| request)
    }

    /// The requests that wait for a decision, oldest first.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn waiting(&self) -> Result<Vec<Waiting>, Error> {
        let (trust, at) = (self.0.trust()?, self.0.now()?);
        let grounds = JudgingContext { trust: &trust, policy: &*self.0.authority.policy };
        requests::waiting(&*self.0.journals.store, grounds, at)
    }

    /// How a request that waits stands.
    ///
    /// # Errors
    /// When there is none of that id.
    pub fn standing(&self, id: &RequestId) -> Result<Waiting, Error> {
        let (key, request) = requests::request(&*self.0.journals.store, id)?;
        let count = self.count(&key, &request)?;
        Ok(Waiting { key, request, count })
    }

    /// Decides a request as a demo decider: signs the receipt and records both. Drive the instance afterwards.
    ///
    /// # Errors
    /// When the request does not wait for a decision, the decider may not decide it, decisions here have to be signed by people, or the
    /// receipt cannot be signed. Nothing has been decided then.
    pub fn decide(&self, id: &RequestId, judgement: &Judgement) -> Result<StoredReceipt, Error> {
        let (key, look, issued) = self.decided(id, judgement)?;
        self.0.signal_from(&key, look, says(id, None, issued.entries(id).into(), Some(&issued)))?;
        Ok(issued.receipt)
    }

    /// The same without blocking the thread until it is on disk.
    ///
    /// # Errors
    /// As [`decide`](Self::decide).
    pub async fn decide_async(&self, id: &RequestId, judgement: &Judgement) -> Result<StoredReceipt, Error> {
        let (key, look, issued) = self.decided(id, judgement)?;
        let says = says(id, None, issued.entries(id).into(), Some(&issued));
        self.0.signal_from_async(&key, look, says).await?;
        Ok(issued.receipt)
    }

    /// A demo decider's decision, signed and not recorded.
    fn decided(&self, id: &RequestId, judgement: &Judgement) -> Result<(InstanceKey, Loaded, Issued), Error> {
        let (key, request, look) = self.open_request(id)?;
        if self.0.authority.scope(&*self.0.trust()?) == Scope::Production {
            return Err(Error::DemoInEarnest(id.clone()));
        }
        if judgement.by.name() == &request.actor {
            return Err(Error::SelfApproval(request.actor.to_string(), id.clone()));
        }
        let issued = self.0.issue(&request, DecisionBasis::Demo(judgement))?;
        Ok((key, look, issued))
    }

    /// What `by` would sign to decide a request: exactly these words, and no others count.
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
        let (_, request, _) = self.open_request(id)?;
        let trust = self.0.trust()?;
        let role = self.role_of(&trust, &request, by, role)?;
        let at = self.0.now()?;
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&ids::random_bytes()?[..16]);
        let longest = match role.is_break_glass() {
            true => issuer::after(at, BREAK_GLASS),
            false => request.expires_at,
        };
        let statement = DecisionStatement {
            matter: issuer::matter(&request, &*self.0.authority.policy)?,
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

    /// Takes in a signed statement about a request. The one that completes the quorum issues the receipt, once.
    ///
    /// # Errors
    /// When the request does not wait for a decision, or the statement does not count: it then says why, and nothing was recorded.
    pub fn sign(&self, id: &RequestId, envelope: &Envelope) -> Result<Recorded, Error> {
        // Somebody else signed at the same moment: count again, with theirs. Nobody loses that often.
        for _ in 0..AT_THE_SAME_MOMENT {
            match self.try_sign(id, envelope) {
                Err(Error::SignedMeanwhile(_)) => {}
                done => return done,
            }
        }
        self.try_sign(id, envelope)
    }

    fn try_sign(&self, id: &RequestId, envelope: &Envelope) -> Result<Recorded, Error> {
        let (key, request, look) = self.open_request(id)?;
        let (trust, at) = (self.0.trust()?, self.0.now()?);
        let grounds = JudgingContext { trust: &trust, policy: &*self.0.authority.policy };
        let decision = issuer::verify_decision(&request, envelope, grounds, at)?;
        // By the clock here, too: when it was signed is the signer's own word.
        let standing = trust.deciders().standing_as_known(decision.key_id(), at, at);
        standing.map_err(|error| issuer::IssueError::Approval(error.into()))?;
        let mut envelopes = requests::envelopes(&look.facts, id)?;
        self.check_counts(&request, &decision, &envelopes)?;
        let before = Some(envelopes.len());
        envelopes.push(envelope.clone());
        let signed = Entry::Signed {
            request: id.clone(),
            decision: decision.decision(),
            decider: decision.person().to_string(),
            key_id: decision.key_id().to_string(),
            envelope: envelope.to_json().canonical(),
        };
        let (count, decisions) = issuer::tally(&request, &envelopes, grounds, at)?;
        issuer::check_open(&request, count.verdict, &trust)?;
        if count.verdict == CountVerdict::Waiting {
            self.0.signal_from(&key, look, says(id, before, vec![signed], None))?;
            return Ok(Recorded::Waiting(count));
        }
        // Said before anything is signed, so that it is known even if that fails. An authority elsewhere says it there.
        if let Some(act) = issuer::glass_broken(&request, &count, &decisions, &trust)
            && !self.0.authority.issuer.is_elsewhere()
        {
            self.0.authority.record_act(&self.0.journals, decision.person().as_str(), act)?;
        }
        let issued = self.0.issue(&request, DecisionBasis::People(&envelopes))?;
        // An authority elsewhere may have decided before, and its answer was lost on the way: then this signature came too late.
        let expected = match count.verdict {
            CountVerdict::Denied | CountVerdict::Forbidden => Decision::Denied,
            _ => Decision::Approved,
        };
        let in_time = issued.decision == expected;
        let signed = in_time.then_some(signed);
        let entries = signed.into_iter().chain(issued.entries(id)).collect();
        self.0.signal_from(&key, look, says(id, before, entries, Some(&issued)))?;
        Ok(Recorded::Issued(Box::new(issued.receipt)))
    }

    /// Takes a request back before it is decided.
    ///
    /// # Errors
    /// When it does not wait for a decision.
    pub fn withdraw(&self, id: &RequestId, by: &str, reason: Option<&str>) -> Result<(), Error> {
        let (key, _, look) = self.open_request(id)?;
        let (by, reason) = (by.to_owned(), reason.map(ToOwned::to_owned));
        self.0.signal_from(
            &key,
            look,
            says(id, None, vec![Entry::Withdrawn { request: id.clone(), by, reason }], None),
        )
    }

    /// Takes a receipt back before it is spent: a signed revocation.
    ///
    /// # Errors
    /// When there is no such receipt, it is a denial, it is spent, or it was revoked before.
    pub fn revoke(&self, id: &ReceiptId, by: &str, reason: Option<&str>) -> Result<StoredReceipt, Error> {
        let (receipt, _) = self.0.journals.store.receipt(id)?.ok_or_else(|| Error::NoReceipt(id.clone()))?;
        if receipt.artifact.status.as_deref() != Some(Decision::Approved.as_str()) {
            return Err(Error::NothingToRevoke(id.clone()));
        }
        let at = self.0.now()?;
        let (name, salt) = (ids::id("rcpt_rev_", at)?, Salt::from_bytes(ids::random_bytes()?));
        let revocation = self.0.authority.issuer.revoke(&receipt, (by, reason), name, salt, at)?;
        let body = serde_json::to_string(&revocation).map_err(|error| Error::Internal(error.to_string()))?;
        self.0.journals.store.revoke(id.clone(), at, body)?;
        Ok(revocation)
    }

    /// Takes in the statement of a second person about what somebody decided alone. It is about the same request; whichever way it
    /// decides, the decision has been looked at.
    ///
    /// # Errors
    /// When the statement does not count, or there is nothing to review.
    pub fn review(&self, id: &RequestId, envelope: &Envelope) -> Result<(), Error> {
        let (_, request) = requests::request(&*self.0.journals.store, id)?;
        if let Some(elsewhere) = self.0.authority.issuer.review(&request, envelope) {
            return Ok(elsewhere?);
        }
        let (trust, at) = (self.0.trust()?, self.0.now()?);
        let act = issuer::review(&request, envelope, &*self.0.authority.policy, &trust, at)?;
        self.0.authority.record_act(&self.0.journals, "review", act)
    }

    /// What `by` would sign to say that they have looked at what somebody decided alone.
    ///
    /// # Errors
    /// When there is nothing to review, or `by` may not.
    pub fn review_statement(
        &self,
        id: &RequestId,
        by: &PersonId,
        decision: Decision,
        reason: &str,
    ) -> Result<DecisionStatement, Error> {
        let (_, request) = requests::request(&*self.0.journals.store, id)?;
        let (trust, at) = (self.0.trust()?, self.0.now()?);
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&ids::random_bytes()?[..16]);
        // To look at something takes any role.
        let alone = Role::BREAK_GLASS.parse().map_err(|error| Error::Internal(format!("{error}")))?;
        let role = self.role_of(&trust, &request, by, None);
        Ok(DecisionStatement {
            matter: issuer::matter(&request, &*self.0.authority.policy)?,
            decision,
            reason: Some(reason.to_owned()),
            decider: by.clone(),
            role: role.or_else(|_| self.role_of(&trust, &request, by, Some(&alone)))?,
            decided_at: at,
            expires_at: issuer::after(at, BREAK_GLASS),
            nonce: Nonce::from_bytes(nonce),
        })
    }

    /// A request that waits for a decision, and the journal that says so.
    fn open_request(&self, id: &RequestId) -> Result<(InstanceKey, Request, Loaded), Error> {
        let (key, request, facts) = requests::request_and_journal(&*self.0.journals.store, id)?;
        let look = self.0.journals.load_at(&key, facts)?;
        check_pending(id, &look.replay)?;
        if self.0.now()? >= request.expires_at {
            let state = "it has lapsed; drive the instance, which will be told";
            return Err(Error::NotWaiting { request: id.clone(), state });
        }
        Ok((key, request, look))
    }

    fn count(&self, key: &InstanceKey, request: &Request) -> Result<Count, Error> {
        let (trust, at) = (self.0.trust()?, self.0.now()?);
        let grounds = JudgingContext { trust: &trust, policy: &*self.0.authority.policy };
        requests::count(&*self.0.journals.store, grounds, key, request, at)
    }

    /// Refuses what would not help: one's own request, a second statement to the same effect.
    fn check_counts(
        &self,
        request: &Request,
        decision: &receipt::VerifiedDecision,
        before: &[Envelope],
    ) -> Result<(), Error> {
        let person = decision.person();
        check_own(request, person)?;
        let (trust, at) = (self.0.trust()?, self.0.now()?);
        let grounds = JudgingContext { trust: &trust, policy: &*self.0.authority.policy };
        let (_, decisions) = issuer::tally(request, before, grounds, at)?;
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

    /// The role in which somebody signs: the one that is named, or else the one of theirs that the policy asks for.
    fn role_of(
        &self,
        trust: &Trust,
        request: &Request,
        by: &PersonId,
        named: Option<&Role>,
    ) -> Result<Role, Error> {
        check_own(request, by)?;
        let person = trust.deciders().person(by).filter(|person| person.removed_at.is_none());
        let person = person.ok_or_else(|| Error::NotADecider(by.clone()))?;
        if !person.decides_for(request.tenant.as_str()) {
            return Err(Error::OtherTenant(by.clone(), request.tenant.clone()));
        }
        let wanted = self.0.authority.policy.roles();
        let helps = |role: &&Role| wanted.contains(role);
        let ordinary = |role: &&Role| !role.is_break_glass();
        let chosen = match named {
            Some(named) => person.roles.iter().find(|role| *role == named),
            None => person.roles.iter().find(helps).or_else(|| person.roles.iter().find(ordinary)),
        };
        chosen.cloned().ok_or_else(|| Error::NoRole { decider: by.clone(), role: named.cloned() })
    }
}

/// How many may sign one request at the same moment before one of them is told to come again.
const AT_THE_SAME_MOMENT: usize = 1_000;

/// A decision taken alone stands for this long. The format's bound.
const BREAK_GLASS: std::time::Duration =
    std::time::Duration::from_millis(receipt::BREAK_GLASS_MS.unsigned_abs());

/// What is recorded about a request, if that still waits. Whoever saw `signed` signatures before has to look again where there are others now.
fn says<'a>(
    id: &'a RequestId,
    signed: Option<usize>,
    entries: Vec<Entry>,
    issued: Option<&'a Issued>,
) -> impl Fn(&Snapshot<'_>) -> Result<Update, Error> + use<'a> {
    move |stand| {
        check_pending(id, stand.replay)?;
        if signed.is_some_and(|signed| signed != requests::signatures(stand.facts, id).count()) {
            return Err(Error::SignedMeanwhile(id.clone()));
        }
        let receipt = issued.map(|issued| Box::new(issued.receipt.clone()));
        Ok(Update { entries: entries.clone(), receipt, ..Update::default() })
    }
}

fn check_pending(id: &RequestId, replay: &Replay) -> Result<(), Error> {
    let not_waiting = |state| Err(Error::NotWaiting { request: id.clone(), state });
    match replay.is_pending(id) {
        true => Ok(()),
        false if replay.status().has_ended() => not_waiting("its instance has ended"),
        false => not_waiting("it was decided, withdrawn, or has lapsed"),
    }
}

fn check_own(request: &Request, person: &PersonId) -> Result<(), Error> {
    match is_own(&request.actor, [request.operator.as_ref(), request.submitter.as_ref()], person) {
        true => Err(Error::SelfApproval(person.to_string(), request.id.clone())),
        false => Ok(()),
    }
}
