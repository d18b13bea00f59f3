//! State × entry: a forbidden entry is refused, and does not change the state.

use crate::common::{
    Ask as _, about, action, at, begin, between, fold, invocation, origin, receipt_id, request_id,
};
use receipt::Decision;
use receipt::Decision::{Approved, Denied};
use workflow::CallMode::{Blocking, Started};
use workflow::{Call, Command, Effect, Entry, Limits, ReceiptId, RecordedCommand, Replay};

/// A state: its name, the journal that leads there, and the names of all entries that may follow.
struct Case {
    state: &'static str,
    journal: Vec<Entry>,
    allowed: Vec<&'static str>,
}

/// The entries that may follow in every running instance: the next call, inputs from outside, or the end.
const ALWAYS: [&str; 14] = [
    "step",
    "sleep",
    "wait",
    "rejected",
    "requested",
    "redeemed",
    "refused",
    "event",
    "paused",
    "diverged",
    "sent back",
    "terminated",
    "completed",
    "failed",
];

/// The entries that may follow in every stopped instance.
const HELD: [&str; 4] = ["event", "resumed", "sent back", "terminated"];

fn running(state: &'static str, entries: &[Entry], also: &[&'static str]) -> Case {
    let journal = origin().into_iter().chain(entries.iter().cloned()).collect();
    let allowed = ALWAYS.iter().chain(also).copied().collect();
    Case { state, journal, allowed }
}

/// Every state that a call can be in, with call 0 in it, and the beginnings and ends of an instance.
fn cases() -> Vec<Case> {
    let [loaded, started] = origin().try_into().unwrap();
    let ended =
        |state, end| Case { state, journal: [origin(), vec![end]].concat(), allowed: vec!["sent back"] };
    let held = |state, hold, also: &[&'static str]| Case {
        state,
        journal: [origin(), vec![about::requested(0), hold]].concat(),
        allowed: HELD.iter().chain(also).copied().collect(),
    };
    let mut cases = vec![
        Case { state: "nothing", journal: vec![], allowed: vec!["loaded"] },
        Case { state: "loaded", journal: vec![loaded.clone()], allowed: vec!["started"] },
        Case { state: "started", journal: vec![loaded, started], allowed: ALWAYS.to_vec() },
        ended("completed", about::completed()),
        ended("failed", about::failed()),
        ended("terminated", about::terminated()),
        held("paused", about::paused(), &PENDING),
        held("diverged", about::diverged(), &PENDING),
        running("sent back", &[about::requested(0), about::restarted(0)], &["loaded"]),
        running("with other code", &[about::restarted(0), origin().remove(0)], &[]),
    ];
    cases.extend(steps());
    cases.extend(attempts());
    cases.extend(waits());
    cases.extend(requests());
    cases.extend(actions());
    cases
}

fn steps() -> [Case; 4] {
    let open = about::step_started(0);
    [
        running("step open", std::slice::from_ref(&open), &["step completed", "step failed"]),
        running("step completed", &[open.clone(), about::step_completed(0)], &[]),
        running("step failed", &[open, about::step_failed(0)], &[]),
        running("rejected", &[about::rejected(0)], &[]),
    ]
}

fn attempts() -> Vec<Case> {
    let failed = |attempt| about::attempt_failed(0, attempt);
    let second = Entry::AttemptStarted { call: 0, attempt: 2 };
    let until_second = [about::started_step(0), failed(1), second];
    let ends = ["step completed", "step failed"];
    vec![
        running("first attempt", &until_second[..1], &[&ends[..], &["attempt failed"]].concat()),
        running("second attempt due", &until_second[..2], &["attempt started", "awaiting"]),
        running("second attempt", &until_second, &[&ends[..], &["second attempt failed"]].concat()),
        running("step completed, started", &[about::started_step(0), about::step_completed(0)], &ENDED),
        running("step failed, started", &[about::started_step(0), about::step_failed(0)], &ENDED),
        running(
            "told of a step",
            &[about::started_step(0), about::step_completed(0), Entry::Delivered { call: 0 }],
            &[],
        ),
    ]
}

