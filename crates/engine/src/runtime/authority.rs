//! By what a host decides: the issuer, the policy, and the operators' acts, which say who may decide.

use crate::issuer::{DecisionBasis, Environment, IssueOrder, Issued, Issuer, JudgingContext, Request};
use crate::runtime::journals::Journals;
use crate::trust::{Act, RecordedTrustAct, Trust};
use crate::{Error, ids};
use policy::Policy;
use receipt::{Salt, Scope, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use store::{RecordedAct, StoreError};
use workflow::{Call, Effect, Entry, ReceiptId};

/// The issuer, and what it judges by.
pub(crate) struct Authority {
    pub(crate) issuer: Box<dyn Issuer>,
    pub(crate) policy: Box<dyn Policy>,
    /// There is a policy that an operator wrote.
    pub(crate) governed: bool,
    /// Which receipts count, where the settings say so.
    pub(crate) required_scope: Option<Scope>,
    pub(crate) environment: Environment,
    pub(crate) trust: Mutex<Arc<Trust>>,
}

impl Authority {
    /// What operators have said, all of it: another process may have recorded something since the last look.
    pub(crate) fn trust(&self, journals: &Journals) -> Result<Arc<Trust>, Error> {
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        // Where operators say it elsewhere, this folder has a copy, act by act: redeeming checks that nothing was said since.
        if self.issuer.is_elsewhere() {
            let kept = journals.store.acts(trust.seq())?;
            Arc::make_mut(&mut trust).extend(&kept)?;
            for act in self.issuer.acts(trust.seq()).transpose()?.unwrap_or_default() {
                Self::copy_act(journals, act)?;
            }
        }
        let since = journals.store.acts(trust.seq())?;
        if !since.is_empty() {
            Arc::make_mut(&mut trust).extend(&since)?;
        }
        Ok(Arc::clone(&trust))
    }

    /// Keeps a copy of what was said elsewhere. Another process of this host may have been first; somebody else's words are another matter.
    fn copy_act(journals: &Journals, RecordedAct { seq, at, body }: RecordedAct) -> Result<(), Error> {
        let seen = seq.saturating_sub(1);
        match journals.store.act(seen, at, body.clone()) {
            Err(StoreError::ActsMoved)
                if journals.store.acts(seen)?.first().is_some_and(|kept| kept.body == body) =>
            {
                Ok(())
            }
            Err(StoreError::ActsMoved) => Err(Error::OtherAuthority),
            written => Ok(written?),
        }
    }

    /// Has a request judged, and what comes of it signed.
    pub(crate) fn issue(
        &self,
        journals: &Journals,
        request: &Request,
        basis: DecisionBasis<'_>,
    ) -> Result<Issued, Error> {
        let at = journals.now()?;
        let (id, salt) = (ids::id("rcpt_", at)?, Salt::from_bytes(ids::random_bytes()?));
        let order = IssueOrder { request, basis, id, salt, at };
        let trust = self.trust(journals)?;
        Ok(self.issuer.issue(&order, JudgingContext { trust: &trust, policy: &*self.policy })?)
    }

    /// Which receipts count here. Where nobody has said, those that people sign as soon as there are people.
    pub(crate) fn scope(&self, trust: &Trust) -> Scope {
        // Once it was in earnest, it stays so: a policy file that is gone does not make it a demonstration.
        let earnest = self.governed || trust.policy().is_some() || !trust.deciders().people().is_empty();
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

    /// Records that another policy governs than the last one.
    pub(crate) fn adopt_policy(&self, journals: &Journals) -> Result<(), Error> {
        let policy = self.policy.digest();
        // The one that holds where nobody wrote one goes without saying, until somebody has.
        let before = self.trust(journals)?.policy();
        match before.map_or(!self.governed, |before| before == policy) || self.issuer.is_elsewhere() {
            true => Ok(()),
            false => self.record_act(journals, "pp-host", Act::PolicyAdopted { policy }),
        }
    }

    /// Records what an operator does, if it is consistent with the acts before it.
    pub(crate) fn record_act(&self, journals: &Journals, by: &str, act: Act) -> Result<(), Error> {
        if self.issuer.is_elsewhere() {
            return Err(Error::SaidElsewhere);
        }
        let said = RecordedTrustAct { by: by.to_owned(), act };
        let body = serde_json::to_string(&said).map_err(|error| Error::Internal(error.to_string()))?;
        loop {
            let (mut trust, at): (Trust, Timestamp) = ((*self.trust(journals)?).clone(), journals.now()?);
            trust.apply(at, &said.act)?;
            match journals.store.act(trust.seq(), at, body.clone()) {
                Err(StoreError::ActsMoved) => {}
                said => return Ok(said?),
            }
        }
    }
}
