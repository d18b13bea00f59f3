//! The network between one host and the database is cut, both ways and one way, in the middle of actions: the host stops, another one takes over,
//! and the first one works again once the network does. The target's own record is counted.
//!
//! The host that is cut off is the test program in a network namespace of its own.

use super::paused_host::{Working, builder, copy};
use crate::support::network::{Cut, Network};
use crate::support::postgres::Server;
use crate::support::until;
use crate::support::{self, child};
use engine::capability::{Capability, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::Reversibility;
use engine::{DEPLOY, Host, WorkerOptions};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use store::{ClaimStore as _, InstanceKey, Quotas};
use store_postgres::Postgres;
use tempfile::TempDir;
use workflow::{Artifact, Effect, Entry};

/// Tells the child its name, its folder, its database, and the target's file.
const NAME: &str = "PP_HOST_TEST_NETWORK_NAME";
const FOLDER: &str = "PP_HOST_TEST_NETWORK_FOLDER";
const STORE: &str = "PP_HOST_TEST_NETWORK_STORE";
const TARGET: &str = "PP_HOST_TEST_NETWORK_TARGET";

/// Instances that are started before each cut and after it, and actions of each.
const INSTANCES: usize = 16;
const ACTIONS: usize = 5;

/// The time that an action takes.
const ACTION: Duration = Duration::from_millis(50);

/// The child process: a running host.
#[test]
fn child() {
    let values = [NAME, FOLDER, STORE, TARGET].map(std::env::var);
    let [Ok(name), Ok(folder), Ok(url), Ok(file)] = values else { return };
    let target = Target { name, file: PathBuf::from(file) };
    let host = open(&url, Path::new(&folder), target);
    support::block_on(host.work(WorkerOptions::default(), std::future::pending())).unwrap();
}

fn open(url: &str, folder: &Path, target: Target) -> Host {
    let quotas = Quotas { requests_per_hour: u64::MAX, ..Quotas::default() };
    builder(url, folder).capability(target).quotas(quotas).open().unwrap()
}

/// A target with its own record, which ignores idempotency keys: an action that is done twice has two lines.
struct Target {
    name: String,
    file: PathBuf,
}

impl Capability for Target {
    fn name(&self) -> &str {
        DEPLOY
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Irreversible
    }

    fn on_interruption(&self) -> OnInterruption {
        OnInterruption::ReportUnknown
    }

    fn perform(&self, _: &Permit, _: &Artifact, attempt: Execution) -> Result<Performed, PerformError> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file).unwrap();
        file.write_all(format!("{} {}\n", self.name, attempt.idempotency_key).as_bytes()).unwrap();
        std::thread::sleep(ACTION);
        Ok(Performed { id: "done".to_owned(), location: "nowhere".to_owned(), deployment: None })
    }
}

/// Two hosts with the same keys, one of which is behind the network.
struct Case {
    network: Network,
    server: Server,
    options: String,
    folders: [TempDir; 2],
    target: PathBuf,
    /// A host that starts instances and drives none.
    idle: Host,
    store: Postgres,
}

impl Case {
    fn new() -> Option<Self> {
        let network = Network::new()?;
        let server = Server::listening_on(network.address())?;
        let url = server.schema();
        let folders = [(); 2].map(|()| TempDir::new().unwrap());
        let target = folders[0].path().join("target");
        fs::write(&target, "").unwrap();
        let idle = Target { name: "idle".to_owned(), file: target.clone() };
        let idle = open(&url, folders[0].path(), idle);
        copy(folders[0].path(), folders[1].path());
        let (options, store) = (url.split_once('?').unwrap().1.to_owned(), Postgres::open(&url).unwrap());
        Some(Self { network, server, options, folders, target, idle, store })
    }

