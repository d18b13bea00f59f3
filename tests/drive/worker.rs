//! The worker: many drives at once, tenants in turns, due instances found by index, until it is stopped.

use crate::support;
use crate::support::clock::WakingClock;
use crate::support::held_action::Held;
use crate::support::judgement;
use engine::{Builder, Clock, Host, Start, Status, WorkerOptions};
use receipt::Decision;
use rusqlite::Connection;
use sandbox::SandboxLimits;
use serde_json::json;
use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Fact, InstanceKey, InstanceState, Quotas, Selection};
use tempfile::TempDir;
use tokio::sync::watch;
use workflow::Entry;

/// A host that is watched.
struct Fixture {
    folder: TempDir,
    host: Host,
    clock: WakingClock,
    facts: Arc<Mutex<Vec<Fact>>>,
    troubles: Arc<Mutex<Vec<String>>>,
    seen: watch::Receiver<usize>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        Self::on(TempDir::new().unwrap(), settings)
    }

    fn on(folder: TempDir, settings: impl FnOnce(Builder) -> Builder) -> Self {
        let (clock, facts, troubles) =
            (WakingClock::new(), Arc::<Mutex<Vec<Fact>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (tell, seen) = watch::channel(0);
        let tell = Arc::new(tell);
        let (kept, told, also) = (Arc::clone(&facts), Arc::clone(&troubles), Arc::clone(&tell));
        let builder = crate::support::storage::builder(folder.path())
            .clock(clock.clone())
            .on_fact(move |fact| {
                kept.lock().unwrap().push(fact.clone());
                tell.send_modify(|count| *count += 1);
            })
            .on_instance_error(move |key, error| {
                told.lock().unwrap().push(format!("{key}: {error}"));
                also.send_modify(|count| *count += 1);
            });
        let host = settings(builder).open().unwrap();
        Self { folder, host, clock, facts, troubles, seen }
    }

    fn start(&self, tenant: &str, params: &str) -> InstanceKey {
        support::start_for(&self.host, tenant, "paces", params)
    }

    fn starts(&self, tenant: &str, count: usize, params: &str) -> Vec<InstanceKey> {
        let workflow = self.host.load(support::guest("paces")).unwrap();
        let start = || Start::new(tenant.parse().unwrap(), "agent:a".parse().unwrap(), "paces", params);
        (0..count).map(|_| self.host.start(&workflow, start()).unwrap()).collect()
    }

    /// Works until the facts and troubles so far satisfy `enough`.
    fn work_until(&self, enough: impl Fn(&Self) -> bool) {
        self.work_at(WorkerOptions::default(), enough);
    }

    fn work_at(&self, options: WorkerOptions, enough: impl Fn(&Self) -> bool) {
        support::block_on(self.works(options, enough));
    }

    async fn works(&self, options: WorkerOptions, enough: impl Fn(&Self) -> bool) {
        let mut seen = self.seen.clone();
        let stop = async {
            while !enough(self) {
                seen.changed().await.unwrap();
            }
        };
        self.host.work(options, stop).await.unwrap();
    }

    /// Works on two threads, for two minutes at most. Returns whether `enough` was reached.
    fn works_in_time(&self, options: WorkerOptions, enough: impl Fn(&Self) -> bool) -> bool {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let works = self.works(options, enough);
        let worked = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(120), works).await });
        // If an action is still held, its drive is not waited for.
        runtime.shutdown_background();
        worked.is_ok()
    }

    /// Whether the last fact is an instance's completion.
    fn has_just_completed(&self) -> bool {
        let facts = self.facts.lock().unwrap();
        facts.last().is_some_and(|fact| matches!(fact.entry, Entry::Completed { .. }))
    }

    fn count(&self, kind: &str) -> usize {
        let entries: Vec<_> = self.facts.lock().unwrap().iter().map(|fact| fact.entry.clone()).collect();
        support::count(&entries, kind)
    }

    /// The instances in the order in which they completed.
    fn completed(&self) -> Vec<InstanceKey> {
        let facts = self.facts.lock().unwrap();
        let completed = facts.iter().filter(|fact| matches!(fact.entry, Entry::Completed { .. }));
        completed.map(|fact| fact.key.clone()).collect()
    }

    fn state(&self, key: &InstanceKey) -> InstanceState {
        self.host.store().entered(key).wait().unwrap().unwrap().schedule.state
    }

    fn waiting_on(&self, key: &InstanceKey) -> workflow::RequestId {
        match self.host.status(key).unwrap() {
            Status::Waiting(wait) => wait.request().unwrap().clone(),
            other => panic!("{key} does not wait: {other:?}"),
        }
    }
}

