//! What governs a host: the issuer, the policy, and the operators' acts, which say who may decide.

use crate::issuer::{DecisionBasis, IssueOrder, Issued, Issuer, JudgingContext, Request};
use crate::runtime::journals::Journals;
use crate::trust::{Act, RecordedTrustAct, Trust};
use crate::{Error, ids, text_limits};
use policy::Policy;
use receipt::{Salt, Scope, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use store::StoreError;
use workflow::{Call, Effect, Entry, ReceiptId};

/// Called with each change at an authority in another process, as a line of text.
pub(crate) type AuthorityChangeHandler = Box<dyn Fn(&str) + Send + Sync>;

/// The issuer, and the inputs by which it judges.
pub(crate) struct Governance {
    pub(crate) issuer: Box<dyn Issuer>,
    pub(crate) policy: Box<dyn Policy>,
    /// Whether there is a policy that an operator wrote.
    pub(crate) governed: bool,
    /// The required scope of receipts, if the settings state it.
    pub(crate) required_scope: Option<Scope>,
    pub(crate) trust: Mutex<Arc<Trust>>,
    /// Called with what changes at an authority in another process.
    pub(crate) on_authority_change: AuthorityChangeHandler,
}

impl Governance {
    /// All operators' acts: another process may have recorded one since the last look.
    pub(crate) fn trust(&self, journals: &Journals) -> Result<Arc<Trust>, Error> {
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        // If the authority is in another process, this folder has a copy of its acts. Redeeming checks that there is no
        // later act.
        if self.issuer.is_remote() {
            self.copy_acts(journals, &mut trust)?;
        }
        let since = journals.store.acts(trust.seq()).wait()?;
        if !since.is_empty() {
            Arc::make_mut(&mut trust).extend(&since)?;
        }
        Ok(Arc::clone(&trust))
    }

    /// The operators' acts, and the time to judge by. The time is not before the last act: judged by an earlier one, a removed decider would
    /// count still. The clock of the host that recorded the act may be a little ahead of this one's.
    pub(crate) fn trust_now(&self, journals: &Journals) -> Result<(Arc<Trust>, Timestamp), Error> {
        let trust = self.trust(journals)?;
        let now = journals.now()?;
        let at = trust.latest().map_or(now, |latest| latest.max(now));
        Ok((trust, at))
    }

    /// Has a request judged, and the result signed.
    pub(crate) fn issue(
        &self,
        request: &Request,
        basis: DecisionBasis<'_>,
        (trust, at): (&Trust, Timestamp),
    ) -> Result<Issued, Error> {
        let (id, salt) = (ids::id("rcpt_", at)?, Salt::from_bytes(ids::random_bytes()?));
        let order = IssueOrder { request, basis, id, salt, at };
        Ok(self.issuer.issue(&order, JudgingContext { trust, policy: &*self.policy })?)
    }

    /// The scope of receipts that count here. By default, `production` as soon as there are deciders.
    pub(crate) fn scope(&self, trust: &Trust) -> Scope {
        // A folder where people decided stays so: a missing policy file does not make it a demonstration.
        let earnest = self.governed || trust.is_earnest();
        self.required_scope.unwrap_or(if earnest { Scope::Production } else { Scope::Demo })
    }

    /// The entry for an outcome, signed.
    pub(crate) fn attested(
        &self,
        journals: &Journals,
        call: Call,
        receipt: &ReceiptId,
        scope: Scope,
        effect: &Effect,
    ) -> Result<Entry, Error> {
        let (key_id, document) = self.issuer.attest(receipt, scope, effect, journals.now()?)?;
        Ok(Entry::Attested { call, receipt: receipt.clone(), key_id, document })
    }

    /// Records that another policy governs than the last one. A missing policy file is an error: without it, one person's approval would be
    /// enough if it asks for more.
    pub(crate) fn adopt_policy(&self, journals: &Journals) -> Result<(), Error> {
        let policy = self.policy.digest();
        match self.trust(journals)?.policy() {
            _ if self.issuer.is_remote() => Ok(()),
            Some(before) if before == policy => Ok(()),
            None if !self.governed => Ok(()),
            Some(before) if !self.governed => Err(Error::PolicyMissing(before)),
            _ => self.record_act(journals, "pp-host", Act::PolicyAdopted { policy }),
        }
    }

    /// Records an operator's act, if it is consistent with the acts before it.
    pub(crate) fn record_act(&self, journals: &Journals, by: &str, act: Act) -> Result<(), Error> {
        if self.issuer.is_remote() {
            return Err(Error::ActsAtAuthority);
        }
        check_words(by, &act)?;
        let said = RecordedTrustAct { by: by.to_owned(), act };
        let body = serde_json::to_string(&said).map_err(|error| Error::Internal(error.to_string()))?;
        loop {
            // Not before the last act: a review at an earlier time would count as made before a compromise.
            let (trust, at) = self.trust_now(journals)?;
            let mut trust = (*trust).clone();
            trust.apply(at, &said.act)?;
            match journals.store.act(trust.seq(), at, body.clone()) {
                Err(StoreError::ActsMoved) => {}
                said => return Ok(said?),
            }
        }
    }
}

/// Bounds the free text of an act before it is stored. Names and times are bounded by their types.
fn check_words(by: &str, act: &Act) -> Result<(), Error> {
    let reason = match act {
        Act::KeyRevoked { reason, .. }
        | Act::DeciderRemoved { reason, .. }
        | Act::Frozen { reason, .. }
        | Act::Thawed { reason, .. }
        | Act::TokenRevoked { reason, .. }
        | Act::BreakGlassUsed { reason, .. } => Some(reason.as_str()),
        Act::DeciderAdded { .. }
        | Act::KeyAdded { .. }
        | Act::TokenCreated { .. }
        | Act::DeciderInvited { .. }
        | Act::PasskeyRegistered { .. }
        | Act::PolicyAdopted { .. }
        // The reason was parsed from an envelope, which is bounded.
        | Act::Reviewed { .. } => None,
    };
    text_limits::check(by, reason)?;
    match act {
        Act::KeyAdded { kind, public_key, .. } | Act::PasskeyRegistered { kind, public_key, .. } => {
            text_limits::check_key(kind).and(text_limits::check_key(public_key))?
        }
        Act::KeyRevoked { key_id, .. } => text_limits::check_key(key_id)?,
        _ => {}
    }
    Ok(())
}
