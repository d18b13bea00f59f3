//! From how an instance stands by its journal to its line in the agenda. The one place where that is said.

use receipt::Timestamp;
use store::{InstanceState, ScheduleRow};
use workflow::Status;

/// The line of an instance that stands so since `now`.
pub(crate) fn agenda(status: &Status, now: Timestamp) -> ScheduleRow {
    let (standing, due) = match status {
        Status::Queued => (InstanceState::Queued, Some(now)),
        Status::Running => (InstanceState::Running, Some(now)),
        Status::Waiting(wait) => (InstanceState::Waiting, wait.due()),
        Status::Paused { .. } => (InstanceState::Paused, None),
        Status::Diverged { .. } => (InstanceState::Diverged, None),
        Status::Completed(_) => (InstanceState::Complete, None),
        Status::Failed(_) => (InstanceState::Errored, None),
        Status::Terminated { .. } => (InstanceState::Terminated, None),
    };
    ScheduleRow { standing, due }
}

/// Whether a line says something else than another. Of two that can go on at once, it does not matter since when.
pub(crate) fn differs(before: ScheduleRow, after: ScheduleRow) -> bool {
    let due = |line: ScheduleRow| line.due.filter(|_| line.standing == InstanceState::Waiting);
    (before.standing, due(before)) != (after.standing, due(after))
}

/// The line to write for one that stood so before and stands so now; none where it says the same.
pub(crate) fn moved(before: &Status, after: &Status, now: Timestamp) -> Option<ScheduleRow> {
    let (before, after) = (agenda(before, now), agenda(after, now));
    differs(before, after).then_some(after)
}
