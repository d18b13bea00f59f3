//! Journals.

use super::*;
use store::{InstanceState, StoreError, Write};

pub(super) fn is_created_once(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    let again = create_with(&*store, key("a"), b"other", Quotas::default()).wait();
    assert!(matches!(again, Err(StoreError::Exists(exists)) if exists == key("a")));
    create(&*store, &key_of("globex", "a"));
    assert_eq!(store.instances().wait().unwrap(), [key("a"), key_of("globex", "a")]);
    let component = Digest::of(b"component");
    assert_eq!(store.component(&component).wait().unwrap(), b"component");
    assert!(matches!(store.component(&Digest::of(b"other")).wait(), Err(StoreError::Damaged(_))));
    assert!(matches!(store.facts(Some(&key("b"))).wait(), Err(StoreError::NoInstance(_))));
}

pub(super) fn is_appended_at_its_place_only(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    store.append(place(&key("a"), 2), &batch(vec![step(0), step(1)])).wait().unwrap();
    for taken_or_ahead in [0, 1, 2, 3, 5, 100] {
        let refused = store.append(place(&key("a"), taken_or_ahead), &batch(vec![step(9)])).wait();
        assert!(matches!(refused, Err(StoreError::Conflict(at)) if at == key("a")), "{taken_or_ahead}");
    }
    let nowhere = store.append(place(&key("b"), 2), &batch(vec![step(0)])).wait();
    assert!(matches!(nowhere, Err(StoreError::NoInstance(_))));
    store.append(place(&key("a"), 4), &batch(vec![step(2)])).wait().unwrap();
    let facts = store.facts(Some(&key("a"))).wait().unwrap();
    let entries: Vec<_> = facts.iter().skip(2).map(|fact| fact.entry.clone()).collect();
    assert_eq!(entries, [step(0), step(1), step(2)]);
    assert_eq!(facts.iter().map(|fact| fact.index).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert!(facts.windows(2).all(|pair| pair[0].seq < pair[1].seq), "later is larger");
}

pub(super) fn one_of_many_writers_wins(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    for round in 0..20 {
        let won: usize = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|call| {
                    let store = &store;
                    scope.spawn(move || {
                        let written =
                            store.append(place(&key("a"), 2 + round), &batch(vec![step(call)])).wait();
                        assert!(matches!(written, Ok(Some(_)) | Err(StoreError::Conflict(_))));
                        usize::from(written.is_ok())
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum()
        });
        assert_eq!(won, 1);
    }
    assert_eq!(length(&*store, &key("a")), 22);
}

pub(super) fn is_whole_or_not_there(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    let before = usage(&*store);
    let quotas = Some(Quotas { stored_bytes: before.stored_bytes + 10, ..Quotas::default() });
    let refused =
        store.append(place(&key("a"), 2), &Batch { quotas, ..batch(vec![step(0), step(1)]) }).wait();
    assert!(matches!(refused, Err(StoreError::Quota(_))));
    assert_eq!((length(&*store, &key("a")), usage(&*store)), (2, before));
    store.append(place(&key("a"), 2), &batch(vec![step(0)])).wait().unwrap();
    let over = Quotas { instances: 1, ..Quotas::default() };
    let refused = create_with(&*store, key("b"), b"unseen", over).wait();
    assert!(matches!(refused, Err(StoreError::Quota(_))));
    assert_eq!(store.instances().wait().unwrap(), [key("a")]);
    store.component(&Digest::of(b"unseen")).wait().unwrap_err();
}

pub(super) fn has_one_time(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    let at = |ms| JournalPosition { at: later(ms), ..place(&key("a"), length(&*store, &key("a"))) };
    for (asked, recorded) in [(50, 50), (20, 50), (60, 60)] {
        let stamp = store.append(at(asked), &batch(vec![step(0)])).wait().unwrap().unwrap();
        assert_eq!(stamp.at, later(recorded), "an instance's time does not run backwards");
        let facts = store.facts(Some(&key("a"))).wait().unwrap();
        assert_eq!((facts.last().unwrap().at, facts.last().unwrap().seq), (stamp.at, stamp.seq));
    }
    assert!(store.now(later(0)).wait().unwrap() >= later(60));
}

pub(super) fn is_there_again_when_opened(engine: &impl Engine) {
    let before = {
        let store = engine.open();
        create(&*store, &key("a"));
        for call in 0..100 {
            store.append(place(&key("a"), 2 + call as usize), &batch(vec![step(call)])).wait().unwrap();
        }
        store.facts(None).wait().unwrap()
    };
    let store = engine.open();
    assert_eq!(store.facts(None).wait().unwrap(), before);
    store.append(place(&key("a"), 102), &batch(vec![step(100)])).wait().unwrap();
}

pub(super) fn is_written_though_no_caller_waits(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    for call in 0..50 {
        drop(store.append(place(&key("a"), 2 + call as usize), &batch(vec![step(call)])));
    }
    drop(store);
    assert_eq!(length(&*engine.open(), &key("a")), 52);
}

fn delete(store: &dyn Store, key: &InstanceKey, after: usize) -> store::Written {
    let components = vec![Digest::of(b"component")];
    let facts = store.facts(Some(key)).wait().unwrap();
    let bytes = facts.iter().map(|fact| serde_json::to_string(&fact.entry).unwrap().len()).sum();
    store.write(Write::Delete { place: place(key, after), components, bytes, by: "ops".to_owned() }).wait()
}

pub(super) fn is_deleted_when_it_has_ended(engine: &impl Engine) {
    let store = engine.open();
    for name in ["a", "b"] {
        create(&*store, &key(name));
    }
    delete(&*store, &key("a"), 2).unwrap_err();
    for name in ["a", "b"] {
        let ended = batch(vec![Entry::Completed { output: "1".to_owned() }]);
        let agenda = Some(row(InstanceState::Complete, None));
        store.append(place(&key(name), 2), &Batch { agenda, ..ended }).wait().unwrap();
    }
    delete(&*store, &key("a"), 2).unwrap_err();
    delete(&*store, &key("a"), 3).unwrap();
    assert_eq!(store.instances().wait().unwrap(), [key("b")]);
    assert!(matches!(store.facts(Some(&key("a"))).wait(), Err(StoreError::NoInstance(_))));
    store.component(&Digest::of(b"component")).wait().unwrap();
    let [deleted] = store.deletions().wait().unwrap().try_into().unwrap();
    assert_eq!((deleted.key, deleted.by.as_str(), deleted.facts), (key("a"), "ops", 3));
    assert_eq!(deleted.end.unwrap().state, InstanceState::Complete);
    delete(&*store, &key("b"), 3).unwrap();
    store.component(&Digest::of(b"component")).wait().unwrap_err();
    assert_eq!(usage(&*store), Usage::default(), "nothing is left of them");
    create(&*store, &key("a"));
}

pub(super) fn keeps_the_end_of_what_was_printed(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    let print = |text: &str| {
        store
            .write(Write::Output { key: key("a"), text: text.to_owned(), quotas: store::Quotas::default() })
            .wait()
            .unwrap();
    };
    print("first ");
    print("then é\n");
    assert_eq!(store.output(&key("a")).wait().unwrap(), "first then é\n");
    print(&"x".repeat(1 << 20));
    let kept = store.output(&key("a")).wait().unwrap();
    assert_eq!((kept.chars().count(), kept.chars().all(|c| c == 'x')), (1 << 20, true));
    store.output(&key("b")).wait().unwrap_err();
}

pub(super) fn is_read_in_parts(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    store.append(place(&key("a"), 2), &batch((0..10).map(step).collect())).wait().unwrap();
    let part = |from, limit| -> Vec<u64> {
        let facts = store.facts_from(&key("a"), from, limit).wait().unwrap();
        facts.iter().map(|fact| fact.index).collect()
    };
    assert_eq!(part(0, 3), [0, 1, 2]);
    assert_eq!(part(5, 3), [5, 6, 7]);
    assert_eq!(part(11, 3), [11]);
    assert!(part(12, 3).is_empty());
}
