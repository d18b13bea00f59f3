//! Permission Protocol: asking for permission to act.

pub use crate::bindings::permission_protocol::tenant::pp::{Action, Artifact, Denial, Receipt, Withdrawal};

use crate::bindings::permission_protocol::tenant::pp;
use crate::bindings::permission_protocol::tenant::side_by_side::Ready;
use crate::pending::out_of_turn;
use crate::{Failure, Pending, failure};
use std::fmt;

/// Asks for permission to perform `action`, and waits for the decision, however long that takes.
///
/// # Errors
/// There is no permission.
pub fn require_approval(action: &Action) -> Result<Receipt, Refusal> {
    pp::require_approval(action).map_err(Into::into)
}

/// Asks for permission, and returns at once.
///
/// # Errors
/// The host rejects the action as invalid: [`Refusal::Invalid`].
pub fn start_require_approval(
    action: &Action,
) -> Result<Pending<'static, Result<Receipt, Refusal>>, Refusal> {
    let pending = pp::start_require_approval(action).map_err(Refusal::Invalid)?;
    Ok(Pending::new(pending, |ended| match ended {
        Ready::Approval(answer) => answer.map_err(Into::into),
        other => out_of_turn("a request", &other),
    }))
}

/// Why there is no permission.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// A decider with the authority to decide denied the request. The denial is final for this request.
    Denied(Denial),
    /// The request was withdrawn.
    Withdrawn(Withdrawal),
    /// The request expired without a decision; the value is the request's identifier.
    Expired(String),
    /// The host rejects the action as invalid; the text says what is wrong and how to fix it.
    Invalid(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason =
            |reason: &Option<String>| reason.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
        match self {
            Self::Denied(denial) => {
                write!(f, "{} was denied by {}{}", denial.request_id, denial.decider, reason(&denial.reason))
            }
            Self::Withdrawn(withdrawal) => {
                write!(f, "{} was taken back{}", withdrawal.request_id, reason(&withdrawal.reason))
            }
            Self::Expired(request) => write!(f, "nobody decided about {request} in time"),
            Self::Invalid(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let name = match refusal {
            Refusal::Denied(_) => "denied",
            Refusal::Withdrawn(_) => "withdrawn",
            Refusal::Expired(_) => "expired",
            Refusal::Invalid(_) => "invalid-action",
        };
        failure(name, refusal)
    }
}

impl From<pp::Refusal> for Refusal {
    fn from(refusal: pp::Refusal) -> Self {
        match refusal {
            pp::Refusal::Denied(denial) => Self::Denied(denial),
            pp::Refusal::Withdrawn(withdrawal) => Self::Withdrawn(withdrawal),
            pp::Refusal::Expired(request) => Self::Expired(request),
            pp::Refusal::Invalid(message) => Self::Invalid(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_who_and_why() {
        let denial = Denial {
            request_id: "apr_1".to_owned(),
            receipt_id: "rcpt_1".to_owned(),
            decider: "user:olga".to_owned(),
            reason: Some("not today".to_owned()),
        };
        let denied = Failure::from(Refusal::Denied(denial));
        assert_eq!(denied, failure("denied", "apr_1 was denied by user:olga: not today"));
        let expired = Failure::from(Refusal::Expired("apr_1".to_owned()));
        assert_eq!(expired, failure("expired", "nobody decided about apr_1 in time"));
    }
}
