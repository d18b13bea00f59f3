//! Requests for approval.

use super::*;
use receipt::Decision;
use store::{
    NewRequest, Notice, NoticeChannel, NoticeKind, RequestFilter, SentNotices, SignedBy, StoreError, Write,
};
use workflow::{ReceiptId, RecordedCommand, RequestId};

/// A request to do `subject` to a resource, in a journal of so many entries.
fn request(key: &InstanceKey, id: &str, subject: &str, quotas: Option<Quotas>) -> Batch {
    let (capability, resource) = ("a.b".to_owned(), subject.to_owned());
    let asked =
        RecordedCommand::Approval { capability, resource: subject.to_owned(), action: Digest::of(b"action") };
    let id: RequestId = id.parse().unwrap();
    let requested = Entry::Requested {
        call: 0,
        request: id.clone(),
        asked,
        artifact: None,
        input_hash: Digest::of(b"input").to_string(),
        expires_at: later(1_000),
        mode: CallMode::Blocking,
    };
    let body = format!(
        r#"{{"id":"{id}","tenant":"{}","instance":"{}","capability":"a.b","resource":"{subject}"}}"#,
        key.tenant, key.instance
    );
    let new = NewRequest { id, capability: "a.b".to_owned(), resource, body };
    Batch { request: Some(new), quotas, ..batch(vec![requested]) }
}

/// Asks, as the third entry of a new instance.
pub(super) fn ask(store: &dyn Store, name: &str, id: &str, subject: &str) {
    create(store, &key(name));
    store.append(place(&key(name), 2), &request(&key(name), id, subject, None)).wait().unwrap();
}

fn decide(store: &dyn Store, name: &str, id: &str, decision: Decision, keys: &str) {
    let request: RequestId = id.parse().unwrap();
    let receipt: ReceiptId = format!("rcpt_{name}").parse().unwrap();
    let decided =
        Entry::Decided { request: request.clone(), decision, decider: "ann".to_owned(), reason: None };
    let (key_id, document) = ("key".to_owned(), "{}".to_owned());
    let issued = Entry::Issued { request, receipt, decision, key_id, expires_at: later(1_000), document };
    let signed = Some(Box::new(SignedBy { keys: keys.to_owned(), digests: Vec::new() }));
    store.append(place(&key(name), 3), &Batch { signed, ..batch(vec![decided, issued]) }).wait().unwrap();
}

fn names(store: &dyn Store, which: RequestFilter) -> Vec<(String, Option<String>)> {
    let found = store.requests(which).wait().unwrap();
    found.into_iter().map(|request| (request.key.instance.to_string(), request.outcome)).collect()
}

pub(super) fn wait_until_they_are_decided(engine: &impl Engine) {
    let store = engine.open();
    for (name, id) in [("a", "apr_1"), ("b", "apr_2"), ("c", "apr_3")] {
        ask(&*store, name, id, "r");
    }
    assert_eq!(usage(&*store).pending_approvals, 3);
    decide(&*store, "a", "apr_1", Decision::Approved, "k");
    let lapsed = batch(vec![Entry::Lapsed { request: "apr_2".parse().unwrap() }]);
    store.append(place(&key("b"), 3), &lapsed).wait().unwrap();
    assert_eq!(usage(&*store).pending_approvals, 1);
    assert_eq!(names(&*store, RequestFilter::Waiting), [("c".to_owned(), None)]);
    let outcome = |word: &str| Some(word.to_owned());
    let all = [("a", outcome("APPROVED")), ("b", outcome("LAPSED")), ("c", None)];
    assert_eq!(names(&*store, RequestFilter::All), all.map(|(name, outcome)| (name.to_owned(), outcome)));
    let found = store.request(&"apr_1".parse().unwrap()).wait().unwrap().unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&found.body).unwrap()["resource"], "r");
    assert!(store.request(&"apr_9".parse().unwrap()).wait().unwrap().is_none());
}

