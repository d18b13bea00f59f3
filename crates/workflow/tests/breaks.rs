//! A guest that breaks a rule of its journal is ended, with the same message wherever the host died before.

use crate::common::program::{Op, Program};
use crate::common::shell::{Run, Stop, drive, run, run_straight, run_within};
use crate::common::{Ask as _, about, action, at, begin, fold, origin};
use crate::prefixes::{check_same, cuts, everything};
use workflow::{Call, Command, Entry, Failure, Limits, Replay, Status, Turn};

fn end(call: Call) -> Command {
    Command::EndStep { call, result: Ok("null".to_owned()) }
}

/// A guest inside two steps.
fn nested() -> Replay {
    let mut replay = fold(&origin());
    for (call, name) in [(0, "outer"), (1, "inner")] {
        replay.apply(&about::step_named(call, name)).unwrap();
        replay.ask(&begin(name), at(0)).unwrap();
    }
    replay
}

/// `command` breaks a rule with this failure. Nothing is recorded for it, and it stays so however often it is asked.
fn check(mut replay: Replay, command: &Command) -> Failure {
    let before = format!("{replay:?}");
    let Ok(Turn::Break(failure)) = replay.ask(command, at(0)) else { panic!("{command:?} went on") };
    assert_eq!(format!("{replay:?}"), before, "{command:?} changed something");
    assert_eq!(replay.ask(command, at(0)), Ok(Turn::Break(failure.clone())));
    replay.apply(&Entry::Failed { failure: failure.clone() }).unwrap();
    assert_eq!(replay.status(), Status::Failed(failure.clone()));
    failure
}

/// Ends come in the reverse order of beginnings.
#[test]
fn an_outer_step_does_not_end_before_an_inner_one() {
    let mut replay = nested();
    let told = check(replay.clone(), &end(0));
    assert_eq!(told.name, "step-order");
    assert_eq!(told.message, r#"step "inner" was begun inside this step and has to end before it"#);
    for call in [1, 0] {
        assert!(matches!(replay.ask(&end(call), at(0)), Ok(Turn::Record(_))));
        replay.apply(&Entry::StepCompleted { call, output: "null".to_owned() }).unwrap();
    }
}

#[test]
fn one_call_more_than_the_limit_is_the_end_whatever_it_is() {
    let none = Limits { calls: 0, ..Limits::default() };
    for command in [begin("build"), begin(""), Command::RequireApproval(action())] {
        let told = check(Replay::fold(&origin(), none.clone()).unwrap(), &command);
        assert_eq!(told.name, "limit-exceeded");
        assert!(told.message.contains("at most 0 calls an instance"), "{told}");
    }
}

/// The instance has ended with `name`, according to its journal.
fn check_broke(run: &Run, name: &str) {
    let Err(Stop::Broke(failure)) = &run.end else { panic!("{:?}", run.end) };
    assert_eq!(failure.name, name);
    assert_eq!(run.journal.last(), Some(&Entry::Failed { failure: failure.clone() }));
}

#[test]
fn who_breaks_the_order_of_steps_ends_the_same_wherever_the_host_died() {
    let Program(mut ops) = everything();
    ops.push(Op::Step { name: "around".to_owned(), body: vec![Op::Tangle], fails: None });
    let program = Program(ops);
    let straight = run_straight(&program);
    check_broke(&straight, "step-order");
    let unfinished = &straight.journal[..straight.journal.len() - 1];
    for prefix in cuts(unfinished) {
        check_same(&run(&program, prefix, &[]), &straight);
    }
    for life in 0..straight.journal.len() {
        check_same(&run(&program, &origin(), &[life, 0, 1]), &straight);
    }
    let last = drive(&program, unfinished, Limits::default(), 0);
    assert_eq!((last.deeds, last.end), (vec![], Err(Stop::Died)), "only the end is missing");
}

#[test]
fn who_asks_for_too_much_ends_the_same_wherever_the_host_died() {
    let needed = run_straight(&everything()).journal.iter().filter_map(crate::divergence::opens).count();
    for calls in 0..needed {
        let limits = Limits { calls: calls.try_into().unwrap(), ..Limits::default() };
        let straight = run_within(&limits, &everything(), &origin(), &[]);
        check_broke(&straight, "limit-exceeded");
        assert_eq!(straight.journal.iter().filter_map(crate::divergence::opens).count(), calls);
        // A sample of the places for each limit; over all limits, every place is covered.
        for prefix in cuts(&straight.journal[..straight.journal.len() - 1]).skip(calls % 9).step_by(9) {
            check_same(&run_within(&limits, &everything(), prefix, &[0, 1]), &straight);
        }
    }
    let enough = Limits { calls: needed.try_into().unwrap(), ..Limits::default() };
    assert!(run_within(&enough, &everything(), &origin(), &[]).end.is_ok());
}

/// No call is left, and the step that the last one began can still end.
#[test]
fn a_full_journal_still_takes_the_ends_of_its_steps() {
    let full = Limits { calls: 1, ..Limits::default() };
    let mut replay = Replay::fold(&[origin(), vec![about::step_started(0)]].concat(), full).unwrap();
    replay.ask(&begin("build"), at(0)).unwrap();
    assert_eq!(check(replay.clone(), &begin("more")).name, "limit-exceeded");
    assert!(matches!(replay.ask(&end(0), at(0)), Ok(Turn::Record(_))));
}
