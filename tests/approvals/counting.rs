//! The counted decisions are the committed ones: by person and role, and the same selection for the receipt, the gate
//! and a verifier.

use crate::support;
use crate::support::people::{ApprovalFixture, decider_key, issued};
use crate::support::{entries, result};
use engine::{Error, SignOutcome};
use receipt::{
    Decision, DecisionStatement, Envelope, EnvelopeSignature, Json, PAYLOAD_TYPE, StatementSigner as _,
};
use workflow::{Entry, RequestId};

const RELEASE: &str = "[[rule]]\nid = \"r\"\ncapability = \"*\"\nthen = \"ask\"\nrole = \"release\"\n";

/// Two kinds of denial are required, and two people of the role `release`.
fn two() -> String {
    format!("{RELEASE}approvals = 2\ndenials = 2\n")
}

/// Alice, bob and carol release; dora releases and owns; gail does neither.
fn fixture(policy: &str) -> ApprovalFixture {
    let fixture = ApprovalFixture::new(Some(policy));
    fixture.add("dora", &["owner", "release"], 4);
    fixture.add("gail", &["qa"], 5);
    fixture
}

/// A signature in a role that the host would not have chosen.
fn signed(
    fixture: &ApprovalFixture,
    id: &RequestId,
    (name, role, seed): (&str, &str, u8),
    decision: Decision,
) -> Envelope {
    let statement =
        fixture.host.statement(id, &"alice".parse().unwrap(), None, decision, Some("seen")).unwrap();
    let own = DecisionStatement { decider: name.parse().unwrap(), role: role.parse().unwrap(), ..statement };
    receipt::sign_decision(&own, &decider_key(seed)).unwrap()
}

fn refusal(recorded: Result<SignOutcome, Error>) -> String {
    recorded.unwrap_err().to_string()
}

fn kept(fixture: &ApprovalFixture, key: &store::InstanceKey) -> usize {
    support::count(&entries(&fixture.host, key), "signed")
}

#[test]
fn a_statement_in_a_role_that_is_not_asked_for_is_refused() {
    let fixture = fixture(RELEASE);
    let (key, request) = fixture.asked();
    let owner = signed(&fixture, &request, ("dora", "owner", 4), Decision::Approved);
    let why = refusal(fixture.host.sign(&request, &owner));
    assert!(
        why.contains("cannot count: the policy says ask 1 of release, and dora decides as owner"),
        "{why}"
    );
    assert!(why.contains("sign with --role release"), "{why}");
    for decision in [Decision::Approved, Decision::Denied] {
        let why =
            refusal(fixture.host.sign(&request, &signed(&fixture, &request, ("gail", "qa", 5), decision)));
        assert!(why.contains("gail decides as qa; nothing was recorded, and another person has to"), "{why}");
    }
    assert_eq!(kept(&fixture, &key), 0, "nothing was recorded");
    let release = signed(&fixture, &request, ("dora", "release", 4), Decision::Approved);
    let document = Json::parse(&issued(fixture.host.sign(&request, &release)).request_json).unwrap();
    assert_eq!(document.get("approvals").and_then(Json::as_array).map(<[_]>::len), Some(1));
    assert_eq!(result(&fixture.ends(&key))["status"], "deployed");
}

#[test]
fn no_person_is_asked_to_sign_what_cannot_count() {
    let fixture = fixture(RELEASE);
    fixture.add("hugo", &["break-glass"], 6);
    let (_, request) = fixture.asked();
    let draw = |name: &str, role: Option<&str>, decision| {
        let role = role.map(|role| role.parse().unwrap());
        fixture.host.statement(&request, &name.parse().unwrap(), role.as_ref(), decision, Some("r"))
    };
    for (name, role) in [("gail", None), ("gail", Some("qa")), ("dora", Some("owner")), ("hugo", None)] {
        for decision in [Decision::Approved, Decision::Denied] {
            assert!(matches!(draw(name, role, decision), Err(Error::CannotCount { .. })), "{name} {role:?}");
        }
    }
    assert_eq!(draw("dora", None, Decision::Denied).unwrap().role.as_str(), "release");
    // Alone is approved and not denied.
    assert!(draw("hugo", Some("break-glass"), Decision::Approved).is_ok());
    assert!(matches!(draw("hugo", Some("break-glass"), Decision::Denied), Err(Error::CannotCount { .. })));
    let unknown = draw("gail", Some("release"), Decision::Approved).unwrap_err().to_string();
    assert_eq!(unknown, "gail does not have the role release");
}

