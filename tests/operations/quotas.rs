//! Quotas when many instances compete for the last place: each is checked in the transaction that changes the counted
//! amount.

use crate::support;
use crate::support::recount::recount;
use crate::support::{block_on, count, entries, finish};
use engine::api::RestartPoint;
use engine::{Error, Host, Status};
use receipt::Decision;
use std::sync::Barrier;
use store::{InstanceKey, Quotas, StoreError, Usage};
use tempfile::TempDir;

/// The number of competing instances.
const MANY: usize = 40;

const ASK: &str = r#"{"attack":"asks"}"#;

struct Race {
    folder: TempDir,
    host: Host,
    keys: Vec<InstanceKey>,
}

impl Race {
    /// Instances of a guest, under these quotas.
    fn of(guest: &str, params: &str, quotas: impl FnOnce(Usage) -> Quotas) -> Self {
        let folder = TempDir::new().unwrap();
        let host = Host::builder(folder.path()).open().unwrap();
        let keys = (0..MANY).map(|_| support::start(&host, guest, params)).collect();
        let used = host.store().usage(&"acme".parse().unwrap()).wait().unwrap();
        drop(host);
        let host = Host::builder(folder.path()).quotas(quotas(used)).open().unwrap();
        Self { folder, host, keys }
    }

    /// Runs `act` on all of them at once.
    fn all<T: Send>(&self, act: impl Fn(&InstanceKey) -> T + Sync) -> Vec<T> {
        let (barrier, act) = (Barrier::new(MANY), &act);
        std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .keys
                .iter()
                .map(|key| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        act(key)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    fn drive_all(&self) -> Vec<Result<Status, Error>> {
        self.all(|key| block_on(self.host.drive(key)))
    }

    /// The number of entries of a kind in all instances.
    fn count(&self, kind: &str) -> usize {
        self.keys.iter().map(|key| count(&entries(&self.host, key), kind)).sum()
    }

    fn usage(&self) -> Usage {
        let usage = self.host.store().usage(&"acme".parse().unwrap()).wait().unwrap();
        assert_eq!(usage, recount(self.folder.path(), "acme"));
        usage
    }
}

fn is_over(result: &Result<(), Error>, limit: &str) -> bool {
    matches!(result, Err(Error::Store(StoreError::Quota(over))) if over.name == limit)
}

/// Every other instance gets the refusal, and continues with it.
fn assert_others_heard(race: &Race, limit: &str) {
    let statuses = race.drive_all();
    let told = statuses.iter().filter(|status| match status {
        Ok(Status::Completed(output)) => output.contains(limit),
        Ok(Status::Waiting(_)) => false,
        other => panic!("{other:?}"),
    });
    assert_eq!(told.count(), MANY - 5);
    assert_eq!((race.count("requested"), race.count("rejected")), (5, MANY - 5));
}

#[test]
fn requests_at_once_do_not_exceed_the_rate() {
    let race = Race::of("hostile", ASK, |_| Quotas { requests_per_hour: 5, ..Quotas::default() });
    assert_others_heard(&race, "limit requests-per-hour reached: tenant acme may have 5 ");
    assert_eq!(race.usage().pending_approvals, 5);
    // A decision makes no room: they were asked.
    for key in &race.keys {
        finish(&race.host, key, Decision::Denied);
    }
    let late = support::start(&race.host, "hostile", ASK);
    let told = support::result(&block_on(race.host.drive(&late)).unwrap());
    assert!(told["invalid"].as_str().unwrap().contains("limit requests-per-hour reached"), "{told}");
}

#[test]
fn requests_at_once_do_not_exceed_those_that_may_wait() {
    let race = Race::of("hostile", ASK, |_| Quotas { pending_approvals: 5, ..Quotas::default() });
    assert_others_heard(&race, "limit pending-approvals reached: tenant acme may have 5 ");
    assert_eq!(race.usage().pending_approvals, 5);
}

#[test]
fn steps_at_once_do_not_exceed_what_may_be_kept() {
    const ROOM: u64 = 20_000;
    let limit = |used: Usage| used.stored_bytes + ROOM;
    let mut most = 0;
    let race = Race::of("paces", r#"{"steps":40}"#, |used| {
        most = limit(used);
        Quotas { stored_bytes: most, ..Quotas::default() }
    });
    let driven: Vec<_> = race.drive_all().into_iter().map(|driven| driven.map(drop)).collect();
    assert!(driven.iter().any(|driven| is_over(driven, "stored-bytes")));
    let used = race.usage().stored_bytes;
    assert!(used <= most && used > most - ROOM, "{used} of {most}");
}

/// An instance that had ended takes up a place again.
#[test]
fn restarts_at_once_do_not_exceed_the_instances() {
    let race = Race::of("paces", r#"{"steps":1}"#, |_| Quotas { instances: 5, ..Quotas::default() });
    race.drive_all().into_iter().for_each(|driven| drop(driven.unwrap()));
    assert_eq!(race.usage().instances, 0);
    let restarted = race.all(|key| race.host.restart(key, &RestartPoint::Beginning, None, "ops"));
    assert_eq!(restarted.iter().filter(|restarted| restarted.is_ok()).count(), 5);
    assert!(restarted.iter().filter(|restarted| restarted.is_err()).all(|over| is_over(over, "instances")));
    assert_eq!(race.usage().instances, 5);
}
