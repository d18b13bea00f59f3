//! Counting: which signed decisions about a request count, and their result under a policy.

use crate::trust::Subject;
use policy::{Answer, Approver, KeyClass, Policy, Ruling};
use receipt::{Decision, PersonId, Role, VerifiedDecision};
use std::collections::{BTreeMap, BTreeSet};

/// The result of signed decisions.
#[derive(Debug, Clone)]
pub struct Count {
    /// The policy's answer to the action with all approvals that count.
    pub ruling: Ruling,
    /// The verdict.
    pub verdict: CountVerdict,
    /// The people whose approvals count.
    pub approved: BTreeSet<PersonId>,
    /// The people whose denials count.
    pub denied: BTreeSet<PersonId>,
    /// The people who would decide alone, and may.
    pub alone: BTreeSet<PersonId>,
    /// The statements that support the verdict, to which a receipt has to commit. One for each person and role; empty
    /// if the request is undecided or the policy forbids it.
    pub statements: Vec<VerifiedDecision>,
}

/// The verdict of signed decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountVerdict {
    /// More are needed.
    Waiting,
    /// Enough approve, or the policy asks no person.
    Approved,
    /// A person with the break-glass role approves alone.
    Alone,
    /// Enough deny.
    Denied,
    /// The policy denies, regardless of approvals.
    Forbidden,
}

/// Whether a decision in this role can count, regardless of the others. A denial counts in the same roles as an
/// approval. The break-glass role can approve alone, and its denials count like those of any other decider.
#[must_use]
pub fn can_count(asked: &Answer, decision: Decision, role: &Role) -> bool {
    match asked {
        Answer::Ask(_) if decision == Decision::Approved && role.is_break_glass() => true,
        Answer::Ask(ask) => ask.counts(&[role.clone()].into()),
        // The policy asks for no particular role.
        Answer::Allow | Answer::Deny => true,
    }
}

/// Whether an approval is by a key of the required class. A denial counts with any key.
#[must_use]
pub fn key_counts(asked: &Answer, decision: &VerifiedDecision) -> bool {
    let class = match decision.assertion() {
        None => KeyClass::Any,
        Some(assertion) if assertion.backup_eligible => KeyClass::Passkey,
        Some(_) => KeyClass::DeviceBound,
    };
    match asked {
        Answer::Ask(ask) => decision.decision() == Decision::Denied || class >= ask.keys,
        Answer::Allow | Answer::Deny => true,
    }
}

/// Counts people, not signatures, in any order. A person who approved and denied has denied. The operator of the actor
/// and the submitter do not count. A statement counts in its own role and in no other that its signer may have.
#[must_use]
pub fn count(policy: &dyn Policy, subject: &Subject, decisions: &[VerifiedDecision]) -> Count {
    let asked = policy.rule(&subject.question(&[])).answer;
    let others: Vec<_> = decisions.iter().filter(|decision| !subject.is_own(decision.person())).collect();
    let mut chosen = Chosen::of(&asked, &others);
    let approved = people(&chosen.approvals);
    let (denied, alone) = (people(&chosen.denials), people(&chosen.alone));
    let ruling_on = |chosen: &Chosen<'_>| policy.rule(&subject.question(&chosen.approvers()));
    let ruling = ruling_on(&chosen);
    let verdict = match (&asked, &ruling.answer) {
        (_, Answer::Deny) | (Answer::Deny, _) => CountVerdict::Forbidden,
        (Answer::Ask(ask), _) if reaches(denied.len(), ask.denials) => CountVerdict::Denied,
        // A denial counts even when the policy no longer asks people.
        (Answer::Allow, _) if !denied.is_empty() => CountVerdict::Denied,
        (_, Answer::Allow) => CountVerdict::Approved,
        (_, Answer::Ask(_)) if !alone.is_empty() => CountVerdict::Alone,
        (_, Answer::Ask(_)) => CountVerdict::Waiting,
    };
    if verdict == CountVerdict::Approved {
        chosen.fit(|fewer| ruling_on(fewer).answer == Answer::Allow);
    }
    Count { ruling, verdict, approved, denied, alone, statements: chosen.bearing(verdict) }
}

