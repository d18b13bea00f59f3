//! An operator's commands: no effect is undone, and no input is lost.

use crate::common::program::Program;
use crate::common::shell::{drive, facts, run, run_straight};
use crate::common::{about, at, fold, origin, receipt_id, request_id};
use crate::divergence::opens;
use crate::prefixes::{cuts, everything};
use crate::strategies::program;
use crate::waits::{payment, told};
use proptest::prelude::*;
use receipt::{Decision, Digest};
use workflow::{
    Begun, CallMode, Command, Effect, Entry, Finding, Limits, Outcome, Ready, Replay, Status, Unknown,
};

fn after(entries: &[Entry]) -> Replay {
    fold(&[origin(), entries.to_vec()].concat())
}

#[test]
fn a_status_is_one_word() {
    let word = |entries: &[Entry]| after(entries).status().to_string();
    assert_eq!(word(&[]), "queued");
    assert_eq!(word(&[about::event("paid", 1)]), "queued");
    assert_eq!(word(&[about::step_started(0)]), "running");
    assert_eq!(word(&[about::requested(0)]), "waiting");
    assert_eq!(word(&[about::requested(0), about::paused()]), "paused");
    assert_eq!(word(&[about::paused(), about::resumed()]), "queued");
    assert_eq!(word(&[about::diverged()]), "errored");
    assert_eq!(word(&[about::failed()]), "errored");
    assert_eq!(word(&[about::paused(), about::terminated()]), "terminated");
    assert_eq!(word(&[about::completed()]), "complete");
    assert_eq!(word(&[about::completed(), about::restarted(0)]), "queued");
}

/// A stopped instance accepts inputs from outside and the ends of what was under way, and no other entries.
#[test]
fn a_pause_stops_the_workflow_and_nothing_else() {
    let (request, receipt) = (request_id(0), receipt_id(0));
    for hold in [about::paused(), about::diverged()] {
        let mut replay = after(&[about::requested(0), hold.clone()]);
        for progress in [about::step_started(1), about::completed(), about::failed(), hold.clone()] {
            assert!(replay.apply(&progress).is_err(), "{progress} after {hold}");
        }
        replay.apply(&about::event("paid", 1)).unwrap();
        assert!(replay.is_pending(&request));
        replay.apply(&about::decided(request.clone(), Decision::Approved)).unwrap();
        replay.apply(&about::issued(request.clone(), receipt.clone(), Decision::Approved)).unwrap();
        replay.apply(&about::resumed()).unwrap();
        assert!(replay.apply(&about::resumed()).is_err(), "it goes on already");
        assert_eq!(replay.status(), Status::Running);
    }
    let mut acting = after(&[about::redeemed(0, receipt.clone()), about::paused()]);
    acting.apply(&about::performed(0, receipt.clone())).unwrap();
    acting.apply(&about::attested(0, receipt)).unwrap();
}

/// A pause anywhere in a run, and it ends as if there had been none.
#[test]
fn a_run_that_was_paused_anywhere_ends_the_same() {
    let straight = run_straight(&everything());
    let unfinished = &straight.journal[..straight.journal.len() - 1];
    for prefix in cuts(unfinished) {
        for hold in [about::paused(), about::diverged()] {
            let journal = [prefix.to_vec(), vec![hold, about::resumed()]].concat();
            let run = run(&everything(), &journal, &[]);
            let held = |entry: &Entry| {
                matches!(entry, Entry::Paused { .. } | Entry::Diverged { .. } | Entry::Resumed { .. })
            };
            let without: Vec<_> = run.journal.iter().filter(|entry| !held(entry)).cloned().collect();
            // The guest's positions differ, because the pause has a place too.
            assert_eq!(without.len(), straight.journal.len());
            assert_eq!(shape(&without), shape(&straight.journal));
        }
    }
}

/// The kinds of the entries.
fn shape(journal: &[Entry]) -> Vec<&'static str> {
    journal.iter().map(crate::entries::kind).collect()
}

