//! A sparse index of long journals, in memory, so that reading a journal from an entry does not begin at its end each time.
//!
//! A row leads only to the one before it. A reader of a long journal, a part at a time from its beginning, would walk back
//! from the end for every part. A walk therefore enters every [`STEP`]th row here, and the next walk begins at the first
//! of them after the part.

use std::collections::BTreeMap;

/// The distance between two rows that are entered.
const STEP: usize = 64;

/// The most entered rows of all instances together: some megabytes.
const MOST: usize = 1 << 16;

/// Places of rows, by their instance's row and their index in its journal. A journal only grows, so a place remains right
/// until its instance is deleted; [`range`](super::range) compares it with the row.
#[derive(Debug, Default)]
pub(crate) struct SparseIndex(BTreeMap<(i64, i64), i64>);

impl SparseIndex {
    /// The first entered row at that index or after it: its index and place.
    pub(crate) fn after(&self, instance: i64, index: i64) -> Option<(i64, i64)> {
        let mut after = self.0.range((instance, index)..=(instance, i64::MAX));
        after.next().map(|(&(_, index), &seq)| (index, seq))
    }

    /// Enters every [`STEP`]th row of a walk; `rows` is the number passed before.
    pub(crate) fn pass(&mut self, rows: usize, instance: i64, (index, seq): (i64, i64)) {
        if rows % STEP != STEP - 1 {
            return;
        }
        // The rows that a walk enters last are the rows that the next part needs first.
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert((instance, index), seq);
    }

    /// Removes the rows of an instance: its row is another instance's now.
    pub(crate) fn forget(&mut self, instance: i64) {
        self.0.retain(|(of, _), _| *of != instance);
    }
}
