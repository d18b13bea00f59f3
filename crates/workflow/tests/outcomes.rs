//! A recorded outcome reaches the guest unchanged, and an instance's state follows from its journal.

use crate::common::{
    Ask as _, about, action, at, begin, failure, fold, invocation, origin, receipt_id, request_id,
};
use receipt::Decision;
use workflow::{
    Approval, Begun, CallMode, Check, Command, Effect, Entry, Live, Outcome, Pending, Performance,
    RecordedCommand, Replay, Status, Turn, Unsettled, Wait,
};

fn after(entries: &[Entry]) -> Replay {
    fold(&[origin(), entries.to_vec()].concat())
}

fn approve() -> Command {
    Command::RequireApproval(action())
}

fn perform() -> Command {
    Command::Perform(invocation(&action(), receipt_id(0)))
}

fn check(entries: &[Entry], command: &Command, expected: Outcome) {
    assert_eq!(after(entries).ask(command, at(0)), Ok(Turn::Return(expected)), "after {entries:#?}");
}

#[test]
fn a_step_is_handed_back_as_it_ended() {
    let started = about::step_started(0);
    let begun = |entries: &[Entry], expected| check(entries, &begin("build"), Outcome::Begun(expected));
    begun(std::slice::from_ref(&started), Begun::Run(0));
    begun(&[started.clone(), about::step_completed(0)], Begun::Done(r#""built""#.to_owned()));
    begun(&[started, about::step_failed(0)], Begun::Failed(failure("broken", "it broke")));
}

#[test]
fn a_request_is_handed_back_as_it_was_resolved() {
    let request = request_id(0);
    let receipt = receipt_id(0);
    let signed = |decision| {
        let decided = about::decided(request.clone(), decision);
        [about::requested(0), decided, about::issued(request.clone(), receipt.clone(), decision)]
    };
    let granted = Approval::Granted { receipt: receipt.clone(), document: r#"{"receipt":1}"#.to_owned() };
    check(&signed(Decision::Approved), &approve(), Outcome::Approval(granted));
    let denied = Approval::Denied {
        request: request.clone(),
        receipt: receipt.clone(),
        decider: "human:ann".to_owned(),
        reason: Some("seen".to_owned()),
    };
    check(&signed(Decision::Denied), &approve(), Outcome::Approval(denied));
    let lapsed = [about::requested(0), Entry::Lapsed { request: request.clone() }];
    check(&lapsed, &approve(), Outcome::Approval(Approval::Expired { request: request.clone() }));
    let withdrawn = [about::requested(0), about::withdrawn(request.clone())];
    let told = Approval::Withdrawn { request: request.clone(), reason: Some("not now".to_owned()) };
    check(&withdrawn, &approve(), Outcome::Approval(told));
}

#[test]
fn an_effect_is_handed_back_as_it_ended() {
    let message = || "why".to_owned();
    let (started_at, finished_at) = (at(0), at(1));
    let ends = [
        (
            Effect::Succeeded { output: "1".to_owned(), started_at, finished_at },
            Performance::Done("1".to_owned()),
        ),
        (Effect::Failed { message: message(), started_at, finished_at }, Performance::Failed(message())),
        (Effect::Unknown { message: message() }, Performance::Unknown(message())),
    ];
    for (effect, expected) in ends {
        let performed = Entry::Performed { call: 0, receipt: receipt_id(0), effect: effect.clone() };
        let mut entries = vec![about::redeemed(0, receipt_id(0)), performed];
        // An outcome is signed before the guest is told.
        let attest = Live::Attest { call: 0, receipt: receipt_id(0), effect };
        assert_eq!(after(&entries).ask(&perform(), at(0)), Ok(Turn::Do(attest)));
        entries.push(about::attested(0, receipt_id(0)));
        check(&entries, &perform(), Outcome::Performed(expected));
    }
}

#[test]
fn a_refusal_names_the_check() {
    let refused = Performance::Refused { check: Check::Expiry, message: "too late".to_owned() };
    check(&[about::refused(0, receipt_id(0))], &perform(), Outcome::Performed(refused));
}

#[test]
fn what_has_to_be_done_carries_what_was_asked() {
    let live = |command: &Command| after(&[]).ask(command, at(0));
    let (action, invocation) = (action(), invocation(&action(), receipt_id(0)));
    assert_eq!(live(&begin("build")), Ok(Turn::Record(about::step_started(0))));
    let (asked, mode) = (RecordedCommand::from(&action), CallMode::Blocking);
    let request = Live::Request { call: 0, asked, action, mode };
    assert_eq!(live(&approve()), Ok(Turn::Do(request)));
    let redeem = Live::Redeem { call: 0, asked: RecordedCommand::from(&invocation), invocation };
    assert_eq!(live(&perform()), Ok(Turn::Do(redeem)));
}

#[test]
fn a_request_waits_until_its_decision_is_there_and_signed() {
    let pending = Pending::Approval { call: 0, request: request_id(0), expires_at: at(1000) };
    let wait = Wait { on: vec![pending] };
    let mut replay = after(&[about::requested(0)]);
    assert_eq!(replay.ask(&approve(), at(0)), Ok(Turn::Wait(wait.clone())));
    assert_eq!(replay.status(), Status::Waiting(wait));
    replay.apply(&about::decided(request_id(0), Decision::Denied)).unwrap();
    replay.apply(&about::issued(request_id(0), receipt_id(0), Decision::Denied)).unwrap();
    assert_eq!(replay.status(), Status::Running);
    let answer = replay.ask(&approve(), at(0));
    assert!(matches!(answer, Ok(Turn::Return(Outcome::Approval(Approval::Denied { .. })))), "{answer:?}");
}

/// The gate comes before the effect: nothing is done on an intent that is not in the journal.
#[test]
fn an_intent_comes_before_its_effect() {
    let mut replay = after(&[]);
    assert!(matches!(replay.ask(&perform(), at(0)), Ok(Turn::Do(Live::Redeem { .. }))));
    assert!(matches!(replay.ask(&perform(), at(0)), Ok(Turn::Do(Live::Redeem { .. }))));
    replay.apply(&about::redeemed(0, receipt_id(0))).unwrap();
    let effect =
        |interrupted| Live::Effect { call: 0, invocation: invocation(&action(), receipt_id(0)), interrupted };
    assert_eq!(replay.ask(&perform(), at(0)), Ok(Turn::Do(effect(false))));
    let mut loaded = after(&[about::redeemed(0, receipt_id(0))]);
    assert_eq!(loaded.ask(&perform(), at(0)), Ok(Turn::Do(effect(true))));
}

#[test]
fn an_ended_instance_says_how() {
    assert_eq!(after(&[about::completed()]).status(), Status::Completed("null".to_owned()));
    assert_eq!(after(&[about::failed()]).status(), Status::Failed(failure("stopped", "it was ended")));
    let ended_while_waiting = [about::requested(0), about::failed()];
    assert!(matches!(after(&ended_while_waiting).status(), Status::Failed(_)));
    assert_eq!(after(&[]).status(), Status::Queued);
}

/// An action is unsettled from its intent to its signed outcome.
#[test]
fn what_is_unsettled_is_named() {
    let receipt = || receipt_id(1);
    let Entry::Performed { effect, .. } = about::performed(1, receipt()) else { panic!("no effect") };
    let unsettled = |effect| vec![Unsettled { call: 1, receipt: receipt(), effect }];
    let mut replay = after(&[about::step_started(0)]);
    let stages = [
        (about::redeemed(1, receipt()), unsettled(None)),
        (about::performed(1, receipt()), unsettled(Some(effect))),
        (about::attested(1, receipt()), vec![]),
    ];
    assert_eq!(replay.unsettled(), vec![]);
    for (entry, expected) in stages {
        replay.apply(&entry).unwrap();
        assert_eq!(replay.unsettled(), expected, "after {entry}");
    }
}