/// Sent back to any call of its own, the workflow makes it and those after it anew, and not those before.
#[test]
fn a_workflow_goes_back_to_any_call_of_its_own() {
    let straight = run_straight(&everything());
    let mut tried = 0;
    for from in straight.journal.iter().filter_map(opens) {
        let mut journal = straight.journal.clone();
        let restarted = about::restarted(from);
        let mut replay = fold(&journal);
        if replay.apply(&restarted).is_err() {
            continue;
        }
        journal.push(restarted);
        let made_before = journal.iter().filter_map(opens).count();
        let run = run(&everything(), &journal, &[]);
        assert!(run.end.is_ok());
        tried += 1;
        let place = straight.journal.iter().position(|entry| opens(entry) == Some(from)).unwrap();
        let (before, after) = straight.journal.split_at(place);
        // A started step stays ended, with the effects of its later attempts.
        if before.iter().any(|entry| matches!(entry, Entry::StepStarted { mode: CallMode::Started, .. })) {
            continue;
        }
        let anew = run.journal.iter().filter_map(opens).count() - made_before;
        assert_eq!(anew, made_before - from as usize, "from #{from}");
        assert_eq!(spent(&run.journal), spent(&straight.journal) + spent(after), "from #{from}");
    }
    assert!(tried > 20, "{tried} calls are the workflow's own");
}

/// The number of spent receipts that were issued in `entries` too. A receipt that was spent before is not spent again.
fn spent(journal: &[Entry]) -> usize {
    let issued: Vec<_> = journal
        .iter()
        .filter_map(|entry| if let Entry::Issued { receipt, .. } = entry { Some(receipt) } else { None })
        .collect();
    let spent =
        |entry: &&Entry| matches!(entry, Entry::Redeemed { receipt, .. } if issued.contains(&receipt));
    journal.iter().filter(spent).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Cut anywhere, sent back anywhere, and driven to the end on hosts that die: the end is there, and it is the same on every run.
    #[test]
    fn any_program_that_was_sent_back_survives_any_deaths(
        program in program(),
        cut in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        lives in prop::collection::vec(0_usize..6, 0..6),
    ) {
        let straight = run_straight(&program);
        let prefixes: Vec<_> = cuts(&straight.journal).collect();
        let mut journal = prefixes[cut.index(prefixes.len())].to_vec();
        let calls: Vec<_> = journal.iter().filter_map(opens).collect();
        let from = calls.get(from.index(calls.len() + 1)).copied().unwrap_or(fold(&journal).next_call());
        journal.push(about::restarted(from));
        if Replay::fold(&journal, Limits::default()).is_err() {
            return Ok(());
        }
        let undisturbed = run(&program, &journal, &[]);
        let disturbed = run(&program, &journal, &lives);
        prop_assert_eq!(facts(&disturbed.journal), facts(&undisturbed.journal));
        prop_assert_eq!(&disturbed.end, &undisturbed.end);
        let unfinished = &undisturbed.journal[..undisturbed.journal.len() - 1];
        let again = drive(&program, unfinished, Limits::default(), 1);
        prop_assert_eq!(&again.end, &undisturbed.end, "and once more, without a deed");
    }
}

#[test]
fn a_workflow_is_sent_back_only_to_its_own_calls_and_with_everything_signed() {
    let receipt = receipt_id(2);
    let nested = [about::step_started(0), about::step_started(1)];
    assert!(after(&nested).apply(&about::restarted(1)).is_err(), "it is inside another step");
    assert!(after(&nested).apply(&about::restarted(3)).is_err(), "there is no such call");
    after(&nested).apply(&about::restarted(0)).unwrap();
    after(&nested).apply(&about::restarted(2)).unwrap();
    let mut acting = after(&[about::redeemed(0, receipt.clone())]);
    assert!(acting.apply(&about::restarted(0)).is_err(), "its outcome is unknown");
    acting.apply(&about::performed(0, receipt.clone())).unwrap();
    assert!(acting.apply(&about::restarted(0)).is_err(), "and nobody has signed it");
    acting.apply(&about::attested(0, receipt.clone())).unwrap();
    acting.apply(&about::restarted(0)).unwrap();
    assert!(acting.apply(&about::redeemed(1, receipt)).is_err(), "what is spent stays spent");
}

