//! Code and bytes are known through people's approvals that were acted on and count now, and only as long as they
//! count.

use crate::support;
use crate::support::people::*;
use crate::support::{block_on, entries, formats};
use engine::issuer::{
    DecisionBasis, IssueOrder, Issuer as _, IssuerServer, JudgingContext, Keyring, RemoteIssuer,
};
use engine::trust::{Act, Precedents};
use engine::{Host, SignOutcome, Status};
use policy::Novelty;
use receipt::{Digest, Scope, StatementSigner as _, Timestamp};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use store::InstanceKey;
use tempfile::TempDir;
use workflow::{Check, Entry, RequestId};

const ALICE: (&str, u8) = ("alice", 1);
const BOB: (&str, u8) = ("bob", 2);
const CAROL: (&str, u8) = ("carol", 3);

/// Known code goes ahead by itself, and so does anything on one resource.
const KNOWN: &str = r#"
[[rule]]
id = "known-code"
component = "known"
then = "allow"

[[rule]]
id = "open"
resource = "cloudflare://workers/open/*"
then = "allow"

[[rule]]
id = "closed"
resource = "cloudflare://workers/closed/*"
then = "deny"

[[rule]]
id = "people"
then = "ask"
role = "release"
"#;

/// New code takes three people, known code two.
const FEWER: &str = r#"
[[rule]]
id = "new-code"
component = "new"
then = "ask"
role = "release"
approvals = 3

[[rule]]
id = "known-code"
then = "ask"
role = "release"
approvals = 2
"#;

/// The role `security` decides about new code, the role `release` about known code.
const SECURITY: &str = r#"
[[rule]]
id = "new-code"
component = "new"
then = "ask"
role = "security"

[[rule]]
id = "known-code"
then = "ask"
role = "release"
"#;

