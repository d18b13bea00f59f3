//! Decisions by people: which count, which do not, and the state of a receipt when its signers no longer count.

mod validity;

use crate::support;
use crate::support::people::*;
use crate::support::{count, entries, result};
use engine::issuer::Issuer as _;
use engine::trust::{Act, RecordedTrustAct};
use engine::{Error, SignOutcome, Status};
use receipt::{Decision, DecisionStatement, Json, Judged, Scope, StatementSigner as _};
use workflow::{Check, Entry, RequestId};

const TWO: &str = r#"
[[rule]]
id = "release-2of"
capability = "cloudflare.dynamic-worker.deploy"
then = "ask"
role = "release"
approvals = 2
"#;

const ALICE: (&str, u8) = ("alice", 1);
const BOB: (&str, u8) = ("bob", 2);
const CAROL: (&str, u8) = ("carol", 3);

/// The gate's check that refused, as the workflow was told.
fn refused_by(fixture: &ApprovalFixture, key: &store::InstanceKey) -> Check {
    fixture.ends(key);
    let refused = entries(&fixture.host, key).into_iter().find_map(|entry| match entry {
        Entry::Refused { check, .. } => Some(check),
        _ => None,
    });
    assert_eq!(fixture.deployments(), 0, "what is refused is not done");
    refused.unwrap()
}

