//! Places within long journals, so that reading one from an index does not begin at its end each time.
//!
//! An entry leads only to the one before it. A reader of a long journal, a part at a time from its beginning, would
//! walk back from the end for every part. A walk therefore remembers every [`STEP`]th row, in memory, and the next one
//! begins at the first of them after the part.

use std::collections::BTreeMap;

/// The rows between two stops.
const STEP: usize = 64;

/// The most stops of all instances together: some megabytes.
const MOST: usize = 1 << 16;

/// Places of rows, by their instance's row and their index in its journal. A journal only grows, so a stop remains right
/// until its instance is deleted; [`parts`](super::parts) compares it with the row.
#[derive(Debug, Default)]
pub(crate) struct Stops(BTreeMap<(i64, i64), i64>);

impl Stops {
    /// The first stop at that index or after it: its index and place.
    pub(crate) fn after(&self, instance: i64, index: i64) -> Option<(i64, i64)> {
        let mut after = self.0.range((instance, index)..=(instance, i64::MAX));
        after.next().map(|(&(_, index), &seq)| (index, seq))
    }

    /// Remembers every [`STEP`]th row of a walk; `rows` is the number passed before.
    pub(crate) fn pass(&mut self, rows: usize, instance: i64, (index, seq): (i64, i64)) {
        if rows % STEP != STEP - 1 {
            return;
        }
        // The stops that a walk adds last are the ones that the next part needs first.
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert((instance, index), seq);
    }

    /// Forgets the stops of an instance: its row is another instance's now.
    pub(crate) fn forget(&mut self, instance: i64) {
        self.0.retain(|(of, _), _| *of != instance);
    }
}
