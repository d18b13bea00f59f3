//! An authority in a process of its own, and a host that need not be honest; a host, and an authority that need not be its own.

mod copies;
mod precedents;
mod reviews;
mod stalled;
mod statements;

use crate::support;
use crate::support::people::{BEGINNING, ManualClock, decider_key};
use drill::authenticator::SoftwareAuthenticator;
use engine::issuer::{IssuerServer, Keyring, Request, own_account};
use engine::trust::{Act, InvitationCode, RecordedTrustAct, Trust};
use engine::{Builder, Clock as _, Error, Host, Invite, SignOutcome};
use receipt::{
    Decision, DecisionStatement, Envelope, PublicKey, RelyingParty, Scope, StatementSigner as _, Timestamp,
};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::DataFolder;
use store::{ActStore as _, InstanceKey, WriteStore as _};
use store_sqlite::Sqlite;
use tempfile::TempDir;
use workflow::{Entry, RequestId};

const TWO: &str = r#"
[[rule]]
id = "release-2of"
capability = "cloudflare.dynamic-worker.deploy"
then = "ask"
role = "release"
approvals = 2
"#;

const ONE: &str = r#"
[[rule]]
id = "release"
capability = "cloudflare.dynamic-worker.deploy"
then = "ask"
role = "release"
"#;

const ORIGIN: &str = "https://approvals.example";
const ALICE: (&str, u8) = ("alice", 1);
const BOB: (&str, u8) = ("bob", 2);

/// An authority and a host, both by one clock. Bob's key ends ten minutes after the beginning.
struct Two {
    folder: TempDir,
    clock: ManualClock,
    policy: &'static str,
    host: Host,
    changes: Arc<Mutex<Vec<String>>>,
}