pub(super) fn count_against_quotas(engine: &impl Engine) {
    let store = engine.open();
    ask(&*store, "a", "apr_1", "r");
    create(&*store, &key("b"));
    for quotas in [
        Quotas { pending_approvals: 1, ..Quotas::default() },
        Quotas { requests_per_hour: 1, ..Quotas::default() },
    ] {
        let refused =
            store.append(place(&key("b"), 2), &request(&key("b"), "apr_2", "r", Some(quotas))).wait();
        assert!(matches!(refused, Err(StoreError::Quota(_))), "{refused:?}");
    }
    assert_eq!((length(&*store, &key("b")), usage(&*store).pending_approvals), (2, 1));
    assert_eq!(store.asked_since(&tenant("acme"), AT).wait().unwrap(), 1);
    assert_eq!(store.asked_since(&tenant("globex"), AT).wait().unwrap(), 0);
}

pub(super) fn are_remembered_by_subject(engine: &impl Engine) {
    let store = engine.open();
    for (name, id) in [("a", "apr_1"), ("b", "apr_2"), ("c", "apr_3")] {
        ask(&*store, name, id, "r");
    }
    ask(&*store, "d", "apr_4", "other");
    decide(&*store, "a", "apr_1", Decision::Denied, "k1");
    decide(&*store, "b", "apr_2", Decision::Denied, "k1 k2");
    decide(&*store, "c", "apr_3", Decision::Approved, "k1");
    let asked = |tenant: &str, resource| {
        let mut asked = store.asked(&tenant.parse().unwrap(), "a.b", resource).wait().unwrap();
        asked.denials.sort();
        asked
    };
    let r = asked("acme", "r");
    assert_eq!((r.times, r.denials), (3, vec![("k1".to_owned(), 1), ("k1 k2".to_owned(), 1)]));
    assert_eq!(asked("acme", "other").times, 1);
    assert_eq!((asked("acme", "none").times, asked("globex", "r").times), (0, 0));
}

pub(super) fn are_read_with_their_journal(engine: &impl Engine) {
    let store = engine.open();
    ask(&*store, "a", "apr_1", "r");
    let found = store.request_and_journal(&"apr_1".parse().unwrap()).wait().unwrap().unwrap();
    assert_eq!((found.key, found.facts.len()), (key("a"), 3));
    assert_eq!(found.document["id"], "apr_1");
    assert!(store.request_and_journal(&"apr_9".parse().unwrap()).wait().unwrap().is_none());
}

pub(super) fn wait_again_when_reopened(engine: &impl Engine) {
    let store = engine.open();
    ask(&*store, "a", "apr_1", "r");
    let id: RequestId = "apr_1".parse().unwrap();
    let notice = Notice { kind: NoticeKind::Requested, channel: NoticeChannel::Command };
    for marks in [SentNotices::delivered(notice), SentNotices::failed(notice)] {
        store.write(Write::Notified { key: key("a"), request: id.clone(), marks }).wait().unwrap();
    }
    let sent = || store.request(&id).wait().unwrap().unwrap().sent;
    assert!(sent().contains(notice) && sent().has_failed(notice));
    let schedule = Some(row(store::InstanceState::Terminated, None));
    let ended = batch(vec![Entry::Terminated { by: "ops".to_owned(), reason: None }]);
    store.append(place(&key("a"), 3), &Batch { schedule, ..ended }).wait().unwrap();
    assert_eq!((names(&*store, RequestFilter::Waiting).len(), usage(&*store).pending_approvals), (0, 0));
    let schedule = Some(row(store::InstanceState::Running, Some(AT)));
    let again = batch(vec![Entry::Restarted { from: 1, by: "ops".to_owned() }]);
    let again = Batch { schedule, reopened: vec![id.clone()], ..again };
    store.append(place(&key("a"), 4), &again).wait().unwrap();
    assert_eq!((names(&*store, RequestFilter::Waiting).len(), usage(&*store).pending_approvals), (1, 1));
    let reopened = SentNotices::default().reopened();
    assert_eq!(sent(), reopened, "people are notified of it anew");
    assert_eq!((reopened.times_reopened(), reopened.reopened().times_reopened()), (1, 2));
}

