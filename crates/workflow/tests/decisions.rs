//! A decision counts with its signed receipt or not at all: writing a decision into a journal does not get it signed.

use crate::common::program::Program;
use crate::common::shell::run_straight;
use crate::common::{
    Ask as _, about, action, at, begin, between, fold, invocation, origin, receipt_id, request_id,
};
use crate::prefixes::everything;
use crate::strategies::program;
use proptest::prelude::*;
use receipt::Decision;
use workflow::{Approval, Command, Entry, Illegal, Limits, Outcome, Replay, RequestId, Turn};

const DECISIONS: [Decision; 2] = [Decision::Approved, Decision::Denied];

fn refused(journal: &[Entry]) -> Illegal {
    Replay::fold(journal, Limits::default()).unwrap_err()
}

fn requests(journal: &[Entry]) -> Vec<RequestId> {
    let request = |entry: &Entry| match entry {
        Entry::Requested { request, .. } => Some(request.clone()),
        _ => None,
    };
    journal.iter().filter_map(request).collect()
}

/// A bare decision on each request, at each place: the journal is refused, complete and cut after the forgery.
fn check_forgeries(program: &Program) {
    let journal = run_straight(program).journal;
    for request in requests(&journal) {
        for decision in DECISIONS {
            let bare = about::decided(request.clone(), decision);
            for place in 0..=journal.len() {
                check_forged(&journal, place, &bare);
            }
        }
    }
}

/// It is refused for the forgery itself or for what follows it, so the rest of the journal makes no difference.
fn check_forged(journal: &[Entry], place: usize, bare: &Entry) {
    let mut forged = journal.to_vec();
    forged.insert(place, bare.clone());
    for end in [place + 1, forged.len()] {
        let illegal = refused(&forged[..end]);
        assert!((place..=place + 1).contains(&illegal.index), "{bare} at {place}: {illegal}");
        assert_eq!(illegal.entry, forged[illegal.index].to_string());
    }
}

#[test]
fn a_bare_decision_is_refused_wherever_it_is_inserted() {
    check_forgeries(&everything());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_bare_decision_in_any_journal_is_refused(program in program()) {
        check_forgeries(&program);
    }
}

/// A decision that is there without its receipt, and a decision turned round under its receipt.
#[test]
fn a_decision_without_its_own_receipt_is_refused() {
    let journal = run_straight(&everything()).journal;
    let places = |wanted: fn(&Entry) -> bool| {
        let there = journal.iter().enumerate().filter(move |(_, entry)| wanted(entry));
        there.map(|(place, _)| place).collect::<Vec<_>>()
    };
    let issued = places(|entry| matches!(entry, Entry::Issued { .. }));
    assert_eq!(issued.len(), 11);
    for place in issued {
        let mut without = journal.clone();
        without.remove(place);
        assert_eq!(refused(&without).index, place);
    }
    for place in places(|entry| matches!(entry, Entry::Decided { .. })) {
        let mut turned = journal.clone();
        let Entry::Decided { decision, .. } = &mut turned[place] else { panic!("it is a decision") };
        *decision = DECISIONS.into_iter().find(|other| other != decision).unwrap();
        assert_eq!(refused(&turned).index, place + 1);
    }
}

#[test]
fn the_refusal_says_what_is_missing() {
    let bare = about::decided(request_id(0), Decision::Approved);
    let ends = [origin(), vec![about::requested(0), bare.clone()]].concat();
    let illegal = refused(&ends);
    assert_eq!((illegal.index, illegal.entry.as_str()), (3, bare.to_string().as_str()));
    assert!(illegal.to_string().contains("the receipt is not here"), "{illegal}");
    let goes_on = [ends, vec![about::step_started(1)]].concat();
    assert_eq!(
        (refused(&goes_on).index, refused(&goes_on).reason),
        (4, "a decision is followed by its receipt")
    );
}

/// Even a host that has applied a bare decision, and asks at once, gets no turn that signs it or relies on it; and only
/// the receipt can be appended.
#[test]
fn no_turn_signs_a_bare_decision() {
    for decision in DECISIONS {
        let bare = about::decided(request_id(0), decision);
        let replay = between(&[origin(), vec![about::requested(0), bare.clone()]].concat());
        let ask = |command: &Command| replay.clone().ask(command, at(0));
        let answer = ask(&Command::RequireApproval(action()));
        assert!(matches!(answer, Ok(Turn::Return(Outcome::Rejected(_)))), "{answer:?}");
        let perform = Command::Perform(invocation(&action(), receipt_id(0)));
        let end = Command::EndStep { call: 0, result: Ok("null".to_owned()) };
        for other in [begin("build"), begin(""), perform.clone(), end] {
            assert!(ask(&other).is_err(), "{other:?} is not what was asked");
        }
        assert!(replay.finish(&Ok("null".to_owned())).is_err());
        assert_eq!(replay.unsettled(), vec![]);
        check_only_the_receipt(replay, decision);
    }
}

fn check_only_the_receipt(mut replay: Replay, decision: Decision) {
    let others =
        [about::step_started(1), about::redeemed(1, receipt_id(0)), about::refused(1, receipt_id(0))];
    let ends = [about::completed(), about::failed(), Entry::Lapsed { request: request_id(0) }];
    for entry in others.iter().chain(&ends) {
        assert!(replay.apply(entry).is_err(), "{entry}");
    }
    replay.apply(&about::issued(request_id(0), receipt_id(0), decision)).unwrap();
    let answer = replay.ask(&Command::RequireApproval(action()), at(0));
    let Ok(Turn::Return(Outcome::Approval(approval))) = answer else { panic!("{answer:?}") };
    assert_eq!(matches!(approval, Approval::Granted { .. }), decision == Decision::Approved);
}

/// A host writes the two together, and they load.
#[test]
fn a_decision_with_its_receipt_is_loaded() {
    for decision in DECISIONS {
        let signed =
            [about::decided(request_id(0), decision), about::issued(request_id(0), receipt_id(0), decision)];
        fold(&[origin(), vec![about::requested(0)], signed.to_vec()].concat());
    }
}
