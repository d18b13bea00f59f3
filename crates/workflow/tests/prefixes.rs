//! A journal cut anywhere is a host that died there. The entries in it count; the rest happens as it would have.

use crate::common::place::check_places;
use crate::common::program::{Op, Program, Seen, Startable, Try};
use crate::common::shell::{Run, check_drive, drive, facts, run, run_straight};
use crate::common::{action, failure};
use workflow::{Action, Approval, Entry, Limits, Live, Performance, Ready, Replay, StepConfig, Turn};

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
        Op::Wait(Startable::Sleep(10)),
        Op::Wait(Startable::Event("sent", 10)),
        Op::Wait(Startable::Event("never", 10)),
        step("patient", vec![Op::Wait(Startable::Approval(action())), Op::Wait(Startable::Sleep(5))]),
        Op::Race(vec![Startable::Event("never", 50), Startable::Sleep(20), Startable::Sleep(30)]),
        Op::All(side_by_side()),
    ])
}

/// Every call that can be started, some of them on two levels.
fn side_by_side() -> Vec<Startable> {
    let denied = Action { resource: "world:deny/spend/succeed".to_owned(), ..action() };
    let lapses = Action { resource: "world:lapse/spend/succeed".to_owned(), ..action() };
    let nested = vec![
        Op::All(vec![tried(vec![Try::FailsFor(3)], vec![]), Startable::Sleep(2)]),
        act("world:approve/spend/succeed", 1),
    ];
    vec![
        tried(vec![Try::Takes(600_001), Try::FailsFor(7)], nested),
        tried(vec![Try::Fails; 6], vec![]),
        tried(vec![Try::Fails, Try::GivesUp], vec![]),
        tried(vec![Try::Mumbles], vec![]),
        tried(vec![], vec![]),
        Startable::Sleep(15_000),
        Startable::Event("never", 40_000),
        Startable::Event("sent", 40_000),
        Startable::Event("sent", 40_000),
        Startable::Approval(action()),
        Startable::Approval(denied),
        Startable::Approval(lapses),
        Startable::Sleep(1 << 60),
    ]
}

pub(crate) fn tried(attempts: Vec<Try>, body: Vec<Op>) -> Startable {
    Startable::Step { config: StepConfig::default(), attempts, body }
}

fn act(resource: &str, times: usize) -> Op {
    Op::Act { action: Action { resource: resource.to_owned(), ..action() }, times }
}

/// The places where a journal can be cut without losing its first entries.
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

/// A disturbed run has the same end as an undisturbed one, and repeated no deed.
pub(crate) fn check_same(run: &Run, straight: &Run) {
    run.drives.iter().for_each(check_drive);
    check_facts(&facts(&run.journal), &facts(&straight.journal));
    assert_eq!(run.end, straight.end);
    check_places(straight.drives.iter().chain(&run.drives).map(|drive| &drive.places));
}

/// The same facts in the same order. Journals are long: only where they part is shown.
fn check_facts(these: &[Entry], those: &[Entry]) {
    let length = these.len().max(those.len());
    let differs = |place: &usize| these.get(*place) != those.get(*place);
    if let Some(place) = (0..length).find(differs) {
        let around =
            |facts: &[Entry]| format!("{:#?}", &facts[place.saturating_sub(3)..facts.len().min(place + 2)]);
        panic!("at {place}: {}\nin place of {}", around(these), around(those));
    }
}

fn is_end(entry: &Entry) -> bool {
    matches!(entry, Entry::Completed { .. } | Entry::Failed { .. })
}

#[test]
fn an_undisturbed_run_brings_about_every_kind_of_entry() {
    let straight = run_straight(&everything());
    let there: std::collections::BTreeSet<_> = straight.journal.iter().map(crate::entries::kind).collect();
    let missing: Vec<_> = crate::entries::KINDS.iter().filter(|kind| !there.contains(*kind)).collect();
    let operator = ["resolved", "paused", "resumed", "diverged", "restarted", "terminated", "failed"];
    assert_eq!(missing, operator.iter().collect::<Vec<_>>(), "nobody interferes, and the program returns");
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
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Rejected(_))).count(), 3);
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Step(Ok(_)))).count(), 4);
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Approval(_))).count(), 6);
}

/// The ends of started calls, by their index among those that were started together.
#[test]
fn a_guest_sees_how_each_started_call_ended() {
    let seen = run_straight(&everything()).end.unwrap();
    let ended: Vec<_> = seen
        .into_iter()
        .filter_map(|seen| if let Seen::Ended(place, ready) = seen { Some((place, ready)) } else { None })
        .collect();
    // Three that were waited for at once, the winner of the race, and all of the others.
    let (race, all) = (&ended[3], &ended[4..]);
    assert_eq!(race, &(1, Ready::Slept), "the shorter of two sleeps");
    let end = |place: usize| &all.iter().find(|(other, _)| *other == place).unwrap().1;
    let failed = |place: usize| match end(place) {
        Ready::Step(Err(failure)) => failure.message.clone(),
        other => panic!("{other:?}"),
    };
    let payload = |place: usize| match end(place) {
        Ready::Event(event) => event.payload.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(end(0), Ready::Step(Ok(_))), "the third attempt went well");
    assert_eq!(failed(1), "attempt 6", "five retries are six attempts");
    assert_eq!(failed(2), "attempt 2", "it gave up");
    assert!(failed(3).contains("not JSON"), "and was not tried again");
    assert!(matches!(end(4), Ready::Step(Ok(_))));
    assert_eq!((end(5), payload(7), payload(8)), (&Ready::Slept, "1".to_owned(), "2".to_owned()));
    assert!(matches!(end(6), Ready::TimedOut { .. }));
    assert!(matches!(end(9), Ready::Approval(Approval::Granted { .. })));
    assert!(matches!(end(10), Ready::Approval(Approval::Denied { .. })));
    assert!(matches!(end(11), Ready::Approval(Approval::Expired { .. })));
    assert_eq!(all.len(), 12, "the thirteenth was not acceptable");
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
            .filter_map(|deed| {
                if let Turn::Do(Live::Effect { interrupted, .. }) = deed { Some(interrupted) } else { None }
            })
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
