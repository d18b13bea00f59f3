//! Started calls: begun in any order, and their ends told in the order of the journal, once.

use crate::common::program::{Op, Program, Startable, Try};
use crate::common::shell::{Stop, drive, run, run_straight};
use crate::common::{Ask as _, about, at, failure, fold, origin};
use crate::prefixes::{check_same, cuts, tried};
use crate::waits::{nap, payment, record, told};
use receipt::Decision;
use workflow::{
    Alarm, Call, CallMode, Command, Entry, Limits, Live, Outcome, Ready, Replay, Start, StepConfig, Turn,
};

fn start_sleep(ms: u64) -> Command {
    Command::Start(Start::Sleep(nap(Alarm::In(ms))))
}

fn start_step() -> Command {
    Command::Start(Start::Step { name: "build".to_owned(), config: StepConfig::default() })
}

fn first_of(calls: &[Call]) -> Command {
    Command::Await { calls: calls.to_vec() }
}

fn woken(outcome: Outcome) -> (Call, Ready) {
    match outcome {
        Outcome::Woken { call, ready } => (call, ready),
        other => panic!("{other:?}"),
    }
}

/// Ends in the journal come first; ends that only the time has reached follow in the order in which they were due.
#[test]
fn ends_are_told_in_the_order_of_the_journal_and_then_of_the_time() {
    let mut replay = fold(&origin());
    for ms in [300, 100, 200] {
        told(&mut replay, &start_sleep(ms), at(0));
    }
    told(&mut replay, &Command::Start(Start::WaitForEvent(payment(1000))), at(0));
    replay.apply(&about::event("paid", 250)).unwrap();
    let mut left: Vec<Call> = vec![0, 1, 2, 3];
    let mut order = Vec::new();
    while !left.is_empty() {
        let (call, _) = woken(told(&mut replay, &first_of(&left), at(400)));
        left.retain(|other| *other != call);
        order.push(call);
    }
    assert_eq!(order, [3, 1, 2, 0]);
}

/// Two drives at different times tell recorded ends in the same order.
#[test]
fn what_was_told_is_told_in_the_same_order_at_any_later_time() {
    let starts = |delays: [u64; 3]| Program(vec![Op::All(delays.map(Startable::Sleep).to_vec())]);
    let program = starts([30, 10, 20]);
    let straight = run_straight(&program);
    let unfinished = &straight.journal[..straight.journal.len() - 1];
    let again = drive(&program, unfinished, Limits::default(), 1);
    assert_eq!(again.end, straight.end);
}

#[test]
fn a_step_that_waits_for_its_next_attempt_delays_no_other() {
    let program = Program(vec![Op::Race(vec![tried(vec![Try::Fails; 6], vec![]), Startable::Sleep(5)])]);
    let straight = run_straight(&program);
    let attempts =
        straight.journal.iter().filter(|entry| matches!(entry, Entry::AttemptFailed { .. })).count();
    assert_eq!(attempts, 1, "the sleep was over before the second");
    for prefix in cuts(&straight.journal[..straight.journal.len() - 1]) {
        check_same(&run(&program, prefix, &[1, 0]), &straight);
    }
}

/// A started approval waits like any other, and is decided like any other.
#[test]
fn a_workflow_goes_on_while_it_waits_for_a_decision() {
    let mut replay = fold(&origin());
    let start = Command::Start(Start::RequireApproval(crate::common::action()));
    let Ok(Turn::Do(Live::Request { mode: CallMode::Started, .. })) = replay.ask(&start, at(0)) else {
        panic!("it asks for nothing")
    };
    let mut requested = about::requested(0);
    if let Entry::Requested { mode, .. } = &mut requested {
        *mode = CallMode::Started;
    }
    replay.apply(&requested).unwrap();
    assert_eq!(told(&mut replay, &start, at(0)), Outcome::Started(0));
    told(&mut replay, &Command::BeginStep { name: "test".to_owned() }, at(0));
    let request = crate::common::request_id(0);
    assert!(replay.is_pending(&request), "though the workflow is busy");
    replay.apply(&about::decided(request.clone(), Decision::Approved)).unwrap();
    replay.apply(&about::issued(request.clone(), crate::common::receipt_id(0), Decision::Approved)).unwrap();
    assert!(!replay.is_pending(&request));
    told(&mut replay, &Command::EndStep { call: 1, result: Ok("1".to_owned()) }, at(0));
    assert!(matches!(woken(told(&mut replay, &first_of(&[0]), at(0))), (0, Ready::Approval(_))));
}