/// An event that was delivered to a call that no longer counts is delivered again, in its old order.
#[test]
fn events_come_back_when_the_workflow_goes_back() {
    let mut replay = after(&[about::event("paid", 1), about::event("paid", 2)]);
    let command = Command::WaitForEvent(payment(500));
    told(&mut replay, &command, at(3));
    let mut journal = [origin(), vec![about::event("paid", 1), about::event("paid", 2)]].concat();
    journal.extend([
        about::wait_started(0, workflow::CallMode::Blocking),
        Entry::WaitMatched { call: 0, event: 0 },
        about::completed(),
        about::restarted(0),
    ]);
    let mut again = fold(&journal);
    let Outcome::Woken { call: 1, ready: Ready::Event(event) } = told(&mut again, &command, at(3)) else {
        panic!("it waits")
    };
    assert_eq!(event.payload, "1");
}

/// A decision about a request that the workflow went back to before counts no longer.
#[test]
fn a_request_before_which_the_workflow_went_back_is_not_decided() {
    let mut replay = after(&[about::requested(0), about::restarted(0)]);
    assert!(!replay.is_pending(&request_id(0)));
    assert!(replay.apply(&about::decided(request_id(0), Decision::Approved)).is_err());
    assert!(replay.apply(&Entry::Lapsed { request: request_id(0) }).is_err());
}

/// The fixed code takes the place of the old one, there and nowhere else.
#[test]
fn other_code_comes_with_going_back() {
    let loaded = Entry::Loaded { component: Digest::of(b"fixed"), bytes: 5, imports: vec![] };
    let mut replay = after(&[about::step_started(0), about::step_completed(0), about::diverged()]);
    assert!(replay.apply(&loaded).is_err());
    replay.apply(&about::restarted(1)).unwrap();
    replay.apply(&about::event("paid", 1)).unwrap();
    replay.apply(&loaded).unwrap();
    assert!(replay.apply(&loaded).is_err(), "once");
    assert!(matches!(
        told(&mut replay, &Command::BeginStep { name: "build".to_owned() }, at(0)),
        Outcome::Begun(Begun::Done(_))
    ));
    let mut late = after(&[about::restarted(0), about::step_started(0)]);
    assert!(late.apply(&loaded).is_err(), "it has gone on");
}

#[test]
fn a_call_is_found_by_its_name() {
    let journal = [
        about::step_started(0),
        about::step_named(1, "inner"),
        about::step_completed(1),
        about::step_completed(0),
        about::sleep_started(2, workflow::CallMode::Blocking),
        Entry::SleepEnded { call: 2 },
        about::step_started(3),
    ];
    let replay = after(&journal);
    assert_eq!(
        (replay.named("build", 0), replay.named("build", 1), replay.named("build", 2)),
        (Some(0), Some(3), None)
    );
    assert_eq!((replay.named("nap", 0), replay.named("inner", 0)), (Some(2), None));
    assert_eq!(replay.next_call(), 4);
}

/// The attestation is unchanged; a person's finding is recorded in addition, once, at any time.
#[test]
fn what_was_unknown_is_resolved_once() {
    let (receipt, message) = (receipt_id(0), "who knows".to_owned());
    let unknown = [
        about::redeemed(0, receipt.clone()),
        Entry::Performed { call: 0, receipt: receipt.clone(), effect: Effect::Unknown { message } },
        about::attested(0, receipt.clone()),
    ];
    let named = |finding| vec![Unknown { call: 0, receipt: receipt.clone(), finding }];
    for end in [None, Some(about::failed()), Some(about::restarted(0))] {
        let mut replay = after(&unknown);
        assert_eq!(replay.unknown(), named(None));
        if let Some(end) = end {
            replay.apply(&end).unwrap();
        }
        let before = replay.status();
        replay.apply(&about::resolved(0)).unwrap();
        assert_eq!((replay.status(), replay.unknown()), (before, named(Some(Finding::Succeeded))));
        assert!(replay.apply(&about::resolved(0)).is_err(), "once");
    }
    let known = [
        about::redeemed(0, receipt.clone()),
        about::performed(0, receipt.clone()),
        about::attested(0, receipt.clone()),
    ];
    for length in 1..=3 {
        assert!(after(&known[..length]).apply(&about::resolved(0)).is_err(), "it is known");
    }
    assert!(after(&[]).apply(&about::resolved(0)).is_err());
}

#[test]
fn an_empty_program_can_be_sent_back_too() {
    let program = Program(vec![]);
    let straight = run_straight(&program);
    let journal = [straight.journal, vec![about::restarted(0)]].concat();
    assert_eq!(run(&program, &journal, &[]).end, straight.end);
}
