//! Counting: whose signed decisions about a request count, and what they come to under a policy.

use crate::trust::Subject;
use policy::{Answer, Approver, Ask, Policy, Ruling};
use receipt::{Decision, PersonId, VerifiedDecision};
use std::collections::{BTreeMap, BTreeSet};

/// What signed decisions come to.
#[derive(Debug, Clone)]
pub struct Count {
    /// What the policy says to the action with everybody's approval that counts.
    pub ruling: Ruling,
    /// What they come to.
    pub verdict: CountVerdict,
    /// Who has approved and counts.
    pub approved: BTreeSet<PersonId>,
    /// Who has denied and counts.
    pub denied: BTreeSet<PersonId>,
    /// Who would decide alone, and may.
    pub alone: BTreeSet<PersonId>,
}

/// What signed decisions come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountVerdict {
    /// Not enough of them yet.
    Waiting,
    /// Enough approve, or the policy asks nobody.
    Approved,
    /// Somebody approves alone, who may.
    Alone,
    /// Enough deny.
    Denied,
    /// The policy says no, whoever approves.
    Forbidden,
}

/// Counts people, not signatures, in whatever order they come. Whoever both approved and denied has denied. The operator of the actor
/// and the submitter do not count. A denial counts from whoever's approval could.
#[must_use]
pub fn count(policy: &dyn Policy, subject: &Subject, decisions: &[VerifiedDecision]) -> Count {
    let counting = decisions.iter().filter(|decision| !subject.is_own(decision.person()));
    let (mut approved, mut denied, mut alone) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for decision in counting {
        match (decision.decision(), decision.role().is_break_glass()) {
            (Decision::Denied, _) => drop(denied.insert(decision.person().clone())),
            (Decision::Approved, true) => drop(alone.insert(decision.person().clone())),
            (Decision::Approved, false) => {
                let roles: &mut BTreeSet<_> = approved.entry(decision.person().clone()).or_default();
                roles.insert(decision.role().clone());
            }
        }
    }
    approved.retain(|person, _| !denied.contains(person));
    alone.retain(|person| !denied.contains(person));
    let asked = policy.rule(&subject.question(&[])).answer;
    if let Answer::Ask(ask) = &asked {
        approved.retain(|_, roles| ask.counts(roles));
    }
    let approvers: Vec<_> = approved
        .iter()
        .map(|(person, roles)| Approver { person: person.clone(), roles: roles.clone() })
        .collect();
    let ruling = policy.rule(&subject.question(&approvers));
    let verdict = match (&asked, &ruling.answer) {
        (_, Answer::Deny) | (Answer::Deny, _) => CountVerdict::Forbidden,
        (Answer::Ask(ask), _) if enough_deny(ask, decisions, &denied) => CountVerdict::Denied,
        // A policy that asks nobody any more still hears a no.
        (Answer::Allow, _) if !denied.is_empty() => CountVerdict::Denied,
        (_, Answer::Allow) => CountVerdict::Approved,
        (_, Answer::Ask(_)) if !alone.is_empty() => CountVerdict::Alone,
        (_, Answer::Ask(_)) => CountVerdict::Waiting,
    };
    Count { ruling, verdict, approved: approved.into_keys().collect(), denied, alone }
}

fn enough_deny(ask: &Ask, decisions: &[VerifiedDecision], denied: &BTreeSet<PersonId>) -> bool {
    let may = |person: &&PersonId| {
        let roles = decisions.iter().filter(|decision| decision.person() == *person);
        ask.counts(&roles.map(|decision| decision.role().clone()).collect())
    };
    let people = denied.iter().filter(may).count();
    u32::try_from(people).unwrap_or(u32::MAX) >= ask.denials
}
