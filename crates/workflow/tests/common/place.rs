//! A guest's place between two of its commands, and the core's position for it in the journal.

use std::collections::BTreeMap;
use workflow::{Approval, Begun, Call, Entry, Outcome, Performance, Ready};

/// [`Replay::position`](workflow::Replay::position) at each place of a program that a drive has passed. A place is an
/// index within its body, after the place of that body, so it is the same on every run, whether a step's body ran or
/// not.
pub(crate) type Places = BTreeMap<Vec<usize>, usize>;

/// The same place has the same position in all of these drives.
pub(crate) fn check_places<'a>(drives: impl IntoIterator<Item = &'a Places>) {
    let mut known = Places::new();
    for (place, position) in drives.into_iter().flatten() {
        assert_eq!(known.entry(place.clone()).or_insert(*position), position, "at {place:?}");
    }
}

/// An answer moved the guest's position to the entry that contains it. `before` is the earlier position and the
/// journal's earlier length.
pub(crate) fn check_answered(journal: &[Entry], before: (usize, usize), position: usize, outcome: &Outcome) {
    assert!(position > before.0, "{outcome:?} took position {} to {position} in {journal:#?}", before.0);
    if journal.len() > before.1 {
        assert_eq!(position, journal.len() - 1, "{outcome:?} is what was recorded last");
    }
    assert!(answers(&journal[position], outcome), "{outcome:?} is not in {} ({position})", journal[position]);
}

/// Whether `entry` contains `outcome`.
fn answers(entry: &Entry, outcome: &Outcome) -> bool {
    match (outcome, entry) {
        (Outcome::Woken { call: woken, ready }, entry) => wakes(entry, *woken, ready),
        (Outcome::Started(started), entry) => begins(entry, *started),
        (Outcome::Ended(Err(told)), Entry::AttemptFailed { failure, .. }) => told == failure,
        (Outcome::Begun(Begun::Run(run)), Entry::StepStarted { call, .. }) => run == call,
        (Outcome::Begun(Begun::Done(done)), Entry::StepCompleted { output, .. }) => done == output,
        (
            Outcome::Begun(Begun::Failed(told)) | Outcome::Ended(Err(told)),
            Entry::StepFailed { failure, .. },
        ) => told == failure,
        (Outcome::Approval(approval), entry) => resolves(entry, approval),
        (Outcome::Performed(Performance::Refused { message: told, .. }), Entry::Refused { message, .. })
        | (Outcome::Rejected(told), Entry::Rejected { message, .. }) => told == message,
        (Outcome::Performed(Performance::Refused { .. }), _) => false,
        (Outcome::Ended(Ok(())), Entry::StepCompleted { .. })
        | (Outcome::Performed(_), Entry::Attested { .. }) => true,
        _ => false,
    }
}

fn wakes(entry: &Entry, woken: Call, ready: &Ready) -> bool {
    match (ready, entry) {
        (Ready::Run { attempt: made }, Entry::AttemptStarted { call, attempt }) => {
            woken == *call && made == attempt
        }
        (Ready::Run { .. }, _) => false,
        (Ready::Slept, Entry::SleepEnded { call })
        | (Ready::TimedOut { .. }, Entry::WaitTimedOut { call })
        | (Ready::Event(_), Entry::WaitMatched { call, .. })
        | (_, Entry::Delivered { call }) => woken == *call,
        _ => false,
    }
}

/// Whether the entry lets the guest continue without waiting: the call was started, or its first attempt ended.
fn begins(entry: &Entry, started: Call) -> bool {
    match entry {
        Entry::SleepStarted { call, .. }
        | Entry::WaitStarted { call, .. }
        | Entry::Requested { call, .. }
        | Entry::AttemptFailed { call, attempt: 1, .. }
        | Entry::StepCompleted { call, .. }
        | Entry::StepFailed { call, .. } => *call == started,
        _ => false,
    }
}

fn resolves(entry: &Entry, approval: &Approval) -> bool {
    match (approval, entry) {
        (Approval::Granted { receipt: told, .. }, Entry::Issued { receipt, .. })
        | (Approval::Denied { receipt: told, .. }, Entry::Issued { receipt, .. }) => told == receipt,
        (Approval::Expired { request: told }, Entry::Lapsed { request })
        | (Approval::Withdrawn { request: told, .. }, Entry::Withdrawn { request, .. }) => told == request,
        _ => false,
    }
}