fn on(resource: &str) -> String {
    format!(r#"{{"resource":"cloudflare://workers/{resource}"}}"#)
}

/// Runs the guest on another resource, until it has ended or waits.
fn run(fixture: &ApprovalFixture, resource: &str) -> (InstanceKey, Status) {
    let key = support::start(&fixture.host, "tenant-workflow", &on(resource));
    let status = fixture.ends(&key);
    (key, status)
}

/// Whether the guest deploys to that resource without asking people.
fn goes_ahead(fixture: &ApprovalFixture, resource: &str) -> bool {
    match run(fixture, resource).1 {
        Status::Completed(output) => output.contains("deployed"),
        Status::Waiting(_) => false,
        other => panic!("{other:?}"),
    }
}

/// The guest's deployment, approved by these people and done.
fn deployed(fixture: &ApprovalFixture, resource: &str, people: &[(&str, u8)]) {
    let (key, request) = fixture.asked_with(&on(resource));
    for person in people {
        fixture.approve(&request, *person).unwrap();
    }
    assert!(matches!(fixture.ends(&key), Status::Completed(_)));
}

fn shown(fixture: &ApprovalFixture, request: &RequestId) -> String {
    fixture.host.request(request).unwrap().to_string()
}

fn key_revoked(seed: u8, compromised_at: Option<Timestamp>) -> Act {
    let key_id = decider_key(seed).public_key().key_id().to_string();
    Act::KeyRevoked { key_id, compromised_at, reason: "stolen".to_owned() }
}

fn removed(name: &str) -> Act {
    Act::DeciderRemoved { decider: name.parse().unwrap(), reason: "left".to_owned() }
}

fn noon() -> Timestamp {
    Timestamp::from_millis(BEGINNING)
}

#[test]
fn what_people_approved_and_was_done_is_known_for_as_long_as_they_count() {
    let other_role = Act::DeciderAdded {
        decider: "alice".parse().unwrap(),
        roles: ["docs".parse().unwrap()].into(),
        tenants: [].into(),
    };
    let other_tenant = Act::DeciderAdded {
        decider: "alice".parse().unwrap(),
        roles: ["release".parse().unwrap()].into(),
        tenants: ["globex".parse().unwrap()].into(),
    };
    let acts =
        [removed("alice"), key_revoked(1, None), key_revoked(1, Some(noon())), other_role, other_tenant];
    for act in acts {
        let fixture = ApprovalFixture::new(Some(KNOWN));
        deployed(&fixture, "a", &[ALICE]);
        // Long after the approval itself has run out.
        fixture.clock.move_by_minutes(60 * 24 * 365);
        assert!(goes_ahead(&fixture, "b"), "known");
        let told = format!("{act:?}");
        fixture.record_act(act).unwrap();
        assert!(!goes_ahead(&fixture, "c"), "{told}");
        let (_, request) = fixture.asked_with(&on("c"));
        assert_eq!(shown(&fixture, &request).matches("not approved before").count(), 2, "{told}");
        // Another person approves it, and it is known again.
        deployed(&fixture, "c", &[BOB]);
        assert!(goes_ahead(&fixture, "d"), "{told}");
    }
}

#[test]
fn an_approval_that_was_not_acted_on_makes_nothing_known() {
    let fixture = ApprovalFixture::new(Some(KNOWN));
    let (_, request) = fixture.asked_with(&on("a"));
    let receipt = issued(fixture.approve(&request, ALICE));
    assert!(!goes_ahead(&fixture, "b"), "not spent");
    fixture.host.revoke(&receipt.id, "operator", Some("it was not alice")).unwrap();
    assert!(!goes_ahead(&fixture, "b"), "revoked");
}

/// A command that only reads has another look at the time than the host that recorded the last act.
#[test]
fn a_reader_judges_by_no_earlier_time_than_the_last_act() {
    let fixture = ApprovalFixture::new(Some(SECURITY));
    fixture.add("sam", &["security"], 5);
    deployed(&fixture, "a", &[("sam", 5)]);
    let (_, request) = fixture.asked_with(&on("b"));
    fixture.clock.move_by_minutes(10);
    fixture.record_act(removed("sam")).unwrap();
    let policy = Box::new(policy::Toml::parse(SECURITY).unwrap());
    let reader = engine::ReadOnlyHost::open(fixture.folder.path(), Some(policy)).unwrap();
    let read = reader.request(&request).unwrap().to_string();
    assert_eq!(read.matches(", APPROVAL BEFORE NO LONGER COUNTS").count(), 2, "{read}");
}

#[test]
fn a_policy_s_own_permission_makes_nothing_known() {
    let fixture = ApprovalFixture::new(Some(KNOWN));
    assert!(goes_ahead(&fixture, "open/a"));
    assert!(!goes_ahead(&fixture, "b"));
    // A receipt that rests on known code makes nothing known either.
    deployed(&fixture, "b", &[ALICE]);
    assert!(goes_ahead(&fixture, "c"));
    fixture.record_act(removed("alice")).unwrap();
    assert!(!goes_ahead(&fixture, "d"));
}

#[test]
fn another_tenant_s_approvals_make_nothing_known() {
    let fixture = ApprovalFixture::new(Some(KNOWN));
    deployed(&fixture, "a", &[ALICE]);
    let key = support::start_for(&fixture.host, "globex", "tenant-workflow", &on("b"));
    assert!(matches!(fixture.ends(&key), Status::Waiting(_)));
}

#[test]
fn a_break_glass_decision_makes_nothing_known() {
    let fixture = ApprovalFixture::new(Some(KNOWN));
    fixture.add("dora", &["break-glass"], 4);
    let (key, request) = fixture.asked_with(&on("a"));
    issued(fixture.break_glass(&request, ("dora", 4)));
    assert!(matches!(fixture.ends(&key), Status::Completed(_)));
    assert!(!goes_ahead(&fixture, "b"));
}

#[test]
fn what_is_known_is_no_reason_why_it_is_known() {
    let fixture = ApprovalFixture::new(Some(SECURITY));
    fixture.add("sam", &["security"], 5);
    deployed(&fixture, "a", &[("sam", 5)]);
    // Enough of them to push the first one out of any bounded list.
    for number in 0..20 {
        deployed(&fixture, &format!("b{number}"), &[ALICE]);
    }
    let (_, request) = fixture.asked_with(&on("c"));
    assert!(shown(&fixture, &request).contains("approved before\n"));
    fixture.record_act(removed("sam")).unwrap();
    let (_, request) = fixture.asked_with(&on("d"));
    let alice = "alice".parse().unwrap();
    let refused = fixture.host.statement(&request, &alice, None, receipt::Decision::Approved, None);
    assert!(
        matches!(refused, Err(engine::Error::CannotCount { .. })),
        "alice's approvals rested on sam's: {refused:?}"
    );
}

#[test]
fn a_stricter_policy_is_what_past_approvals_are_judged_by() {
    let fixture = ApprovalFixture::new(Some(KNOWN));
    deployed(&fixture, "a", &[ALICE]);
    let two = KNOWN.replace("role = \"release\"", "role = \"release\"\napprovals = 2");
    let fixture = fixture.reopened(Some(&two));
    assert!(!goes_ahead(&fixture, "b"));
    let fixture = fixture.reopened(Some(KNOWN));
    assert!(goes_ahead(&fixture, "b"));
}

#[test]
fn a_receipt_by_a_revoked_issuer_key_makes_nothing_known() {
    let fixture = ApprovalFixture::new(Some(KNOWN));
    deployed(&fixture, "a", &[ALICE]);
    let keys = fixture.folder.path().join("keys");
    let ApprovalFixture { folder, host, clock } = fixture;
    let [id] = host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().try_into().unwrap();
    let old = host.store().receipt(&id).wait().unwrap().unwrap().receipt.artifact.key_id;
    drop(host);
    Keyring::rotate(&keys, Scope::Production, &[77; 32], noon()).unwrap();
    let policy = || Box::new(policy::Toml::parse(KNOWN).unwrap());
    let open = || {
        crate::support::storage::builder(folder.path()).clock(clock.clone()).policy(policy()).open().unwrap()
    };
    let fixture = ApprovalFixture { host: open(), folder: TempDir::new().unwrap(), clock: clock.clone() };
    assert!(goes_ahead(&fixture, "b"), "a key that was replaced stays good");
    drop(fixture);
    Keyring::revoke(&keys, &old, noon()).unwrap();
    let fixture = ApprovalFixture { host: open(), folder: TempDir::new().unwrap(), clock: clock.clone() };
    assert!(!goes_ahead(&fixture, "c"));
}

/// The policy allows it, as the code is known; it is no longer known when the receipt is spent.
#[test]
fn the_gate_judges_again_what_is_known() {
    let (folder, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let host: Arc<OnceLock<Host>> = Arc::default();
    let told = Arc::clone(&host);
    let observe = move |fact: &store::Fact| {
        if let (Entry::Requested { request, .. }, Some(host)) = (&fact.entry, told.get())
            && host.request(request).unwrap().resource.ends_with("/last")
        {
            host.record_act("test", key_revoked(1, None)).unwrap();
        }
    };
    let policy = Box::new(policy::Toml::parse(KNOWN).unwrap());
    let opened = crate::support::storage::builder(folder.path())
        .clock(clock.clone())
        .policy(policy)
        .on_fact(observe)
        .open()
        .unwrap();
    host.set(opened.clone()).ok().unwrap();
    let fixture = ApprovalFixture { folder, host: opened, clock };
    fixture.add("alice", &["release"], 1);
    deployed(&fixture, "a", &[ALICE]);
    assert!(goes_ahead(&fixture, "b"));
    let (key, _) = run(&fixture, "last");
    let refused = entries(&fixture.host, &key).into_iter().find_map(|entry| match entry {
        Entry::Refused { check, .. } => Some(check),
        _ => None,
    });
    assert_eq!(refused, Some(Check::Approvals));
    let receipts = entries(&fixture.host, &key).iter().filter(|e| matches!(e, Entry::Issued { .. })).count();
    assert_eq!(receipts, 1, "the policy had allowed it");
}

/// The asked role, the shown text and the count of earlier signatures follow what is known at each moment.
#[test]
fn a_request_that_waits_is_judged_by_what_is_known_now() {
    let fixture = ApprovalFixture::new(Some(FEWER));
    fixture.add("dave", &["release"], 6);
    deployed(&fixture, "a", &[ALICE, BOB, CAROL]);
    let (key, request) = fixture.asked_with(&on("b"));
    let before = shown(&fixture, &request);
    assert_eq!(before.matches(", approved before").count(), 2, "{before}");
    let early = fixture.envelope(&request, BOB, receipt::Decision::Approved);
    assert!(matches!(fixture.approve(&request, ALICE), Ok(SignOutcome::Waiting(_))));
    fixture.record_act(removed("carol")).unwrap();
    let now = shown(&fixture, &request);
    assert_eq!(now.matches(", APPROVAL BEFORE NO LONGER COUNTS").count(), 2, "{now}");
    let late = fixture.host.sign(&request, &early).unwrap_err().to_string();
    assert!(late.contains("digest of the view"), "bob was shown something else: {late}");
    let Ok(SignOutcome::Waiting(count)) = fixture.approve(&request, BOB) else {
        panic!("three are wanted now")
    };
    let people: Vec<_> = count.approved.iter().map(|person| person.as_str()).collect();
    assert_eq!(people, ["bob"], "alice signed what is not shown any more");
    assert!(matches!(fixture.approve(&request, ALICE), Ok(SignOutcome::Waiting(_))));
    issued(fixture.approve(&request, ("dave", 6)));
    assert!(matches!(fixture.ends(&key), Status::Completed(_)));
}

#[test]
fn a_line_in_the_database_is_only_a_place_to_look_at() {
    let fixture = ApprovalFixture::new(Some(KNOWN));
    deployed(&fixture, "a", &[ALICE]);
    let [id] = fixture.host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().try_into().unwrap();
    let other = Digest::of(&support::guest("hostile")).to_string();
    let journal = rusqlite::Connection::open(fixture.folder.path().join("journal.sqlite")).unwrap();
    let insert = "INSERT INTO precedents VALUES (?1, ?2, 'x', 1, ?3)";
    journal.execute(insert, ["acme", &other, id.as_str()]).unwrap();
    let own = Digest::of(&support::guest("tenant-workflow")).to_string();
    journal.execute(insert, ["globex", &own, id.as_str()]).unwrap();
    drop(journal);
    let key = support::start(&fixture.host, "hostile", r#"{"attack":"two-approvals"}"#);
    assert!(matches!(fixture.ends(&key), Status::Waiting(_)), "it is about other code");
    let key = support::start_for(&fixture.host, "globex", "tenant-workflow", "{}");
    assert!(matches!(fixture.ends(&key), Status::Waiting(_)), "it is another tenant's");
}

#[test]
fn denials_are_counted_as_their_deciders_count_now() {
    let fixture = ApprovalFixture::new(Some(KNOWN));
    for person in [ALICE, BOB] {
        let (_, request) = fixture.asked_with(&on("a"));
        issued(fixture.deny(&request, person));
    }
    let denied = |resource: &str| {
        let (_, request) = fixture.asked_with(&on(resource));
        fixture.host.request(&request).unwrap().before.denied
    };
    assert_eq!(denied("a"), 2);
    fixture.record_act(key_revoked(1, Some(noon()))).unwrap();
    assert_eq!(denied("a"), 1);
    // A denial by the policy itself is not a person's denial.
    let (key, _) = run(&fixture, "closed/a");
    let asked = fixture
        .host
        .store()
        .asked(&key.tenant, "cloudflare.dynamic-worker.deploy", "cloudflare://workers/closed/a")
        .wait();
    let asked = asked.unwrap();
    assert_eq!((asked.times, asked.denials.len()), (1, 0));
}

/// An older folder has a list of known code, without the receipts.
#[test]
fn a_folder_of_format_7_knows_what_its_receipts_bear_out() {
    let fixture = ApprovalFixture::new(Some(KNOWN));
    deployed(&fixture, "a", &[ALICE]);
    let ApprovalFixture { folder, host, clock } = fixture;
    drop(host);
    formats::take_back(folder.path(), 7);
    let journal = formats::journal(folder.path());
    let foreign = Digest::of(&support::guest("hostile"));
    let known = format!("INSERT INTO known VALUES ('acme', '{foreign}'); UPDATE subjects SET denied = 3");
    journal.execute_batch(&known).unwrap();
    drop(journal);
    let policy = Box::new(policy::Toml::parse(KNOWN).unwrap());
    let host =
        crate::support::storage::builder(folder.path()).clock(clock.clone()).policy(policy).open().unwrap();
    let fixture = ApprovalFixture { folder, host, clock };
    assert!(goes_ahead(&fixture, "b"));
    let key = support::start(&fixture.host, "hostile", r#"{"attack":"two-approvals"}"#);
    let request = fixture.waits(&key);
    assert!(shown(&fixture, &request).contains("not approved before"), "it has no approval");
    let asked = |resource: &str| {
        let resource = format!("cloudflare://workers/{resource}");
        fixture.host.store().asked(&key.tenant, "cloudflare.dynamic-worker.deploy", &resource).wait().unwrap()
    };
    assert_eq!(asked("a").denials, [(String::new(), 3)]);
    fixture.record_act(removed("alice")).unwrap();
    assert!(!goes_ahead(&fixture, "c"));
}

/// An authority in its own process judges the receipts itself, and trusts no host's claim that code is known.
#[test]
fn an_authority_knows_nothing_that_it_is_not_shown() {
    let (folder, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let (keys, socket) = (folder.path().join("authority"), folder.path().join("socket"));
    let policy = || Box::new(policy::Toml::parse(KNOWN).unwrap());
    {
        let host = crate::support::storage::builder(&keys).clock(clock.clone()).open().unwrap();
        let fixture = ApprovalFixture { folder: TempDir::new().unwrap(), host, clock: clock.clone() };
        fixture.add("alice", &["release"], 1);
    }
    let office = IssuerServer::open(&keys, policy(), Box::new(clock.clone())).unwrap();
    let listening = socket.clone();
    std::thread::spawn(move || office.serve(&listening, &[engine::issuer::own_account()]));
    let host = connected(folder.path(), &socket, &clock, policy());
    let fixture = ApprovalFixture { folder, host, clock };
    deployed(&fixture, "a", &[ALICE]);
    assert!(goes_ahead(&fixture, "b"), "the host shows the receipt");
    let (_, request) = fixture.asked_with_hostile();
    let mut claimed = fixture.host.request(&request).unwrap();
    claimed.id = "apr_claimed".parse().unwrap();
    claimed.before.component = Novelty::Known;
    let trust = fixture.host.trust().unwrap();
    let grounds = JudgingContext { trust: &trust, policy: fixture.host.policy() };
    let issue = |request: &engine::issuer::Request| {
        let (id, salt) = ("rcpt_claimed".parse().unwrap(), receipt::Salt::from_bytes([1; 32]));
        let order = IssueOrder { request, basis: DecisionBasis::Policy, id, salt, at: request.created_at };
        RemoteIssuer::at(&socket, engine::issuer::own_account()).issue(&order, grounds)
    };
    let refused = issue(&claimed).unwrap_err().to_string();
    assert!(refused.contains("the policy asks"), "{refused}");
    // Nor with a receipt for other code.
    let genuine = run(&fixture, "c").0;
    let known = entries(&fixture.host, &genuine).into_iter().find_map(|entry| match entry {
        Entry::Requested { request, .. } => Some(fixture.host.request(&request).unwrap().known),
        _ => None,
    });
    claimed.known = known.unwrap();
    assert_ne!(claimed.known, Precedents::default());
    assert!(issue(&claimed).unwrap_err().to_string().contains("the policy asks"));
}

/// A host whose authority listens there, as soon as it does.
fn connected(folder: &Path, socket: &Path, clock: &ManualClock, policy: Box<dyn policy::Policy>) -> Host {
    while RemoteIssuer::at(socket, engine::issuer::own_account()).keys().is_err() {
        std::thread::yield_now();
    }
    let builder = crate::support::storage::builder(folder.join("host")).clock(clock.clone()).policy(policy);
    builder.authority(socket.to_owned()).open().unwrap()
}

trait Hostile {
    fn asked_with_hostile(&self) -> (InstanceKey, RequestId);
}

impl Hostile for ApprovalFixture {
    fn asked_with_hostile(&self) -> (InstanceKey, RequestId) {
        let key = support::start(&self.host, "hostile", r#"{"attack":"two-approvals"}"#);
        let status = block_on(self.host.drive(&key)).unwrap();
        (key, status.request().unwrap().clone())
    }
}