const STEPS: &str = r#"{"steps":3,"result":"done"}"#;
const ASKS: &str = r#"{"steps":1,"approve":true,"deploy":true}"#;

#[test]
fn everything_that_is_due_is_driven_to_its_end() {
    let fixture = Fixture::new();
    for tenant in ["acme", "globex", "initech"] {
        fixture.starts(tenant, 20, STEPS);
    }
    fixture.work_until(|fixture| fixture.count("completed") == 60);
    assert_eq!(fixture.count("step-completed"), 180);
    let ended = Selection { state: Some(InstanceState::Complete), ..Selection::default() };
    assert_eq!(fixture.host.store().list(&ended).wait().unwrap().len(), 60);
    assert_eq!(*fixture.troubles.lock().unwrap(), Vec::<String>::new());
}

/// No wake-up comes for what an earlier process left behind, nor for more than fits in memory.
#[test]
fn what_was_left_behind_is_found_however_much_it_is() {
    let fixture = Fixture::new();
    fixture.starts("acme", 600, "{}");
    let Fixture { folder, host, .. } = fixture;
    drop(host);
    let fixture = Fixture::on(folder, |builder| builder);
    fixture.work_until(|fixture| fixture.count("completed") == 600);
    let by_id: std::collections::BTreeSet<_> = fixture.completed().into_iter().collect();
    assert_eq!(by_id.len(), 600, "each once");
}

#[test]
fn a_decision_makes_an_instance_due_at_once() {
    let fixture = Fixture::new();
    let key = fixture.start("acme", ASKS);
    fixture.work_until(|fixture| fixture.count("requested") == 1);
    assert_eq!(fixture.state(&key), InstanceState::Waiting);
    let request = fixture.waiting_on(&key);
    let host = fixture.host.clone();
    let deciding = std::thread::spawn(move || host.decide(&request, &judgement(Decision::Approved)).unwrap());
    fixture.work_until(|fixture| fixture.count("completed") == 1);
    deciding.join().unwrap();
    assert_eq!(fixture.state(&key), InstanceState::Complete);
}

#[test]
fn an_instance_that_waits_is_left_alone_until_its_time_comes() {
    let fixture = Fixture::new();
    let key = fixture.start("acme", ASKS);
    fixture.work_until(|fixture| fixture.count("requested") == 1);
    let entered = fixture.host.store().entered(&key).wait().unwrap().unwrap();
    let due = entered.schedule.due.unwrap();
    assert_eq!(due.as_millis() - fixture.clock.now().as_millis(), 24 * 3_600_000);
    assert_eq!(fixture.host.store().next_due(fixture.clock.now()).wait().unwrap(), Some(due));
    assert_eq!(fixture.host.store().due_tenants(fixture.clock.now()).wait().unwrap(), []);
    // Other work is done meanwhile, and this instance is not touched.
    fixture.clock.pass(Duration::from_secs(23 * 3_600));
    fixture.start("acme", STEPS);
    fixture.work_until(|fixture| fixture.count("completed") == 1);
    assert_eq!(fixture.count("lapsed"), 0);
    let clock = fixture.clock.clone();
    let moving = std::thread::spawn(move || clock.pass(Duration::from_secs(3_600)));
    fixture.work_until(|fixture| fixture.count("failed") == 1);
    moving.join().unwrap();
    assert_eq!(fixture.count("lapsed"), 1);
    assert_eq!(fixture.state(&key), InstanceState::Errored);
}