/// The entries that may follow when a started call has ended.
const ENDED: [&str; 2] = ["told", "awaiting"];

fn waits() -> Vec<Case> {
    let sleep = |mode| about::sleep_started(0, mode);
    let wait = |mode| about::wait_started(0, mode);
    let (slept, over) = (Entry::SleepEnded { call: 0 }, Entry::WaitTimedOut { call: 0 });
    let (event, matched) = (about::event("paid", 1), Entry::WaitMatched { call: 0, event: 0 });
    let late = about::event("paid", 500);
    vec![
        running("sleep", &[sleep(Blocking)], &["slept"]),
        running("sleep, started", &[sleep(Started)], &["slept", "awaiting"]),
        running(
            "sleep awaited",
            &[sleep(Started), Entry::Awaiting { calls: vec![0] }],
            &["slept", "awaiting"],
        ),
        running("slept", &[sleep(Blocking), slept.clone()], &[]),
        running("slept, started", &[sleep(Started), slept], &[]),
        running("wait", &[wait(Blocking)], &["timed out"]),
        running("wait, started", &[wait(Started)], &["timed out", "awaiting"]),
        running("wait over", &[wait(Blocking), over.clone()], &[]),
        running("wait over, started", &[wait(Started), over], &[]),
        running("wait with an event", &[wait(Blocking), event.clone()], &["timed out", "matched"]),
        running(
            "wait with an event, started",
            &[event.clone(), wait(Started)],
            &["timed out", "matched", "awaiting"],
        ),
        running("wait with a late event", &[wait(Blocking), late], &["timed out"]),
        running("wait with another event", &[wait(Blocking), about::event("refunded", 1)], &["timed out"]),
        running("wait matched", &[wait(Blocking), event.clone(), matched.clone()], &[]),
        running("wait matched, started", &[wait(Started), event, matched], &[]),
        running("pending, started", &[started_request()], &[&PENDING[..], &["awaiting"]].concat()),
        running("lapsed, started", &[started_request(), Entry::Lapsed { request: request_id(0) }], &ENDED),
    ]
}

fn started_request() -> Entry {
    let mut entry = about::requested(0);
    if let Entry::Requested { mode, .. } = &mut entry {
        *mode = Started;
    }
    entry
}

/// The entries that may follow while a request waits.
const PENDING: [&str; 6] =
    ["decided approved", "decided denied", "lapsed", "signed approved", "signed denied", "withdrawn"];

fn requests() -> Vec<Case> {
    let pending = about::requested(0);
    let decided = |decision| about::decided(request_id(0), decision);
    let issued = |decision| about::issued(request_id(0), receipt_id(0), decision);
    let lapsed = Entry::Lapsed { request: request_id(0) };
    let each = |decision, allowed| Case {
        state: "decided",
        journal: [origin(), vec![pending.clone(), decided(decision)]].concat(),
        allowed,
    };
    let resolved = |decision| running("issued", &[pending.clone(), decided(decision), issued(decision)], &[]);
    vec![
        running("pending", std::slice::from_ref(&pending), &PENDING),
        running("signed", &[pending.clone(), about::signed(request_id(0), Approved)], &PENDING),
        running("withdrawn", &[pending.clone(), about::withdrawn(request_id(0))], &[]),
        each(Approved, vec!["issued approved"]),
        each(Denied, vec!["issued denied"]),
        resolved(Approved),
        resolved(Denied),
        running("lapsed", &[pending.clone(), lapsed], &[]),
    ]
}

fn actions() -> Vec<Case> {
    let entries = [
        about::redeemed(0, receipt_id(0)),
        about::performed(0, receipt_id(0)),
        about::attested(0, receipt_id(0)),
    ];
    let effect = Effect::Unknown { message: "who knows".to_owned() };
    let unknown = Entry::Performed { call: 0, receipt: receipt_id(0), effect };
    let unknown = [entries[0].clone(), unknown, entries[2].clone(), about::resolved(0)];
    let mut cases = vec![
        running("redeemed", &entries[..1], &["performed"]),
        running("performed", &entries[..2], &["attested"]),
        running("attested", &entries, &[]),
        running("attested as unknown", &unknown[..3], &["resolved"]),
        running("resolved", &unknown, &[]),
        running("refused", &[about::refused(0, receipt_id(0))], &[]),
    ];
    // No restart goes back over an action whose outcome is not signed.
    for case in &mut cases[..2] {
        case.allowed.retain(|name| *name != "sent back");
    }
    cases
}