fn said(result: Result<SignOutcome, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_person_approves_with_their_key_and_the_receipt_names_them() {
    let fixture = ApprovalFixture::new(None);
    let (key, request) = fixture.asked();
    let stored = issued(fixture.approve(&request, ALICE));
    assert_eq!(result(&fixture.ends(&key))["status"], "deployed");
    let keys = engine::issuer::Keyring::public(&fixture.folder.path().join("keys")).unwrap();
    let verified = receipt::verify(&stored.artifact, &keys).unwrap();
    assert_eq!(verified.scope(), Some(Scope::Production));
    assert_eq!(verified.decider().unwrap().id, "user:alice");
    let opened = verified.open(&stored.opening().unwrap()).unwrap();
    let trust = fixture.host.trust().unwrap();
    let decisions = receipt::verify_approvals(&opened, trust.deciders(), Judged::AsIssued).unwrap();
    let people: Vec<_> = decisions.iter().map(|decision| decision.person().as_str()).collect();
    assert_eq!(people, ["alice"]);
    let nobody = receipt::DeciderSet::new();
    assert!(receipt::verify_approvals(&opened, &nobody, Judged::AsIssued).is_err());
}

#[test]
fn a_quorum_is_of_different_people() {
    let fixture = ApprovalFixture::new(Some(TWO));
    fixture.give("alice", 11);
    let (key, request) = fixture.asked();
    assert!(matches!(fixture.approve(&request, ALICE), Ok(SignOutcome::Waiting(_))));
    assert!(said(fixture.approve(&request, ALICE)).contains("one person counts once"));
    let second_key = fixture.approve(&request, ("alice", 11));
    assert!(said(second_key).contains("one person counts once"), "two keys of one person");
    assert!(matches!(fixture.ends(&key), Status::Waiting(_)));
    let receipt = issued(fixture.approve(&request, BOB));
    let document = Json::parse(&receipt.request_json).unwrap();
    assert_eq!(document.get("approvals").and_then(Json::as_array).map(<[_]>::len), Some(2));
    assert_eq!(result(&fixture.ends(&key))["status"], "deployed");
    assert_eq!(fixture.deployments(), 1);
}

#[test]
fn no_person_decides_about_their_own_request() {
    let fixture = ApprovalFixture::new(None);
    let workflow = fixture.host.load(support::guest("tenant-workflow")).unwrap();
    let start = engine::Start {
        operator: Some("alice".parse().unwrap()),
        submitter: Some("bob".parse().unwrap()),
        ..engine::Start::new("acme".parse().unwrap(), "agent:builder".parse().unwrap(), "w", "{}")
    };
    let key = fixture.host.start(&workflow, start).unwrap();
    let request = fixture.waits(&key);
    for own in ["alice", "bob"] {
        let statement =
            fixture.host.statement(&request, &own.parse().unwrap(), None, Decision::Approved, None);
        assert!(statement.unwrap_err().to_string().contains("another person has to"), "{own}");
    }
    // Nor with a statement that was drawn up for another person.
    let by = "carol".parse().unwrap();
    let statement = fixture.host.statement(&request, &by, None, Decision::Approved, None).unwrap();
    let own = DecisionStatement { decider: "alice".parse().unwrap(), ..statement };
    let envelope = receipt::sign_decision(&own, &decider_key(1)).unwrap();
    assert!(said(fixture.host.sign(&request, &envelope)).contains("another person has to"));
    issued(fixture.approve(&request, CAROL));
}

#[test]
fn a_statement_about_one_request_does_not_count_for_another() {
    let fixture = ApprovalFixture::new(None);
    let ((_, one), (_, other)) = (fixture.asked(), fixture.asked());
    let envelope = fixture.envelope(&one, ALICE, Decision::Approved);
    assert!(said(fixture.host.sign(&other, &envelope)).contains("digest of the request"));
}

#[test]
fn a_denial_is_no_approval() {
    let fixture = ApprovalFixture::new(None);
    let (key, request) = fixture.asked();
    let receipt = issued(fixture.deny(&request, ALICE));
    assert_eq!(receipt.artifact.status.as_deref(), Some("DENIED"));
    assert_eq!(result(&fixture.ends(&key))["status"], "blocked");
    assert_eq!(fixture.deployments(), 0);
    assert!(said(fixture.approve_late(&request)).contains("does not wait for a decision"));
}

/// A statement of another request, so that there is one at all when this one is over.
trait Late {
    fn approve_late(&self, id: &RequestId) -> Result<SignOutcome, Error>;
}

impl Late for ApprovalFixture {
    fn approve_late(&self, id: &RequestId) -> Result<SignOutcome, Error> {
        let (_, other) = self.asked();
        self.host.sign(id, &self.envelope(&other, BOB, Decision::Approved))
    }
}

#[test]
fn what_was_signed_is_what_was_shown() {
    let fixture = ApprovalFixture::new(None);
    let (_, request) = fixture.asked();
    let by = "alice".parse().unwrap();
    let statement = fixture.host.statement(&request, &by, None, Decision::Approved, None).unwrap();
    let shown = fixture.host.request(&request).unwrap().to_string();
    assert_eq!(statement.matter.view, receipt::Digest::of(shown.as_bytes()));
    let mut other = statement;
    other.matter.view = receipt::Digest::of(b"something nicer");
    let envelope = receipt::sign_decision(&other, &decider_key(1)).unwrap();
    assert!(said(fixture.host.sign(&request, &envelope)).contains("digest of the view"));
}

#[test]
fn a_stranger_s_signature_does_not_count() {
    let fixture = ApprovalFixture::new(None);
    let (_, request) = fixture.asked();
    let by = "alice".parse().unwrap();
    let statement = fixture.host.statement(&request, &by, None, Decision::Approved, None).unwrap();
    let by_mallory = receipt::sign_decision(&statement, &decider_key(66)).unwrap();
    assert!(said(fixture.host.sign(&request, &by_mallory)).contains("by no key of the pinned deciders"));
    let by_bob = receipt::sign_decision(&statement, &decider_key(2)).unwrap();
    assert!(said(fixture.host.sign(&request, &by_bob)).contains("bob signed a decision that names alice"));
}

#[test]
fn a_demo_receipt_does_not_count_where_people_decide() {
    let (folder, clock) = (tempfile::TempDir::new().unwrap(), ManualClock::new());
    let host = crate::support::storage::builder(folder.path()).clock(clock.clone()).open().unwrap();
    let fixture = ApprovalFixture { folder, host, clock };
    let ((key, request), (_, undecided)) = (fixture.asked(), fixture.asked());
    fixture.host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    fixture.add("alice", &["release"], 1);
    assert_eq!(refused_by(&fixture, &key), Check::Scope);
    let demo = fixture.host.decide(&undecided, &support::judgement(Decision::Approved));
    assert!(demo.unwrap_err().to_string().contains("signed by people"));
    issued(fixture.approve(&undecided, ALICE));
}

#[test]
fn the_policy_allows_and_forbids_with_receipts_of_its_own() {
    for (then, status, outcome, deployed) in
        [("allow", "APPROVED", "deployed", 1), ("deny", "DENIED", "blocked", 0)]
    {
        let fixture = ApprovalFixture::new(Some(&format!("[[rule]]\nid = \"all\"\nthen = \"{then}\"\n")));
        let key = support::start(&fixture.host, "tenant-workflow", "{}");
        assert_eq!(result(&fixture.ends(&key))["status"], outcome);
        assert_eq!(fixture.deployments(), deployed);
        let [id] = fixture.host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().try_into().unwrap();
        let stored = fixture.host.store().receipt(&id).wait().unwrap().unwrap().receipt;
        assert_eq!(stored.artifact.status.as_deref(), Some(status));
        let keys = engine::issuer::Keyring::public(&fixture.folder.path().join("keys")).unwrap();
        let verified = receipt::verify(&stored.artifact, &keys).unwrap();
        assert_eq!(verified.decider().unwrap().id, "system/pp-policy-engine");
        assert!(verified.policy_version().unwrap().ends_with("#all"), "{:?}", verified.policy_version());
    }
}

#[test]
fn the_policy_is_asked_again_before_anything_is_done() {
    let fixture = ApprovalFixture::new(None);
    let (key, request) = fixture.asked();
    issued(fixture.approve(&request, ALICE));
    let fixture = fixture.reopened(Some("[[rule]]\nid = \"stop\"\nthen = \"deny\"\n"));
    assert_eq!(refused_by(&fixture, &key), Check::Policy);
    let fixture = ApprovalFixture::new(None);
    let (key, request) = fixture.asked();
    issued(fixture.approve(&request, ALICE));
    let fixture = fixture.reopened(Some(TWO));
    assert_eq!(refused_by(&fixture, &key), Check::Approvals, "two are wanted now");
}

#[test]
fn what_was_signed_under_another_policy_does_not_count() {
    let fixture = ApprovalFixture::new(Some(TWO));
    let (_, request) = fixture.asked();
    fixture.approve(&request, ALICE).unwrap();
    let fixture = fixture.reopened(Some(&format!("{TWO}# the same, said otherwise\n")));
    assert!(
        matches!(fixture.approve(&request, BOB), Ok(SignOutcome::Waiting(_))),
        "alice signed under another"
    );
    issued(fixture.approve(&request, CAROL));
}

#[test]
fn a_freeze_stops_approving_and_doing() {
    let fixture = ApprovalFixture::new(None);
    let freeze = |tenant: Option<&str>| Act::Frozen {
        tenant: tenant.map(|tenant| tenant.parse().unwrap()),
        reason: "incident".to_owned(),
    };
    let ((key, approved), (_, waiting)) = (fixture.asked(), fixture.asked());
    issued(fixture.approve(&approved, ALICE));
    fixture.record_act(freeze(Some("acme"))).unwrap();
    assert!(fixture.record_act(freeze(Some("acme"))).is_err(), "it is frozen already");
    assert!(said(fixture.approve(&waiting, ALICE)).contains("frozen for tenant acme since"));
    assert_eq!(refused_by(&fixture, &key), Check::Freeze);
    issued(fixture.deny(&waiting, ALICE));
    fixture
        .record_act(Act::Thawed { tenant: Some("acme".parse().unwrap()), reason: "over".to_owned() })
        .unwrap();
    let (key, request) = fixture.asked();
    issued(fixture.approve(&request, ALICE));
    fixture.record_act(freeze(None)).unwrap();
    assert_eq!(refused_by(&fixture, &key), Check::Freeze, "everybody's is the tenant's too");
}

#[test]
fn who_decides_alone_is_looked_at_before_anything_else_is_approved() {
    let fixture = ApprovalFixture::new(Some(TWO));
    fixture.add("dora", &["break-glass"], 4);
    let ((key, burning), (_, waiting)) = (fixture.asked(), fixture.asked());
    assert!(fixture.break_glass(&burning, ALICE).is_err(), "alice does not have the role");
    let receipt = issued(fixture.break_glass(&burning, ("dora", 4)));
    assert!(receipt.artifact.status.as_deref() == Some("APPROVED"));
    assert_eq!(result(&fixture.ends(&key))["status"], "deployed");
    fixture.approve(&waiting, ALICE).unwrap();
    assert!(said(fixture.approve(&waiting, BOB)).contains("decided"), "nothing until it is reviewed");
    let (_, second) = fixture.asked();
    assert!(said(fixture.break_glass(&second, ("dora", 4))).contains("decided"), "one after the other");
    let review = |name: &str, seed| {
        let by = name.parse().unwrap();
        let statement =
            fixture.host.review_statement(&burning, &by, Decision::Approved, "it did burn").unwrap();
        fixture.host.review(&burning, &receipt::sign_decision(&statement, &decider_key(seed)).unwrap())
    };
    assert!(review("dora", 4).unwrap_err().to_string().contains("another person"));
    review("alice", 1).unwrap();
    issued(fixture.approve(&waiting, BOB));
    let acts = fixture.host.store().acts(0).wait().unwrap();
    let acts =
        acts.iter().map(|act| serde_json::from_str::<RecordedTrustAct>(&act.body).unwrap().act.to_string());
    let marks: Vec<_> = acts.filter(|act| act.starts_with("BREAK-GLASS")).collect();
    assert!(marks.len() == 1 && marks[0].contains(&format!("dora decides {burning}")), "{marks:?}");
}

#[test]
fn a_flood_of_requests_is_stopped() {
    let (folder, clock) = (tempfile::TempDir::new().unwrap(), ManualClock::new());
    let quotas = store::Quotas { requests_per_hour: 3, ..Default::default() };
    let host =
        crate::support::storage::builder(folder.path()).clock(clock.clone()).quotas(quotas).open().unwrap();
    let fixture = ApprovalFixture { folder, host, clock };
    for _ in 0..3 {
        fixture.asked();
    }
    let key = support::start(&fixture.host, "tenant-workflow", "{}");
    fixture.ends(&key);
    let rejected = entries(&fixture.host, &key).into_iter().find_map(|entry| match entry {
        Entry::Rejected { message, .. } => Some(message),
        _ => None,
    });
    assert!(rejected.unwrap().contains("--limit requests-per-hour=N"));
    fixture.clock.move_by_minutes(61);
    fixture.asked();
}

#[test]
fn asking_again_shows_how_it_went_before() {
    let fixture = ApprovalFixture::new(None);
    for _ in 0..2 {
        let (_, request) = fixture.asked();
        issued(fixture.deny(&request, ALICE));
    }
    let (key, request) = fixture.asked();
    let shown = fixture.host.request(&request).unwrap().to_string();
    assert!(shown.contains("asked        2 times before on this resource, denied 2 times"), "{shown}");
    assert!(shown.contains("not approved before"), "{shown}");
    issued(fixture.approve(&request, ALICE));
    fixture.ends(&key);
    let (_, request) = fixture.asked();
    let shown = fixture.host.request(&request).unwrap().to_string();
    assert_eq!(shown.matches("approved before").count(), 2, "code and artifact: {shown}");
}

#[test]
fn a_request_that_is_withdrawn_is_over() {
    let fixture = ApprovalFixture::new(None);
    let (key, request) = fixture.asked();
    fixture.host.withdraw(&request, "operator", Some("not needed")).unwrap();
    assert_eq!(result(&fixture.ends(&key))["status"], "blocked");
    let late = fixture.host.withdraw(&request, "operator", None);
    assert!(late.unwrap_err().to_string().contains("does not wait"));
    assert!(fixture.host.waiting().unwrap().is_empty());
}

#[test]
fn sixty_four_people_at_once_make_one_receipt() {
    let fixture = ApprovalFixture::new(Some(TWO));
    for seed in 10..74_u8 {
        fixture.add(&format!("p{seed}"), &["release"], seed);
    }
    let (key, request) = fixture.asked();
    let envelopes: Vec<_> = (10..74_u8)
        .map(|seed| fixture.envelope(&request, (&format!("p{seed}"), seed), Decision::Approved))
        .collect();
    let threads: Vec<_> = envelopes
        .into_iter()
        .map(|envelope| {
            let (host, request) = (fixture.host.clone(), request.clone());
            std::thread::spawn(move || host.sign(&request, &envelope))
        })
        .collect();
    let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let issued = ended.iter().filter(|end| matches!(end, Ok(SignOutcome::Issued(_)))).count();
    let waiting = ended.iter().filter(|end| matches!(end, Ok(SignOutcome::Waiting(_)))).count();
    assert_eq!((issued, waiting), (1, 1));
    for late in ended.iter().filter_map(|end| end.as_ref().err()) {
        assert!(late.to_string().contains("does not wait for a decision"), "{late}");
    }
    assert_eq!(result(&fixture.ends(&key))["status"], "deployed");
    assert_eq!(count(&entries(&fixture.host, &key), "issued"), 1);
}

#[test]
fn neither_the_issuer_nor_the_deciders_alone_can_mint() {
    let fixture = ApprovalFixture::new(None);
    let (key, request) = fixture.asked();
    let asked = fixture.host.request(&request).unwrap();
    let signer = || Box::new(receipt::Ed25519Signer::from_seed("pp_stolen", &[9; 32]));
    let authority = engine::issuer::LocalIssuer::new(signer(), signer());
    let trust = fixture.host.trust().unwrap();
    let order = |envelopes| engine::issuer::IssueOrder {
        request: &asked,
        basis: engine::issuer::DecisionBasis::People(envelopes),
        id: "rcpt_x".parse().unwrap(),
        salt: receipt::Salt::from_bytes([1; 32]),
        at: asked.created_at,
    };
    let grounds = engine::issuer::JudgingContext { trust: &trust, policy: fixture.host.policy() };
    assert!(authority.issue(&order(&[]), grounds).is_err(), "an issuer without deciders");
    // Deciders with a key of their own instead of the issuer's.
    let envelope = fixture.envelope(&request, ALICE, Decision::Approved);
    let admitted = [engine::issuer::AdmittedEnvelope { envelope, at: asked.created_at }];
    let forged = authority.issue(&order(&admitted), grounds).unwrap();
    let genuine = issued(fixture.approve(&request, BOB));
    let body =
        serde_json::to_string(&store::StoredReceipt { id: genuine.id.clone(), ..forged.receipt }).unwrap();
    let connection = rusqlite::Connection::open(fixture.folder.path().join("journal.sqlite")).unwrap();
    connection.execute("UPDATE receipts SET body = ?1 WHERE id = ?2", [&body, genuine.id.as_str()]).unwrap();
    drop(connection);
    assert_eq!(refused_by(&fixture, &key), Check::Verification);
}

/// A request whose words are hostile.
fn worded(reason: &str, resource: &str) -> engine::issuer::Request {
    let fixture = ApprovalFixture::new(None);
    let (_, request) = fixture.asked();
    let request = fixture.host.request(&request).unwrap();
    let evidence = Json::object([("diff", Json::from(reason))]).canonical();
    engine::issuer::Request { reason: reason.to_owned(), resource: resource.to_owned(), evidence, ..request }
}

#[test]
fn what_an_approver_sees_is_printable_and_bounded() {
    let fillers = "\u{115f}\u{1160}\u{3164}\u{ffa0}\u{2800}";
    let marks =
        "\u{202e}\u{2066}\u{200b}\u{200d}\u{e0041}\u{34f}\u{ad}\u{2028}\u{feff}\u{61c}\u{180e}\u{a0}\u{3000}";
    let escapes = "\u{1b}[2J\u{9b}1A\r\ncapability   something.harmless\ndecide? yes";
    for words in [fillers, marks, escapes, &"x".repeat(1 << 20)] {
        let shown =
            worded(words, &format!("cloudflare://workers/{}", &words[..words.floor_char_boundary(64)]))
                .to_string();
        assert!(shown.chars().all(|c| c == '\n' || workflow::is_visible(c)), "{words:?}: {shown:?}");
        assert!(shown.len() < 8 << 10, "{}", shown.len());
        let (facts, theirs) = shown.split_once("written by the workflow, not checked by anybody:").unwrap();
        assert!(!facts.contains("something.harmless\n"), "{facts}");
        assert_eq!(theirs.trim().lines().count(), 3, "a name, a reason and evidence, a line each: {theirs}");
    }
}

#[test]
fn look_alike_letters_are_pointed_out() {
    let shown = worded("routine", "cloudflare://workers/\u{430}cme/app").to_string();
    assert!(
        shown.contains("WARNING      the resource mixes letters of several scripts in one word"),
        "{shown}"
    );
    let honest = worded("\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442} acme", "cloudflare://workers/acme/app")
        .to_string();
    assert!(!honest.contains("WARNING"), "{honest}");
}

#[test]
fn an_approval_from_before_is_no_review() {
    let fixture = ApprovalFixture::new(Some(TWO));
    fixture.add("dora", &["break-glass"], 4);
    let (_, request) = fixture.asked();
    let early = fixture.envelope(&request, ALICE, Decision::Approved);
    fixture.host.sign(&request, &early).unwrap();
    fixture.clock.move_by_minutes(1);
    issued(fixture.break_glass(&request, ("dora", 4)));
    assert!(fixture.host.review(&request, &early).is_err(), "alice has not looked at what dora did");
}

#[test]
fn what_a_freeze_stops_leaves_nothing_to_review() {
    let fixture = ApprovalFixture::new(Some(TWO));
    fixture.add("dora", &["break-glass"], 4);
    let (_, request) = fixture.asked();
    fixture.record_act(Act::Frozen { tenant: None, reason: "incident".to_owned() }).unwrap();
    assert!(said(fixture.break_glass(&request, ("dora", 4))).contains("frozen"));
    assert_eq!(fixture.host.trust().unwrap().unreviewed().count(), 0);
}

#[test]
fn what_was_approved_for_show_is_not_known() {
    let (folder, clock) = (tempfile::TempDir::new().unwrap(), ManualClock::new());
    let host = crate::support::storage::builder(folder.path()).clock(clock.clone()).open().unwrap();
    let fixture = ApprovalFixture { folder, host, clock };
    let (_, request) = fixture.asked();
    fixture.host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    fixture.add("alice", &["release"], 1);
    let (_, request) = fixture.asked();
    let shown = fixture.host.request(&request).unwrap().to_string();
    assert_eq!(shown.matches("not approved before").count(), 2, "{shown}");
}

#[test]
fn an_actor_that_is_spelled_like_a_person_is_that_person() {
    for actor in ["alice", "user:alice", "Alice", "user:Alice"] {
        let fixture = ApprovalFixture::new(None);
        let workflow = fixture.host.load(support::guest("tenant-workflow")).unwrap();
        let start = engine::Start::new("acme".parse().unwrap(), actor.parse().unwrap(), "w", "{}");
        let key = fixture.host.start(&workflow, start).unwrap();
        let request = fixture.waits(&key);
        let own = fixture.host.statement(&request, &"alice".parse().unwrap(), None, Decision::Approved, None);
        assert!(own.is_err(), "{actor}");
        issued(fixture.approve(&request, BOB));
    }
}

#[test]
fn a_folder_that_had_a_policy_needs_one_and_is_no_demonstration_again() {
    let (folder, clock) = (tempfile::TempDir::new().unwrap(), ManualClock::new());
    let open = |policy: Option<policy::Toml>| {
        let builder = crate::support::storage::builder(folder.path()).clock(clock.clone());
        match policy {
            Some(policy) => builder.policy(Box::new(policy)).open(),
            None => builder.open(),
        }
    };
    drop(open(Some(policy::Toml::parse(TWO).unwrap())).unwrap());
    let gone = open(None).map(drop).unwrap_err().to_string();
    assert!(gone.contains("is in force here, but its file is missing"), "{gone}");
    // The default policy has to be said once. From then on it needs no file.
    drop(open(Some(policy::ask_one())).unwrap());
    let host = open(None).unwrap();
    let fixture = ApprovalFixture { folder, host, clock };
    let (_, request) = fixture.asked();
    let demo = fixture.host.decide(&request, &support::judgement(Decision::Approved));
    assert!(demo.unwrap_err().to_string().contains("signed by people"));
}
