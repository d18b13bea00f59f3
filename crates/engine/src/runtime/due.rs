//! Derives an instance's schedule row from its state in the journal. The only place that does.

use receipt::Timestamp;
use store::{InstanceState, ScheduleRow};
use workflow::Status;

/// The instance's state, without its waits.
pub(crate) fn instance_state(status: &Status) -> InstanceState {
    schedule_row(status, Timestamp::from_millis(0)).state
}

/// The row of an instance that is in that state since `now`.
pub(crate) fn schedule_row(status: &Status, now: Timestamp) -> ScheduleRow {
    let (state, due) = match status {
        Status::Queued => (InstanceState::Queued, Some(now)),
        Status::Running => (InstanceState::Running, Some(now)),
        Status::Waiting(wait) => (InstanceState::Waiting, wait.due()),
        Status::Paused { .. } => (InstanceState::Paused, None),
        Status::Diverged { .. } => (InstanceState::Diverged, None),
        Status::Completed(_) => (InstanceState::Complete, None),
        Status::Failed(_) => (InstanceState::Errored, None),
        Status::Terminated { .. } => (InstanceState::Terminated, None),
    };
    ScheduleRow { state, due }
}

/// Whether two rows differ. Two rows that are both due now count as equal, whatever their due times.
pub(crate) fn differs(before: ScheduleRow, after: ScheduleRow) -> bool {
    let due = |row: ScheduleRow| row.due.filter(|_| row.state == InstanceState::Waiting);
    (before.state, due(before)) != (after.state, due(after))
}

/// The row to write when the state changes from `before` to `after`; `None` if the row stays the same.
pub(crate) fn moved(before: &Status, after: &Status, now: Timestamp) -> Option<ScheduleRow> {
    let (before, after) = (schedule_row(before, now), schedule_row(after, now));
    differs(before, after).then_some(after)
}
