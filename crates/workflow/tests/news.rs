//! A signal that arrives during a drive comes before the driver's unwritten entries, and does not change them.

use crate::common::program::{Op, Program};
use crate::common::shell::{Around, Run, check_drive, drive, run_amid, run_straight};
use crate::common::{Ask as _, about, action, at, begin, fold, origin, request_id};
use crate::prefixes::everything;
use crate::strategies::program;
use proptest::prelude::*;
use receipt::Decision;
use workflow::{Entry, Limits, Replay, Turn};

fn amid_news(program: &Program) -> Run {
    // News takes room: more than any of these programs.
    run_amid(Around::News, &Limits::default(), program, &origin(), &[])
}

/// What the guest saw, without its positions in the journal, which signals move.
fn without_places(run: &Run) -> String {
    let seen = format!("{:?}", run.end);
    let (first, rest) = seen.split_once("At(").unwrap_or((&seen, ""));
    let parts = rest.split("At(").map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
    std::iter::once(first).chain(parts).collect::<Vec<_>>().join("At(")
}

/// The guest sees the same as without signals, and the journal with signals replays to the same.
fn check(program: &Program) {
    let (straight, run) = (run_straight(program), amid_news(program));
    assert_eq!(without_places(&run), without_places(&straight));
    run.drives.iter().for_each(check_drive);
    let unfinished = &run.journal[..run.journal.len() - 1];
    let again = drive(program, unfinished, Limits::default(), usize::MAX);
    check_drive(&again);
    assert_eq!(again.deeds, []);
    assert_eq!(again.end, run.end);
    crate::common::place::check_places(run.drives.iter().map(|drive| &drive.places).chain([&again.places]));
}

#[test]
fn news_before_every_entry_change_nothing() {
    check(&everything());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn news_change_nothing_of_any_program(program in program()) {
        check(&program);
    }
}

/// The next entries of the replay, and the replay with them applied.
fn about_to_write(journal: &[Entry]) -> (Replay, Vec<Entry>) {
    let mut replay = fold(journal);
    let Turn::Record(entry) = replay.ask(&begin("build"), at(0)).unwrap() else { panic!() };
    replay.apply(&entry).unwrap();
    (replay, vec![entry])
}

#[test]
fn what_stops_the_run_leaves_no_place_for_what_it_was_about_to_write() {
    let (replay, unwritten) = about_to_write(&origin());
    // The last is another driver's.
    let stops = [about::paused(), about::terminated(), about::restarted(0), unwritten[0].clone()];
    for entry in stops {
        let mut journal = origin();
        journal.push(entry);
        assert!(replay.caught_up(&journal, &unwritten).unwrap().is_none(), "{journal:?}");
    }
    let paused_and_resumed = [origin(), vec![about::paused(), about::resumed()]].concat();
    assert!(replay.caught_up(&paused_and_resumed, &unwritten).unwrap().is_some());
}

/// The guest may have drawn random numbers that depend on the place of an entry that it was told of.
#[test]
fn what_the_guest_has_heard_of_keeps_its_place() {
    let (mut replay, unwritten) = about_to_write(&origin());
    let answer = replay.ask(&begin("build"), at(0)).unwrap();
    assert!(matches!(answer, Turn::Return(_)), "{answer:?}");
    assert!(replay.caught_up(&origin(), &unwritten).unwrap().is_some(), "nothing came between");
    let news = [origin(), vec![about::event("news", 0)]].concat();
    assert!(replay.caught_up(&news, &unwritten).unwrap().is_none());
}

#[test]
fn an_outcome_has_a_place_while_the_instance_is_paused() {
    let performed = run_straight(&Program(vec![Op::Act { action: action(), times: 1 }])).journal;
    let outcome = performed.iter().position(|entry| matches!(entry, Entry::Performed { .. })).unwrap();
    let (before, outcome) = (&performed[..outcome], &performed[outcome..=outcome]);
    let mut replay = fold(before);
    replay.apply(&outcome[0]).unwrap();
    let journal = [before, &[about::paused()]].concat();
    let caught_up = replay.caught_up(&journal, outcome).unwrap().unwrap();
    assert!(caught_up.stands_still());
    assert_eq!(caught_up.len(), journal.len() + 1);
}

#[test]
fn a_journal_that_makes_no_sense_is_an_error() {
    let (replay, unwritten) = about_to_write(&origin());
    let mut journal = origin();
    journal.push(about::decided(request_id(7), Decision::Approved));
    let illegal = replay.caught_up(&journal, &unwritten).unwrap_err();
    assert_eq!(illegal.index, 2);
}

/// An entry that the store refuses has no effect: the guest continues, with the signals before it.
#[test]
fn what_was_refused_is_taken_back() {
    let (mut replay, unwritten) = about_to_write(&origin());
    assert!(matches!(replay.ask(&begin("build"), at(0)).unwrap(), Turn::Return(_)));
    let refused = about::event("news", 0);
    replay.apply(&refused).unwrap();
    let back = replay.taken_back(&origin(), &unwritten, 1).unwrap().unwrap();
    assert_eq!(back.len(), origin().len() + 1);
    assert_eq!(back.position(), replay.position(), "the guest is where it was");
    let news = [origin(), vec![about::event("others", 0)]].concat();
    let (replay, refused) = about_to_write(&origin());
    let back = replay.taken_back(&news, &[], refused.len()).unwrap().unwrap();
    assert_eq!(back.len(), news.len());
}