#[test]
fn tenants_take_turns() {
    let fixture = Fixture::new();
    fixture.starts("big", 300, STEPS);
    let small = fixture.start("small", STEPS);
    fixture.work_at(WorkerOptions { max_drives: 1, ..WorkerOptions::default() }, |fixture| {
        fixture.count("completed") == 20
    });
    let turn = fixture.completed().iter().position(|key| *key == small);
    assert!(turn.is_some_and(|turn| turn < 2), "small was the {turn:?}th");
}

#[test]
fn a_tenant_has_no_more_drives_at_once_than_it_may() {
    let quotas = Quotas { concurrent_drives: 1, ..Quotas::default() };
    let fixture = Fixture::with(|builder| builder.quotas(quotas));
    fixture.starts("acme", 10, STEPS);
    fixture.starts("globex", 10, STEPS);
    fixture.facts.lock().unwrap().clear();
    fixture.work_until(|fixture| fixture.count("completed") == 20);
    for tenant in ["acme", "globex"] {
        let facts = fixture.facts.lock().unwrap();
        let mut order: Vec<_> =
            facts.iter().filter(|f| f.key.tenant.as_str() == tenant).map(|f| &f.key).collect();
        order.dedup();
        assert_eq!(order.len(), 10, "one of {tenant}'s after another");
    }
}

