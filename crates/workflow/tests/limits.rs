//! Every bound at its value and one above. The error names the bound, its value, and how to raise it.

use crate::common::program::{Op, Program};
use crate::common::shell::{Stop, drive};
use crate::common::{Ask as _, about, action, at, begin, failure, invocation, origin, receipt_id};
use workflow::{
    Action, Alarm, Artifact, Command, Entry, Expectation, Limits, Outcome, Replay, Sleep, Start, StepConfig,
    Turn,
};

/// Small enough to hit, large enough for [`action`]. The bound on evidence is tested at its default.
fn small() -> Limits {
    Limits {
        calls: 3,
        step_name_chars: 5,
        result_bytes: 20,
        reason_bytes: 30,
        resource_bytes: 40,
        artifact_bytes: 50,
        ..Limits::default()
    }
}

fn started(limits: Limits) -> Replay {
    Replay::fold(&origin(), limits).unwrap()
}

/// The guest's message when `command` is rejected; the rejection goes through the journal.
fn rejection(command: &Command) -> Option<String> {
    match started(small()).ask(command, at(0)).unwrap() {
        Turn::Record(Entry::Rejected { message, .. }) => Some(message),
        Turn::Record(_) | Turn::Do(_) => None,
        other => panic!("{other:?}"),
    }
}

fn check_words(message: &str, limit: &str, value: u64, asked: &str) {
    let expected = [
        format!("limit {limit} reached: at most {value} "),
        format!("and {asked} were asked for"),
        format!("an operator raises it with --limit {limit}=N"),
    ];
    for part in expected {
        assert!(message.contains(&part), "{part:?} is missing in {message:?}");
    }
}

/// `command(n)` is as large as the bound allows at `value`, and one above it is not.
fn check(limit: &str, value: usize, command: impl Fn(usize) -> Command) {
    assert_eq!(rejection(&command(value)), None, "{limit} at its value");
    let message = rejection(&command(value + 1)).unwrap_or_else(|| panic!("{limit} above its value"));
    check_words(&message, limit, value as u64, &(value + 1).to_string());
}

fn approve(action: Action) -> Command {
    Command::RequireApproval(action)
}

fn perform(action: &Action) -> Command {
    Command::Perform(invocation(action, receipt_id(0)))
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let limits = Limits::default();
    assert_eq!((limits.calls, limits.step_name_chars, limits.result_bytes), (10_000, 256, 1_048_576));
    assert_eq!((limits.evidence_bytes, limits.reason_bytes), (65_536, 4096));
    assert_eq!((limits.resource_bytes, limits.artifact_bytes), (1024, 67_108_864));
    assert_eq!(limits.journal_bytes, 67_108_864);
    assert_eq!((limits.started_calls, limits.retries, limits.sleep.as_secs()), (1000, 10_000, 365 * 86_400));
    assert_eq!((limits.event_bytes, limits.events), (1_048_576, 1000));
}

#[test]
fn step_name_chars_is_a_bound_on_characters_and_not_on_bytes() {
    check("step-name-chars", 5, |n| begin(&"ü".repeat(n)));
    check("step-name-chars", 5, |n| Command::Sleep(Sleep { name: "ü".repeat(n), alarm: Alarm::In(1) }));
    check("step-name-chars", 5, |n| {
        let event_type = "paid".to_owned();
        Command::WaitForEvent(Expectation { name: "ü".repeat(n), event_type, timeout_ms: 1 })
    });
}

fn step(config: StepConfig) -> Command {
    Command::Start(Start::Step { name: "build".to_owned(), config })
}

fn sleep(alarm: Alarm) -> Command {
    Command::Sleep(Sleep { name: "nap".to_owned(), alarm })
}

fn wait(event_type: &str, timeout_ms: u64) -> Command {
    let (name, event_type) = ("wait".to_owned(), event_type.to_owned());
    Command::WaitForEvent(Expectation { name, event_type, timeout_ms })
}

