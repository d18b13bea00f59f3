//! While a tenant is frozen no decider approves anything; and no person decides about their own request, however they spell their name.

use crate::support;
use crate::support::people::{ApprovalFixture, ManualClock, issued};
use crate::support::{cli, entries, judgement, new_host};
use engine::issuer::{DemoDecider, IssueError, Judgement};
use engine::trust::Act;
use engine::{Error, Start};
use receipt::Decision;
use tempfile::TempDir;
use workflow::Entry;

fn freeze(tenant: Option<&str>) -> Act {
    Act::Frozen { tenant: tenant.map(|tenant| tenant.parse().unwrap()), reason: "incident".to_owned() }
}

fn demonstration() -> ApprovalFixture {
    let (folder, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let host = crate::support::storage::builder(folder.path()).clock(clock.clone()).open().unwrap();
    ApprovalFixture { folder, host, clock }
}

fn approvals(fixture: &ApprovalFixture, key: &store::InstanceKey) -> usize {
    let approved = |entry: &Entry| matches!(entry, Entry::Issued { decision: Decision::Approved, .. });
    entries(&fixture.host, key).iter().filter(|entry| approved(entry)).count()
}

#[test]
fn a_demonstration_approves_nothing_and_denies() {
    for tenant in [None, Some("acme")] {
        let fixture = demonstration();
        let ((key, request), (_, other)) = (fixture.asked(), fixture.asked());
        fixture.record_act(freeze(tenant)).unwrap();
        let approved = fixture.host.decide(&request, &judgement(Decision::Approved));
        assert!(matches!(approved, Err(Error::Issue(IssueError::Frozen(_)))), "{approved:?}");
        assert_eq!(approvals(&fixture, &key), 0);
        fixture.host.decide(&other, &judgement(Decision::Denied)).unwrap();
        let thawed =
            Act::Thawed { tenant: tenant.map(|tenant| tenant.parse().unwrap()), reason: "over".to_owned() };
        fixture.record_act(thawed).unwrap();
        fixture.host.decide(&request, &judgement(Decision::Approved)).unwrap();
    }
}

#[test]
fn a_policy_that_allows_approves_nothing() {
    let fixture = ApprovalFixture::new(Some("[[rule]]\nid = \"all\"\nthen = \"allow\"\n"));
    fixture.record_act(freeze(None)).unwrap();
    let key = support::start(&fixture.host, "tenant-workflow", "{}");
    fixture.ends(&key);
    assert_eq!(approvals(&fixture, &key), 0);
    assert_eq!(fixture.deployments(), 0);
}

#[test]
fn an_authority_signs_no_approval_for_any_account() {
    use engine::issuer::{DecisionBasis, IssueOrder, Issuer as _, JudgingContext};
    let fixture = ApprovalFixture::new(Some("[[rule]]\nid = \"r\"\nthen = \"ask\"\n"));
    let (_, request) = fixture.asked();
    let envelopes = [fixture.envelope(&request, ("alice", 1), Decision::Approved)];
    let asked = fixture.host.request(&request).unwrap();
    fixture.record_act(freeze(None)).unwrap();
    let signer = || Box::new(receipt::Ed25519Signer::from_seed("pp_demo_1", &[9; 32]));
    let authority = engine::issuer::LocalIssuer::new(signer(), signer());
    let trust = fixture.host.trust().unwrap();
    let grounds = JudgingContext { trust: &trust, policy: fixture.host.policy() };
    let admitted =
        envelopes.map(|envelope| engine::issuer::AdmittedEnvelope { envelope, at: asked.created_at });
    let demo = judgement(Decision::Approved);
    for basis in [DecisionBasis::Demo(&demo), DecisionBasis::People(&admitted)] {
        let (id, salt) = ("rcpt_x".parse().unwrap(), receipt::Salt::from_bytes([1; 32]));
        let order = IssueOrder { request: &asked, basis, id, salt, at: asked.created_at };
        assert!(matches!(authority.issue(&order, grounds), Err(IssueError::Frozen(_))), "{basis:?}");
    }
}

#[test]
fn a_run_in_a_frozen_demonstration_waits() {
    let data = TempDir::new().unwrap();
    assert_eq!(cli::run(data.path(), &["run", "tests/guests/paces.wasm"]).code, Some(0));
    assert_eq!(cli::run(data.path(), &["freeze", "--reason", "x"]).code, Some(0));
    let ran = cli::run(data.path(), &["run", cli::GUEST]);
    assert_eq!(ran.code, Some(3), "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("approvals are frozen for every tenant since")
            && ran.stdout.contains(" thaw --reason WORDS"),
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("APPROVED"), "{}", ran.stdout);
    assert_eq!(cli::run(data.path(), &["run", cli::GUEST, "--deny"]).code, Some(4), "a denial passes");
}

#[test]
fn no_person_decides_about_their_own_request_however_they_are_spelled() {
    let (_folder, host) = new_host();
    let workflow = host.load(support::guest("tenant-workflow")).unwrap();
    let start = Start {
        operator: Some("alice".parse().unwrap()),
        submitter: Some("bob".parse().unwrap()),
        ..Start::new("acme".parse().unwrap(), "agent:local".parse().unwrap(), "w", "{}")
    };
    let key = host.start(&workflow, start).unwrap();
    let status = support::block_on(host.drive(&key)).unwrap();
    let request = status.request().unwrap();
    let by = |name: &str| Judgement {
        decision: Decision::Approved,
        by: DemoDecider::new(name.parse().unwrap()),
        reason: None,
    };
    for own in [
        "agent:local",
        "AGENT:local",
        "Agent:Local",
        "demo:agent:local",
        "alice",
        "user:ALICE",
        "demo:user:alice",
        "Bob",
    ] {
        let decided = host.decide(request, &by(own));
        assert!(matches!(decided, Err(Error::SelfApproval(..))), "{own}: {decided:?}");
    }
    host.decide(request, &by("local")).unwrap();
}

#[test]
fn people_who_decide_are_not_touched_by_a_freeze_of_others() {
    let fixture = ApprovalFixture::new(None);
    let unknown = fixture.record_act(freeze(Some("globex"))).unwrap_err().to_string();
    assert!(unknown.contains("no tenant globex"), "{unknown}");
    support::start_for(&fixture.host, "globex", "paces", "{}");
    fixture.record_act(freeze(Some("globex"))).unwrap();
    let (_, request) = fixture.asked();
    issued(fixture.approve(&request, ("alice", 1)));
}
