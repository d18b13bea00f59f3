//! The people who have approved, and how many of them count.

use crate::{PersonId, Role};
use std::collections::{BTreeMap, BTreeSet};

/// A person who has approved. The host has verified the signature, and that this person may decide about this request at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// The person.
    pub person: PersonId,
    /// Every role that this person has.
    pub roles: BTreeSet<Role>,
}

/// Approvals by person: a person who occurs twice counts once, with the roles of both.
pub(crate) struct Tally<'a>(BTreeMap<&'a PersonId, BTreeSet<&'a Role>>);

impl<'a> Tally<'a> {
    pub(crate) fn of(approvals: &'a [Approver]) -> Self {
        let mut people = BTreeMap::<_, BTreeSet<_>>::new();
        for approver in approvals {
            people.entry(&approver.person).or_default().extend(&approver.roles);
        }
        Self(people)
    }

    /// The number of different people with the role, or of all people for `None`.
    pub(crate) fn count(&self, role: Option<&Role>) -> u32 {
        let counts = |roles: &&BTreeSet<&Role>| role.is_none_or(|role| roles.contains(role));
        u32::try_from(self.0.values().filter(counts).count()).unwrap_or(u32::MAX)
    }
}
