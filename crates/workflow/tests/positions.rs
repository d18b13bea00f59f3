//! A guest's position in its journal is the same at the same place on every run. Every drive of every test checks more
//! of that: see `common/place.rs`.

use crate::common::program::{Op, Program, Seen};
use crate::common::shell::{drive, run_straight};
use crate::common::{Ask as _, about, at, begin, fold, origin};
use crate::prefixes::{check_same, cuts, everything};
use workflow::{Command, Entry, Limits, Outcome, Replay, Turn};

/// The positions at the places outside every step, in order.
fn outside(seen: &[Seen]) -> Vec<usize> {
    let at = |seen: &Seen| if let Seen::At(position) = seen { Some(*position) } else { None };
    seen.iter().filter_map(at).collect()
}

/// The kinds of entry after which a guest outside any step continues: an end, or the start of a call.
const ANSWERS: [&str; 16] = [
    "step-completed",
    "step-failed",
    "attempt-failed",
    "rejected",
    "requested",
    "issued",
    "lapsed",
    "withdrawn",
    "refused",
    "attested",
    "sleep-started",
    "sleep-ended",
    "wait-started",
    "wait-matched",
    "wait-timed-out",
    "told",
];

#[test]
fn a_guest_stands_at_the_entry_that_answered_it() {
    let straight = run_straight(&everything());
    let positions = outside(straight.end.as_ref().unwrap());
    assert_eq!(positions.first(), Some(&0), "nothing has answered yet");
    assert!(positions.is_sorted_by(|before, after| before < after), "{positions:?}");
    let answers = |position: &usize| {
        let kind = crate::entries::kind(&straight.journal[*position]);
        ANSWERS.contains(&kind)
    };
    assert!(positions[1..].iter().all(answers), "{positions:?} in {:#?}", straight.journal);
}

/// With any prefix in the journal, a drive passes the same places at the same positions.
#[test]
fn the_position_at_a_place_does_not_depend_on_how_long_the_journal_is() {
    let straight = run_straight(&everything());
    let last = straight.drives.last().unwrap();
    let unfinished = &straight.journal[..straight.journal.len() - 1];
    let mut compared = 0;
    for prefix in cuts(unfinished) {
        let drive = drive(&everything(), prefix, Limits::default(), usize::MAX);
        for (place, position) in drive.places.iter().filter(|(place, _)| place.len() == 1) {
            assert_eq!(last.places.get(place), Some(position), "at {place:?} on {prefix:#?}");
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared} places");
}

/// The guest's position is at the step's end, whether the step's body ran or its end was replayed.
#[test]
fn a_step_ends_at_the_same_position_whether_it_ran_or_not() {
    let step = |name: &str, body| Op::Step { name: name.to_owned(), body, fails: None };
    let program = Program(vec![step("outer", vec![step("inner", vec![])]), step("after", vec![])]);
    let straight = run_straight(&program);
    assert_eq!(straight.drives.len(), 1, "nothing stops it");
    assert_eq!(outside(straight.end.as_ref().unwrap()), [0, 5, 7]);
    let again = drive(&program, &straight.journal[..8], Limits::default(), usize::MAX);
    assert!(again.bodies.is_empty(), "no body ran this time");
    assert_eq!(outside(again.end.as_ref().unwrap()), [0, 5, 7]);
    check_same(&straight, &straight);
}

#[test]
fn what_is_no_answer_leaves_the_position() {
    let mut replay = fold(&origin());
    assert_eq!(replay.position(), 0);
    assert!(matches!(replay.ask(&begin("build"), at(0)), Ok(Turn::Record(_))));
    replay.apply(&about::step_started(0)).unwrap();
    assert_eq!(replay.position(), 0, "it is recorded, and the guest has not heard of it");
    assert!(replay.ask(&begin("other"), at(0)).is_err());
    assert_eq!(replay.position(), 0, "it diverged");
    replay.ask(&begin("build"), at(0)).unwrap();
    assert_eq!(replay.position(), 2);
    assert_eq!(fold(&[origin(), vec![about::step_started(0)]].concat()).position(), 0, "it is a new run");
}

/// A repeated report of a step's end does not move the position back to it.
#[test]
fn an_end_reported_again_does_not_take_the_position_back() {
    let mut replay = fold(&origin());
    let end = |call| Command::EndStep { call, result: Ok(r#""built""#.to_owned()) };
    let answered = |replay: &mut Replay, command: &Command, entry: &Entry| {
        replay.apply(entry).unwrap();
        assert!(matches!(replay.ask(command, at(0)), Ok(Turn::Return(_))), "{command:?}");
        replay.position()
    };
    assert_eq!(answered(&mut replay, &begin("build"), &about::step_started(0)), 2);
    assert_eq!(answered(&mut replay, &end(0), &about::step_completed(0)), 3);
    assert_eq!(answered(&mut replay, &begin("build"), &about::step_started(1)), 4);
    assert_eq!(replay.ask(&end(0), at(0)), Ok(Turn::Return(Outcome::Ended(Ok(())))));
    assert_eq!(replay.position(), 4);
    assert_eq!(answered(&mut replay, &end(1), &about::step_completed(1)), 5);
}
