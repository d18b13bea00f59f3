//! Decisions for demonstrations, which no production gate accepts.

use crate::issuer::judging::DecisionContent;
use crate::issuer::{IssueOrder, RECEIPT_LIFETIME, after};
use policy::Policy;
use receipt::{Attribution, AuthMethod, Decider, Decision, Resolution, Scope};
use workflow::ActorId;

/// A demo decider's word about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The decision.
    pub decision: Decision,
    /// The decider.
    pub by: DemoDecider,
    /// In the decider's words.
    pub reason: Option<String>,
}

/// The demo decider: a person at this machine's terminal, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoDecider(ActorId);

impl DemoDecider {
    /// A demo decider of that name.
    #[must_use]
    pub fn new(name: ActorId) -> Self {
        Self(name)
    }

    /// The decider's name.
    #[must_use]
    pub fn name(&self) -> &ActorId {
        &self.0
    }

    /// The decider as the receipt names it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("demo:{}", self.0)
    }
}

/// The content of a demo decision's receipt.
pub(super) fn verdict(judgement: &Judgement, order: &IssueOrder<'_>, policy: &dyn Policy) -> DecisionContent {
    let (code, resolution) = match judgement.decision {
        Decision::Approved => ("APPROVAL_GRANTED", Resolution::AllowOnce),
        Decision::Denied => ("APPROVAL_DENIED", Resolution::Deny),
    };
    DecisionContent {
        decision: judgement.decision,
        decider: Decider {
            resolution: Some(resolution),
            ..anonymous(judgement.by.id(), judgement.by.0.to_string())
        },
        reason: judgement.reason.clone(),
        codes: vec![code.to_owned()],
        policy_version: policy.version(),
        approvals: Vec::new(),
        expires_at: after(order.at, RECEIPT_LIFETIME),
    }
}

/// The operator of this host, as far as the system knows: an account's name, joined to the receipt and not proven.
pub(super) fn operator(scope: Scope, account: &str) -> Decider {
    match scope {
        Scope::Demo => anonymous(format!("demo:{account}"), account.to_owned()),
        Scope::Production => Decider {
            id: format!("user:{account}"),
            display: account.to_owned(),
            auth_method: None,
            resolution: Some(Resolution::Deny),
            attribution: Attribution::Heuristic,
            proof: None,
        },
    }
}

fn anonymous(id: String, display: String) -> Decider {
    Decider {
        id,
        display,
        auth_method: Some(AuthMethod::AnonymousDemo),
        resolution: Some(Resolution::Deny),
        attribution: Attribution::Unattributed,
        proof: None,
    }
}