    fn begin(&self, mut child: Command, name: &str, folder: &Path, url: &str) -> Working {
        child.env(NAME, name).env(FOLDER, folder).env(STORE, url).env(TARGET, &self.target);
        Working(child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// The host behind the network, and the host next to the database.
    fn hosts(&self) -> [Working; 2] {
        let far = TempDir::new_in(self.folders[1].path()).unwrap().keep();
        copy(self.folders[0].path(), &far);
        let by_network = self.server.tcp_url(self.network.address(), &self.options);
        let beside = format!("{}?{}", self.server.url(), self.options);
        [
            self.begin(child::inside(&self.network, module_path!()), "far", &far, &by_network),
            self.begin(child::of(module_path!()), "near", self.folders[1].path(), &beside),
        ]
    }

    fn start(&self) -> Vec<InstanceKey> {
        let deploys: Vec<_> =
            (0..ACTIONS).map(|number| json!({ "deploy": format!("app-{number}") })).collect();
        let program = json!({ "program": deploys }).to_string();
        (0..INSTANCES).map(|_| support::start(&self.idle, "durable", &program)).collect()
    }

    fn shares(&self) -> Vec<u16> {
        let hosts = self.store.hosts().wait().unwrap().hosts;
        hosts.iter().filter(|host| host.is_alive && host.shards > 0).map(|host| host.shards).collect()
    }

    fn have_ended(&self, keys: &[InstanceKey]) -> bool {
        let is_end = |entry: &Entry| matches!(entry, Entry::Completed { .. } | Entry::Failed { .. });
        keys.iter().all(|key| support::entries(&self.idle, key).last().is_some_and(is_end))
    }

    /// The keys of the actions that each host has done, by the target's record.
    fn done(&self, host: &str) -> Vec<String> {
        let record = fs::read_to_string(&self.target).unwrap();
        let lines = record.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(by, _)| *by == host).map(|(_, key)| key.to_owned()).collect()
    }

    /// Cuts the network in the middle of the other host's actions, and heals it once that host has taken over.
    fn cut(&self, cut: Cut) -> Vec<InstanceKey> {
        let before = self.done("far").len();
        let mut keys = self.start();
        until("the far host acts", || self.done("far").len() > before);
        self.network.cut(cut);
        keys.extend(self.start());
        until(&format!("the near host has all, cut {cut:?}"), || self.shares() == [256]);
        let acted = self.done("far").len();
        until(&format!("all have ended, cut {cut:?}"), || self.have_ended(&keys));
        assert_eq!(self.done("far").len(), acted, "the far host acted without a claim, cut {cut:?}");
        self.network.heal();
        until(&format!("they share again, cut {cut:?}"), || self.shares() == [128, 128]);
        keys
    }

    /// Compares the target's record with the journals.
    fn check(&self, keys: &[InstanceKey]) {
        let done = [self.done("far"), self.done("near")].concat();
        let unique: HashSet<&String> = done.iter().collect();
        assert_eq!(unique.len(), done.len(), "an action was done twice");
        let (mut spent, mut unknown) = (0, 0);
        for key in keys {
            let entries = support::entries(&self.idle, key);
            let intents = intents(&entries);
            spent += intents.len();
            for (place, effect) in intents.values() {
                match effect {
                    Some(Effect::Succeeded { .. }) => {
                        assert!(unique.contains(place), "{key}: it was not done")
                    }
                    Some(Effect::Unknown { .. }) => unknown += 1,
                    other => panic!("{key}: {other:?}"),
                }
            }
            let has_unknown =
                intents.values().any(|(_, effect)| matches!(effect, Some(Effect::Unknown { .. })));
            assert!(intents.len() == ACTIONS || has_unknown, "{key}: {} actions", intents.len());
            assert_eq!(support::count(&entries, "attested"), intents.len(), "{key}");
        }
        assert!((spent - unknown..=spent).contains(&done.len()), "{spent} {unknown} {}", done.len());
        assert!(unknown < keys.len(), "most were not interrupted: {unknown}");
    }
}

/// Each spent receipt, with its idempotency key and the outcome of its action.
fn intents(entries: &[Entry]) -> BTreeMap<String, (String, Option<Effect>)> {
    let mut intents = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Redeemed { receipt, idempotency_key, .. } => {
                let before = intents.insert(receipt.to_string(), (idempotency_key.to_string(), None));
                assert!(before.is_none(), "{receipt} was spent twice");
            }
            Entry::Performed { receipt, effect, .. } => {
                let before = intents.get_mut(&receipt.to_string()).unwrap().1.replace(effect.clone());
                assert!(before.is_none(), "{receipt} has two outcomes");
            }
            _ => {}
        }
    }
    intents
}

#[test]
fn a_host_that_is_cut_off_from_the_database_stops_and_another_takes_over() {
    let Some(case) = Case::new() else { return };
    let hosts = case.hosts();
    until("they share", || case.shares() == [128, 128]);
    let mut keys = Vec::new();
    for cut in [Cut::Both, Cut::FromInside, Cut::ToInside] {
        keys.extend(case.cut(cut));
    }
    let last = case.start();
    until("the last have ended", || case.have_ended(&last));
    keys.extend(last);
    case.check(&keys);
    drop(hosts);
}
