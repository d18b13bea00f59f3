//! Checks that a receipt is what `--require` asks for.

use super::requirement::{Requirement, Unmet};
use super::verdict::Receipt;
use receipt::{Decision, Scope, Timestamp, is_demo_key};

impl Requirement {
    /// The requirements in `asked` that `receipt` does not meet at `now`.
    pub(super) fn unmet(asked: &[Self], receipt: &Receipt, now: Timestamp) -> Vec<Unmet> {
        let unmet = |requirement: &Self| {
            let why = requirement.fails(receipt, now)?;
            Some(Unmet { requirement: *requirement, why })
        };
        asked.iter().filter_map(unmet).collect()
    }

    /// Why `receipt` does not meet this requirement; `None` when it does.
    fn fails(self, receipt: &Receipt, now: Timestamp) -> Option<String> {
        let verified = &receipt.verified;
        match self {
            Self::Approved => match (verified.decision(), &receipt.revoked_by) {
                (Decision::Denied, _) => Some("the decision is DENIED".to_owned()),
                (Decision::Approved, Some(revocation)) => {
                    Some(format!("it is revoked by {}", workflow::Quoted(revocation.id())))
                }
                (Decision::Approved, None) => None,
            },
            Self::Production => match verified.scope() {
                None => Some("a jcs_v1 receipt signs no scope".to_owned()),
                Some(Scope::Production) if is_demo_key(verified.key_id()) => {
                    Some("it is signed under a demonstration's key".to_owned())
                }
                Some(Scope::Production) => None,
                Some(scope) => Some(format!("the scope is {scope}")),
            },
            Self::Unexpired => verified
                .is_expired(now)
                .then(|| format!("it could be redeemed until {}, and it is {now}", verified.expires_at())),
            Self::Opened => (receipt.opened.is_none() && verified.signed_request().is_none()).then(|| {
                "the request is not here: take the owner's export, or give --request and --salt".to_owned()
            }),
            Self::Deciders => match &receipt.people {
                Some(Ok(people)) if people.is_empty() => Some(
                    "no person signed: an engine decided, or it is a demonstration or a revocation"
                        .to_owned(),
                ),
                Some(Ok(_)) => None,
                Some(Err(error)) => Some(error.to_string()),
                None => Some("the people's signatures were not checked".to_owned()),
            },
        }
    }
}
