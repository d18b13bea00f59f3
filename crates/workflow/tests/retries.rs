//! Attempts: how many, when, and what ends them.

use crate::common::{Ask as _, about, at, begin, failure, fold, origin};
use crate::waits::{record, told};
use workflow::{
    Backoff, Begun, Command, Entry, Limits, Outcome, Ready, Replay, Retry, Start, StepConfig, Turn,
};

fn build(config: StepConfig) -> Command {
    Command::Start(Start::Step { name: "build".to_owned(), config })
}

fn fails() -> Command {
    Command::EndStep { call: 0, result: Err(failure("broken", "it broke")) }
}

fn succeeds() -> Command {
    Command::EndStep { call: 0, result: Ok("1".to_owned()) }
}

const AWAIT: fn() -> Command = || Command::Await { calls: vec![0] };

/// Every attempt fails at once; when each was made, in milliseconds, and how it ended.
fn attempts(config: &StepConfig, fails: &Command) -> (Vec<i64>, Entry) {
    let (mut replay, mut now, mut made) = (fold(&origin()), at(0), vec![0]);
    assert_eq!(told(&mut replay, &build(config.clone()), now), Outcome::Begun(Begun::Run(0)));
    loop {
        let entry = record(&mut replay, fails, now);
        assert_eq!(told(&mut replay, fails, now), Outcome::Ended(Err(failure("broken", "it broke"))));
        let Entry::AttemptFailed { attempt, retry_at, .. } = entry else { return (made, entry) };
        assert_eq!(attempt as usize, made.len());
        now = retry_at;
        let next = told(&mut replay, &AWAIT(), now);
        assert_eq!(next, Outcome::Woken { call: 0, ready: Ready::Run { attempt: attempt + 1 } });
        made.push(now.as_millis() - at(0).as_millis());
    }
}

#[test]
fn five_retries_are_six_attempts_with_a_growing_delay() {
    let (made, end) = attempts(&StepConfig::default(), &fails());
    assert_eq!(made, [0, 10_000, 30_000, 70_000, 150_000, 310_000]);
    assert_eq!(end, Entry::StepFailed { call: 0, failure: failure("broken", "it broke") });
}

#[test]
fn the_delay_grows_as_configured() {
    let config = |backoff| StepConfig { retries: 3, delay_ms: 10, backoff, timeout_ms: 1 };
    assert_eq!(attempts(&config(Backoff::Constant), &fails()).0, [0, 10, 20, 30]);
    assert_eq!(attempts(&config(Backoff::Linear), &fails()).0, [0, 10, 30, 60]);
    assert_eq!(attempts(&config(Backoff::Exponential), &fails()).0, [0, 10, 30, 70]);
}

#[test]
fn a_step_may_say_itself_when_it_is_tried_again() {
    let after = Command::FailStep { call: 0, failure: failure("broken", "it broke"), retry: Retry::After(7) };
    assert_eq!(attempts(&StepConfig::default(), &after).0, [0, 7, 14, 21, 28, 35]);
}

#[test]
fn what_cannot_be_mended_by_trying_again_is_not_tried_again() {
    let never = Command::FailStep { call: 0, failure: failure("broken", "it broke"), retry: Retry::Never };
    assert_eq!(attempts(&StepConfig::default(), &never).0, [0]);
    let none = StepConfig { retries: 0, ..StepConfig::default() };
    assert_eq!(attempts(&none, &fails()).0, [0]);
    let mut replay = fold(&origin());
    told(&mut replay, &build(StepConfig::default()), at(0));
    let mumble = Command::EndStep { call: 0, result: Ok("um".to_owned()) };
    assert!(
        matches!(record(&mut replay, &mumble, at(0)), Entry::StepFailed { .. }),
        "a result that is no JSON"
    );
}

/// An attempt that does not end is cut off, with the open steps inside it. The next run continues from there.
#[test]
fn what_takes_too_long_is_cut_off() {
    let config = StepConfig { retries: 1, delay_ms: 10, backoff: Backoff::Constant, timeout_ms: 1_000 };
    let mut replay = fold(&origin());
    told(&mut replay, &build(config.clone()), at(0));
    told(&mut replay, &begin("inside"), at(500));
    told(&mut replay, &begin("further inside"), at(900));
    assert!(!replay.is_overdue(at(1_000)));
    assert_eq!(replay.cut_off(at(1_000)), [], "it may take as long as that");
    assert!(replay.is_overdue(at(1_001)));
    let cut_off = replay.cut_off(at(1_001));
    let [Entry::StepFailed { call: 2, .. }, Entry::StepFailed { call: 1, failure: inside }, outer] =
        &cut_off[..]
    else {
        panic!("{cut_off:?}")
    };
    assert_eq!(inside.name, "timeout");
    let timeout = failure("timeout", "Execution timed out after 1000ms");
    let ended = Entry::AttemptFailed { call: 0, attempt: 1, failure: timeout.clone(), retry_at: at(1_011) };
    assert_eq!(*outer, ended);
    let mut journal = origin();
    journal.extend([
        about::step_with(0, config.clone()),
        about::step_named(1, "inside"),
        about::step_named(2, "further inside"),
    ]);
    journal.extend(cut_off);
    let mut replay = fold(&journal);
    assert_eq!(told(&mut replay, &build(config.clone()), at(1_011)), Outcome::Started(0));
    let next = told(&mut replay, &AWAIT(), at(1_011));
    assert_eq!(next, Outcome::Woken { call: 0, ready: Ready::Run { attempt: 2 } });
    let last = replay.cut_off(at(5_000));
    assert_eq!(last, [Entry::StepFailed { call: 0, failure: timeout }], "the last attempt is the step's end");
}

