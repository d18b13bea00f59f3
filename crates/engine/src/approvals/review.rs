//! Reviews of break-glass decisions by a second person.

use crate::approvals::decide::{BREAK_GLASS, check_own, decider};
use crate::issuer::JudgingContext;
use crate::{Error, Host, ids, issuer};
use receipt::{Decision, DecisionStatement, Envelope, Nonce, PersonId};
use workflow::RequestId;

impl Host {
    /// Admits a second person's statement about a break-glass decision. It is about the same request; whether it agrees
    /// or not, the decision has then been reviewed.
    ///
    /// # Errors
    /// When the statement does not count, or there is nothing to review.
    pub fn review(&self, id: &RequestId, envelope: &Envelope) -> Result<(), Error> {
        let (_, request) = self.0.request(id)?;
        if let Some(elsewhere) = self.0.authority.issuer.review(&request, envelope) {
            return Ok(elsewhere?);
        }
        let (trust, at) = self.0.trust_now()?;
        let context = JudgingContext { trust: &trust, policy: &*self.0.authority.policy };
        let act = issuer::review(&request, envelope, context, at)?;
        self.0.authority.record_act(&self.0.journals, "review", act)
    }

    /// The statement with which `by` would review a break-glass decision.
    ///
    /// # Errors
    /// When there is nothing to review, or `by` may not review it.
    pub fn review_statement(
        &self,
        id: &RequestId,
        by: &PersonId,
        decision: Decision,
        reason: &str,
    ) -> Result<DecisionStatement, Error> {
        let (_, request) = self.0.request(id)?;
        let (trust, at) = self.0.trust_now()?;
        let mut nonce = [0; 16];
        nonce.copy_from_slice(&ids::random_bytes()?[..16]);
        // A review may be in any role.
        check_own(&request, by.as_str())?;
        let person = decider(&trust, &request, by)?;
        let ordinary = person.roles.iter().find(|role| !role.is_break_glass());
        let role = ordinary.or(person.roles.first());
        let role = role.ok_or_else(|| Error::NoRole { decider: by.clone(), role: None })?;
        let statement = DecisionStatement {
            matter: issuer::matter(&request, &*self.0.authority.policy)?,
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
