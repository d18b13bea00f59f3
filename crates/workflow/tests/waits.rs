//! Sleeps and events: time ends every wait at the latest, and no event is lost, delivered twice or out of order.

use crate::common::{Ask as _, about, at, fold, origin};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use receipt::Timestamp;
use workflow::{
    Alarm, Call, CallMode, Command, Entry, Event, Expectation, Limits, Outcome, Pending, Ready, Replay,
    Sleep, Start, Status, Turn, Wait,
};

pub(crate) fn nap(alarm: Alarm) -> Sleep {
    Sleep { name: "nap".to_owned(), alarm }
}

pub(crate) fn payment(timeout_ms: u64) -> Expectation {
    let (name, event_type) = ("wait for payment".to_owned(), "paid".to_owned());
    Expectation { name, event_type, timeout_ms }
}

/// Records the entry that the core asks for.
pub(crate) fn record(replay: &mut Replay, command: &Command, now: Timestamp) -> Entry {
    match replay.ask(command, now) {
        Ok(Turn::Record(entry)) => {
            replay.apply(&entry).unwrap();
            entry
        }
        other => panic!("{other:?} is nothing to record for {command:?}"),
    }
}

/// The guest's answer, after recording every entry that the core asks for.
pub(crate) fn told(replay: &mut Replay, command: &Command, now: Timestamp) -> Outcome {
    loop {
        match replay.ask(command, now) {
            Ok(Turn::Return(outcome)) => return outcome,
            Ok(Turn::Record(entry)) => replay.apply(&entry).unwrap(),
            other => panic!("{other:?} is no answer to {command:?}"),
        }
    }
}

fn ready(outcome: Outcome) -> Ready {
    match outcome {
        Outcome::Woken { ready, .. } => ready,
        other => panic!("{other:?}"),
    }
}

fn is_parked(replay: &mut Replay, command: &Command, now: Timestamp) -> bool {
    match replay.ask(command, now).unwrap() {
        Turn::Wait(_) => true,
        Turn::Record(entry @ Entry::Awaiting { .. }) => {
            replay.apply(&entry).unwrap();
            matches!(replay.ask(command, now), Ok(Turn::Wait(_)))
        }
        _ => false,
    }
}

#[test]
fn a_sleep_is_over_when_its_time_has_come_and_not_before() {
    let command = Command::Sleep(nap(Alarm::In(500)));
    let mut replay = fold(&origin());
    assert_eq!(record(&mut replay, &command, at(0)), about::sleep_started(0, CallMode::Blocking));
    let pending = Pending::Sleep { call: 0, name: "nap".to_owned(), until: at(500) };
    assert_eq!(replay.ask(&command, at(499)), Ok(Turn::Wait(Wait { on: vec![pending.clone()] })));
    assert_eq!(replay.status(), Status::Waiting(Wait { on: vec![pending] }));
    assert_eq!(record(&mut replay, &command, at(500)), Entry::SleepEnded { call: 0 });
    assert_eq!(ready(told(&mut replay, &command, at(500))), Ready::Slept);
}

/// The length of a sleep is fixed when it begins.
#[test]
fn a_sleep_that_is_under_way_does_not_change() {
    let mut replay = fold(&[origin(), vec![about::sleep_started(0, CallMode::Blocking)]].concat());
    for alarm in [Alarm::In(0), Alarm::In(1 << 60), Alarm::At(at(-1))] {
        let Ok(Turn::Wait(wait)) = replay.ask(&Command::Sleep(nap(alarm)), at(499)) else {
            panic!("{alarm:?}")
        };
        assert_eq!(wait.due(), Some(at(500)));
    }
}

#[test]
fn a_sleep_until_the_past_is_an_error_and_until_now_is_not() {
    let until = |ms| fold(&origin()).ask(&Command::Sleep(nap(Alarm::At(at(ms)))), at(0)).unwrap();
    let Turn::Record(Entry::Rejected { message, .. }) = until(-1) else { panic!("it was accepted") };
    assert!(message.contains("in the past"), "{message}");
    assert!(matches!(until(0), Turn::Record(Entry::SleepStarted { .. })));
}

