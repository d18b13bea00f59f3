//! An operator's act on one host while another host spends receipts: a freeze, a removed decider, revoked
//! receipts. Each redemption commits before the act, or takes it into account.

use super::races::same_keys;
use crate::support;
use crate::support::postgres::Server;
use crate::support::{TIMEOUT, until};
use engine::trust::Act;
use engine::{Host, Status, StoreLocation, WorkerOptions};
use receipt::{Decision, Ed25519StatementSigner, PersonId, StatementSigner as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use store::{InstanceKey, Quotas, StoreError};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use workflow::{Entry, ReceiptId, RequestId};

/// Approved requests of a round.
const AT_ONCE: usize = 24;

/// Rounds by default; `PP_TEST_RACES` sets another number.
const ROUNDS: usize = 9;

/// The operator's act in a round.
#[derive(Debug, Clone, Copy)]
enum OperatorAct {
    Freeze,
    Remove,
    Revoke,
}

/// Two hosts: one drives, and counts its redemptions. The other has the operator and the deciders.
struct Race {
    server: Server,
    driving: Host,
    idle: Host,
    redeemed: Arc<AtomicUsize>,
    runtime: Runtime,
    _folders: [TempDir; 2],
}

fn open(url: &str, folder: &Path, redeemed: Arc<AtomicUsize>) -> Host {
    let quotas = Quotas { requests_per_hour: u64::MAX, ..Quotas::default() };
    let observe = move |fact: &store::Fact| {
        if let Entry::Redeemed { .. } = fact.entry {
            redeemed.fetch_add(1, Ordering::SeqCst);
        }
    };
    let builder = Host::builder(folder).store(StoreLocation::Database(url.parse().unwrap()));
    builder.quotas(quotas).on_fact(observe).open().unwrap()
}

fn person(round: usize) -> (PersonId, Ed25519StatementSigner) {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&round.to_le_bytes());
    (format!("person{round}").parse().unwrap(), Ed25519StatementSigner::from_seed(&seed).unwrap())
}

impl Race {
    fn new() -> Option<Self> {
        let server = Server::start_with(&["track_commit_timestamp=on"])?;
        let (url, redeemed) = (server.url(), Arc::<AtomicUsize>::default());
        store_postgres::Postgres::migrate(&url).unwrap();
        let folders = [(); 2].map(|()| TempDir::new().unwrap());
        let driving = open(&url, folders[0].path(), Arc::clone(&redeemed));
        same_keys(folders[0].path(), folders[1].path());
        let idle = open(&url, folders[1].path(), Arc::default());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Some(Self { server, driving, idle, redeemed, runtime, _folders: folders })
    }

    fn record(&self, act: Act) {
        self.idle.record_act("operator", act).unwrap();
    }

    /// Drives instances on one host until the other host's part is over.
    fn driving<T>(&self, part: impl FnOnce() -> T) -> T {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let host = self.driving.clone();
        let working = self.runtime.spawn(async move {
            let stop = async { drop(stopped.await) };
            host.work(WorkerOptions::default(), stop).await.unwrap();
        });
        let done = part();
        drop(stop);
        self.runtime.block_on(working).unwrap();
        done
    }

    /// Instances with requests that a person of the round has approved.
    fn approved(&self, round: usize) -> Vec<(InstanceKey, RequestId)> {
        let (decider, key) = person(round);
        let (roles, public) = (["release".parse().unwrap()].into(), key.public_key());
        self.record(Act::DeciderAdded { decider: decider.clone(), roles, tenants: [].into() });
        let (kind, public_key) = (public.scheme().as_str().to_owned(), public.to_base64());
        let by = decider.clone();
        self.record(Act::KeyAdded { decider: by, kind, public_key, valid_until: None, passkey: None });
        let keys: Vec<InstanceKey> =
            (0..AT_ONCE).map(|_| support::start(&self.idle, "tenant-workflow", "{}")).collect();
        let request = |key: &InstanceKey| self.idle.status(key).unwrap().request().cloned();
        let requests: Vec<RequestId> = self.driving(|| {
            until("all ask", || keys.iter().all(|key| request(key).is_some()));
            keys.iter().filter_map(request).collect()
        });
        for id in &requests {
            let statement = self.idle.statement(id, &decider, None, Decision::Approved, None).unwrap();
            self.idle.sign(id, &receipt::sign_decision(&statement, &key).unwrap()).unwrap();
        }
        keys.into_iter().zip(requests).collect()
    }

