//! The states of instances, and tenants' usage.

use super::*;
use store::{FirstEnded, InstanceState, Selection, Write};

fn enter(store: &dyn Store, key: &InstanceKey, state: InstanceState, due: Option<Timestamp>) {
    let schedule = Some(row(state, due));
    let after = length(store, key);
    store.append(place(key, after), &Batch { schedule, ..batch(vec![step(0)]) }).wait().unwrap();
}

pub(super) fn says_what_is_due(engine: &impl Engine) {
    let store = engine.open();
    let keys = [key("a"), key("b"), key_of("globex", "c"), key("d")];
    for key in &keys {
        create(&*store, key);
    }
    let due = |by| store.due(&tenant("acme"), by, 10).wait().unwrap();
    assert_eq!(due(AT), [key("a"), key("b"), key("d")], "what was created is due at once");
    enter(&*store, &keys[0], InstanceState::Waiting, Some(later(200)));
    enter(&*store, &keys[1], InstanceState::Waiting, Some(later(100)));
    enter(&*store, &keys[2], InstanceState::Waiting, Some(later(300)));
    enter(&*store, &keys[3], InstanceState::Waiting, None);
    assert!(due(later(99)).is_empty());
    assert_eq!(due(later(200)), [key("b"), key("a")], "the longest due first");
    assert_eq!(store.due(&tenant("acme"), later(200), 1).wait().unwrap(), [key("b")]);
    assert_eq!(store.due_tenants(later(250)).wait().unwrap(), [tenant("acme")]);
    assert_eq!(store.due_tenants(later(300)).wait().unwrap(), [tenant("acme"), tenant("globex")]);
    assert_eq!(store.next_due(later(100)).wait().unwrap(), Some(later(200)));
    assert_eq!(store.next_due(later(300)).wait().unwrap(), None);
    let postpone = |key: &InstanceKey| {
        store.write(Write::Postpone { key: key.clone(), until: later(500) }).wait().unwrap();
    };
    postpone(&keys[1]);
    postpone(&keys[3]);
    assert_eq!(due(later(400)), [key("a")]);
    assert_eq!(due(later(500)), [key("a"), key("b")], "what is never due is not postponed");
}

pub(super) fn lists_by_state(engine: &impl Engine) {
    let store = engine.open();
    for name in ["a", "b", "c"] {
        create(&*store, &key(name));
    }
    create(&*store, &key_of("globex", "d"));
    enter(&*store, &key("b"), InstanceState::Paused, None);
    let list = |selection: Selection| -> Vec<InstanceKey> {
        store.list(&selection).wait().unwrap().into_iter().map(|summary| summary.key).collect()
    };
    assert_eq!(
        list(Selection::default()),
        [key_of("globex", "d"), key("c"), key("b"), key("a")],
        "newest first"
    );
    let of_acme = Selection { tenant: Some(tenant("acme")), ..Selection::default() };
    assert_eq!(list(Selection { limit: Some(2), ..of_acme.clone() }), [key("c"), key("b")]);
    assert_eq!(list(Selection { state: Some(InstanceState::Paused), ..of_acme }), [key("b")]);
    let entered = store.entered(&key("b")).wait().unwrap().unwrap();
    assert_eq!(entered.schedule, row(InstanceState::Paused, None));
    assert!(store.entered(&key("z")).wait().unwrap().is_none());
}

pub(super) fn says_what_has_ended(engine: &impl Engine) {
    let store = engine.open();
    assert!(store.first_ended().wait().unwrap().is_empty());
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        create(&*store, &key(name));
        let schedule = Some(row(InstanceState::Complete, None));
        let at = later(10 * (i64::try_from(number).unwrap() + 1));
        let ended = Batch { schedule, ..batch(vec![Entry::Completed { output: "1".to_owned() }]) };
        store.append(JournalPosition { at, ..place(&key(name), 2) }, &ended).wait().unwrap();
    }
    let first = FirstEnded { tenant: tenant("acme"), at: later(10) };
    assert_eq!(store.first_ended().wait().unwrap(), [first]);
    let ended = |by, skip, limit| store.ended(&tenant("acme"), by, skip, limit).wait().unwrap();
    assert_eq!(ended(later(20), 0, 10), [key("a"), key("b")]);
    assert_eq!(ended(later(30), 1, 1), [key("b")]);
    assert!(ended(later(9), 0, 10).is_empty());
}

pub(super) fn counts_what_tenants_keep(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    let one = usage(&*store);
    assert_eq!((one.instances, one.pending_approvals), (1, 0));
    create(&*store, &key("b"));
    let two = usage(&*store);
    let component = b"component".len() as u64;
    assert_eq!(two.stored_bytes - one.stored_bytes, one.stored_bytes - component, "a component counts once");
    store.append(place(&key("a"), 2), &batch(vec![step(0)])).wait().unwrap();
    let grown = serde_json::to_string(&step(0)).unwrap().len() as u64;
    assert_eq!(usage(&*store).stored_bytes, two.stored_bytes + grown);
    enter(&*store, &key("a"), InstanceState::Complete, None);
    assert_eq!(usage(&*store).instances, 1);
    assert_eq!(store.usage(&tenant("globex")).wait().unwrap(), Usage::default());
}
