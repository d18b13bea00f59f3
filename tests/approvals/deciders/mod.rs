//! Decisions by people: which count, which do not, and the state of a receipt when its signers no longer count.

mod validity;

use crate::support;
use crate::support::people::*;
use crate::support::{count, entries, result};
use engine::issuer::Issuer as _;
use engine::trust::{Act, RecordedTrustAct};
use engine::{Error, Recorded, Status};
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
fn refused_by(place: &Place, key: &store::InstanceKey) -> Check {
    place.ends(key);
    let refused = entries(&place.host, key).into_iter().find_map(|entry| match entry {
        Entry::Refused { check, .. } => Some(check),
        _ => None,
    });
    assert_eq!(place.deployments(), 0, "what is refused is not done");
    refused.unwrap()
}

fn said(result: Result<Recorded, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_person_approves_with_their_key_and_the_receipt_names_them() {
    let place = Place::new(None);
    let (key, request) = place.asked();
    let stored = issued(place.approve(&request, ALICE));
    assert_eq!(result(&place.ends(&key))["status"], "deployed");
    let keys = engine::issuer::Keyring::public(&place.folder.path().join("keys")).unwrap();
    let verified = receipt::verify(&stored.artifact, &keys).unwrap();
    assert_eq!(verified.scope(), Some(Scope::Production));
    assert_eq!(verified.decider().unwrap().id, "user:alice");
    let opened = verified.open(&stored.opening().unwrap()).unwrap();
    let trust = place.host.trust().unwrap();
    let decisions = receipt::verify_approvals(&opened, trust.deciders(), Judged::AsIssued).unwrap();
    let people: Vec<_> = decisions.iter().map(|decision| decision.person().as_str()).collect();
    assert_eq!(people, ["alice"]);
    let nobody = receipt::DeciderSet::new();
    assert!(receipt::verify_approvals(&opened, &nobody, Judged::AsIssued).is_err());
}

#[test]
fn t10_a_quorum_is_of_different_people() {
    let place = Place::new(Some(TWO));
    place.give("alice", 11);
    let (key, request) = place.asked();
    assert!(matches!(place.approve(&request, ALICE), Ok(Recorded::Waiting(_))));
    assert!(said(place.approve(&request, ALICE)).contains("one person counts once"));
    let second_key = place.approve(&request, ("alice", 11));
    assert!(said(second_key).contains("one person counts once"), "two keys of one person");
    assert!(matches!(place.ends(&key), Status::Waiting(_)));
    let receipt = issued(place.approve(&request, BOB));
    let document = Json::parse(&receipt.request_json).unwrap();
    assert_eq!(document.get("approvals").and_then(Json::as_array).map(<[_]>::len), Some(2));
    assert_eq!(result(&place.ends(&key))["status"], "deployed");
    assert_eq!(place.deployments(), 1);
}

#[test]
fn t11_no_person_decides_about_their_own_request() {
    let place = Place::new(None);
    let workflow = place.host.load(support::guest("tenant-workflow")).unwrap();
    let start = engine::Start {
        operator: Some("alice".parse().unwrap()),
        submitter: Some("bob".parse().unwrap()),
        ..engine::Start::new("acme".parse().unwrap(), "agent:builder".parse().unwrap(), "w", "{}")
    };
    let key = place.host.start(&workflow, start).unwrap();
    let request = place.waits(&key);
    for own in ["alice", "bob"] {
        let statement = place.host.statement(&request, &own.parse().unwrap(), None, Decision::Approved, None);
        assert!(statement.unwrap_err().to_string().contains("another person has to"), "{own}");
    }
    // Nor with a statement that was drawn up for another person.
    let by = "carol".parse().unwrap();
    let statement = place.host.statement(&request, &by, None, Decision::Approved, None).unwrap();
    let own = DecisionStatement { decider: "alice".parse().unwrap(), ..statement };
    let envelope = receipt::sign_decision(&own, &decider_key(1)).unwrap();
    assert!(said(place.host.sign(&request, &envelope)).contains("another person has to"));
    issued(place.approve(&request, CAROL));
}

#[test]
fn t6_a_statement_about_one_request_does_not_count_for_another() {
    let place = Place::new(None);
    let ((_, one), (_, other)) = (place.asked(), place.asked());
    let envelope = place.envelope(&one, ALICE, Decision::Approved);
    assert!(said(place.host.sign(&other, &envelope)).contains("digest of the request"));
}

#[test]
fn t7_a_denial_is_no_approval() {
    let place = Place::new(None);
    let (key, request) = place.asked();
    let receipt = issued(place.deny(&request, ALICE));
    assert_eq!(receipt.artifact.status.as_deref(), Some("DENIED"));
    assert_eq!(result(&place.ends(&key))["status"], "blocked");
    assert_eq!(place.deployments(), 0);
    assert!(said(place.approve_late(&request)).contains("does not wait for a decision"));
}

/// A statement of another request, so that there is one at all when this one is over.
trait Late {
    fn approve_late(&self, id: &RequestId) -> Result<Recorded, Error>;
}

impl Late for Place {
    fn approve_late(&self, id: &RequestId) -> Result<Recorded, Error> {
        let (_, other) = self.asked();
        self.host.sign(id, &self.envelope(&other, BOB, Decision::Approved))
    }
}

#[test]
fn t21_what_was_signed_is_what_was_shown() {
    let place = Place::new(None);
    let (_, request) = place.asked();
    let by = "alice".parse().unwrap();
    let statement = place.host.statement(&request, &by, None, Decision::Approved, None).unwrap();
    let shown = place.host.request(&request).unwrap().to_string();
    assert_eq!(statement.matter.view, receipt::Digest::of(shown.as_bytes()));
    let mut other = statement;
    other.matter.view = receipt::Digest::of(b"something nicer");
    let envelope = receipt::sign_decision(&other, &decider_key(1)).unwrap();
    assert!(said(place.host.sign(&request, &envelope)).contains("digest of the view"));
}

#[test]
fn a_stranger_s_signature_does_not_count() {
    let place = Place::new(None);
    let (_, request) = place.asked();
    let by = "alice".parse().unwrap();
    let statement = place.host.statement(&request, &by, None, Decision::Approved, None).unwrap();
    let by_mallory = receipt::sign_decision(&statement, &decider_key(66)).unwrap();
    assert!(said(place.host.sign(&request, &by_mallory)).contains("by no key of the pinned deciders"));
    let by_bob = receipt::sign_decision(&statement, &decider_key(2)).unwrap();
    assert!(said(place.host.sign(&request, &by_bob)).contains("bob signed a decision that names alice"));
}

#[test]
fn a_demo_receipt_does_not_count_where_people_decide() {
    let (folder, clock) = (tempfile::TempDir::new().unwrap(), Hands::new());
    let host = crate::support::storage::builder(folder.path()).clock(clock.clone()).open().unwrap();
    let place = Place { folder, host, clock };
    let ((key, request), (_, undecided)) = (place.asked(), place.asked());
    place.host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    place.add("alice", &["release"], 1);
    assert_eq!(refused_by(&place, &key), Check::Scope);
    let demo = place.host.decide(&undecided, &support::judgement(Decision::Approved));
    assert!(demo.unwrap_err().to_string().contains("signed by people"));
    issued(place.approve(&undecided, ALICE));
}

#[test]
fn the_policy_allows_and_forbids_with_receipts_of_its_own() {
    for (then, status, outcome, deployed) in
        [("allow", "APPROVED", "deployed", 1), ("deny", "DENIED", "blocked", 0)]
    {
        let place = Place::new(Some(&format!("[[rule]]\nid = \"all\"\nthen = \"{then}\"\n")));
        let key = support::start(&place.host, "tenant-workflow", "{}");
        assert_eq!(result(&place.ends(&key))["status"], outcome);
        assert_eq!(place.deployments(), deployed);
        let [id] = place.host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().try_into().unwrap();
        let stored = place.host.store().receipt(&id).wait().unwrap().unwrap().receipt;
        assert_eq!(stored.artifact.status.as_deref(), Some(status));
        let keys = engine::issuer::Keyring::public(&place.folder.path().join("keys")).unwrap();
        let verified = receipt::verify(&stored.artifact, &keys).unwrap();
        assert_eq!(verified.decider().unwrap().id, "system/pp-policy-engine");
        assert!(verified.policy_version().unwrap().ends_with("#all"), "{:?}", verified.policy_version());
    }
}

#[test]
fn t26_the_policy_is_asked_again_before_anything_is_done() {
    let place = Place::new(None);
    let (key, request) = place.asked();
    issued(place.approve(&request, ALICE));
    let place = place.reopened(Some("[[rule]]\nid = \"stop\"\nthen = \"deny\"\n"));
    assert_eq!(refused_by(&place, &key), Check::Policy);
    let place = Place::new(None);
    let (key, request) = place.asked();
    issued(place.approve(&request, ALICE));
    let place = place.reopened(Some(TWO));
    assert_eq!(refused_by(&place, &key), Check::Approvals, "two are wanted now");
}

#[test]
fn t26_what_was_signed_under_another_policy_does_not_count() {
    let place = Place::new(Some(TWO));
    let (_, request) = place.asked();
    place.approve(&request, ALICE).unwrap();
    let place = place.reopened(Some(&format!("{TWO}# the same, said otherwise\n")));
    assert!(matches!(place.approve(&request, BOB), Ok(Recorded::Waiting(_))), "alice signed under another");
    issued(place.approve(&request, CAROL));
}

#[test]
fn a_freeze_stops_approving_and_doing() {
    let place = Place::new(None);
    let freeze = |tenant: Option<&str>| Act::Frozen {
        tenant: tenant.map(|tenant| tenant.parse().unwrap()),
        reason: "incident".to_owned(),
    };
    let ((key, approved), (_, waiting)) = (place.asked(), place.asked());
    issued(place.approve(&approved, ALICE));
    place.record_act(freeze(Some("acme"))).unwrap();
    assert!(place.record_act(freeze(Some("acme"))).is_err(), "it is frozen already");
    assert!(said(place.approve(&waiting, ALICE)).contains("frozen for tenant acme since"));
    assert_eq!(refused_by(&place, &key), Check::Freeze);
    issued(place.deny(&waiting, ALICE));
    place
        .record_act(Act::Thawed { tenant: Some("acme".parse().unwrap()), reason: "over".to_owned() })
        .unwrap();
    let (key, request) = place.asked();
    issued(place.approve(&request, ALICE));
    place.record_act(freeze(None)).unwrap();
    assert_eq!(refused_by(&place, &key), Check::Freeze, "everybody's is the tenant's too");
}

#[test]
fn t30_who_decides_alone_is_looked_at_before_anything_else_is_approved() {
    let place = Place::new(Some(TWO));
    place.add("dora", &["break-glass"], 4);
    let ((key, burning), (_, waiting)) = (place.asked(), place.asked());
    assert!(place.break_glass(&burning, ALICE).is_err(), "alice does not have the role");
    let receipt = issued(place.break_glass(&burning, ("dora", 4)));
    assert!(receipt.artifact.status.as_deref() == Some("APPROVED"));
    assert_eq!(result(&place.ends(&key))["status"], "deployed");
    place.approve(&waiting, ALICE).unwrap();
    assert!(said(place.approve(&waiting, BOB)).contains("decided"), "nothing until it is reviewed");
    let (_, second) = place.asked();
    assert!(said(place.break_glass(&second, ("dora", 4))).contains("decided"), "one after the other");
    let review = |name: &str, seed| {
        let by = name.parse().unwrap();
        let statement =
            place.host.review_statement(&burning, &by, Decision::Approved, "it did burn").unwrap();
        place.host.review(&burning, &receipt::sign_decision(&statement, &decider_key(seed)).unwrap())
    };
    assert!(review("dora", 4).unwrap_err().to_string().contains("another person"));
    review("alice", 1).unwrap();
    issued(place.approve(&waiting, BOB));
    let acts = place.host.store().acts(0).wait().unwrap();
    let acts =
        acts.iter().map(|act| serde_json::from_str::<RecordedTrustAct>(&act.body).unwrap().act.to_string());
    let marks: Vec<_> = acts.filter(|act| act.starts_with("BREAK-GLASS")).collect();
    assert!(marks.len() == 1 && marks[0].contains(&format!("dora decides {burning}")), "{marks:?}");
}

#[test]
fn t22_a_flood_of_requests_is_stopped() {
    let (folder, clock) = (tempfile::TempDir::new().unwrap(), Hands::new());
    let quotas = store::Quotas { requests_per_hour: 3, ..Default::default() };
    let host =
        crate::support::storage::builder(folder.path()).clock(clock.clone()).quotas(quotas).open().unwrap();
    let place = Place { folder, host, clock };
    for _ in 0..3 {
        place.asked();
    }
    let key = support::start(&place.host, "tenant-workflow", "{}");
    place.ends(&key);
    let rejected = entries(&place.host, &key).into_iter().find_map(|entry| match entry {
        Entry::Rejected { message, .. } => Some(message),
        _ => None,
    });
    assert!(rejected.unwrap().contains("--limit requests-per-hour=N"));
    place.clock.move_by_minutes(61);
    place.asked();
}

#[test]
fn t29_asking_again_shows_how_it_went_before() {
    let place = Place::new(None);
    for _ in 0..2 {
        let (_, request) = place.asked();
        issued(place.deny(&request, ALICE));
    }
    let (key, request) = place.asked();
    let shown = place.host.request(&request).unwrap().to_string();
    assert!(shown.contains("asked        2 times before on this resource, denied 2 times"), "{shown}");
    assert!(shown.contains("not approved before"), "{shown}");
    issued(place.approve(&request, ALICE));
    place.ends(&key);
    let (_, request) = place.asked();
    let shown = place.host.request(&request).unwrap().to_string();
    assert_eq!(shown.matches("approved before").count(), 2, "code and artifact: {shown}");
}

#[test]
fn a_request_that_is_withdrawn_is_over() {
    let place = Place::new(None);
    let (key, request) = place.asked();
    place.host.withdraw(&request, "operator", Some("not needed")).unwrap();
    assert_eq!(result(&place.ends(&key))["status"], "blocked");
    let late = place.host.withdraw(&request, "operator", None);
    assert!(late.unwrap_err().to_string().contains("does not wait"));
    assert!(place.host.waiting().unwrap().is_empty());
}

#[test]
fn sixty_four_people_at_once_make_one_receipt() {
    let place = Place::new(Some(TWO));
    for seed in 10..74_u8 {
        place.add(&format!("p{seed}"), &["release"], seed);
    }
    let (key, request) = place.asked();
    let envelopes: Vec<_> = (10..74_u8)
        .map(|seed| place.envelope(&request, (&format!("p{seed}"), seed), Decision::Approved))
        .collect();
    let threads: Vec<_> = envelopes
        .into_iter()
        .map(|envelope| {
            let (host, request) = (place.host.clone(), request.clone());
            std::thread::spawn(move || host.sign(&request, &envelope))
        })
        .collect();
    let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let issued = ended.iter().filter(|end| matches!(end, Ok(Recorded::Issued(_)))).count();
    let waiting = ended.iter().filter(|end| matches!(end, Ok(Recorded::Waiting(_)))).count();
    assert_eq!((issued, waiting), (1, 1));
    for late in ended.iter().filter_map(|end| end.as_ref().err()) {
        assert!(late.to_string().contains("does not wait for a decision"), "{late}");
    }
    assert_eq!(result(&place.ends(&key))["status"], "deployed");
    assert_eq!(count(&entries(&place.host, &key), "issued"), 1);
}

#[test]
fn t27_neither_the_issuer_nor_the_deciders_alone_can_mint() {
    let place = Place::new(None);
    let (key, request) = place.asked();
    let asked = place.host.request(&request).unwrap();
    let signer = || Box::new(receipt::Ed25519Signer::from_seed("pp_stolen", &[9; 32]));
    let authority = engine::issuer::LocalIssuer::new(signer(), signer());
    let trust = place.host.trust().unwrap();
    let order = |envelopes| engine::issuer::IssueOrder {
        request: &asked,
        basis: engine::issuer::DecisionBasis::People(envelopes),
        id: "rcpt_x".parse().unwrap(),
        salt: receipt::Salt::from_bytes([1; 32]),
        at: asked.created_at,
    };
    let grounds = engine::issuer::JudgingContext { trust: &trust, policy: place.host.policy() };
    assert!(authority.issue(&order(&[]), grounds).is_err(), "an issuer without deciders");
    // Deciders with a key of their own instead of the issuer's.
    let envelope = place.envelope(&request, ALICE, Decision::Approved);
    let admitted = [engine::issuer::Admitted { envelope, at: asked.created_at }];
    let forged = authority.issue(&order(&admitted), grounds).unwrap();
    let genuine = issued(place.approve(&request, BOB));
    let body =
        serde_json::to_string(&store::StoredReceipt { id: genuine.id.clone(), ..forged.receipt }).unwrap();
    let connection = rusqlite::Connection::open(place.folder.path().join("journal.sqlite")).unwrap();
    connection.execute("UPDATE receipts SET body = ?1 WHERE id = ?2", [&body, genuine.id.as_str()]).unwrap();
    drop(connection);
    assert_eq!(refused_by(&place, &key), Check::Verification);
}

/// A request whose words are hostile.
fn worded(reason: &str, resource: &str) -> engine::issuer::Request {
    let place = Place::new(None);
    let (_, request) = place.asked();
    let request = place.host.request(&request).unwrap();
    let evidence = Json::object([("diff", Json::from(reason))]).canonical();
    engine::issuer::Request { reason: reason.to_owned(), resource: resource.to_owned(), evidence, ..request }
}

#[test]
fn t20_what_an_approver_sees_is_printable_and_bounded() {
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
fn t20_look_alike_letters_are_pointed_out() {
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
fn t30_an_approval_from_before_is_no_review() {
    let place = Place::new(Some(TWO));
    place.add("dora", &["break-glass"], 4);
    let (_, request) = place.asked();
    let early = place.envelope(&request, ALICE, Decision::Approved);
    place.host.sign(&request, &early).unwrap();
    place.clock.move_by_minutes(1);
    issued(place.break_glass(&request, ("dora", 4)));
    assert!(place.host.review(&request, &early).is_err(), "alice has not looked at what dora did");
}

#[test]
fn t30_what_a_freeze_stops_leaves_nothing_to_review() {
    let place = Place::new(Some(TWO));
    place.add("dora", &["break-glass"], 4);
    let (_, request) = place.asked();
    place.record_act(Act::Frozen { tenant: None, reason: "incident".to_owned() }).unwrap();
    assert!(said(place.break_glass(&request, ("dora", 4))).contains("frozen"));
    assert_eq!(place.host.trust().unwrap().unreviewed().count(), 0);
}

#[test]
fn what_was_approved_for_show_is_not_known() {
    let (folder, clock) = (tempfile::TempDir::new().unwrap(), Hands::new());
    let host = crate::support::storage::builder(folder.path()).clock(clock.clone()).open().unwrap();
    let place = Place { folder, host, clock };
    let (_, request) = place.asked();
    place.host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    place.add("alice", &["release"], 1);
    let (_, request) = place.asked();
    let shown = place.host.request(&request).unwrap().to_string();
    assert_eq!(shown.matches("not approved before").count(), 2, "{shown}");
}

#[test]
fn t11_an_actor_that_is_spelled_like_a_person_is_that_person() {
    for actor in ["alice", "user:alice", "Alice", "user:Alice"] {
        let place = Place::new(None);
        let workflow = place.host.load(support::guest("tenant-workflow")).unwrap();
        let start = engine::Start::new("acme".parse().unwrap(), actor.parse().unwrap(), "w", "{}");
        let key = place.host.start(&workflow, start).unwrap();
        let request = place.waits(&key);
        let own = place.host.statement(&request, &"alice".parse().unwrap(), None, Decision::Approved, None);
        assert!(own.is_err(), "{actor}");
        issued(place.approve(&request, BOB));
    }
}

#[test]
fn a_folder_with_deciders_is_no_demonstration_again() {
    let (folder, clock) = (tempfile::TempDir::new().unwrap(), Hands::new());
    let policy = || Box::new(policy::Toml::parse(TWO).unwrap());
    drop(
        crate::support::storage::builder(folder.path()).clock(clock.clone()).policy(policy()).open().unwrap(),
    );
    let host = crate::support::storage::builder(folder.path()).clock(clock.clone()).open().unwrap();
    let place = Place { folder, host, clock };
    let (_, request) = place.asked();
    let demo = place.host.decide(&request, &support::judgement(Decision::Approved));
    assert!(
        demo.unwrap_err().to_string().contains("signed by people"),
        "the policy's file is gone, and that is all"
    );
}
