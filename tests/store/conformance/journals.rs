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

pub(super) fn delete(store: &dyn Store, key: &InstanceKey, after: usize) -> store::Written {
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
        let schedule = Some(row(InstanceState::Complete, None));
        store.append(place(&key(name), 2), &Batch { schedule, ..ended }).wait().unwrap();
    }
    delete(&*store, &key("a"), 2).unwrap_err();
    delete(&*store, &key("a"), 3).unwrap();
    assert_eq!(store.instances().wait().unwrap(), [key("b")]);
    assert!(matches!(store.facts(Some(&key("a"))).wait(), Err(StoreError::NoInstance(_))));
    store.component(&Digest::of(b"component")).wait().unwrap();
    let [deleted] = store.deletions(None, AT, 9).wait().unwrap().try_into().unwrap();
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
    // A zero character ends no text.
    print("a\0b \u{1f}\u{10ffff}\n\\ '\"");
    print("é\0");
    let kept = store.output(&key("a")).wait().unwrap();
    assert_eq!(kept.trim_start_matches('x'), "a\0b \u{1f}\u{10ffff}\n\\ '\"é\0");
    assert_eq!(kept.chars().count(), 1 << 20);
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
    // A long journal, with another one's entries between its own.
    create(&*store, &key("b"));
    for round in 0..300 {
        let last = 12 + 2 * round;
        store.append(place(&key("a"), last), &batch(vec![step(10), step(11)])).wait().unwrap();
        store.append(place(&key("b"), 2 + round), &batch(vec![step(0)])).wait().unwrap();
    }
    let whole = store.facts(Some(&key("a"))).wait().unwrap();
    for limit in [1, 7, 100, 1_000] {
        let mut read = Vec::new();
        loop {
            let part = store.facts_from(&key("a"), read.len() as u64, limit).wait().unwrap();
            assert!(part.len() <= limit as usize);
            if part.is_empty() {
                break;
            }
            read.extend(part);
        }
        assert!(read == whole, "in parts of {limit}");
    }
    assert_eq!(part(611, 9), [611]);
    store.append(place(&key("a"), 612), &batch(vec![step(12)])).wait().unwrap();
    assert_eq!(part(611, 9), [611, 612]);
}

pub(super) fn are_read_by_tenant_in_parts(engine: &impl Engine) {
    let store = engine.open();
    let keys = [key("a"), key_of("globex", "a"), key("b"), key_of("hooli", "z")];
    keys.iter().for_each(|key| create(&*store, key));
    for round in 0..200 {
        // Most is one tenant's; another has little, and the last nothing more.
        let key = &keys[if round % 40 == 3 { 1 } else { round % 2 * 2 }];
        let last = length(&*store, key);
        store.append(place(key, last), &batch(vec![step(0), step(1)])).wait().unwrap();
    }
    let all = store.facts(None).wait().unwrap();
    for name in ["acme", "globex", "hooli", "none"] {
        let own: Vec<_> = all.iter().filter(|fact| fact.key.tenant.as_str() == name).cloned().collect();
        for limit in [1, 7, 1_000] {
            let (mut read, mut last) = (Vec::new(), 0);
            loop {
                let part = store.facts_of_tenant(&tenant(name), last, limit).wait().unwrap();
                let Some(newest) = part.last() else { break };
                last = newest.seq;
                assert!(part.len() <= limit as usize);
                read.extend(part);
            }
            assert!(read == own, "{name} in parts of {limit}");
        }
    }
}

pub(super) fn deletions_and_acts_are_read_in_parts(engine: &impl Engine) {
    let store = engine.open();
    let keys = [key("a"), key_of("globex", "a"), key("b")];
    for (key, at) in keys.iter().zip([10, 20, 30]) {
        create(&*store, key);
        let ended = batch(vec![Entry::Completed { output: "1".to_owned() }]);
        let schedule = Some(row(InstanceState::Complete, None));
        let place = |after| JournalPosition { at: later(at), ..place(key, after) };
        store.append(place(2), &Batch { schedule, ..ended }).wait().unwrap();
        let components = vec![Digest::of(b"component")];
        store
            .write(Write::Delete { place: place(3), components, bytes: 0, by: "ops".to_owned() })
            .wait()
            .unwrap();
        let seen = store.acts(0).wait().unwrap().len() as u64;
        store.act(seen, later(at), format!("{{\"of\":{at}}}")).unwrap();
    }
    let deleted = |name: Option<&str>, ms, limit| -> Vec<InstanceKey> {
        let tenant = name.map(tenant);
        let found = store.deletions(tenant.as_ref(), later(ms), limit).wait().unwrap();
        found.into_iter().map(|deleted| deleted.key).collect()
    };
    assert_eq!(deleted(None, 0, 9), keys);
    assert_eq!(deleted(None, 20, 1), keys[1..2]);
    assert_eq!(deleted(Some("acme"), 0, 9), [keys[0].clone(), keys[2].clone()]);
    assert_eq!(deleted(Some("acme"), 11, 9), keys[2..]);
    assert_eq!(deleted(Some("none"), 0, 9), []);
    let acts = |after, limit| -> Vec<u64> {
        let found = store.acts_after(after, limit).wait().unwrap();
        found.into_iter().map(|act| act.seq).collect()
    };
    assert_eq!((acts(0, 9), acts(1, 9), acts(0, 2)), (vec![1, 2, 3], vec![2, 3], vec![1, 2]));
}