/// `command` is something that no workflow may do. Nothing is recorded for it.
fn check_breaks(replay: &Replay, command: &Command) {
    let mut replay = replay.clone();
    let before = format!("{replay:?}");
    let Ok(Turn::Break(failure)) = replay.ask(command, at(0)) else { panic!("{command:?} went on") };
    assert_eq!(failure.name, "invalid-wait");
    assert_eq!(format!("{replay:?}"), before);
}

#[test]
fn a_workflow_waits_only_for_what_it_began_there_and_was_not_told_of() {
    let mut replay = fold(&origin());
    told(&mut replay, &start_sleep(0), at(0));
    told(&mut replay, &Command::Sleep(nap(Alarm::In(0))), at(0));
    told(&mut replay, &Command::Start(Start::Sleep(nap(Alarm::At(at(-1))))), at(0));
    // No calls; a call that was waited for at once; a rejected one; unknown ones.
    for calls in [vec![], vec![1], vec![2], vec![0, 3], vec![Call::MAX]] {
        check_breaks(&replay, &first_of(&calls));
    }
    told(&mut replay, &first_of(&[0]), at(0));
    check_breaks(&replay, &first_of(&[0]));
    told(&mut replay, &start_sleep(0), at(0));
    told(&mut replay, &Command::BeginStep { name: "build".to_owned() }, at(0));
    // Begun outside the step that the workflow is in.
    check_breaks(&replay, &first_of(&[3]));
    told(&mut replay, &Command::EndStep { call: 4, result: Ok("1".to_owned()) }, at(0));
    assert_eq!(woken(told(&mut replay, &first_of(&[3]), at(0))), (3, Ready::Slept));
}

#[test]
fn started_calls_are_bounded_by_the_limit() {
    let limits = Limits { started_calls: 2, ..Limits::default() };
    let mut replay = Replay::fold(&origin(), limits).unwrap();
    let is_rejected = |replay: &mut Replay| match told(replay, &start_sleep(0), at(0)) {
        Outcome::Rejected(message) => {
            assert!(message.contains("limit started-calls reached: at most 2 "), "{message}");
            true
        }
        _ => false,
    };
    assert!(!is_rejected(&mut replay) && !is_rejected(&mut replay));
    assert!(is_rejected(&mut replay));
    told(&mut replay, &first_of(&[0, 1]), at(0));
    assert!(!is_rejected(&mut replay), "one has ended");
    assert!(is_rejected(&mut replay));
}

/// A command that differs from the recorded one is a divergence. The workflow that was recorded can still complete afterwards.
fn check_diverges(journal: &[Entry], before: &[Command], right: &Command, wrong: &Command) {
    let mut replay = fold(&[origin(), journal.to_vec()].concat());
    for command in before {
        told(&mut replay, command, at(0));
    }
    let state = format!("{replay:?}");
    let divergence = replay.ask(wrong, at(0)).unwrap_err();
    assert!(divergence.to_string().contains("nothing is lost"), "{divergence}");
    assert_eq!(format!("{replay:?}"), state, "{wrong:?} changed something");
    assert!(matches!(replay.ask(right, at(0)), Ok(Turn::Return(_))), "{right:?} after {wrong:?}");
}

