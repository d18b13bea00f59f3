//! People with keys, and a host where they decide.

use engine::trust::Act;
use engine::{Error, Host, SignOutcome, Status};
use receipt::{Decision, Ed25519StatementSigner, Envelope, PersonId, StatementSigner as _};
use std::path::Path;
use store::InstanceKey;
use tempfile::TempDir;
use workflow::RequestId;

pub use super::clock::{BEGINNING, ManualClock};

/// A host in a new folder where people decide.
pub struct ApprovalFixture {
    pub folder: TempDir,
    pub host: Host,
    pub clock: ManualClock,
}

impl ApprovalFixture {
    /// Under that policy, with alice, bob and carol in the role `release`.
    pub fn new(policy: Option<&str>) -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), ManualClock::new());
        let host = open(folder.path(), policy, &clock);
        let fixture = Self { folder, host, clock };
        for (name, seed) in [("alice", 1), ("bob", 2), ("carol", 3)] {
            fixture.add(name, &["release"], seed);
        }
        fixture
    }

    /// Another host of the same folder, when this one is gone.
    pub fn reopened(self, policy: Option<&str>) -> Self {
        let Self { folder, host, clock } = self;
        drop(host);
        let host = open(folder.path(), policy, &clock);
        Self { folder, host, clock }
    }

    pub fn add(&self, name: &str, roles: &[&str], seed: u8) {
        let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
        let decider: PersonId = name.parse().unwrap();
        self.record_act(Act::DeciderAdded { decider: decider.clone(), roles, tenants: [].into() }).unwrap();
        self.give(name, seed);
    }

    pub fn give(&self, name: &str, seed: u8) {
        let key = decider_key(seed).public_key();
        let (kind, public_key) = (key.scheme().as_str().to_owned(), key.to_base64());
        let decider = name.parse().unwrap();
        self.record_act(Act::KeyAdded { decider, kind, public_key, valid_until: None, passkey: None })
            .unwrap();
    }

    pub fn record_act(&self, act: Act) -> Result<(), Error> {
        self.host.record_act("test", act)
    }

    /// Runs the demo guest until it asks.
    pub fn asked(&self) -> (InstanceKey, RequestId) {
        self.asked_with("{}")
    }

    pub fn asked_with(&self, params: &str) -> (InstanceKey, RequestId) {
        let key = super::start(&self.host, "tenant-workflow", params);
        let request = self.waits(&key);
        (key, request)
    }

    /// Drives an instance to the request that it waits with.
    pub fn waits(&self, key: &InstanceKey) -> RequestId {
        let status = super::block_on(self.host.drive(key)).unwrap();
        let Some(request) = status.request() else { panic!("it does not wait for an approval: {status:?}") };
        request.clone()
    }

    pub fn ends(&self, key: &InstanceKey) -> Status {
        super::block_on(self.host.drive(key)).unwrap()
    }

    /// A person's signature with the key of that seed.
    pub fn envelope(&self, id: &RequestId, (name, seed): (&str, u8), decision: Decision) -> Envelope {
        let by = name.parse().unwrap();
        let statement = self.host.statement(id, &by, None, decision, Some("seen")).unwrap();
        receipt::sign_decision(&statement, &decider_key(seed)).unwrap()
    }

    pub fn approve(&self, id: &RequestId, person: (&str, u8)) -> Result<SignOutcome, Error> {
        self.host.sign(id, &self.envelope(id, person, Decision::Approved))
    }

    pub fn deny(&self, id: &RequestId, person: (&str, u8)) -> Result<SignOutcome, Error> {
        self.host.sign(id, &self.envelope(id, person, Decision::Denied))
    }

    /// Signs alone, in the role for that.
    pub fn break_glass(&self, id: &RequestId, (name, seed): (&str, u8)) -> Result<SignOutcome, Error> {
        let (by, role) = (name.parse().unwrap(), "break-glass".parse().unwrap());
        let statement = self.host.statement(id, &by, Some(&role), Decision::Approved, Some("it burns"))?;
        self.host.sign(id, &receipt::sign_decision(&statement, &decider_key(seed)).unwrap())
    }

    /// The number of deployments.
    pub fn deployments(&self) -> usize {
        let artifacts = self.folder.path().join("deployments/artifacts");
        std::fs::read_dir(artifacts).map_or(0, Iterator::count)
    }
}

/// A person's key.
pub fn decider_key(seed: u8) -> Ed25519StatementSigner {
    Ed25519StatementSigner::from_seed(&[seed; 32]).unwrap()
}

fn open(folder: &Path, policy: Option<&str>, clock: &ManualClock) -> Host {
    let builder = crate::support::storage::builder(folder).clock(clock.clone());
    match policy {
        Some(text) => builder.policy(Box::new(policy::Toml::parse(text).unwrap())),
        None => builder,
    }
    .open()
    .unwrap()
}

/// The receipt that a statement led to.
pub fn issued(recorded: Result<SignOutcome, Error>) -> store::StoredReceipt {
    match recorded.unwrap() {
        SignOutcome::Issued(receipt) => *receipt,
        SignOutcome::Waiting(count) => panic!("not decided: {count:?}"),
    }
}

/// Makes alice a decider, in the role `release`, on any host.
pub fn add_alice(host: &Host) {
    let decider: PersonId = "alice".parse().unwrap();
    let roles = ["release".parse().unwrap()].into();
    host.record_act("test", Act::DeciderAdded { decider: decider.clone(), roles, tenants: [].into() })
        .unwrap();
    let key = decider_key(1).public_key();
    let (kind, public_key) = (key.scheme().as_str().to_owned(), key.to_base64());
    host.record_act("test", Act::KeyAdded { decider, kind, public_key, valid_until: None, passkey: None })
        .unwrap();
}
