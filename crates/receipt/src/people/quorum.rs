//! Quorum: the number of people who have to agree before a request is decided.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::num::NonZeroUsize;

use crate::digest::Digest;
use crate::fields::Decision;
use crate::format::names::{PersonId, Role};
use crate::people::approvals::VerifiedDecision;

/// The people who have to agree. The numbers are not zero: every decision has a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// The role that counts.
    pub role: Role,
    /// The number of people who have to approve.
    pub approvals: NonZeroUsize,
    /// The number of people whose denials deny.
    pub denials: NonZeroUsize,
    /// The people who never count: the submitter of the request, and the operator of the agent that acts.
    pub excluded: BTreeSet<PersonId>,
}

/// The state of the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tally {
    /// The request is not decided.
    Waiting {
        /// The number of people who have approved.
        have: usize,
        /// The number of people who have to.
        need: usize,
    },
    /// Approved, by these people.
    Approved(Vec<PersonId>),
    /// Denied, by these people.
    Denied(Vec<PersonId>),
}

impl Quorum {
    /// Counts people, not signatures. The order of the decisions does not matter.
    ///
    /// A decision counts when it is about `request`, in the quorum's role, and by a person who is not excluded. A person who approved *and*
    /// denied has denied: the safe side, and so it does not matter which came first. Denials are looked at first.
    pub fn tally<'d>(
        &self,
        request: Digest,
        decisions: impl IntoIterator<Item = &'d VerifiedDecision>,
    ) -> Tally {
        let (mut approved, mut denied) = (BTreeSet::new(), BTreeSet::new());
        for decision in decisions.into_iter().filter(|decision| self.counts(request, decision)) {
            match decision.decision() {
                Decision::Approved => approved.insert(decision.person()),
                Decision::Denied => denied.insert(decision.person()),
            };
        }
        let approved: Vec<_> = approved.difference(&denied).map(|person| (*person).clone()).collect();
        if denied.len() >= self.denials.get() {
            return Tally::Denied(denied.into_iter().cloned().collect());
        }
        if approved.len() >= self.approvals.get() {
            return Tally::Approved(approved);
        }
        Tally::Waiting { have: approved.len(), need: self.approvals.get() }
    }

    fn counts(&self, request: Digest, decision: &VerifiedDecision) -> bool {
        decision.statement().matter.request == request
            && *decision.role() == self.role
            && !self.excluded.contains(decision.person())
    }
}