/// Envelopes that an older version stored, or that an attacker put into the journal, are skipped both in the count and
/// in the commitment.
#[test]
fn what_is_kept_and_does_not_count_is_not_committed_either() {
    let fixture = fixture(RELEASE);
    let (_, request) = fixture.asked();
    let asked = fixture.host.request(&request).unwrap();
    let (trust, at) = (fixture.host.trust().unwrap(), asked.created_at);
    let grounds = engine::issuer::JudgingContext { trust: &trust, policy: fixture.host.policy() };
    let sign = |who, decision| signed(&fixture, &request, who, decision);
    let owner = sign(("dora", "owner", 4), Decision::Approved);
    let release = sign(("dora", "release", 4), Decision::Approved);
    let (denies, alice) =
        (sign(("gail", "qa", 5), Decision::Denied), sign(("alice", "release", 1), Decision::Approved));
    for envelopes in [
        vec![owner.clone(), release.clone()],
        vec![release.clone(), owner.clone()],
        vec![owner.clone(), denies.clone(), alice.clone()],
        vec![release.clone(), release.clone(), alice.clone(), owner.clone()],
    ] {
        let (count, _) = engine::issuer::tally(&asked, &admitted(envelopes, at), grounds, at).unwrap();
        assert_eq!(count.verdict, engine::trust::CountVerdict::Approved);
        assert!(count.statements.iter().all(|one| one.role().as_str() == "release"), "{count:?}");
        let people: std::collections::BTreeSet<_> =
            count.statements.iter().map(|one| one.person().clone()).collect();
        assert_eq!(people, count.approved, "everybody who is counted is committed, and nobody else");
        assert_eq!(count.statements.len(), people.len());
        let subject = engine::trust::Subject::of(&asked.document().unwrap(), &asked.known).unwrap();
        let again = engine::trust::count(fixture.host.policy(), &subject, &count.statements);
        assert_eq!((again.verdict, again.approved), (count.verdict, count.approved));
    }
    let (count, _) = engine::issuer::tally(&asked, &admitted(vec![denies, owner], at), grounds, at).unwrap();
    assert_eq!(count.verdict, engine::trust::CountVerdict::Waiting);
    assert!(count.approved.is_empty() && count.denied.is_empty() && count.statements.is_empty());
}

/// The receipt of a denial commits to the denials that count, and to no approval.
#[test]
fn several_denials_are_committed() {
    let fixture = fixture(&two());
    let (key, request) = fixture.asked();
    assert!(matches!(fixture.approve(&request, ("carol", 3)), Ok(SignOutcome::Waiting(_))));
    let Ok(SignOutcome::Waiting(count)) = fixture.deny(&request, ("alice", 1)) else { unreachable!() };
    assert_eq!(count.denied.iter().map(|person| person.as_str()).collect::<Vec<_>>(), ["alice"]);
    let stored = issued(fixture.deny(&request, ("bob", 2)));
    let document = Json::parse(&stored.request_json).unwrap();
    assert_eq!(document.get("approvals").and_then(Json::as_array).map(<[_]>::len), Some(2));
    assert_eq!(stored.artifact.status.as_deref(), Some("DENIED"));
    assert_eq!(result(&fixture.ends(&key))["status"], "blocked");
}

/// A policy that asks for a release and an owner. Rules in TOML ask for one role.
struct ReleaseAndOwner(policy::Toml);

impl policy::Policy for ReleaseAndOwner {
    fn rule(&self, question: &policy::Question<'_>) -> policy::Ruling {
        let needs = ["release", "owner"].map(|role| role.parse::<receipt::Role>().unwrap());
        let mut approvals = question.approvals.iter();
        let met = needs.iter().all(|role| approvals.clone().any(|approver| approver.roles.contains(role)));
        let need = |role| policy::Need { role: Some(role), approvals: 1 };
        let quorums = vec![policy::Quorum { needs: needs.map(need).into() }];
        let ask = policy::Answer::Ask(policy::Ask { quorums, ..policy::Ask::one() });
        let answer = if met && approvals.next().is_some() { policy::Answer::Allow } else { ask };
        policy::Ruling { answer, ..self.0.rule(question) }
    }