#[test]
fn waiting_for_something_else_or_doing_something_else_diverges() {
    let sleeps = [about::sleep_started(0, CallMode::Started), about::sleep_started(1, CallMode::Started)];
    let begun = [start_sleep(0), start_sleep(0)];
    let told_first = [sleeps.to_vec(), vec![Entry::SleepEnded { call: 1 }]].concat();
    let both = first_of(&[0, 1]);
    for wrong in [first_of(&[0]), start_sleep(0), Command::BeginStep { name: "nap".to_owned() }] {
        check_diverges(&told_first, &begun, &both, &wrong);
    }
    // A started call is now waited for at once, and the reverse.
    check_diverges(&sleeps, &[], &start_sleep(0), &Command::Sleep(nap(Alarm::In(0))));
    let at_once = [about::sleep_started(0, CallMode::Blocking), Entry::SleepEnded { call: 0 }];
    check_diverges(&at_once, &[], &Command::Sleep(nap(Alarm::In(0))), &start_sleep(0));
    // An attempt is under way, and the workflow does not make it.
    let attempt = Entry::AttemptStarted { call: 0, attempt: 2 };
    let second = [about::started_step(0), about::attempt_failed(0, 1), attempt];
    for wrong in [start_sleep(0), first_of(&[1])] {
        check_diverges(&second, &[start_step()], &first_of(&[0]), &wrong);
    }
}

#[test]
fn ending_before_what_was_told_or_tried_diverges() {
    let attempt = Entry::AttemptStarted { call: 0, attempt: 2 };
    let tried_again = [about::started_step(0), about::attempt_failed(0, 1), attempt];
    let told_of = [about::sleep_started(0, CallMode::Started), Entry::SleepEnded { call: 0 }];
    let cases = [(tried_again.to_vec(), start_step()), (told_of.to_vec(), start_sleep(0))];
    for (journal, begin) in cases {
        let mut replay = fold(&[origin(), journal].concat());
        told(&mut replay, &begin, at(0));
        assert!(replay.finish(&Ok("null".to_owned())).is_err());
        told(&mut replay, &first_of(&[0]), at(0));
        assert!(replay.finish(&Ok("null".to_owned())).is_ok());
    }
}

/// A started call whose end the workflow never asks for does not keep the workflow from ending.
#[test]
fn a_workflow_may_end_with_started_calls_under_way() {
    let mut replay = fold(&origin());
    told(&mut replay, &start_sleep(1 << 30), at(0));
    told(&mut replay, &start_step(), at(0));
    let failed = Command::EndStep { call: 1, result: Err(failure("broken", "it broke")) };
    record(&mut replay, &failed, at(0));
    told(&mut replay, &failed, at(0));
    replay.apply(&replay.clone().finish(&Ok("null".to_owned())).unwrap()).unwrap();
}

/// Work inside an attempt that failed is left alone by the next one.
#[test]
fn each_attempt_asks_for_its_own() {
    let body = vec![Op::Wait(Startable::Sleep(3)), Op::Wait(Startable::Event("sent", 50))];
    let program = Program(vec![Op::All(vec![tried(vec![Try::Fails, Try::Fails], body)])]);
    let straight = run_straight(&program);
    let sleeps = straight.journal.iter().filter(|entry| matches!(entry, Entry::SleepStarted { .. })).count();
    assert_eq!(sleeps, 3);
    for prefix in cuts(&straight.journal[..straight.journal.len() - 1]) {
        check_same(&run(&program, prefix, &[0, 1, 2]), &straight);
    }
}

/// A guest that leaves an attempt without an end has everything else inside it, on this run and on every other.
#[test]
fn an_attempt_without_an_end_goes_on() {
    let mut replay = fold(&origin());
    told(&mut replay, &start_step(), at(0));
    told(&mut replay, &Command::BeginStep { name: "build".to_owned() }, at(0));
    let Ok(Turn::Break(failure)) = replay.ask(&first_of(&[0]), at(0)) else { panic!("it went on") };
    assert_eq!(failure.name, "invalid-wait", "the step was begun outside the attempt");
    let program = Program(vec![Op::Tangle]);
    assert!(matches!(run_straight(&program).end, Err(Stop::Broke(_))));
}
