//! Reviews of break-glass decisions: the statement that a second person signs, and the act that records it.

use crate::issuer::{IssueError, JudgingContext, Request};
use crate::trust::{Act, Precedents, Subject};
use policy::Policy;
use receipt::{Digest, Envelope, Expected, Json, Key, KeySet, KeyStatus, Matter};
use store::StoredReceipt;
use workflow::RequestId;

/// The request that a review is about.
pub(crate) struct Reviewable {
    id: RequestId,
    document: Json,
    /// The digest of the text that the reviewer is shown.
    view: Digest,
}

impl Reviewable {
    /// A request on record. It has ended.
    pub(crate) fn request(request: &Request) -> Result<Self, IssueError> {
        let document = request.document().map_err(unreadable)?;
        Ok(Self { id: request.id.clone(), document, view: request.view_digest() })
    }

    /// The receipt of a request that was deleted with its instance. The reviewer is shown the request text that this
    /// receipt commits to.
    pub(crate) fn receipt(
        id: &RequestId,
        receipt: &StoredReceipt,
        keys: &KeySet,
    ) -> Result<Self, IssueError> {
        let unverified = |error: receipt::VerifyError| {
            IssueError::Request(format!("receipt {} does not verify: {error}", receipt.id))
        };
        let opening = receipt.opening().ok_or_else(|| {
            IssueError::Request(format!("receipt {} is stored without its opening", receipt.id))
        })?;
        let verified = receipt::verify(&receipt.artifact, &ever_good(keys)?).map_err(unverified)?;
        let opened = verified.open(&opening).map_err(unverified)?;
        let document = opened.request().clone();
        let named = document.pointer(["action", "parameters", "requestId"]).and_then(Json::as_str);
        match named == Some(id.as_str()) {
            true => Ok(Self { id: id.clone(), document, view: Digest::of(receipt.request_json.as_bytes()) }),
            false => Err(IssueError::Request(format!(
                "receipt {} is stored for request {id}, but is about another request",
                receipt.id
            ))),
        }
    }

    /// The tenant, and the people who are responsible for the request.
    pub(crate) fn subject(&self) -> Result<Subject, IssueError> {
        Ok(Subject::of(&self.document, &Precedents::default())?)
    }

    /// The matter of a statement about it.
    pub(crate) fn matter(&self, policy: &dyn Policy) -> Result<Matter, IssueError> {
        Matter::of(&self.document, self.view, policy.digest()).map_err(unreadable)
    }
}

/// The act that records a second person's review of a break-glass decision, by a statement that arrives at `at`. The
/// request has ended, so only the statement's subject is compared.
pub(crate) fn review(
    reviewed: &Reviewable,
    envelope: &Envelope,
    context: JudgingContext<'_>,
    at: receipt::Timestamp,
) -> Result<Act, IssueError> {
    let id = &reviewed.id;
    let (_, alone) =
        context.trust.unreviewed().find(|(alone, _)| *alone == id).ok_or_else(|| {
            IssueError::Undecided(format!("no person decided {id} alone, or it was reviewed"))
        })?;
    let matter = reviewed.matter(context.policy)?;
    // A statement that was signed before the decision is not a review of it. A statement that arrives when its key has
    // ended does not count either, whatever time it claims.
    let expected = Expected { decided_from: Some(alone.at), ..Expected::about(&matter, at) };
    let decision = context.trust.deciders().admit(envelope, &expected)?;
    if reviewed.subject()?.is_own(decision.person()) {
        return Err(IssueError::Undecided(format!("{} cannot review their own request", decision.person())));
    }
    Ok(Act::Reviewed {
        request: id.clone(),
        decider: decision.person().clone(),
        envelope: decision.envelope().to_json().canonical(),
    })
}

/// The keys as they were before any was revoked. A review acts on nothing that a revoked key signed, and without the
/// review no further request would ever be approved.
fn ever_good(keys: &KeySet) -> Result<KeySet, IssueError> {
    let mut good = KeySet::new(keys.issuer());
    for key in keys.keys() {
        let key = Key { status: KeyStatus::Rotated, revoked_at: None, ..key.clone() };
        good.insert(key).map_err(unreadable)?;
    }
    Ok(good)
}

fn unreadable(error: impl std::fmt::Display) -> IssueError {
    IssueError::Request(error.to_string())
}