/// The engine may commit several of these writes together.
pub(super) fn lose_their_notices_when_reopened_at_once(engine: &impl Engine) {
    let store = engine.open();
    ask(&*store, "a", "apr_1", "r");
    let id: RequestId = "apr_1".parse().unwrap();
    let notice = |kind| Notice { kind, channel: NoticeChannel::Command };
    let notified = |kind| {
        let marks = SentNotices::delivered(notice(kind));
        store.write(Write::Notified { key: key("a"), request: id.clone(), marks })
    };
    for round in 0..20 {
        let after = 3 + 2 * round;
        let schedule = Some(row(store::InstanceState::Terminated, None));
        let ended = batch(vec![Entry::Terminated { by: "ops".to_owned(), reason: None }]);
        let ended = Batch { schedule, ..ended };
        let schedule = Some(row(store::InstanceState::Running, Some(AT)));
        let again = batch(vec![Entry::Restarted { from: 1, by: "ops".to_owned() }]);
        let again = Batch { schedule, reopened: vec![id.clone()], ..again };
        let commits = [
            notified(NoticeKind::Requested),
            store.append(place(&key("a"), after), &ended),
            store.append(place(&key("a"), after + 1), &again),
            notified(NoticeKind::Reminder),
        ];
        for commit in commits {
            commit.wait().unwrap();
        }
        let sent = store.request(&id).wait().unwrap().unwrap().sent;
        let [requested, reminder] = [NoticeKind::Requested, NoticeKind::Reminder].map(notice);
        assert!(sent.contains(reminder) && !sent.contains(requested), "round {round}: {sent:?}");
        assert_eq!(usize::from(sent.times_reopened()), round + 1);
    }
}

pub(super) fn keep_which_notices_were_delivered(engine: &impl Engine) {
    let id: RequestId = "apr_1".parse().unwrap();
    let notice = |kind, channel| Notice { kind, channel };
    let all = [
        notice(NoticeKind::Requested, NoticeChannel::Command),
        notice(NoticeKind::Requested, NoticeChannel::Webhook),
        notice(NoticeKind::Reminder, NoticeChannel::Command),
        notice(NoticeKind::Reminder, NoticeChannel::Webhook),
    ];
    let sent = |store: &dyn Store| {
        let request = store.request(&id).wait().unwrap().unwrap();
        all.map(|notice| request.sent.contains(notice))
    };
    {
        let store = engine.open();
        ask(&*store, "a", "apr_1", "r");
        assert_eq!(sent(&*store), [false; 4]);
        for (request, notice) in [("apr_1", all[1]), ("apr_1", all[1]), ("apr_1", all[2]), ("apr_9", all[0])]
        {
            let (key, request) = (key("a"), request.parse().unwrap());
            let marks = SentNotices::delivered(notice);
            store.write(Write::Notified { key, request, marks }).wait().unwrap();
        }
        assert_eq!(sent(&*store), [false, true, true, false]);
        let (key, request, marks) = (key("a"), id.clone(), SentNotices::failed(all[3]));
        store.write(Write::Notified { key, request, marks }).wait().unwrap();
        let marks = store.request(&id).wait().unwrap().unwrap().sent;
        assert_eq!(all.map(|notice| marks.has_failed(notice)), [false, false, false, true]);
        assert_eq!(sent(&*store), [false, true, true, false], "a failure is no delivery");
    }
    let store = engine.open();
    decide(&*store, "a", "apr_1", Decision::Approved, "k");
    assert_eq!(sent(&*store), [false, true, true, false], "a decision does not change it");
}

pub(super) fn may_be_for_a_long_resource(engine: &impl Engine) {
    let (store, resource) = (engine.open(), long_resource());
    let asked = || store.asked(&tenant("acme"), "a.b", &resource).wait().unwrap();
    for (name, times) in [("a", 1), ("b", 2)] {
        ask(&*store, name, &format!("apr_{name}"), &resource);
        assert_eq!(asked().times, times);
        decide(&*store, name, &format!("apr_{name}"), Decision::Denied, "k1");
        assert_eq!(asked().denials, [("k1".to_owned(), times)]);
    }
    assert_eq!(store.asked(&tenant("acme"), "a.b", &resource[1..]).wait().unwrap().times, 0);
}