/// A step that is tried once has no timeout, and neither has an ended one.
#[test]
fn what_has_no_time_limit_is_not_cut_off() {
    let mut replay = fold(&origin());
    told(&mut replay, &begin("build"), at(0));
    assert!(!replay.is_overdue(at(i64::MAX / 2)));
    let mut replay = fold(&origin());
    told(&mut replay, &build(StepConfig::default()), at(0));
    record(&mut replay, &succeeds(), at(1));
    assert_eq!(told(&mut replay, &succeeds(), at(1)), Outcome::Ended(Ok(())));
    assert!(!replay.is_overdue(at(i64::MAX / 2)));
}

/// An attempt that took too long has failed, whatever its result; and it counts as an attempt.
#[test]
fn a_timeout_costs_an_attempt() {
    for end in [succeeds(), fails()] {
        let mut replay = fold(&origin());
        told(&mut replay, &build(StepConfig::default()), at(0));
        let late = at(600_001);
        let Entry::AttemptFailed { attempt: 1, failure, retry_at, .. } = record(&mut replay, &end, late)
        else {
            panic!("it was in time")
        };
        assert_eq!((failure.name.as_str(), retry_at), ("timeout", at(610_001)));
        assert_eq!(failure.message, "Execution timed out after 600000ms");
        assert_eq!(told(&mut replay, &end, at(700_000)), Outcome::Ended(Err(failure)), "asked again, later");
        let next = told(&mut replay, &AWAIT(), retry_at);
        assert_eq!(next, Outcome::Woken { call: 0, ready: Ready::Run { attempt: 2 } });
        assert!(matches!(record(&mut replay, &succeeds(), at(1_210_001)), Entry::StepCompleted { .. }));
    }
}

/// A host that died during an attempt makes the same attempt again, and its time begins anew.
#[test]
fn an_interrupted_attempt_costs_nothing() {
    let interrupted = [
        vec![about::started_step(0)],
        vec![
            about::started_step(0),
            about::attempt_failed(0, 1),
            Entry::AttemptStarted { call: 0, attempt: 2 },
        ],
    ];
    for (entries, attempt) in interrupted.into_iter().zip(1..) {
        let mut replay = fold(&[origin(), entries].concat());
        let now = at(100 * 86_400_000);
        let begun = told(&mut replay, &build(StepConfig::default()), now);
        match attempt {
            1 => assert_eq!(begun, Outcome::Begun(Begun::Run(0))),
            _ => {
                assert_eq!(begun, Outcome::Started(0));
                let run = Outcome::Woken { call: 0, ready: Ready::Run { attempt } };
                assert_eq!(told(&mut replay, &AWAIT(), now), run);
            }
        }
        let Entry::AttemptFailed { attempt: made, .. } = record(&mut replay, &fails(), now) else { panic!() };
        assert_eq!(made, attempt);
    }
}

/// The first configuration of a step stays in force.
#[test]
fn a_step_keeps_its_first_configuration() {
    let mut replay = fold(&[origin(), vec![about::started_step(0)]].concat());
    let other = StepConfig { retries: 0, delay_ms: 1, backoff: Backoff::Constant, timeout_ms: 1 };
    told(&mut replay, &build(other), at(0));
    let Entry::AttemptFailed { retry_at, .. } = record(&mut replay, &fails(), at(0)) else {
        panic!("it is not tried again")
    };
    assert_eq!(retry_at, at(10_000));
}

/// The journal's bound applies to a failing step's entries too.
#[test]
fn a_full_journal_ends_the_attempts() {
    let limits = Limits { journal_bytes: 30, ..Limits::default() };
    let mut replay = Replay::fold(&origin(), limits).unwrap();
    told(&mut replay, &build(StepConfig::default()), at(0));
    for attempt in 2..=3 {
        assert!(matches!(record(&mut replay, &fails(), at(0)), Entry::AttemptFailed { .. }));
        told(&mut replay, &fails(), at(0));
        let due = at(1 << 40);
        assert_eq!(
            told(&mut replay, &AWAIT(), due),
            Outcome::Woken { call: 0, ready: Ready::Run { attempt } }
        );
    }
    assert!(matches!(record(&mut replay, &fails(), at(0)), Entry::StepFailed { .. }));
}

/// A step that is tried once fails once.
#[test]
fn a_step_that_was_begun_plainly_is_tried_once() {
    let mut replay = fold(&[origin(), vec![about::step_started(0)]].concat());
    replay.ask(&Command::BeginStep { name: "build".to_owned() }, at(0)).unwrap();
    let retry = Command::FailStep { call: 0, failure: failure("broken", "it broke"), retry: Retry::After(1) };
    let live = replay.ask(&retry, at(1 << 50));
    let failed = Entry::StepFailed { call: 0, failure: failure("broken", "it broke") };
    assert_eq!(live, Ok(Turn::Record(failed)));
}