    /// Performs the operator's act once that many receipts of the round are spent. Returns the number of revoked receipts.
    fn perform(&self, act: OperatorAct, round: usize, after: usize, receipts: &[ReceiptId]) -> usize {
        let before = self.redeemed.load(Ordering::SeqCst);
        let end = Instant::now() + TIMEOUT;
        while self.redeemed.load(Ordering::SeqCst) < before + after {
            assert!(Instant::now() < end, "{act:?}: {after} receipts are not spent");
            std::thread::yield_now();
        }
        let reason = "race".to_owned();
        match act {
            OperatorAct::Freeze => self.record(Act::Frozen { tenant: None, reason }),
            OperatorAct::Remove => self.record(Act::DeciderRemoved { decider: person(round).0, reason }),
            OperatorAct::Revoke => {
                let revoke = |id: &&ReceiptId| match self.idle.revoke(id, "operator", None) {
                    Ok(_) => true,
                    Err(engine::Error::Store(StoreError::AlreadyRedeemed(_))) => false,
                    Err(error) => panic!("{error}"),
                };
                return receipts.iter().rev().filter(revoke).count();
            }
        }
        0
    }

    /// Runs a round. Returns the number of spent receipts and the number that the gate refused.
    fn run(&self, round: usize, act: OperatorAct) -> [usize; 2] {
        let instances = self.approved(round);
        let receipts: Vec<ReceiptId> = instances.iter().map(|(key, _)| receipt_of(&self.idle, key)).collect();
        let after = round * 5 % AT_ONCE;
        let has_ended = |(key, _): &(InstanceKey, RequestId)| {
            matches!(self.idle.status(key).unwrap(), Status::Completed(_) | Status::Failed(_))
        };
        let taken_back = self.driving(|| {
            let taken_back = self.perform(act, round, after, &receipts);
            until("all have ended", || instances.iter().all(has_ended));
            taken_back
        });
        let mut ends = [0; 2];
        for (key, _) in &instances {
            let entries = support::entries(&self.idle, key);
            let [spent, refused] = ["redeemed", "refused"].map(|kind| support::count(&entries, kind));
            assert_eq!(spent + refused, 1, "{act:?} {key}");
            assert_eq!(support::count(&entries, "performed"), spent, "{act:?} {key}");
            ends = [ends[0] + spent, ends[1] + refused];
        }
        match act {
            OperatorAct::Revoke => assert_eq!(taken_back, ends[1], "spent or taken back, and never both"),
            OperatorAct::Freeze | OperatorAct::Remove => self.check_order(&instances),
        }
        if let OperatorAct::Freeze = act {
            self.record(Act::Thawed { tenant: None, reason: "over".to_owned() });
        }
        ends
    }

    /// Checks the order of commits: no receipt of the round was spent after the last act.
    fn check_order(&self, instances: &[(InstanceKey, RequestId)]) {
        let names: Vec<String> = instances.iter().map(|(key, _)| format!("'{}'", key.instance)).collect();
        let late = format!(
            "SELECT count(*) FROM entries e JOIN instances i ON i.id = e.instance, (SELECT xmin FROM acts ORDER BY seq DESC LIMIT 1) a
            WHERE i.instance IN ({}) AND e.body LIKE '%\"fact\":\"redeemed\"%'
                AND pg_xact_commit_timestamp(e.xmin) > pg_xact_commit_timestamp(a.xmin)",
            names.join(",")
        );
        assert_eq!(self.server.sql(&late), "0");
    }
}

fn receipt_of(host: &Host, key: &InstanceKey) -> ReceiptId {
    let issued = |entry: Entry| match entry {
        Entry::Issued { receipt, .. } => Some(receipt),
        _ => None,
    };
    support::entries(host, key).into_iter().find_map(issued).unwrap()
}

#[test]
fn what_an_operator_does_is_seen_by_a_redemption_on_another_host_or_is_after_it() {
    let Some(race) = Race::new() else { return };
    let rounds = std::env::var("PP_TEST_RACES").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let mut ends = [0; 2];
    for round in 0..rounds {
        let act = [OperatorAct::Freeze, OperatorAct::Remove, OperatorAct::Revoke][round % 3];
        let [spent, refused] = race.run(round, act);
        ends = [ends[0] + spent, ends[1] + refused];
    }
    assert_eq!(ends.iter().sum::<usize>(), rounds * AT_ONCE);
    assert!(ends.iter().all(|end| *end > 0), "both happened: {ends:?}");
    assert_eq!(race.idle.store().receipts(store::ReceiptPage::ALL).wait().unwrap().len(), rounds * AT_ONCE);
}
