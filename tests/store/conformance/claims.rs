//! The instances that a host drives.

use super::{Engine, TTL, batch, create, host, key, later, length, place, row, step, tenant};
use std::collections::BTreeSet;
use std::time::Duration;
use store::{Batch, InstanceState, PreviousHolder, SHARDS, Shard, Write, Writer};

/// The only host holds every shard, and renewing changes only the validity.
pub(super) fn are_all_of_the_only_host(engine: &impl Engine) {
    let store = engine.open();
    let first = store.renew(TTL).wait().unwrap();
    let shards: Vec<_> = first.shards.iter().map(|held| held.shard).collect();
    assert_eq!(shards, Shard::all().collect::<Vec<_>>());
    assert!(first.shards.iter().all(|held| held.previous == PreviousHolder::Finished));
    let longer = Duration::from_secs(120);
    let second = store.renew(longer).wait().unwrap();
    assert_eq!(second.shards, first.shards);
    match first.valid_for {
        Some(valid) => assert_eq!((valid, second.valid_for), (TTL, Some(longer))),
        None => assert_eq!(second.valid_for, None),
    }
}

/// Due instances are answered for the held shards, which are all shards.
pub(super) fn say_what_is_due(engine: &impl Engine) {
    let store = engine.open();
    let names: Vec<_> = (0..40).map(|number| format!("i{number}")).collect();
    names.iter().for_each(|name| create(&*store, &key(name)));
    let shards: BTreeSet<_> = names.iter().map(|name| key(name).shard()).collect();
    assert!(shards.len() > 10, "many shards");
    let due = store.due(&tenant("acme"), later(1), 100).wait().unwrap();
    assert_eq!(due.len(), 40);
    assert_eq!(store.due(&tenant("acme"), later(1), 7).wait().unwrap().len(), 7);
}

/// A decision or an event is taken by its place alone.
pub(super) fn are_not_needed_from_outside(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    store.release().wait().unwrap();
    let outside = |after, batch: &Batch| {
        store.write(Write::Append { place: place(&key("a"), after), batch, writer: Writer::Outside }).wait()
    };
    outside(2, &batch(vec![step(0)])).unwrap();
    outside(2, &batch(vec![step(1)])).unwrap_err();
    create(&*store, &key("b"));
    assert_eq!((length(&*store, &key("a")), length(&*store, &key("b"))), (3, 2));
}

/// A host that renews after a release drives again.
pub(super) fn are_released_and_taken_again(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    store.release().wait().unwrap();
    let claims = store.renew(TTL).wait().unwrap();
    assert_eq!(claims.shards.len(), usize::from(SHARDS));
    assert!(claims.shards.iter().all(|held| held.previous == PreviousHolder::Finished));
    let schedule = Some(row(InstanceState::Running, Some(later(5))));
    store.append(place(&key("a"), 2), &Batch { schedule, ..batch(vec![step(0)]) }).wait().unwrap();
    assert_eq!(store.next_due(later(0)).wait().unwrap(), Some(later(5)));
}

pub(super) fn a_registered_host_is_on_record(engine: &impl Engine) {
    let store = engine.open();
    create(&*store, &key("a"));
    let hosts = store.hosts().wait().unwrap().hosts;
    let [only] = &*hosts else { panic!("{hosts:?}") };
    assert_eq!((&only.host, only.shards, only.is_alive), (&host("only"), SHARDS, true));
    // Another version of the same host, after a restart.
    let again = store::HostInfo { version: "0.0.1".to_owned(), ..host("only") };
    store.register(&again).wait().unwrap();
    let hosts = store.hosts().wait().unwrap().hosts;
    assert_eq!(hosts.iter().map(|record| &record.host).collect::<Vec<_>>(), [&again]);
}
