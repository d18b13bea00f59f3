//! A journal cut anywhere is a host that died there. What is in it counts; the rest comes about as it would have.

use crate::common::action;
use crate::common::failure;
use crate::common::place::check_places;
use crate::common::program::Op;
use crate::common::program::Program;
use crate::common::program::Seen;
use crate::common::shell::Run;
use crate::common::shell::check_drive;
use crate::common::shell::drive;
use crate::common::shell::facts;
use crate::common::shell::run;
use crate::common::shell::run_straight;
use workflow::Action;
use workflow::Entry;
use workflow::Limits;
use workflow::Live;
use workflow::Performance;
use workflow::Replay;

/// Every kind of thing that a guest can do, and every way in which it can come out, on three levels.
pub(crate) fn everything() -> Program {
    let step = |name: &str, body| Op::Step { name: name.to_owned(), body, fails: None };
    let broken = Op::Step {
        name: "broken".to_owned(),
        body: vec![step("build", vec![])],
        fails: Some(failure("broken", "it broke")),
    };
    Program(vec![
        step("build", vec![]),
        act("world:approve/spend/succeed", 2),
        step("outer", vec![step("inner", vec![act("world:approve/spend/unknown", 1)]), broken]),
        act("world:deny/spend/succeed", 1),
        act("world:lapse/spend/succeed", 1),
        act("world:withdraw/spend/succeed", 1),
        act("world:approve/refuse/succeed", 1),
        act("not a resource", 1),
        step("", vec![]),
        Op::Forge { action: action() },
        act("world:approve/spend/fail", 1),
        step("build", vec![]),
    ])
}

fn act(resource: &str, times: usize) -> Op {
    Op::Act { action: Action { resource: resource.to_owned(), ..action() }, times }
}

/// The places where a journal can be cut without losing what it begins with.
pub(crate) fn cuts(journal: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    (2..=journal.len()).map(|end| &journal[..end]).filter(|prefix| is_whole(prefix))
}

/// A decision and its receipt are one transaction: no host can die between the two, and a journal that ends there is illegal.
fn is_whole(prefix: &[Entry]) -> bool {
    let Some(bare @ Entry::Decided { .. }) = prefix.last() else { return true };
    let illegal = Replay::fold(prefix, Limits::default()).unwrap_err();
    assert_eq!((illegal.index, illegal.entry), (prefix.len() - 1, bare.to_string()));
    false
}

/// A run that was disturbed came to the same end as one that was not, and did nothing twice.
pub(crate) fn check_same(run: &Run, straight: &Run) {
    run.drives.iter().for_each(check_drive);
    assert_eq!(facts(&run.journal), facts(&straight.journal));
    assert_eq!(run.end, straight.end);
    check_places(straight.drives.iter().chain(&run.drives).map(|drive| &drive.places));
}

fn is_end(entry: &Entry) -> bool {
    matches!(entry, Entry::Completed { .. } | Entry::Failed { .. })
}

#[test]
fn an_undisturbed_run_brings_about_every_kind_of_entry() {
    let straight = run_straight(&everything());
    let there: std::collections::BTreeSet<_> = straight.journal.iter().map(crate::entries::kind).collect();
    let missing: Vec<_> = crate::entries::KINDS.iter().filter(|kind| !there.contains(*kind)).collect();
    assert_eq!(missing, [&"failed"], "the program returns, so it does not end badly");
    check_same(&straight, &straight);
}

#[test]
fn a_guest_sees_how_everything_ended() {
    let seen = run_straight(&everything()).end.unwrap();
    let performed = |wanted: fn(&Performance) -> bool| {
        seen.iter().filter(|seen| matches!(seen, Seen::Performed(performance) if wanted(performance))).count()
    };
    assert_eq!(performed(|performance| matches!(performance, Performance::Done(_))), 1);
    assert_eq!(performed(|performance| matches!(performance, Performance::Failed(_))), 1);
    assert_eq!(performed(|performance| matches!(performance, Performance::Refused { .. })), 3);
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Rejected(_))).count(), 2);
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Step(Ok(_)))).count(), 3);
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Approval(_))).count(), 6);
}

#[test]
fn a_journal_cut_anywhere_grows_back_the_same() {
    let straight = run_straight(&everything());
    for prefix in cuts(&straight.journal).filter(|prefix| !prefix.iter().any(is_end)) {
        check_same(&run(&everything(), prefix, &[]), &straight);
    }
}

#[test]
fn a_host_that_dies_at_any_append_after_the_deed_leaves_the_same() {
    let straight = run_straight(&everything());
    for life in 0..straight.journal.len() {
        check_same(&run(&everything(), &straight.journal[..2], &[life, 0, 1]), &straight);
    }
}

#[test]
fn a_host_that_dies_at_every_append_still_gets_to_the_end() {
    let straight = run_straight(&everything());
    let lives = vec![1; straight.journal.len() * 2];
    check_same(&run(&everything(), &straight.journal[..2], &lives), &straight);
}

#[test]
fn a_finished_journal_runs_again_without_a_single_deed() {
    let straight = run_straight(&everything());
    let unfinished = &straight.journal[..straight.journal.len() - 1];
    let again = drive(&everything(), unfinished, Limits::default(), usize::MAX);
    assert_eq!((again.deeds, again.bodies), (vec![], vec![]));
    assert_eq!(again.end, straight.end);
}

#[test]
fn an_effect_with_an_intent_and_no_end_comes_back_as_interrupted() {
    let program = Program(vec![act("world:approve/spend/succeed", 1)]);
    let straight = run_straight(&program);
    let interruptions = |prefix: &[Entry]| {
        let drives = run(&program, prefix, &[]).drives;
        let deeds = drives.into_iter().flat_map(|drive| drive.deeds);
        deeds
            .filter_map(
                |deed| if let Live::Effect { interrupted, .. } = deed { Some(interrupted) } else { None },
            )
            .collect::<Vec<_>>()
    };
    for prefix in cuts(&straight.journal).filter(|prefix| !prefix.iter().any(is_end)) {
        let expected: &[bool] = match prefix.last().unwrap() {
            Entry::Redeemed { .. } => &[true],
            Entry::Performed { .. } | Entry::Attested { .. } => &[],
            _ => &[false],
        };
        assert_eq!(interruptions(prefix), expected, "{prefix:#?}");
    }
}