#[test]
fn the_past_is_what_is_earlier_than_the_guest_s_own_clock() {
    let until = |ms| {
        let mut replay = fold(&origin());
        replay.set_guest_clock(at(100));
        replay.ask(&Command::Sleep(nap(Alarm::At(at(ms)))), at(1000)).unwrap()
    };
    assert!(matches!(until(500), Turn::Record(Entry::SleepStarted { until, .. }) if until == at(500)));
    assert!(matches!(until(100), Turn::Record(Entry::SleepStarted { .. })));
    assert!(matches!(until(99), Turn::Record(Entry::Rejected { .. })));
}

#[test]
fn an_event_that_came_before_its_wait_is_there() {
    let mut replay = fold(&[origin(), vec![about::event("paid", 1), about::event("paid", 2)]].concat());
    let command = Command::WaitForEvent(payment(500));
    let Ready::Event(event) = ready(told(&mut replay, &command, at(3))) else { panic!("it waits") };
    assert_eq!((event.payload.as_str(), event.at), ("1", at(1)));
    let Ready::Event(event) = ready(told(&mut replay, &command, at(3))) else { panic!("it waits") };
    assert_eq!(event.payload, "2");
    let mut third = replay;
    record(&mut third, &command, at(3));
    assert!(is_parked(&mut third, &command, at(4)), "there were two");
}

#[test]
fn an_event_wakes_the_waits_for_its_type_and_no_others() {
    let command = Command::WaitForEvent(payment(500));
    let mut replay = fold(&origin());
    record(&mut replay, &command, at(0));
    replay.apply(&about::event("refunded", 10)).unwrap();
    assert!(matches!(replay.status(), Status::Waiting(_)));
    assert!(is_parked(&mut replay, &command, at(10)));
    replay.apply(&about::event("paid", 20)).unwrap();
    assert_eq!(replay.status(), Status::Running);
    let Ready::Event(event) = ready(told(&mut replay, &command, at(20))) else { panic!("it waits") };
    assert_eq!(event, Event { event_type: "paid".parse().unwrap(), payload: "20".to_owned(), at: at(20) });
}

/// The event came after the wait's end, which was not yet recorded: the event is kept for the next wait.
#[test]
fn a_wait_that_is_over_does_not_eat_the_next_event() {
    let command = Command::WaitForEvent(payment(500));
    for late in [500, 501, 100_000] {
        let mut replay = fold(&origin());
        record(&mut replay, &command, at(0));
        replay.apply(&about::event("paid", late)).unwrap();
        assert_eq!(ready(told(&mut replay, &command, at(late))), Ready::TimedOut { until: at(500) });
        assert!(matches!(ready(told(&mut replay, &command, at(late))), Ready::Event(_)), "at {late}");
    }
    let mut replay = fold(&origin());
    record(&mut replay, &command, at(0));
    replay.apply(&about::event("paid", 499)).unwrap();
    assert!(matches!(ready(told(&mut replay, &command, at(100_000))), Ready::Event(_)), "it came in time");
}

/// A wait that lost a race and was never asked again takes nothing.
#[test]
fn an_abandoned_wait_does_not_take_the_next_event() {
    let mut replay = fold(&origin());
    told(&mut replay, &Command::Start(Start::WaitForEvent(payment(1 << 30))), at(0));
    told(&mut replay, &Command::Start(Start::Sleep(nap(Alarm::In(5)))), at(0));
    let first = told(&mut replay, &Command::Await { calls: vec![0, 1] }, at(5));
    assert_eq!(first, Outcome::Woken { call: 1, ready: Ready::Slept });
    let command = Command::WaitForEvent(payment(500));
    record(&mut replay, &command, at(5));
    replay.apply(&about::event("paid", 6)).unwrap();
    assert!(matches!(ready(told(&mut replay, &command, at(6))), Ready::Event(_)));
}