#[test]
fn a_guest_that_never_ends_delays_no_other() {
    let sandbox =
        SandboxLimits { fuel: u64::MAX, wall_clock: Duration::from_secs(3_600), ..SandboxLimits::default() };
    let fixture = Fixture::with(|builder| builder.sandbox(sandbox));
    let spinning: Vec<_> = (0..3)
        .map(|_| support::start_for(&fixture.host, "mallory", "hostile", r#"{"attack":"spin"}"#))
        .collect();
    fixture.starts("acme", 5, STEPS);
    // On one thread, and without a grace period for guests that spin.
    let options = WorkerOptions { grace: Duration::ZERO, ..WorkerOptions::default() };
    fixture.work_at(options, |fixture| fixture.count("completed") == 5);
    assert!(spinning.iter().all(|key| !fixture.state(key).has_ended()), "unwound, and nothing lost");
}

/// More of them than concurrent drives, each after some steps. Each later guest has many steps to do.
#[test]
fn guests_that_never_end_delay_no_other_however_many_they_are() {
    const SPINNING: usize = 150;
    let sandbox =
        SandboxLimits { fuel: u64::MAX, wall_clock: Duration::from_secs(3_600), ..SandboxLimits::default() };
    let quotas = Quotas { concurrent_drives: u64::MAX, ..Quotas::default() };
    let fixture = Fixture::with(|builder| builder.sandbox(sandbox).quotas(quotas));
    let mut ops = vec![json!({ "once": { "name": "a" } }); 10];
    ops.push(json!({ "spin": { "name": "b", "ms": 600_000, "retries": 0, "inside": false } }));
    let program = json!({ "program": ops }).to_string();
    let mallory = || support::start_for(&fixture.host, "mallory", "durable", &program);
    let spinning: Vec<_> = (0..SPINNING).map(|_| mallory()).collect();
    let options = WorkerOptions { grace: Duration::ZERO, max_drives: SPINNING + 10 };
    let late = Cell::new(false);
    let worked = fixture.works_in_time(options, |fixture| {
        // Loaded, started, two for each step, and the beginning of the one that does not end.
        if fixture.facts.lock().unwrap().len() == 23 * SPINNING && !late.replace(true) {
            fixture.start("acme", r#"{"steps":100}"#);
        }
        fixture.has_just_completed()
    });
    assert!(worked, "it waits for guests that never end");
    assert!(spinning.iter().all(|key| !fixture.state(key).has_ended()), "unwound, and nothing lost");
}

/// More long actions than concurrent drives, each after some steps.
#[test]
fn actions_that_take_long_delay_no_other_however_many_they_are() {
    const ACTING: usize = 250;
    let folder = TempDir::new().unwrap();
    let (held, _has_entered, let_go) = Held::in_folder(folder.path());
    let most = u64::MAX;
    let quotas = Quotas {
        concurrent_drives: most,
        requests_per_hour: most,
        pending_approvals: most,
        ..Quotas::default()
    };
    let allowed = policy::Toml::parse("[[rule]]\nid = \"all\"\nthen = \"allow\"\n").unwrap();
    let fixture =
        Fixture::on(folder, |builder| builder.capability(held).quotas(quotas).policy(Box::new(allowed)));
    fixture.starts("acme", ACTING, r#"{"steps":10,"approve":true,"deploy":true}"#);
    let options = WorkerOptions { max_drives: ACTING + 10, ..WorkerOptions::default() };
    let late = Cell::new(false);
    let worked = fixture.works_in_time(options, |fixture| {
        // Loaded, started, two for each step, requested, decided, issued, redeemed.
        if fixture.facts.lock().unwrap().len() == 26 * ACTING && !late.replace(true) {
            fixture.start("globex", r#"{"steps":100}"#);
        }
        let completed = fixture.has_just_completed();
        if completed {
            (0..ACTING).for_each(|_| let_go.send(()).unwrap());
        }
        completed
    });
    assert!(worked, "it waits for actions that take long");
}

#[test]
fn what_goes_wrong_with_one_is_told_and_the_others_go_on() {
    let fixture = Fixture::new();
    let keys = fixture.starts("acme", 5, STEPS);
    let journal = Connection::open(fixture.folder.path().join("journal.sqlite")).unwrap();
    let damage = "UPDATE entries SET body = '{}' WHERE idx = 0 AND instance = (SELECT id FROM instances WHERE instance = ?1)";
    journal.execute(damage, [keys[2].instance.as_str()]).unwrap();
    fixture.work_until(|fixture| {
        fixture.count("completed") == 4 && !fixture.troubles.lock().unwrap().is_empty()
    });
    let troubles = fixture.troubles.lock().unwrap().clone();
    assert_eq!(troubles.len(), 1, "it is left alone for a while: {troubles:?}");
    assert!(
        troubles[0].contains(keys[2].instance.as_str()) && troubles[0].contains("damaged"),
        "{troubles:?}"
    );
    let due = fixture.host.store().entered(&keys[2]).wait().unwrap().unwrap().schedule.due.unwrap();
    assert_eq!(due.as_millis() - fixture.clock.now().as_millis(), 1_000);
    let clock = fixture.clock.clone();
    let moving = std::thread::spawn(move || clock.pass(Duration::from_secs(1)));
    fixture.work_until(|fixture| fixture.troubles.lock().unwrap().len() == 2);
    moving.join().unwrap();
    let due = fixture.host.store().entered(&keys[2]).wait().unwrap().unwrap().schedule.due.unwrap();
    assert_eq!(due.as_millis() - fixture.clock.now().as_millis(), 1_000, "a new shift begins anew");
}

#[test]
fn the_word_to_stop_lets_drives_end() {
    let fixture = Fixture::new();
    let keys = fixture.starts("acme", 8, r#"{"steps":40}"#);
    fixture.work_until(|fixture| fixture.count("step-completed") >= 1);
    for key in &keys {
        let begun = support::count(&support::entries(&fixture.host, key), "step-completed") > 0;
        let state = fixture.state(key);
        assert_eq!(state == InstanceState::Complete, begun, "{state}: what was begun is finished");
    }
    fixture.work_until(|fixture| fixture.count("completed") == 8);
    assert_eq!(fixture.count("step-completed"), 8 * 40, "and no step was run twice");
}