    fn explain(&self, question: &policy::Question<'_>) -> policy::Explanation {
        self.0.explain(question)
    }

    fn digest(&self) -> receipt::Digest {
        self.0.digest()
    }

    fn version(&self) -> String {
        self.0.version()
    }

    fn roles(&self) -> std::collections::BTreeSet<receipt::Role> {
        self.0.roles()
    }

    fn demands(&self) -> Vec<policy::Demand> {
        self.0.demands()
    }

    fn warnings(&self) -> &[policy::Warning] {
        self.0.warnings()
    }
}

#[cfg(feature = "cedar")]
#[test]
fn one_person_in_two_roles_that_are_asked_for_is_enough_in_cedar() {
    let text = "@id(\"both\") permit (principal, action, resource)\n\
                when { context.approvals.release >= 1 && context.approvals.owner >= 1 };";
    meets_two_needs(Box::new(policy::Cedar::parse(text).unwrap()));
}

#[test]
fn one_person_in_two_roles_that_are_asked_for_is_enough() {
    meets_two_needs(Box::new(ReleaseAndOwner(policy::Toml::parse(RELEASE).unwrap())));
}

/// One person may meet two needs, with a statement for each: both are committed, and the gate finds both.
fn under(policy: Box<dyn policy::Policy>) -> ApprovalFixture {
    let (folder, clock) = (tempfile::TempDir::new().unwrap(), support::people::ManualClock::new());
    let host =
        crate::support::storage::builder(folder.path()).clock(clock.clone()).policy(policy).open().unwrap();
    ApprovalFixture { folder, host, clock }
}

/// More people may sign in one role than a receipt commits to, before the first signs in another.
#[test]
fn more_approvals_than_a_receipt_commits_to_end_in_one_with_those_that_suffice() {
    const MANY: u8 = 34;
    let fixture = under(Box::new(ReleaseAndOwner(policy::Toml::parse(RELEASE).unwrap())));
    // The owner is neither the first nor the last in the order of names.
    fixture.add("hugo", &["owner"], 6);
    let people: Vec<_> = (0..MANY)
        .map(|number| (format!("{}-{number}", ["anna", "zoe"][usize::from(number % 2)]), 100 + number))
        .collect();
    for (name, seed) in &people {
        fixture.add(name, &["release"], *seed);
    }
    let (key, request) = fixture.asked();
    for (name, seed) in &people {
        let recorded = fixture.approve(&request, (name, *seed)).unwrap();
        assert!(matches!(recorded, SignOutcome::Waiting(_)), "{name}");
    }
    let stored = issued(fixture.approve(&request, ("hugo", 6)));
    let document = Json::parse(&stored.request_json).unwrap();
    let committed = document.get("approvals").and_then(Json::as_array).unwrap();
    assert_eq!(committed.len(), receipt::MAX_APPROVALS);
    assert_eq!(result(&fixture.ends(&key))["status"], "deployed");
}

fn meets_two_needs(policy: Box<dyn policy::Policy>) {
    let fixture = under(policy);
    fixture.add("alice", &["release", "owner"], 1);
    let (key, request) = fixture.asked();
    let as_owner = signed(&fixture, &request, ("alice", "owner", 1), Decision::Approved);
    assert!(matches!(fixture.host.sign(&request, &as_owner), Ok(SignOutcome::Waiting(_))));
    let as_release = signed(&fixture, &request, ("alice", "release", 1), Decision::Approved);
    let document = Json::parse(&issued(fixture.host.sign(&request, &as_release)).request_json).unwrap();
    assert_eq!(document.get("approvals").and_then(Json::as_array).map(<[_]>::len), Some(2));
    assert_eq!(result(&fixture.ends(&key))["status"], "deployed");
}