#[test]
fn events_of_one_type_are_told_in_the_order_of_the_waits_and_of_their_coming() {
    let mut replay = fold(&origin());
    for _wait in 0..3 {
        told(&mut replay, &Command::Start(Start::WaitForEvent(payment(500))), at(0));
    }
    for ms in 1..=3 {
        replay.apply(&about::event("paid", ms)).unwrap();
    }
    let mut left: Vec<Call> = vec![2, 0, 1];
    for expected in 0..3_u32 {
        let Outcome::Woken { call, ready: Ready::Event(event) } =
            told(&mut replay, &Command::Await { calls: left.clone() }, at(9))
        else {
            panic!("it waits")
        };
        assert_eq!((call, event.payload), (expected, (expected + 1).to_string()));
        left.retain(|other| *other != call);
    }
}

/// A wait lists all of its pending ends, and when time alone would end it.
#[test]
fn a_wait_for_several_things_names_them_all() {
    let entries = [
        about::requested(0),
        about::sleep_started(1, CallMode::Started),
        about::wait_started(2, CallMode::Started),
        about::started_step(3),
        about::attempt_failed(3, 1),
    ];
    let mut started = entries.to_vec();
    if let Entry::Requested { mode, .. } = &mut started[0] {
        *mode = CallMode::Started;
    }
    let mut replay = fold(&[origin(), started].concat());
    assert_eq!(replay.status(), Status::Running, "it did not say that it waits");
    replay.apply(&Entry::Awaiting { calls: vec![0, 1, 2, 3] }).unwrap();
    let Status::Waiting(wait) = replay.status() else { panic!("it does not wait") };
    assert_eq!(wait.on.iter().map(Pending::call).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(wait.due(), Some(at(500)));
    assert_eq!(wait.requests().count() + wait.event_types().count(), 2);
    let told = wait.to_string();
    for part in
        ["a decision on request_0", "sleep \"nap\"", "an event paid", "attempt 2 of step \"build\"", ", or "]
    {
        assert!(told.contains(part), "{part:?} is missing in {told:?}");
    }
    replay.apply(&about::event("paid", 499)).unwrap();
    assert_eq!(replay.status(), Status::Running, "one of them is there");
}

/// A wait is recorded once, for any number of drives without progress.
#[test]
fn waiting_again_for_the_same_is_not_recorded_again() {
    let mut replay = fold(&origin());
    told(&mut replay, &Command::Start(Start::Sleep(nap(Alarm::In(500)))), at(0));
    let command = Command::Await { calls: vec![0] };
    assert_eq!(record(&mut replay, &command, at(1)), Entry::Awaiting { calls: vec![0] });
    for ms in 2..9 {
        assert!(matches!(replay.ask(&command, at(ms)), Ok(Turn::Wait(_))));
    }
}

/// One event in the life of an instance whose workflow only waits for events.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Sent(&'static str),
    /// The workflow is driven, and the host dies when it has written so many entries.
    Died(usize),
    /// So many milliseconds pass.
    Passed(i64),
    /// The workflow is driven until it waits.
    Driven,
}

/// Types and timeouts of the waits of a workflow, one after another.
type Waits = Vec<(&'static str, u64)>;

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => select(vec!["a", "b"]).prop_map(Happens::Sent),
        1 => (0_usize..4).prop_map(Happens::Died),
        2 => select(vec![0, 1, 5, 20]).prop_map(Happens::Passed),
        2 => Just(Happens::Driven),
    ]
}

