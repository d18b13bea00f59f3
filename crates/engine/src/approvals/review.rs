//! Reviews of break-glass decisions by a second person.

use crate::approvals::decide::{BREAK_GLASS, decider};
use crate::issuer::{JudgingContext, Request, Reviewable};
use crate::{Error, Host, ids, issuer};
use receipt::{Decision, DecisionStatement, Envelope, Nonce, PersonId};
use workflow::RequestId;

impl Host {
    /// Admits a second person's statement about a break-glass decision. The statement is about the same request;
    /// whether the reviewer agrees or not, the decision has then been reviewed. If the request was deleted with its
    /// instance, the statement is about the request that the kept receipt commits to.
    ///
    /// # Errors
    /// The statement does not count, or there is nothing to review.
    pub fn review(&self, id: &RequestId, envelope: &Envelope) -> Result<(), Error> {
        let request = self.undeleted(id)?;
        if let Some(elsewhere) = self.0.governance.issuer.review(id, request.as_ref(), envelope) {
            return Ok(elsewhere?);
        }
        let reviewed = self.reviewable(id, request)?;
        let (trust, at) = self.0.trust_now()?;
        let context = JudgingContext { trust: &trust, policy: &*self.0.governance.policy };
        let act = issuer::review(&reviewed, envelope, context, at)?;
        self.0.governance.record_act(&self.0.journals, "review", act)
    }

    /// The request, unless it was deleted with its instance.
    fn undeleted(&self, id: &RequestId) -> Result<Option<Request>, Error> {
        match self.0.request(id) {
            Ok((_, request)) => Ok(Some(request)),
            Err(Error::NoRequest(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn reviewable(&self, id: &RequestId, request: Option<Request>) -> Result<Reviewable, Error> {
        if let Some(request) = request {
            return Ok(Reviewable::request(&request)?);
        }
        let receipt = self.0.journals.store.receipt_of(id).wait()?;
        let receipt = receipt.ok_or_else(|| Error::NoRequest(id.clone()))?;
        Ok(Reviewable::receipt(id, &receipt, self.0.gate().keys())?)
    }

    /// The statement with which `by` would review a break-glass decision.
    ///
    /// # Errors
    /// There is nothing to review, or `by` may not review it.
    pub fn review_statement(
        &self,
        id: &RequestId,
        by: &PersonId,
        decision: Decision,
        reason: &str,
    ) -> Result<DecisionStatement, Error> {
        let reviewed = self.reviewable(id, self.undeleted(id)?)?;
        let subject = reviewed.subject()?;
        let (trust, at) = self.0.trust_now()?;
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&ids::random_bytes()?[..16]);
        if subject.is_own(by) {
            return Err(Error::SelfApproval(by.to_string(), id.clone()));
        }
        let person = decider(&trust, &subject.tenant, by)?;
        // A review may be in any role.
        let ordinary = person.roles.iter().find(|role| !role.is_break_glass());
        let role = ordinary.or(person.roles.first());
        let role = role.ok_or_else(|| Error::NoRole { decider: by.clone(), role: None })?;
        let statement = DecisionStatement {
            matter: reviewed.matter(&*self.0.governance.policy)?,
            decision,
            reason: Some(reason.to_owned()),
            decider: by.clone(),
            role: role.clone(),
            decided_at: at,
            expires_at: issuer::after(at, BREAK_GLASS),
            nonce: Nonce::from_bytes(nonce),
        };
        statement.validate().map_err(|error| Error::Statement(error.to_string()))?;
        Ok(statement)
    }
}