impl Two {
    fn new(policy: &'static str) -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), ManualClock::new());
        let keys = folder.path().join("authority");
        people(&keys);
        serve(&keys, &folder.path().join("socket"), policy, &clock);
        let changes = Arc::default();
        let host = builder(&folder.path().join("host"), policy, &clock, &changes)
            .authority(folder.path().join("socket"))
            .open()
            .unwrap();
        Self { folder, clock, policy, host, changes }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The host again, with another authority on another socket.
    fn moved_to(self, socket: &str) -> Result<Self, Error> {
        let Self { folder, clock, policy, host, changes } = self;
        drop(host);
        let builder = builder(&folder.path().join("host"), policy, &clock, &changes);
        let host = builder.authority(folder.path().join(socket)).open()?;
        Ok(Self { folder, clock, policy, host, changes })
    }

    fn asked(&self) -> (InstanceKey, RequestId) {
        let key = support::start(&self.host, "tenant-workflow", "{}");
        let status = support::block_on(self.host.drive(&key)).unwrap();
        let Some(request) = status.request() else { panic!("it does not wait: {status:?}") };
        (key, request.clone())
    }

    fn statement(&self, id: &RequestId, (name, _): (&str, u8)) -> DecisionStatement {
        self.host.statement(id, &name.parse().unwrap(), None, Decision::Approved, Some("seen")).unwrap()
    }

    fn envelope(&self, id: &RequestId, person: (&str, u8)) -> Envelope {
        receipt::sign_decision(&self.statement(id, person), &decider_key(person.1)).unwrap()
    }

    /// The authority's answer to an arbitrary question.
    fn ask(&self, question: &Value) -> Value {
        ask(&self.path("socket"), question)
    }

    fn issue(&self, request: &Request, envelopes: &[&Envelope]) -> Value {
        let envelopes: Vec<_> = envelopes.iter().map(|envelope| envelope.to_json().canonical()).collect();
        self.ask(&json!({ "ask": "issue", "request": request, "envelopes": envelopes }))
    }

    fn said(&self) -> Vec<String> {
        std::mem::take(&mut *self.changes.lock().unwrap())
    }

    /// The host's pinned keys and its copy of the operators' acts.
    fn copy(&self) -> (String, u64) {
        let acts = self.host.store().acts(0).wait().unwrap();
        let keys = fs::read_to_string(self.path("host/keys/keys.json")).unwrap();
        (keys, acts.last().map_or(0, |act| act.seq))
    }
}

fn ask(socket: &Path, question: &Value) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(format!("{question}\n").as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

fn builder(data: &Path, policy: &str, clock: &ManualClock, changes: &Arc<Mutex<Vec<String>>>) -> Builder {
    let changes = Arc::clone(changes);
    crate::support::storage::builder(data)
        .clock(clock.clone())
        .policy(Box::new(policy::Toml::parse(policy).unwrap()))
        .on_authority_change(move |change| changes.lock().unwrap().push(change.to_owned()))
}

fn office(keys: &Path, policy: &str, clock: &ManualClock) -> IssuerServer {
    let policy = Box::new(policy::Toml::parse(policy).unwrap());
    IssuerServer::open(keys, policy, Box::new(clock.clone())).unwrap()
}

/// Serves until the test ends. Returns when it listens.
fn serve(keys: &Path, socket: &Path, policy: &str, clock: &ManualClock) {
    let office = office(keys, policy, clock);
    let path = socket.to_owned();
    std::thread::spawn(move || office.serve(&path, &[own_account()]).unwrap());
    while UnixStream::connect(socket).is_err() {
        std::thread::yield_now();
    }
}

fn record_act(keys: &Path, act: Act) {
    record_act_at(keys, act, Timestamp::from_millis(BEGINNING));
}

fn record_act_at(keys: &Path, act: Act, at: Timestamp) {
    let folder = DataFolder::own(keys).unwrap();
    let store = Sqlite::open(&folder).unwrap();
    let mut trust = Trust::default();
    trust.extend(&store.acts(0).wait().unwrap()).unwrap();
    let body = serde_json::to_string(&RecordedTrustAct { by: "test".to_owned(), act }).unwrap();
    store.act(trust.seq(), at, body).unwrap();
}

fn add(keys: &Path, name: &str, role: &str, seed: u8, valid_until: Option<Timestamp>) {
    let (decider, key) = (name.parse::<receipt::PersonId>().unwrap(), decider_key(seed).public_key());
    let roles = [role.parse().unwrap()].into();
    record_act(keys, Act::DeciderAdded { decider: decider.clone(), roles, tenants: [].into() });
    let (kind, public_key) = (key.scheme().as_str().to_owned(), key.to_base64());
    record_act(keys, Act::KeyAdded { decider, kind, public_key, valid_until, passkey: None });
}

fn people(keys: &Path) {
    add(keys, "alice", "release", 1, None);
    add(keys, "bob", "release", 2, Some(Timestamp::from_millis(BEGINNING + 600_000)));
    add(keys, "dora", "break-glass", 4, None);
}

fn refusal(answer: &Value) -> &str {
    assert_eq!(answer["answer"], "refused", "{answer}");
    answer["message"].as_str().unwrap()
}

fn opened<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("it was taken for the authority"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_key_that_has_ended_signs_nothing_whatever_time_it_writes() {
    let two = Two::new(ONE);
    let (_, id) = two.asked();
    let request = two.host.request(&id).unwrap();
    let backdated = two.envelope(&id, BOB);
    two.clock.move_by_minutes(11);
    let refused = two.host.sign(&id, &backdated).unwrap_err();
    assert!(refused.to_string().contains("the key was valid until"), "{refused}");
    assert!(refusal(&two.issue(&request, &[&backdated])).contains("the key was valid until"));
    let kept =
        two.ask(&json!({ "ask": "admit", "request": request, "envelope": backdated.to_json().canonical() }));
    assert!(refusal(&kept).contains("the key was valid until"));
    // By the clock of the authority, which has seen something later.
    two.host.sign(&id, &two.envelope(&id, ALICE)).unwrap();
    let (_, other) = two.asked();
    let request = two.host.request(&other).unwrap();
    let backdated = receipt::sign_decision(
        &DecisionStatement {
            decided_at: Timestamp::from_millis(BEGINNING + 599_000),
            ..two.statement(&other, BOB)
        },
        &decider_key(2),
    )
    .unwrap();
    two.clock.move_by_minutes(-10);
    assert_eq!(two.issue(&request, &[&backdated])["answer"], "refused");
}

/// A statement that was admitted while its key could sign counts when the last signature comes. One that arrives only
/// then does not.
#[test]
fn the_authority_admits_each_statement_when_it_is_made() {
    let two = Two::new(TWO);
    let ((key, id), (_, withheld)) = (two.asked(), two.asked());
    let late = two.envelope(&withheld, BOB);
    assert!(matches!(two.host.sign(&id, &two.envelope(&id, BOB)).unwrap(), SignOutcome::Waiting(_)));
    let kept = fs::read_to_string(two.path("authority/statements.jsonl")).unwrap();
    assert_eq!((kept.lines().count(), kept.contains(id.as_str())), (1, true));
    two.clock.move_by_minutes(11);
    assert!(matches!(two.host.sign(&id, &two.envelope(&id, ALICE)).unwrap(), SignOutcome::Issued(_)));
    let end = support::block_on(two.host.drive(&key)).unwrap();
    assert_eq!(support::result(&end)["status"], "deployed");
    let request = two.host.request(&withheld).unwrap();
    let both = two.issue(&request, &[&late, &two.envelope(&withheld, ALICE)]);
    assert!(refusal(&both).contains("the key was valid until"), "{both}");
}

/// The authority counts a denial that a host forgets.
#[test]
fn the_authority_counts_what_it_has_admitted_itself() {
    let two = Two::new(ONE);
    let (_, id) = two.asked();
    let request = two.host.request(&id).unwrap();
    let denial = DecisionStatement { decision: Decision::Denied, ..two.statement(&id, ALICE) };
    let denial = receipt::sign_decision(&denial, &decider_key(1)).unwrap();
    let admitted =
        two.ask(&json!({ "ask": "admit", "request": request, "envelope": denial.to_json().canonical() }));
    assert_eq!(admitted["answer"], "done");
    let issued = two.issue(&request, &[&two.envelope(&id, BOB)]);
    assert_eq!(issued["receipt"]["artifact"]["status"], "DENIED", "{issued}");
}

#[test]
fn a_host_chooses_no_name_no_salt_and_no_age() {
    let two = Two::new(ONE);
    let (_, id) = two.asked();
    let request = two.host.request(&id).unwrap();
    let envelope = two.envelope(&id, ALICE).to_json().canonical();
    for member in ["id", "salt", "at"] {
        let mut question = json!({ "ask": "issue", "request": request, "envelopes": [envelope] });
        question[member] = "rcpt_chosen".into();
        assert!(refusal(&two.ask(&question)).contains(member));
    }
    let aged = |created: i64, expires: i64| {
        let at = |minutes: i64| Timestamp::from_millis(BEGINNING + minutes * 60_000);
        let request = Request { created_at: at(created), expires_at: at(expires), ..request.clone() };
        let question = json!({ "ask": "issue", "request": request, "envelopes": null });
        refusal(&two.ask(&question)).to_owned()
    };
    assert!(aged(-20, -10).contains("lapsed at"));
    assert!(aged(2, 10).contains("compare the clocks"));
    assert!(aged(0, 366 * 24 * 60).contains("longer than a year"));
    // Another age is another request, which is not signed.
    let older = Request { created_at: Timestamp::from_millis(BEGINNING - 60_000), ..request };
    assert!(refusal(&two.issue(&older, &[&two.envelope(&id, ALICE)])).contains("digest of the request"));
}

#[test]
fn only_what_was_signed_there_is_revoked_or_attested_there() {
    let two = Two::new(ONE);
    let (_, id) = two.asked();
    let effect = json!({ "outcome": "unknown", "message": "" });
    let of = |receipt: &str| {
        [
            two.ask(&json!({ "ask": "revoke", "receipt": receipt, "by": "x", "reason": null })),
            two.ask(&json!({ "ask": "attest", "receipt": receipt, "effect": effect })),
        ]
    };
    for answer in of("rcpt_invented") {
        assert!(refusal(&answer).contains("no approval rcpt_invented was signed here"));
    }
    let SignOutcome::Issued(receipt) = two.host.sign(&id, &two.envelope(&id, ALICE)).unwrap() else {
        panic!("not decided");
    };
    let [revoked, attested] = of(receipt.id.as_str());
    assert_eq!((&revoked["answer"], &attested["answer"]), (&"revoked".into(), &"attested".into()));
    let revocation = two.host.revoke(&receipt.id, "operator", Some("wrong branch")).unwrap();
    assert!(revocation.id.as_str().starts_with("rcpt_rev_"));
    // A denial was signed there, and permits nothing that could be revoked or come to anything.
    let (_, id) = two.asked();
    let denies = DecisionStatement { decision: Decision::Denied, ..two.statement(&id, ALICE) };
    let denial = receipt::sign_decision(&denies, &decider_key(ALICE.1)).unwrap();
    let SignOutcome::Issued(denied) = two.host.sign(&id, &denial).unwrap() else { panic!("not decided") };
    for answer in of(denied.id.as_str()) {
        assert!(refusal(&answer).contains("no approval"), "{answer}");
    }
}

/// Every place is taken by a caller that never completes its request.
#[test]
fn slow_callers_keep_no_host_from_the_authority() {
    let two = Two::new(ONE);
    let slow: Vec<_> = (0..64)
        .map(|_| {
            let mut stream = UnixStream::connect(two.path("socket")).unwrap();
            stream.write_all(b"{").unwrap();
            stream
        })
        .collect();
    for _ in 0..4 {
        assert_eq!(two.ask(&json!({ "ask": "keys" }))["answer"], "keys");
    }
    let (_, request) = two.asked();
    two.host.sign(&request, &two.envelope(&request, ALICE)).unwrap();
    drop(slow);
}
