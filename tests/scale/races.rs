//! Two hosts over one database make changes at the same moment that exclude each other.

use crate::support::postgres;
use crate::support::{self, judgement};
use engine::{Clock, Error, Host, StoreLocation, WorkerOptions};
use receipt::{Decision, Timestamp};
use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// People who decide at once, on both hosts.
const DECIDERS: usize = 64;

/// The number of requests that are decided in this way.
const REQUESTS: usize = 16;

/// A host over a database. Hosts that sign themselves have the same keys.
fn host(url: &str, folder: &Path) -> Host {
    Host::builder(folder).store(StoreLocation::Database(url.parse().unwrap())).open().unwrap()
}

/// Two hosts with the same keys.
pub(super) fn hosts(url: &str) -> [(TempDir, Host); 2] {
    let folders = [(); 2].map(|()| TempDir::new().unwrap());
    let first = host(url, folders[0].path());
    same_keys(folders[0].path(), folders[1].path());
    let second = host(url, folders[1].path());
    let [a, b] = folders;
    [(a, first), (b, second)]
}

/// Copies a host's keys to another host's folder.
pub(super) fn same_keys(from: &Path, to: &Path) {
    let keys = to.join("keys");
    fs::create_dir(&keys).unwrap();
    for key in support::files(&from.join("keys")) {
        fs::copy(&key, keys.join(key.file_name().unwrap())).unwrap();
    }
}

#[test]
fn of_many_decisions_on_two_hosts_at_once_one_counts() {
    let Some(server) = postgres::shared() else { return };
    let [(_a, first), (_b, second)] = hosts(&server.schema());
    let keys: Vec<_> = (0..REQUESTS).map(|_| support::start(&first, "tenant-workflow", "{}")).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let working = {
        let first = first.clone();
        runtime.spawn(async move {
            let stop = async { drop(stopped.await) };
            first.work(engine::WorkerOptions::default(), stop).await.unwrap();
        })
    };
    for key in &keys {
        let mut status = first.status(key).unwrap();
        while status.request().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(20));
            status = first.status(key).unwrap();
        }
        let request = status.request().unwrap().clone();
        let barrier = Barrier::new(DECIDERS);
        let decide = |place: usize| {
            let decision = if place.is_multiple_of(4) { Decision::Approved } else { Decision::Denied };
            let host = if place.is_multiple_of(2) { &first } else { &second };
            barrier.wait();
            host.decide(&request, &judgement(decision))
        };
        let answers: Vec<_> = std::thread::scope(|scope| {
            let decide = &decide;
            let threads: Vec<_> = (0..DECIDERS).map(|place| scope.spawn(move || decide(place))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
        for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert!(matches!(refused, Error::NotWaiting { .. }), "{refused}");
        }
        assert_eq!(support::count(&support::entries(&second, key), "decided"), 1);
    }
    assert_eq!(
        second.store().receipts(store::ReceiptPage::ALL).wait().unwrap().len(),
        REQUESTS,
        "one receipt a request"
    );
    drop(stop);
    runtime.block_on(working).unwrap();
}

/// Recorded times come from the server's clock only.
#[test]
fn recorded_times_are_the_servers_whatever_the_clocks_of_hosts_say() {
    const HOUR: i64 = 3_600_000;
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let [(a, first), (b, second)] = hosts(&url);
    drop((first, second));
    let now = || {
        receipt::Timestamp::from_millis(
            server.sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").parse().unwrap(),
        )
    };
    for (folder, wrong_by) in [(&a, HOUR), (&b, -HOUR)] {
        let before = now();
        let clock = move || receipt::Timestamp::from_millis(before.as_millis() + wrong_by);
        let location = StoreLocation::Database(url.parse().unwrap());
        let host = Host::builder(folder.path()).store(location).clock(clock).open().unwrap();
        let key = support::start(&host, "tenant-workflow", "{}");
        let facts = host.audit(Some(&key)).unwrap();
        let after = now();
        assert!(facts.iter().all(|fact| (before..=after).contains(&fact.at)), "{before} {facts:?} {after}");
    }
}

/// A clock that is ahead by two hours. It keeps the waits for which it was asked, in milliseconds.
struct Ahead(Arc<Mutex<Vec<i64>>>);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(engine::SystemClock.now().as_millis() + 2 * 3_600_000)
    }

    fn until(&self, then: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.0.lock().unwrap().push(then.as_millis() - self.now().as_millis());
        Box::pin(tokio::time::sleep(Duration::from_millis(20)))
    }
}

/// Times are the database's, and so are waits for them: a host whose own clock is ahead does not find each of them over.
#[test]
fn a_host_with_a_wrong_clock_waits_for_the_times_of_the_database() {
    let Some(server) = postgres::shared() else { return };
    let (folder, waits) = (TempDir::new().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let location = StoreLocation::Database(server.schema().parse().unwrap());
    let host = Host::builder(folder.path()).store(location).clock(Ahead(Arc::clone(&waits))).open().unwrap();
    let stop = async {
        while waits.lock().unwrap().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    support::block_on(host.work(WorkerOptions::default(), stop)).unwrap();
    let waits = waits.lock().unwrap();
    assert!(waits.iter().all(|wait| *wait > 0), "{waits:?}");
}