/// The statements that can count, each person's in each role once.
struct Chosen<'a> {
    approvals: Vec<&'a VerifiedDecision>,
    denials: Vec<&'a VerifiedDecision>,
    alone: Vec<&'a VerifiedDecision>,
}

impl<'a> Chosen<'a> {
    fn of(asked: &Answer, decisions: &[&'a VerifiedDecision]) -> Self {
        // A person who denied has not approved, whether the denial can count or not.
        let refusing: BTreeSet<_> = decisions
            .iter()
            .filter(|decision| decision.decision() == Decision::Denied)
            .map(|decision| decision.person())
            .collect();
        let (mut approvals, mut denials, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        for decision in decisions {
            if !can_count(asked, decision.decision(), decision.role()) || !key_counts(asked, decision) {
                continue;
            }
            match (decision.decision(), decision.role().is_break_glass()) {
                (Decision::Denied, _) => denials.push(*decision),
                (Decision::Approved, _) if refusing.contains(decision.person()) => {}
                (Decision::Approved, true) => alone.push(*decision),
                (Decision::Approved, false) => approvals.push(*decision),
            }
        }
        Self { approvals: once(asked, &approvals), denials: once(asked, &denials), alone }
    }

    fn approvers(&self) -> Vec<Approver> {
        people(&self.approvals).into_iter().map(|person| self.approver(person)).collect()
    }

    fn approver(&self, person: PersonId) -> Approver {
        let own = self.approvals.iter().filter(|decision| *decision.person() == person);
        let roles = own.map(|decision| decision.role().clone()).collect();
        Approver { person, roles }
    }

    /// Leaves out approvals until a receipt can commit to the others, as long as these suffice. More people than a receipt commits to may
    /// sign in one role before the first does in another.
    fn fit(&mut self, suffices: impl Fn(&Self) -> bool) {
        let mut at = self.approvals.len();
        while self.approvals.len() > receipt::MAX_APPROVALS && at > 0 {
            at -= 1;
            let left_out = self.approvals.remove(at);
            if !suffices(self) {
                self.approvals.insert(at, left_out);
            }
        }
    }

    fn bearing(self, verdict: CountVerdict) -> Vec<VerifiedDecision> {
        let bearing = match verdict {
            CountVerdict::Approved => self.approvals,
            CountVerdict::Denied => self.denials,
            // One person decides alone: the last person who did so.
            CountVerdict::Alone => self
                .alone
                .into_iter()
                .max_by_key(|decision| decision.statement().decided_at)
                .into_iter()
                .collect(),
            CountVerdict::Waiting | CountVerdict::Forbidden => Vec::new(),
        };
        bearing.into_iter().cloned().collect()
    }
}

/// One statement for each person and named role. If a person has no statement in a named role, the person's first
/// statement.
fn once<'a>(asked: &Answer, decisions: &[&'a VerifiedDecision]) -> Vec<&'a VerifiedDecision> {
    let named: BTreeSet<&Role> = match asked {
        Answer::Ask(ask) => ask.roles().collect(),
        Answer::Allow | Answer::Deny => BTreeSet::new(),
    };
    let mut of: BTreeMap<&PersonId, BTreeMap<Option<&Role>, &VerifiedDecision>> = BTreeMap::new();
    for &decision in decisions {
        let role = Some(decision.role()).filter(|role| named.contains(role));
        of.entry(decision.person()).or_default().entry(role).or_insert(decision);
    }
    for own in of.values_mut().filter(|own| own.len() > 1) {
        own.remove(&None);
    }
    of.into_values().flat_map(BTreeMap::into_values).collect()
}

fn people(decisions: &[&VerifiedDecision]) -> BTreeSet<PersonId> {
    decisions.iter().map(|decision| decision.person().clone()).collect()
}

fn reaches(people: usize, wanted: u32) -> bool {
    u32::try_from(people).unwrap_or(u32::MAX) >= wanted
}
