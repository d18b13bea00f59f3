//! The ends of requests: the outcome, the deciders, and the receipt.

use receipt::{Decision, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use store::Fact;
use workflow::{Entry, Escaped, Quoted, ReceiptId, RequestId};

/// The way in which a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestOutcome {
    /// The action was approved.
    Approved,
    /// The action was denied.
    Denied,
    /// The request was not decided in time.
    Lapsed,
    /// The request was withdrawn before it was decided.
    Withdrawn,
}

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestEnd {
    /// The kind of the end.
    pub outcome: RequestOutcome,
    /// The time of the end.
    pub at: Timestamp,
    /// The people who decided or withdrew it: `user:` and a decider's id, `demo:`, `policy:`, or an account. Empty
    /// if it lapsed.
    pub by: Vec<String>,
    /// The reason.
    pub reason: Option<String>,
    /// The receipt of the decision.
    pub receipt: Option<ReceiptId>,
}

impl RequestEnd {
    /// The end of a request that had lapsed at that time.
    #[must_use]
    pub fn lapsed(at: Timestamp) -> Self {
        Self { outcome: RequestOutcome::Lapsed, at, by: Vec::new(), reason: None, receipt: None }
    }

    /// The end of that request in the journal of its instance; none while it waits.
    #[must_use]
    pub fn of(facts: &[Fact], id: &RequestId) -> Option<Self> {
        facts.iter().rev().find_map(|fact| {
            let (outcome, by, reason) = match &fact.entry {
                Entry::Decided { request, decision, decider, reason } if request == id => {
                    let outcome = match decision {
                        Decision::Approved => RequestOutcome::Approved,
                        Decision::Denied => RequestOutcome::Denied,
                    };
                    (outcome, deciders(facts, id, *decision, decider), reason.clone())
                }
                Entry::Lapsed { request } if request == id => (RequestOutcome::Lapsed, Vec::new(), None),
                Entry::Withdrawn { request, by, reason } if request == id => {
                    (RequestOutcome::Withdrawn, vec![by.clone()], reason.clone())
                }
                _ => return None,
            };
            Some(Self { outcome, at: fact.at, by, reason, receipt: receipt(facts, id) })
        })
    }
}

/// Everyone who signed the decision; the decider, if the decision was taken without signatures.
fn deciders(facts: &[Fact], id: &RequestId, made: Decision, decider: &str) -> Vec<String> {
    let mut all = Vec::new();
    for fact in facts {
        if let Entry::Signed { request, decision, decider, .. } = &fact.entry
            && request == id
            && *decision == made
            && !all.contains(&format!("user:{decider}"))
        {
            all.push(format!("user:{decider}"));
        }
    }
    if all.is_empty() { vec![decider.to_owned()] } else { all }
}

fn receipt(facts: &[Fact], id: &RequestId) -> Option<ReceiptId> {
    facts.iter().find_map(|fact| match &fact.entry {
        Entry::Issued { request, receipt, .. } if request == id => Some(receipt.clone()),
        _ => None,
    })
}

/// A word that is not an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an outcome; the outcomes are approved, denied, lapsed and withdrawn")]
pub struct UnknownOutcome;

impl FromStr for RequestOutcome {
    type Err = UnknownOutcome;

    fn from_str(word: &str) -> Result<Self, UnknownOutcome> {
        let all = [Self::Approved, Self::Denied, Self::Lapsed, Self::Withdrawn];
        all.into_iter().find(|outcome| outcome.to_string() == word).ok_or(UnknownOutcome)
    }
}

/// The word in lists.
impl fmt::Display for RequestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Lapsed => "lapsed",
            Self::Withdrawn => "withdrawn",
        })
    }
}

/// `approved by user:alice at 2026-11-24T03:08:55.121Z, receipt rcpt_1`.
impl fmt::Display for RequestEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcome, at, by, reason, receipt } = self;
        write!(f, "{outcome}")?;
        if !by.is_empty() {
            write!(f, " by {}", Escaped(&by.join(", ")))?;
        }
        write!(f, " at {at}")?;
        receipt.iter().try_for_each(|receipt| write!(f, ", receipt {receipt}"))?;
        reason.iter().try_for_each(|reason| write!(f, ": {}", Quoted(reason)))
    }
}