/// The state after `journal`, also one in which no journal may end.
fn reached(journal: &[Entry]) -> Replay {
    if is_decided(journal.last()) { between(journal) } else { fold(journal) }
}

fn is_decided(entry: Option<&Entry>) -> bool {
    matches!(entry, Some(Entry::Decided { .. }))
}

/// One of every entry that might follow, by name. `next` is the number of the next call.
fn entries(next: Call) -> Vec<(&'static str, Entry)> {
    let [loaded, started] = origin().try_into().unwrap();
    let mut entries = vec![
        ("loaded", loaded),
        ("started", started),
        ("completed", about::completed()),
        ("failed", about::failed()),
        ("step completed", about::step_completed(0)),
        ("step failed", about::step_failed(0)),
        ("performed", about::performed(0, receipt_id(0))),
        ("performed on another receipt", about::performed(0, receipt_id(7))),
        ("attested", about::attested(0, receipt_id(0))),
        ("attested for another receipt", about::attested(0, receipt_id(7))),
        ("decided approved", about::decided(request_id(0), Approved)),
        ("decided denied", about::decided(request_id(0), Denied)),
        ("issued approved", about::issued(request_id(0), receipt_id(0), Approved)),
        ("issued denied", about::issued(request_id(0), receipt_id(0), Denied)),
        ("lapsed", Entry::Lapsed { request: request_id(0) }),
        ("signed approved", about::signed(request_id(0), Approved)),
        ("signed denied", about::signed(request_id(0), Denied)),
        ("withdrawn", about::withdrawn(request_id(0))),
    ];
    entries.extend(of_waits(next));
    entries.extend(of_operators(next));
    let names = ["step", "sleep", "wait", "rejected", "requested", "redeemed", "refused"];
    entries.extend(openings(next, names));
    entries.extend(openings(next + 1, ["step after a gap"; 7]));
    entries.extend(openings(Call::MAX, ["the last step there could be"; 7]));
    // A number that is taken; where none is, a request and a redemption that nothing forbids would be the same as above.
    entries.extend(openings(0, ["a step again"; 7]).into_iter().filter(|_| next > 0));
    entries.extend(strangers(next));
    entries.extend(misfits(next));
    entries
}

fn of_waits(next: Call) -> Vec<(&'static str, Entry)> {
    vec![
        ("attempt failed", about::attempt_failed(0, 1)),
        ("second attempt failed", about::attempt_failed(0, 2)),
        ("third attempt failed", about::attempt_failed(0, 3)),
        ("first attempt started", Entry::AttemptStarted { call: 0, attempt: 1 }),
        ("attempt started", Entry::AttemptStarted { call: 0, attempt: 2 }),
        ("third attempt started", Entry::AttemptStarted { call: 0, attempt: 3 }),
        ("slept", Entry::SleepEnded { call: 0 }),
        ("matched", Entry::WaitMatched { call: 0, event: 0 }),
        ("another event matched", Entry::WaitMatched { call: 0, event: 1 }),
        ("timed out", Entry::WaitTimedOut { call: 0 }),
        ("event", about::event("paid", 7)),
        ("awaiting", Entry::Awaiting { calls: vec![0] }),
        ("awaiting nothing", Entry::Awaiting { calls: vec![] }),
        ("awaiting one thing twice", Entry::Awaiting { calls: vec![0, 0] }),
        ("awaiting a stranger", Entry::Awaiting { calls: vec![next] }),
        ("told", Entry::Delivered { call: 0 }),
        ("told of a stranger", Entry::Delivered { call: next }),
    ]
}

fn of_operators(next: Call) -> Vec<(&'static str, Entry)> {
    vec![
        ("paused", about::paused()),
        ("resumed", about::resumed()),
        ("diverged", about::diverged()),
        // To before everything; where there is nothing, to where it is.
        ("sent back", about::restarted(0)),
        ("sent forward", about::restarted(next + 1)),
        ("terminated", about::terminated()),
        ("resolved", about::resolved(0)),
        ("a stranger resolved", about::resolved(next)),
    ]
}