/// `keyid` is not signed: the deliverer of an envelope can put any text there.
#[test]
fn what_is_not_signed_is_not_kept() {
    let fixture = fixture(RELEASE);
    let (key, request) = fixture.asked();
    let envelope = fixture.envelope(&request, ("alice", 1), Decision::Approved);
    let label = "\u{1b}[2J\u{202e} approved by bob";
    let signature = EnvelopeSignature { key_id: label.to_owned(), ..envelope.signatures()[0].clone() };
    let statement = Envelope::from_json(&envelope.to_json()).unwrap();
    let payload = statement.verify(&decider_key(1).public_key()).unwrap();
    let labelled = Envelope::new(PAYLOAD_TYPE, payload.bytes(), vec![signature]).unwrap();
    let receipt = issued(fixture.host.sign(&request, &labelled));
    let (own, clean) = (decider_key(1).public_key().key_id().to_string(), envelope.to_json().canonical());
    let kept = entries(&fixture.host, &key).into_iter().find_map(|entry| match entry {
        Entry::Signed { envelope, key_id, .. } => Some((envelope, key_id)),
        _ => None,
    });
    assert_eq!(kept.unwrap(), (clean.clone(), own));
    let document = Json::parse(&receipt.request_json).unwrap();
    assert_eq!(document.get("approvals").and_then(Json::as_array).unwrap()[0].canonical(), clean);
}

#[test]
fn words_for_the_record_are_bounded() {
    let fixture = fixture(RELEASE);
    let (key, request) = fixture.asked();
    let (long, name) = ("x".repeat(4097), "n".repeat(129));
    let too_long = |done: Result<(), Error>| matches!(done, Err(Error::TooLong(_)));
    assert!(too_long(fixture.host.withdraw(&request, "operator", Some(&long))));
    assert!(too_long(fixture.host.withdraw(&request, &name, None)));
    assert!(too_long(fixture.host.pause(&key, &name)));
    assert!(too_long(fixture.host.resume(&key, &name)));
    assert!(too_long(fixture.host.terminate(&key, "operator", Some(&long))));
    assert!(too_long(fixture.host.delete(&key, &name)));
    let freeze = |reason: &str| engine::trust::Act::Frozen { tenant: None, reason: reason.to_owned() };
    assert!(too_long(fixture.record_act(freeze(&long))));
    assert!(too_long(fixture.host.record_act(&name, freeze("incident"))));
    let padded = format!("{}{}", decider_key(9).public_key().to_pem(), "\n".repeat(1 << 20));
    let key_added = engine::trust::Act::KeyAdded {
        decider: "alice".parse().unwrap(),
        kind: "ed25519".to_owned(),
        public_key: padded,
        valid_until: None,
        passkey: None,
    };
    assert!(too_long(fixture.record_act(key_added)));
    let review =
        fixture.host.review_statement(&request, &"alice".parse().unwrap(), Decision::Approved, &long);
    assert!(matches!(review, Err(Error::Statement(_))));
    let receipt = issued(fixture.approve(&request, ("alice", 1)));
    assert!(too_long(fixture.host.revoke(&receipt.id, "operator", Some(&long)).map(drop)));
    fixture.host.revoke(&receipt.id, "operator", Some(&long[1..])).unwrap();
}

fn admitted(
    envelopes: Vec<receipt::Envelope>,
    at: receipt::Timestamp,
) -> Vec<engine::issuer::AdmittedEnvelope> {
    envelopes.into_iter().map(|envelope| engine::issuer::AdmittedEnvelope { envelope, at }).collect()
}

/// A person with every role that a person can have fills no list that others need.
#[test]
fn one_person_s_statements_keep_no_other_person_from_deciding() {
    let fixture = fixture("[[rule]]\nid = \"r\"\nthen = \"ask\"\napprovals = 3\ndenials = 2\n");
    let roles: Vec<_> = (0..receipt::MAX_ROLES).map(|number| format!("r{number}")).collect();
    fixture.add("mallory", &roles.iter().map(String::as_str).collect::<Vec<_>>(), 6);
    let (key, request) = fixture.asked();
    let mut last = None;
    for decision in [Decision::Approved, Decision::Denied] {
        for role in &roles {
            let envelope = signed(&fixture, &request, ("mallory", role, 6), decision);
            last = fixture.host.sign(&request, &envelope).err().or(last);
        }
    }
    assert_eq!(kept(&fixture, &key), receipt::MAX_APPROVALS);
    let last = last.unwrap().to_string();
    assert!(last.contains("mallory has signed as many statements"), "{last}");
    assert!(matches!(fixture.approve(&request, ("alice", 1)), Ok(SignOutcome::Waiting(_))));
    let receipt = issued(fixture.approve(&request, ("bob", 2)));
    assert_eq!(receipt.artifact.status.as_deref(), Some("APPROVED"));
}
