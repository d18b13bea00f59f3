//! When the entries of a journal were recorded, as a guest may know it.

use crate::drive::driver::can_wait;
use receipt::Timestamp;
use store::{Fact, Stamp};
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

    /// The time at which a guest is that was answered last by the entry of that index.
    pub(crate) fn at(&self, index: usize) -> Option<Timestamp> {
        let until = index.saturating_add(1).min(self.0.len());
        self.0.get(..until)?.iter().rev().find_map(|at| *at)
    }
}