/// Every duration is bounded in the same way, to the millisecond.
#[test]
fn sleep_seconds_is_a_bound_on_everything_that_takes_time() {
    let year = 31_536_000_000_u64;
    let configured =
        |delay_ms, timeout_ms| step(StepConfig { delay_ms, timeout_ms, ..StepConfig::default() });
    let commands: [fn(u64) -> Command; 2] = [|ms| sleep(Alarm::In(ms)), |ms| wait("paid", ms)];
    let mut cases: Vec<_> = commands.iter().map(|command| (command(year), command(year + 1))).collect();
    cases.push((configured(year, 1), configured(year + 1, 1)));
    cases.push((configured(0, year), configured(0, year + 1)));
    let until = |ms: u64| sleep(Alarm::At(at(i64::try_from(ms).unwrap())));
    cases.push((until(year), until(year + 1)));
    for (allowed, refused) in cases {
        assert_eq!(rejection(&allowed), None);
        check_words(&rejection(&refused).unwrap(), "sleep-seconds", 31_536_000, "31536000.001");
    }
}

#[test]
fn retries_is_a_bound() {
    let command = |retries| step(StepConfig { retries, ..StepConfig::default() });
    assert_eq!(rejection(&command(10_000)), None);
    check_words(&rejection(&command(10_001)).unwrap(), "retries", 10_000, "10001");
}

#[test]
fn what_takes_no_time_at_all_is_no_timeout() {
    let config = StepConfig { timeout_ms: 0, ..StepConfig::default() };
    for command in [wait("paid", 0), step(config)] {
        assert!(rejection(&command).unwrap().contains("at least one millisecond"), "{command:?}");
    }
    assert_eq!(rejection(&sleep(Alarm::In(0))), None, "a sleep may be that short");
}

#[test]
fn an_event_has_a_type_that_can_be_written_down() {
    for good in ["a", "payment.received", "pp-approval", &"t".repeat(100)] {
        assert_eq!(rejection(&wait(good, 1)), None, "{good}");
    }
    for bad in ["", "a b", "é", "a\n", &"t".repeat(101)] {
        let message = rejection(&wait(bad, 1)).unwrap();
        assert!(message.contains("is not an event type: 1 to 100 characters"), "{message}");
    }
}

#[test]
fn evidence_bytes_is_a_bound() {
    check("evidence-bytes", 65_536, |n| {
        approve(Action { evidence: format!("{}1", " ".repeat(n - 1)), ..action() })
    });
}

#[test]
fn reason_bytes_is_a_bound() {
    check("reason-bytes", 30, |n| approve(Action { reason: "r".repeat(n), ..action() }));
}

#[test]
fn resource_bytes_is_a_bound_wherever_a_resource_is_named() {
    let with = |n| Action { resource: "r".repeat(n), ..action() };
    check("resource-bytes", 40, |n| approve(with(n)));
    check("resource-bytes", 40, |n| perform(&with(n)));
}

#[test]
fn artifact_bytes_is_a_bound_wherever_an_artifact_is_named() {
    let with = |n| Action { artifact: Some(Artifact::new("app.wasm".to_owned(), vec![0; n])), ..action() };
    check("artifact-bytes", 50, |n| approve(with(n)));
    check("artifact-bytes", 50, |n| perform(&with(n)));
}

/// The journal is full, so the instance has to end. If the limit is raised before that, the same guest continues.
#[test]
fn calls_is_a_bound_on_all_calls_together() {
    let mut journal = origin();
    journal.extend([about::step_started(0), about::step_completed(0), about::rejected(1)]);
    journal.push(about::refused(2, receipt_id(0)));
    let mut replay = Replay::fold(&journal, small()).unwrap();
    for command in [begin("build"), begin(""), perform(&action())] {
        assert!(matches!(replay.ask(&command, at(0)), Ok(Turn::Return(_))));
    }
    for command in [begin("more"), approve(action()), perform(&action())] {
        let Ok(Turn::Break(failure)) = replay.ask(&command, at(0)) else { panic!("{command:?} went on") };
        assert_eq!(failure.name, "limit-exceeded");
        check_words(&failure.message, "calls", 3, "more");
    }
    assert!(replay.finish(&Ok("null".to_owned())).is_ok());
    let mut raised = Replay::fold(&journal, Limits { calls: 4, ..small() }).unwrap();
    for command in [begin("build"), begin(""), perform(&action())] {
        raised.ask(&command, at(0)).unwrap();
    }
    let begun = Turn::Record(about::step_named(3, "more"));
    assert_eq!(raised.ask(&begin("more"), at(0)), Ok(begun));
}

/// A step that was begun can always end: its end is not a call.
#[test]
fn the_last_call_can_end() {
    let mut replay = Replay::fold(&origin(), Limits { calls: 1, ..small() }).unwrap();
    replay.apply(&about::step_started(0)).unwrap();
    replay.ask(&begin("build"), at(0)).unwrap();
    let end = Command::EndStep { call: 0, result: Ok("1".to_owned()) };
    assert!(matches!(replay.ask(&end, at(0)), Ok(Turn::Record(Entry::StepCompleted { .. }))));
}

