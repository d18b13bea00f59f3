//! The time that a guest sees at each place of its journal.

use receipt::Timestamp;
use store::{Fact, Stamp};
use workflow::Entry;

/// The recorded time of each entry on disk.
///
/// If the guest receives an answer before its entry is written, the guest sees the time of the previous entry: the
/// entry's own time is not known yet, and replay must show the guest the same time.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Timestamp>);

impl Times {
    /// The times of a journal.
    pub(crate) fn of(facts: &[Fact]) -> Self {
        let mut times = Self(Vec::with_capacity(facts.len()));
        facts.iter().for_each(|fact| times.push(&fact.entry, fact.at));
        times
    }

    /// Adds the times of further entries, as they were written.
    pub(crate) fn extend(&mut self, stamp: Option<Stamp>, entries: &[Entry]) {
        if let Some(Stamp { at, .. }) = stamp {
            entries.iter().for_each(|entry| self.push(entry, at));
        }
    }

    /// The time at a place. `None` if nothing is recorded.
    pub(crate) fn at(&self, position: usize) -> Option<Timestamp> {
        self.0.get(position).or(self.0.last()).copied()
    }

    fn push(&mut self, entry: &Entry, at: Timestamp) {
        let before = self.0.last().copied();
        self.0.push(match before {
            Some(before) if can_wait(entry) => before,
            Some(before) => before.max(at),
            None => at,
        });
    }
}

/// Whether an entry only records that the guest continues, and where: the beginning of an attempt, or the delivery of a
/// result. The guest's computation after it has no effect outside, and after a crash the guest reaches the same place
/// again. So the entry waits for the next one, or until [`MAX_WRITE_DELAY`] is over.
pub(crate) fn can_wait(entry: &Entry) -> bool {
    matches!(entry, Entry::StepStarted { .. } | Entry::AttemptStarted { .. } | Entry::Delivered { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use workflow::CallMode;

    #[test]
    fn what_is_heard_before_it_is_written_has_the_time_of_what_was_written_before() {
        let at = Timestamp::from_millis;
        let stamp = |ms| Some(Stamp { seq: 0, at: at(ms) });
        let ended = || Entry::SleepEnded { call: 0 };
        let begun =
            Entry::StepStarted { call: 1, name: "s".to_owned(), config: None, mode: CallMode::Blocking };
        let mut times = Times::default();
        assert_eq!(times.at(0), None);
        times.extend(stamp(10), &[ended()]);
        // The guest has the answer, but its entry is not written yet.
        assert_eq!(times.at(1), Some(at(10)));
        times.extend(stamp(90), &[begun, ended()]);
        assert_eq!([0, 1, 2].map(|place| times.at(place)), [Some(at(10)), Some(at(10)), Some(at(90))]);
        times.extend(stamp(50), &[ended()]);
        assert_eq!(times.at(3), Some(at(90)), "it never runs backwards");
    }
}