/// Drives the workflow as far as it gets. Returns the delivered payloads, by type.
fn drive(journal: &mut Vec<Entry>, waits: &Waits, now: Timestamp) -> Vec<(&'static str, Option<String>)> {
    let (mut replay, mut told) = (fold(journal), Vec::new());
    for (event_type, timeout_ms) in waits {
        let (name, event_type_text) = ("any".to_owned(), (*event_type).to_owned());
        let command =
            Command::WaitForEvent(Expectation { name, event_type: event_type_text, timeout_ms: *timeout_ms });
        loop {
            match replay.ask(&command, now).unwrap() {
                Turn::Record(entry) => {
                    replay.apply(&entry).unwrap();
                    journal.push(entry);
                }
                Turn::Wait(_) => return told,
                Turn::Return(Outcome::Woken { ready: Ready::Event(event), .. }) => {
                    told.push((*event_type, Some(event.payload)));
                    break;
                }
                Turn::Return(Outcome::Woken { ready: Ready::TimedOut { .. }, .. }) => {
                    told.push((*event_type, None));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Events arrive at any time. Each is delivered at most once, those of a type in their order, and undelivered ones
    /// are kept.
    #[test]
    fn no_event_is_lost_or_told_twice_or_out_of_order(
        waits in vec((select(vec!["a", "b"]), select(vec![1_u64, 10, 1000])), 0..8),
        happens in vec(happens(), 0..40),
    ) {
        let (mut journal, mut now, mut sent) = (origin(), 0, Vec::new());
        let mut seen = Vec::new();
        for happens in happens {
            match happens {
                Happens::Sent(event_type) => {
                    sent.push((event_type, sent.len().to_string()));
                    let payload = sent.last().unwrap().1.clone();
                    let entry = fold(&journal).receive(event_type.parse().unwrap(), payload, at(now)).unwrap();
                    journal.push(entry);
                }
                Happens::Passed(ms) => now += ms,
                Happens::Died(life) => {
                    let end = journal.len() + life;
                    drive(&mut journal, &waits, at(now));
                    journal.truncate(end.max(2));
                }
                Happens::Driven => {
                    let told = drive(&mut journal, &waits, at(now));
                    prop_assert!(told.starts_with(&seen), "{told:?} after {seen:?}");
                    seen = told;
                }
            }
        }
        for event_type in ["a", "b"] {
            let told: Vec<_> =
                seen.iter().filter(|(told, _)| *told == event_type).filter_map(|(_, payload)| payload.clone()).collect();
            let all: Vec<_> =
                sent.iter().filter(|(sent, _)| *sent == event_type).map(|(_, payload)| payload.clone()).collect();
            prop_assert!(all.starts_with(&told), "of {all:?} it was told {told:?}");
            // Undelivered events are delivered to the next waits.
            if seen.len() == waits.len() {
                let mut more = waits.clone();
                more.resize(waits.len() + all.len() - told.len(), (event_type, 1000));
                let again = drive(&mut journal.clone(), &more, at(now));
                let told = again.into_iter().filter(|(told, _)| *told == event_type);
                prop_assert_eq!(told.filter_map(|(_, payload)| payload).collect::<Vec<_>>(), all);
            }
        }
    }
}

#[test]
fn an_event_beyond_a_bound_is_refused_to_its_sender() {
    let limits = Limits { event_bytes: 8, events: 2, journal_bytes: 20, ..Limits::default() };
    let send = |entries: &[Entry], payload: &str| {
        let replay = Replay::fold(&[origin(), entries.to_vec()].concat(), limits.clone()).unwrap();
        replay
            .receive("paid".parse().unwrap(), payload.to_owned(), at(0))
            .map(drop)
            .map_err(|failure| failure.message)
    };
    assert_eq!(send(&[], "12345678"), Ok(()));
    let refused = [
        (send(&[], "123456789"), "limit event-bytes reached: at most 8 "),
        (send(&[], "[1"), "not JSON"),
        (
            send(&[about::event("paid", 1), about::event("refunded", 2)], "1"),
            "limit events reached: at most 2 ",
        ),
        (
            send(&[about::event("paid", 1_234_567_890_123)], "12345678"),
            "limit journal-bytes reached: at most 20 ",
        ),
        (send(&[about::completed()], "1"), "the instance has ended (complete)"),
    ];
    for (told, part) in refused {
        assert!(told.clone().is_err_and(|message| message.contains(part)), "{part:?} is missing in {told:?}");
    }
    assert_eq!(send(&[about::paused()], "1"), Ok(()), "a pause loses no event");
    assert_eq!(send(&[about::diverged()], "1"), Ok(()), "nor does a divergence");
}
