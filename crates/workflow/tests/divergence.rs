//! A guest that takes another path than before gets the place of the divergence, nothing is done, and nothing is lost.

use crate::common::program::{Op, Program};
use crate::common::shell::{Stop, drive, run, run_straight};
use crate::common::{
    Ask as _, about, action, at, begin, failure, fold, invocation, origin, receipt_id, request_id,
};
use crate::prefixes::{check_same, cuts, everything};
use receipt::Decision;
use workflow::{
    Action, Artifact, Call, Command, Divergence, Entry, Invocation, Limits, Outcome, Replay, Turn,
};

/// An approved action that has been performed: calls 0 and 1.
fn acted() -> Vec<Entry> {
    let (request, receipt) = (request_id(0), receipt_id(0));
    let acted = [
        about::requested(0),
        about::decided(request.clone(), Decision::Approved),
        about::issued(request, receipt.clone(), Decision::Approved),
        about::redeemed(1, receipt.clone()),
        about::performed(1, receipt.clone()),
        about::attested(1, receipt),
    ];
    origin().into_iter().chain(acted).collect()
}

fn approve() -> Command {
    Command::RequireApproval(action())
}

fn perform() -> Command {
    Command::Perform(invocation(&action(), receipt_id(0)))
}

/// On `replay` the guest asks for `wrong` in place of `right`, which is recorded at `call`.
fn check(mut replay: Replay, right: &Command, wrong: &Command, call: Call) {
    let expected = replay.clone().ask(right, at(0)).unwrap();
    let before = format!("{replay:?}");
    let divergence = replay.ask(wrong, at(0)).unwrap_err();
    assert_eq!(divergence.call, call, "{divergence}");
    check_words(&divergence);
    assert_eq!(format!("{replay:?}"), before, "{wrong:?} changed something");
    assert_eq!(replay.ask(right, at(0)), Ok(expected), "after {wrong:?}");
}

/// The message names the call, the recorded command, the command now and the usual cause, and reassures.
fn check_words(divergence: &Divergence) {
    let told = divergence.to_string();
    let (call, recorded) = (format!("call #{}", divergence.call), divergence.recorded.clone());
    for part in [call.as_str(), &recorded, &divergence.now, "nothing is lost", "usual causes"] {
        assert!(told.contains(part), "{part:?} is missing in {told:?}");
    }
}

/// On every prefix that has `call`, `wrong` diverges there without a deed and `right` comes to its end afterwards.
fn check_programs(right: &Program, wrong: &Program, call: Call) {
    let straight = run_straight(right);
    let unfinished = &straight.journal[..straight.journal.len() - 1];
    let has_call = |prefix: &&[Entry]| prefix.iter().any(|entry| opens(entry) == Some(call));
    let mut tried = 0;
    for prefix in cuts(unfinished).filter(has_call).step_by(5) {
        let drive = drive(wrong, prefix, Limits::default(), usize::MAX);
        let Err(Stop::Diverged(divergence)) = drive.end else { panic!("{:?} on {prefix:#?}", drive.end) };
        assert_eq!(divergence.call, call, "{divergence}");
        check_words(&divergence);
        assert!(["ended without asking", "asked for "].iter().any(|now| divergence.now.starts_with(now)));
        assert_eq!((drive.deeds, drive.journal.as_slice()), (vec![], prefix));
        check_same(&run(right, &drive.journal, &[]), &straight);
        tried += 1;
    }
    assert!(tried > 0, "the program never makes call #{call}");
}

/// The call that an entry opens.
pub(crate) fn opens(entry: &Entry) -> Option<Call> {
    match entry {
        Entry::StepStarted { call, .. }
        | Entry::SleepStarted { call, .. }
        | Entry::WaitStarted { call, .. }
        | Entry::Rejected { call, .. }
        | Entry::Requested { call, .. }
        | Entry::Redeemed { call, .. }
        | Entry::Refused { call, .. } => Some(*call),
        _ => None,
    }
}

fn step(name: &str, body: Vec<Op>) -> Op {
    Op::Step { name: name.to_owned(), body, fails: None }
}