/// The recorded end of a step, after recording it.
fn record_end(replay: &mut Replay, command: &Command) -> Result<String, workflow::Failure> {
    let Ok(Turn::Record(entry)) = replay.ask(command, at(0)) else { panic!("it did not end") };
    replay.apply(&entry).unwrap();
    match entry {
        Entry::StepCompleted { output, .. } => Ok(output),
        Entry::StepFailed { failure, .. } => Err(failure),
        other => panic!("{other} is no end"),
    }
}

/// The recorded end of a step.
fn step_end(result: Result<String, workflow::Failure>) -> Result<String, workflow::Failure> {
    let mut replay = started(small());
    replay.apply(&about::step_started(0)).unwrap();
    replay.ask(&begin("build"), at(0)).unwrap();
    let command = Command::EndStep { call: 0, result };
    let result = record_end(&mut replay, &command);
    let told = result.clone().map(drop);
    assert_eq!(
        replay.ask(&command, at(0)),
        Ok(Turn::Return(Outcome::Ended(told))),
        "asked again it is told what was recorded"
    );
    result
}

#[test]
fn result_bytes_is_a_bound_on_a_step_a_workflow_and_the_parameters() {
    let json = |n: usize| format!("{}1", " ".repeat(n - 1));
    let workflow_end = |output| match started(small()).finish(&Ok(output)).unwrap() {
        Entry::Completed { output } => Ok(output),
        Entry::Failed { failure } => Err(failure),
        other => panic!("{other}"),
    };
    assert_eq!(step_end(Ok(json(20))), Ok(json(20)));
    assert_eq!(workflow_end(json(20)), Ok(json(20)));
    assert_eq!(small().check_params(&json(20)), Ok(()));
    let told = [
        ("the step result", step_end(Ok(json(21))).unwrap_err()),
        ("the workflow's result", workflow_end(json(21)).unwrap_err()),
        ("the parameters", small().check_params(&json(21)).unwrap_err()),
    ];
    for (what, failure) in told {
        assert_eq!(failure.name, "invalid-result");
        check_words(&failure.message, "result-bytes", 20, "21");
        assert!(failure.message.contains(&format!("20 bytes in {what}")), "{failure}");
    }
}

/// A step's result counts with those before it. Asking again gives the same answer.
#[test]
fn journal_bytes_is_a_bound_on_all_step_results_together() {
    let limits = Limits { journal_bytes: 10, ..Limits::default() };
    let recorded = [about::step_started(0), Entry::StepCompleted { call: 0, output: "1234567".to_owned() }];
    let mut journal = [origin(), recorded.to_vec()].concat();
    journal.push(about::step_started(1));
    let end = |output: &str| {
        let mut replay = Replay::fold(&journal, limits.clone()).unwrap();
        for _step in 0..2 {
            replay.ask(&begin("build"), at(0)).unwrap();
        }
        let command = Command::EndStep { call: 1, result: Ok(output.to_owned()) };
        let result = record_end(&mut replay, &command);
        let told = Outcome::Ended(result.clone().map(drop));
        assert_eq!(replay.ask(&command, at(0)), Ok(Turn::Return(told)));
        result
    };
    assert_eq!(end("123"), Ok("123".to_owned()));
    check_words(&end("1234").unwrap_err().message, "journal-bytes", 10, "11");
}

/// An operator who raises a limit far enough meets texts that the journal abbreviates in questions.
#[test]
fn what_raised_limits_accept_is_recognised_however_long_it_is() {
    let limits = Limits { step_name_chars: 1 << 20, resource_bytes: 1 << 20, ..Limits::default() };
    let long = "x".repeat(5000);
    let action = Action { resource: format!("world:approve/spend/succeed/{long}"), ..action() };
    let program = Program(vec![
        Op::Step { name: long, body: vec![Op::Act { action: action.clone(), times: 1 }], fails: None },
        Op::Act { action, times: 1 },
    ]);
    let parked = drive(&program, &origin(), limits.clone(), usize::MAX);
    assert_eq!(parked.end, Err(Stop::Parked));
    assert_eq!(drive(&program, &parked.journal, limits, 0).end, Err(Stop::Parked));
}