/// Every entry that opens a call, with that call's number.
fn openings(call: Call, names: [&'static str; 7]) -> Vec<(&'static str, Entry)> {
    let fresh = || receipt_id(call.min(1000) + 1000);
    let entries = [
        about::step_started(call),
        about::sleep_started(call, Blocking),
        about::wait_started(call, Started),
        about::rejected(call),
        about::requested(call),
        about::redeemed(call, fresh()),
        about::refused(call, fresh()),
    ];
    names.into_iter().zip(entries).collect()
}

/// Entries about calls and requests that are not there.
fn strangers(next: Call) -> Vec<(&'static str, Entry)> {
    let (request, receipt) = (|| request_id(7), || receipt_id(0));
    let mut strangers = vec![
        ("decided for nobody", about::decided(request(), Approved)),
        ("issued for nobody", about::issued(request(), receipt(), Approved)),
        ("lapsed for nobody", Entry::Lapsed { request: request() }),
        ("signed for nobody", about::signed(request(), Approved)),
        ("withdrawn for nobody", about::withdrawn(request())),
    ];
    for call in [next, next + 1, Call::MAX] {
        strangers.extend([
            ("a stranger completed", about::step_completed(call)),
            ("a stranger failed", about::step_failed(call)),
            ("a stranger performed", about::performed(call, receipt())),
            ("a stranger attested", about::attested(call, receipt())),
        ]);
    }
    strangers
}

/// Entries whose answer does not fit their command.
fn misfits(next: Call) -> Vec<(&'static str, Entry)> {
    let with = |mut entry: Entry, other: RecordedCommand| {
        if let Entry::Requested { asked, .. } | Entry::Redeemed { asked, .. } | Entry::Refused { asked, .. } =
            &mut entry
        {
            *asked = other;
        }
        entry
    };
    let step = || RecordedCommand::Step { name: "build".to_owned() };
    let approval = || RecordedCommand::from(&action());
    let perform = |receipt: ReceiptId| RecordedCommand::from(&invocation(&action(), receipt));
    let fresh = || receipt_id(8);
    vec![
        ("requested by a step", with(about::requested(next), step())),
        ("requested by an action", with(about::requested(next), perform(fresh()))),
        ("redeemed by a step", with(about::redeemed(next, fresh()), step())),
        ("redeemed by a request", with(about::redeemed(next, fresh()), approval())),
        ("redeemed in place of another", with(about::redeemed(next, fresh()), perform(receipt_id(9)))),
        ("refused to a step", with(about::refused(next, fresh()), step())),
        ("refused to a request", with(about::refused(next, fresh()), approval())),
    ]
}

/// An instance's answers in some state to every command of a guest.
fn answers(replay: &Replay) -> String {
    let ask = |command: &Command| replay.clone().ask(command, at(0));
    let end = |call| Command::EndStep { call, result: Ok(r#""built""#.to_owned()) };
    let perform = Command::Perform(invocation(&action(), receipt_id(0)));
    let answers: Vec<_> =
        [begin("build"), begin(""), Command::RequireApproval(action()), perform, end(0), end(1)]
            .iter()
            .map(ask)
            .collect();
    format!("{answers:?} {:?}", replay.finish(&Ok("null".to_owned())))
}

/// Refused, with the place and the entry in words, and everything as it was.
fn check_refused(before: &Replay, entry: &Entry, context: &str) {
    let mut replay = before.clone();
    let Err(illegal) = replay.apply(entry) else { panic!("{context} was allowed") };
    assert_eq!((illegal.index, illegal.entry), (before.len(), entry.to_string()), "{context}");
    assert_eq!(replay.len(), before.len(), "{context}");
    assert_eq!(replay.is_empty(), before.is_empty(), "{context}");
    assert_eq!(replay.status(), before.status(), "{context}");
    assert_eq!(answers(&replay), answers(before), "{context}");
    assert_eq!(format!("{replay:?}"), format!("{before:?}"), "{context}");
}

#[test]
fn entries_outside_the_table_are_refused_and_leave_no_trace() {
    for Case { state, journal, allowed } in cases() {
        let replay = reached(&journal);
        let next = replay.next_call();
        for (name, entry) in entries(next) {
            let context = format!("{name} after {state} ({entry:?})");
            if allowed.contains(&name) {
                let mut replay = replay.clone();
                replay.apply(&entry).unwrap_or_else(|illegal| panic!("{context}: {illegal}"));
                assert_eq!(replay.len(), journal.len() + 1, "{context}");
            } else {
                check_refused(&replay, &entry, &context);
            }
        }
    }
}

#[test]
fn loading_is_guarded_by_the_same_table() {
    for Case { state, journal, allowed } in cases() {
        for (name, entry) in entries(reached(&journal).next_call()) {
            let loaded = Replay::fold(journal.iter().chain([&entry]), Limits::default());
            let ends = allowed.contains(&name) && !is_decided(Some(&entry));
            assert_eq!(loaded.is_ok(), ends, "{name} after {state}");
            if let Err(illegal) = reached(&journal).apply(&entry) {
                assert_eq!(loaded.err(), Some(illegal));
            }
        }
    }
}

#[test]
fn a_request_is_made_once() {
    let (request, receipt) = (request_id(0), receipt_id(0));
    let requested = about::requested(0);
    let decided = |decision| vec![requested.clone(), about::decided(request.clone(), decision)];
    let issued = |decision: Decision| about::issued(request.clone(), receipt.clone(), decision);
    let journals = [
        vec![requested.clone()],
        vec![requested.clone(), Entry::Lapsed { request: request.clone() }],
        vec![requested.clone(), about::withdrawn(request.clone())],
        decided(Approved),
        [decided(Approved), vec![issued(Approved)]].concat(),
        [decided(Denied), vec![issued(Denied)]].concat(),
    ];
    let mut again = requested.clone();
    if let Entry::Requested { call, .. } = &mut again {
        *call = 1;
    }
    for journal in journals {
        check_refused(&reached(&[origin(), journal].concat()), &again, "the request made again");
    }
}

#[test]
fn a_receipt_is_redeemed_once() {
    let spent = actions().into_iter().filter(|case| case.state != "refused");
    for Case { state, journal, .. } in spent {
        check_refused(&fold(&journal), &about::redeemed(1, receipt_id(0)), state);
    }
}

#[test]
fn a_refused_receipt_is_not_spent() {
    let mut replay = fold(&[origin(), vec![about::refused(0, receipt_id(0))]].concat());
    replay.apply(&about::redeemed(1, receipt_id(0))).unwrap();
}

#[test]
fn an_outer_step_has_no_end_before_an_inner_one() {
    let mut replay = fold(&[origin(), vec![about::step_started(0), about::step_started(1)]].concat());
    check_refused(&replay, &about::step_completed(0), "the outer step completed");
    check_refused(&replay, &about::step_failed(0), "the outer step failed");
    replay.apply(&about::step_failed(1)).unwrap();
    replay.apply(&about::step_completed(0)).unwrap();
}

/// Two requests wait: each decision goes to its own.
#[test]
fn a_decision_reaches_the_request_that_it_names() {
    let entries = [about::requested(0), about::requested(1), about::decided(request_id(1), Denied)];
    let mut replay = between(&[origin(), entries.to_vec()].concat());
    let issued = |call, decision| about::issued(request_id(call), receipt_id(call), decision);
    check_refused(&replay, &about::decided(request_id(1), Approved), "the same decided again");
    check_refused(&replay, &about::decided(request_id(0), Approved), "the other decided in between");
    check_refused(&replay, &issued(0, Denied), "the other issued");
    check_refused(&replay, &issued(1, Approved), "issued against the decision");
    replay.apply(&issued(1, Denied)).unwrap();
    check_refused(&replay, &issued(0, Denied), "the other issued undecided");
    replay.apply(&about::decided(request_id(0), Approved)).unwrap();
    replay.apply(&issued(0, Approved)).unwrap();
}