fn changed_actions() -> Vec<Action> {
    let other = || "other".to_owned();
    vec![
        Action { capability: other(), ..action() },
        Action { resource: other(), ..action() },
        Action { reason: other(), ..action() },
        Action { evidence: r#"{"tests":127}"#.to_owned(), ..action() },
        Action { evidence: r#"{"tests": 128}"#.to_owned(), ..action() },
        Action { artifact: None, ..action() },
        Action { artifact: Some(Artifact::new(other(), b"\0asm".to_vec())), ..action() },
        Action { artifact: Some(Artifact::new("app.wasm".to_owned(), b"\0asn".to_vec())), ..action() },
    ]
}

#[test]
fn another_action_in_any_one_part_diverges() {
    for wrong in changed_actions() {
        for prefix in cuts(&acted()).skip(1) {
            check(fold(prefix), &approve(), &Command::RequireApproval(wrong.clone()), 0);
        }
    }
}

#[test]
fn another_invocation_in_any_one_part_diverges() {
    let right = invocation(&action(), receipt_id(0));
    let artifact = |name: &str, bytes: &[u8]| Artifact::new(name.to_owned(), bytes.to_vec());
    let wrongs = [
        Invocation { capability: "other".to_owned(), ..right.clone() },
        Invocation { resource: "other".to_owned(), ..right.clone() },
        Invocation { artifact: artifact("other", b"\0asm"), ..right.clone() },
        Invocation { artifact: artifact("app.wasm", b"\0asn"), ..right.clone() },
        Invocation { receipt: receipt_id(1), ..right },
    ];
    for wrong in wrongs {
        for prefix in cuts(&acted()).skip(3) {
            let mut replay = fold(prefix);
            assert!(matches!(replay.ask(&approve(), at(0)), Ok(Turn::Return(Outcome::Approval(_)))));
            check(replay, &perform(), &Command::Perform(wrong.clone()), 1);
        }
    }
}

#[test]
fn another_step_name_diverges() {
    for last in [about::step_started(0), about::step_completed(0), about::step_failed(0)] {
        let mut journal = origin();
        if !matches!(last, Entry::StepStarted { .. }) {
            journal.push(about::step_started(0));
        }
        journal.push(last);
        for wrong in ["Build", "build ", "", "buil"] {
            check(fold(&journal), &begin("build"), &begin(wrong), 0);
        }
    }
}

#[test]
fn another_kind_of_call_diverges() {
    let mut stepped = origin();
    stepped.push(about::step_started(0));
    for wrong in [approve(), perform()] {
        check(fold(&stepped), &begin("build"), &wrong, 0);
    }
    for wrong in [begin("build"), perform()] {
        check(fold(&acted()), &approve(), &wrong, 0);
    }
    for wrong in [begin("build"), approve()] {
        let mut replay = fold(&acted());
        replay.ask(&approve(), at(0)).unwrap();
        check(replay, &perform(), &wrong, 1);
    }
}

#[test]
fn a_rejected_call_that_comes_back_differently_diverges() {
    let mut journal = origin();
    journal.push(about::rejected(0));
    check(fold(&journal), &begin(""), &begin("build"), 0);
}

#[test]
fn ending_early_diverges() {
    let Program(ops) = everything();
    let calls = |program: &Program| run_straight(program).journal.iter().filter_map(opens).count();
    let first_calls =
        (0..ops.len()).map(|kept| Call::try_from(calls(&Program(ops[..kept].to_vec()))).unwrap());
    for (kept, call) in first_calls.enumerate() {
        check_programs(&everything(), &Program(ops[..kept].to_vec()), call);
    }
}

#[test]
fn swapped_steps_diverge() {
    let (build, test) = (step("build", vec![]), step("test", vec![]));
    check_programs(&Program(vec![build.clone(), test.clone()]), &Program(vec![test, build]), 0);
}

/// The work of a step that did not end runs again, and has to make the same calls.
#[test]
fn a_step_that_ends_without_its_inner_calls_diverges() {
    let right = Program(vec![step("outer", vec![step("one", vec![]), step("two", vec![])])]);
    let straight = run_straight(&right);
    for body in [vec![], vec![step("one", vec![])]] {
        let missing = Call::try_from(body.len() + 1).unwrap();
        let wrong = Program(vec![step("outer", body)]);
        let open = |prefix: &&[Entry]| {
            let ended = |entry: &Entry| {
                matches!(entry, Entry::StepCompleted { call: 0, .. } | Entry::Completed { .. })
            };
            prefix.iter().any(|entry| opens(entry) == Some(missing)) && !prefix.iter().any(ended)
        };
        for prefix in cuts(&straight.journal).filter(open) {
            let drive = drive(&wrong, prefix, Limits::default(), usize::MAX);
            let Err(Stop::Diverged(divergence)) = drive.end else { panic!("{:?} on {prefix:#?}", drive.end) };
            assert_eq!(divergence.call, missing, "{divergence}");
            assert_eq!(divergence.now, "ended the step of call #0 without asking");
            check_words(&divergence);
            check_same(&run(&right, &drive.journal, &[]), &straight);
        }
    }
}

/// The work of a completed step is not run again: it may be different.
#[test]
fn a_completed_step_may_have_other_work_inside() {
    let inner = |name| Program(vec![step("outer", vec![step(name, vec![])]), step("after", vec![])]);
    let straight = run_straight(&inner("one"));
    let unfinished = &straight.journal[..straight.journal.len() - 1];
    assert_eq!(drive(&inner("two"), unfinished, Limits::default(), 1).end, straight.end);
}

#[test]
fn another_end_of_a_step_diverges() {
    let end = |result| Command::EndStep { call: 0, result };
    let completed = end(Ok(r#""built""#.to_owned()));
    let failed = end(Err(failure("broken", "it broke")));
    let others = [
        end(Ok("null".to_owned())),
        end(Err(failure("broken", "it bent"))),
        end(Err(failure("", "it broke"))),
    ];
    for (entry, right, opposite) in
        [(about::step_completed(0), &completed, &failed), (about::step_failed(0), &failed, &completed)]
    {
        let mut replay = fold(&origin());
        replay.apply(&about::step_started(0)).unwrap();
        replay.ask(&begin("build"), at(0)).unwrap();
        replay.apply(&entry).unwrap();
        check(replay.clone(), right, opposite, 0);
        others.iter().for_each(|other| check(replay.clone(), right, other, 0));
        // A step begun later changes nothing about that.
        replay.apply(&about::step_started(1)).unwrap();
        assert!(matches!(replay.ask(right, at(0)), Ok(Turn::Return(Outcome::Ended(_)))));
        others.iter().for_each(|other| check(replay.clone(), right, other, 0));
    }
}

#[test]
fn the_end_of_something_that_is_not_an_open_step_diverges() {
    let mut replay = fold(&acted());
    replay.ask(&approve(), at(0)).unwrap();
    for call in [0, 1, 2, Call::MAX] {
        let end = Command::EndStep { call, result: Ok("null".to_owned()) };
        let divergence = replay.clone().ask(&end, at(0)).unwrap_err();
        assert_eq!(divergence.call, call);
        check(replay.clone(), &perform(), &end, call);
    }
}