#[test]
fn what_is_not_json_is_not_a_result() {
    for text in ["", "{", "nul", "1 2", "\u{feff}1", r#"{"a":1,"a":2}"#] {
        assert_eq!(step_end(Ok(text.to_owned())).unwrap_err().name, "invalid-result", "{text:?}");
        assert!(small().check_params(text).is_err(), "{text:?}");
        let end = started(small()).finish(&Ok(text.to_owned())).unwrap();
        assert!(matches!(end, Entry::Failed { .. }), "{text:?}");
        assert!(rejection(&approve(Action { evidence: text.to_owned(), ..action() })).is_some(), "{text:?}");
    }
}

#[test]
fn a_long_failure_is_cut_between_characters_and_says_so() {
    let whole = failure(&"n".repeat(30), &"m".repeat(30));
    assert_eq!(step_end(Err(whole.clone())), Err(whole.clone()));
    assert_eq!(started(small()).finish(&Err(whole.clone())), Ok(Entry::Failed { failure: whole }));
    let long = failure(&"n".repeat(31), &"ü".repeat(16).replacen('ü', "m", 1));
    let cut = failure(
        &format!("{} [1 more bytes not kept]", "n".repeat(30)),
        &format!("m{} [2 more bytes not kept]", "ü".repeat(14)),
    );
    assert_eq!(step_end(Err(long.clone())), Err(cut.clone()));
    assert_eq!(started(small()).finish(&Err(long)), Ok(Entry::Failed { failure: cut }));
}

#[test]
fn what_cannot_stand_under_a_receipt_is_rejected_with_a_hint() {
    let named = |name: &str| Action { artifact: Some(Artifact::new(name.to_owned(), vec![])), ..action() };
    let capable = |capability: &str| approve(Action { capability: capability.to_owned(), ..action() });
    let on = |resource: &str| approve(Action { resource: resource.to_owned(), ..action() });
    let long = |n: usize| format!("a.{}", "b".repeat(n - 2));
    let cases = [
        (begin(""), "at least one character"),
        (begin("a\nb"), "use letters"),
        (capable(""), "dotted name such as"),
        (capable("deploy"), "dotted name such as"),
        (capable("a..b"), "dotted name such as"),
        (capable("a.b c"), "dotted name such as"),
        (capable(&long(129)), "at most 128"),
        (on(""), "needs a resource, such as"),
        (on("a b"), "percent-encode"),
        (on("a\u{2028}b"), "percent-encode"),
        (approve(named("")), "1 to 256 characters"),
        (approve(named(&"n".repeat(257))), "1 to 256 characters"),
        (approve(named("a\tb")), "1 to 256 characters"),
        (perform(&named("")), "1 to 256 characters"),
    ];
    for (command, hint) in cases {
        let message = rejection(&command).unwrap_or_else(|| panic!("{command:?} was accepted"));
        assert!(message.contains(hint), "{message:?} for {command:?}");
    }
    for command in [capable(&long(128)), capable("a.b"), approve(named(&"ü".repeat(256)))] {
        assert_eq!(rejection(&command), None, "{command:?}");
    }
}

#[test]
fn a_recorded_rejection_is_handed_back_whatever_the_limits_are_now() {
    let long = begin("a long name");
    let Ok(Turn::Record(entry)) = started(small()).ask(&long, at(0)) else { panic!("accepted") };
    let Entry::Rejected { message, .. } = &entry else { panic!("accepted") };
    let message = message.clone();
    let mut journal = origin();
    journal.push(entry);
    for limits in
        [small(), Limits::default(), Limits { step_name_chars: 1, ..small() }, Limits { calls: 0, ..small() }]
    {
        let again = Replay::fold(&journal, limits).unwrap().ask(&long, at(0));
        assert_eq!(again, Ok(Turn::Return(Outcome::Rejected(message.clone()))));
    }
}

#[test]
fn what_was_accepted_stays_accepted_when_limits_are_lowered() {
    let nothing = Limits {
        calls: 0,
        step_name_chars: 0,
        evidence_bytes: 0,
        reason_bytes: 0,
        resource_bytes: 0,
        artifact_bytes: 0,
        ..Limits::default()
    };
    let program = crate::prefixes::everything();
    let straight = crate::common::shell::run_straight(&program);
    let unfinished = &straight.journal[..straight.journal.len() - 1];
    assert_eq!(drive(&program, unfinished, nothing, 1).end, straight.end);
}
