//! From how an instance stands by its journal to its line in the agenda. The one place where that is said.

use crate::store::Agenda;
use crate::store::Standing;
use receipt::Timestamp;
use workflow::Status;

/// The line of an instance that stands so since `now`.
pub(crate) fn agenda(status: &Status, now: Timestamp) -> Agenda {
    let (standing, due) = match status {
        Status::Queued => (Standing::Queued, Some(now)),
        Status::Running => (Standing::Running, Some(now)),
        Status::Waiting(wait) => (Standing::Waiting, wait.due()),
        Status::Paused { .. } => (Standing::Paused, None),
        Status::Diverged { .. } => (Standing::Diverged, None),
        Status::Completed(_) => (Standing::Complete, None),
        Status::Failed(_) => (Standing::Errored, None),
        Status::Terminated { .. } => (Standing::Terminated, None),
    };
    Agenda { standing, due }
}

/// Whether a line says something else than another. Of two that can go on at once, it does not matter since when.
pub(crate) fn differs(before: Agenda, after: Agenda) -> bool {
    let due = |line: Agenda| line.due.filter(|_| line.standing == Standing::Waiting);
    (before.standing, due(before)) != (after.standing, due(after))
}

/// The line to write for one that stood so before and stands so now; none where it says the same.
pub(crate) fn moved(before: &Status, after: &Status, now: Timestamp) -> Option<Agenda> {
    let (before, after) = (agenda(before, now), agenda(after, now));
    differs(before, after).then_some(after)
}
