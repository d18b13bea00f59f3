//! When the entries of a journal were recorded, as a guest may know it.

use crate::Fact;
use crate::drive::can_wait;
use crate::store::Stamp;
use receipt::Timestamp;
use workflow::Entry;

/// The time of each entry on disk. None for one that may have waited to be written: the guest went on before its time was known, so the guest
/// is never told it.
#[derive(Debug, Default)]
pub(crate) struct Recorded(Vec<Option<Timestamp>>);

impl Recorded {
    /// Of a journal.
    pub(crate) fn of(facts: &[Fact]) -> Self {
        Self(facts.iter().map(|fact| (!can_wait(&fact.entry)).then_some(fact.at)).collect())
    }

    /// These were written.
    pub(crate) fn extend(&mut self, stamp: Option<Stamp>, entries: &[Entry]) {
        let at = stamp.map(|stamp| stamp.at);
        self.0.extend(entries.iter().map(|entry| at.filter(|_| !can_wait(entry))));
    }

    /// The latest time before that place of the journal.
    pub(crate) fn before(&self, position: usize) -> Option<Timestamp> {
        self.0.get(..position.min(self.0.len()))?.iter().rev().find_map(|at| *at)
    }
}
