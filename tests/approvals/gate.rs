//! The gate, attacked directly: each check refuses by itself, independent of the other checks and of the origin of the
//! stored receipt.

use engine::capability::{Gate, GateContext, ProposedAction};
use engine::issuer::{
    Before, DecisionBasis, DemoDecider, Environment, Form, Governed, IssueOrder, Issuer as _, Judgement,
    JudgingContext, LocalIssuer, Performer, Request, Reversibility,
};
use engine::trust::{Precedents, Trust};
use proptest::prelude::*;
use receipt::{Decision, Digest, Ed25519Signer, Key, KeySet, KeyStatus, Salt, Scope, Signer as _, Timestamp};
use serde_json::{Value, json};
use store::{ReceiptState, StoredReceipt};
use workflow::{ArtifactFacts, Check, InstanceId, ReceiptId, TenantId};

const NOW: i64 = 1_800_000_000_000;
const KEY: &str = "pp_demo_test";

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(NOW + minutes * 60_000)
}

fn request() -> Request {
    Request {
        id: "apr_1".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        instance: "wf_1".parse().unwrap(),
        call: 1,
        actor: "agent:builder".parse().unwrap(),
        operator: None,
        submitter: None,
        workflow: "deploy".to_owned(),
        component: Digest::of(b"component"),
        imports: vec!["permission-protocol:tenant/pp@0.2.0".to_owned()],
        script: None,
        capability: "cloudflare.dynamic-worker.deploy".to_owned(),
        resource: "cloudflare://workers/acme/app".to_owned(),
        artifact: Some(facts("bundle.js", b"good")),
        reason: "because".to_owned(),
        evidence: r#"{"diff":{"lines":[1,2]}}"#.to_owned(),
        environment: Environment::Development,
        reversibility: Reversibility::Reversible,
        performer: Performer::Here,
        before: Before::default(),
        known: Precedents::default(),
        governed: Governed::default(),
        form: Form::Dated,
        created_at: at(0),
        expires_at: at(60),
    }
}

fn facts(name: &str, bytes: &[u8]) -> ArtifactFacts {
    ArtifactFacts { name: name.to_owned(), sha256: Digest::of(bytes), bytes: bytes.len() as u64 }
}

fn issue(seed: u8, request: &Request, decision: Decision) -> StoredReceipt {
    let signer = || Box::new(Ed25519Signer::from_seed(KEY, &[seed; 32]));
    let authority = LocalIssuer::new(signer(), signer());
    let by = DemoDecider::new("operator".parse().unwrap());
    let judgement = Judgement { decision, by, reason: Some("looked at it".to_owned()) };
    let (basis, salt) = (DecisionBasis::Demo(&judgement), Salt::from_bytes([9; 32]));
    let order = IssueOrder { request, basis, id: "rcpt_1".parse().unwrap(), salt, at: at(0) };
    let grounds = JudgingContext { trust: &Trust::default(), policy: &policy::ask_one() };
    authority.issue(&order, grounds).unwrap().receipt
}

fn keys(seed: u8, status: KeyStatus) -> KeySet {
    let mut keys = KeySet::new("test");
    let public_key = Ed25519Signer::from_seed(KEY, &[seed; 32]).public_key();
    let revoked_at = (status == KeyStatus::Revoked).then(|| at(1));
    keys.insert(Key { key_id: KEY.to_owned(), public_key, status, created_at: at(0), revoked_at }).unwrap();
    keys
}

fn gate() -> Gate {
    Gate::new(keys(1, KeyStatus::Active))
}

/// A proposed action that the receipt of [`request`] permits, for a test to spoil.
struct Owned {
    tenant: TenantId,
    instance: InstanceId,
    component: Digest,
    capability: &'static str,
    resource: &'static str,
    artifact: ArtifactFacts,
    receipt: ReceiptId,
    at: Timestamp,
}

fn good() -> Owned {
    Owned {
        tenant: "acme".parse().unwrap(),
        instance: "wf_1".parse().unwrap(),
        component: Digest::of(b"component"),
        capability: "cloudflare.dynamic-worker.deploy",
        resource: "cloudflare://workers/acme/app",
        artifact: facts("bundle.js", b"good"),
        receipt: "rcpt_1".parse().unwrap(),
        at: at(14),
    }
}

impl Owned {
    fn action(&self) -> ProposedAction<'_> {
        ProposedAction {
            tenant: &self.tenant,
            instance: &self.instance,
            component: &self.component,
            capability: self.capability,
            resource: self.resource,
            artifact: &self.artifact,
            receipt: &self.receipt,
            at: self.at,
        }
    }
}

fn refused(
    gate: &Gate,
    owned: &Owned,
    receipt: Option<&StoredReceipt>,
    receipt_state: &ReceiptState,
) -> Option<Check> {
    refused_in(Scope::Demo, gate, owned, receipt, receipt_state)
}

fn refused_in(
    scope: Scope,
    gate: &Gate,
    owned: &Owned,
    receipt: Option<&StoredReceipt>,
    receipt_state: &ReceiptState,
) -> Option<Check> {
    let measure = GateContext {
        scope,
        trust: &Trust::default(),
        policy: &policy::ask_one(),
        known: &Precedents::default(),
        environment: Environment::Development,
    };
    gate.check(&owned.action(), receipt, receipt_state, measure).err().map(|refusal| refusal.check)
}

fn check(owned: &Owned) -> Option<Check> {
    refused(&gate(), owned, Some(&issue(1, &request(), Decision::Approved)), &ReceiptState::default())
}

#[test]
fn the_right_receipt_for_the_right_action_passes() {
    assert_eq!(check(&good()), None);
}

#[test]
fn each_part_of_the_action_is_checked_by_itself() {
    assert_eq!(check(&Owned { tenant: "mallory".parse().unwrap(), ..good() }), Some(Check::Tenant));
    assert_eq!(check(&Owned { instance: "wf_2".parse().unwrap(), ..good() }), Some(Check::Instance));
    assert_eq!(check(&Owned { component: Digest::of(b"other"), ..good() }), Some(Check::Code));
    assert_eq!(
        check(&Owned { capability: "cloudflare.dynamic-worker.delete", ..good() }),
        Some(Check::Capability)
    );
    assert_eq!(
        check(&Owned { capability: "cloudflare.dynamic.worker-deploy", ..good() }),
        Some(Check::Capability)
    );
    assert_eq!(check(&Owned { resource: "cloudflare://workers/acme/app2", ..good() }), Some(Check::Resource));
    assert_eq!(check(&Owned { artifact: facts("bundle.js", b"evil"), ..good() }), Some(Check::Artifact));
    assert_eq!(check(&Owned { artifact: facts("other.js", b"good"), ..good() }), Some(Check::Artifact));
    assert_eq!(
        check(&Owned { artifact: ArtifactFacts { bytes: 5, ..facts("bundle.js", b"good") }, ..good() }),
        Some(Check::Artifact)
    );
    assert_eq!(check(&Owned { at: at(16), ..good() }), Some(Check::Expiry));
}

#[test]
fn a_receipt_for_no_artifact_permits_no_artifact() {
    let receipt = issue(1, &Request { artifact: None, ..request() }, Decision::Approved);
    assert_eq!(refused(&gate(), &good(), Some(&receipt), &ReceiptState::default()), Some(Check::Artifact));
}

#[test]
fn a_denial_is_no_approval() {
    let denied = issue(1, &request(), Decision::Denied);
    assert_eq!(refused(&gate(), &good(), Some(&denied), &ReceiptState::default()), Some(Check::Decision));
}

#[test]
fn a_demo_receipt_never_opens_a_production_gate() {
    let receipt = issue(1, &request(), Decision::Approved);
    let refused = refused_in(Scope::Production, &gate(), &good(), Some(&receipt), &ReceiptState::default());
    assert_eq!(refused, Some(Check::Scope));
}

#[test]
fn a_spent_receipt_is_spent() {
    let receipt = issue(1, &request(), Decision::Approved);
    let receipt_state = ReceiptState { redeemed: Some((at(1), 7)), ..ReceiptState::default() };
    assert_eq!(refused(&gate(), &good(), Some(&receipt), &receipt_state), Some(Check::Redemption));
}

#[test]
fn only_pinned_keys_count() {
    let receipt = issue(1, &request(), Decision::Approved);
    let forged = issue(2, &request(), Decision::Approved);
    let verdict = |keys, receipt| refused(&Gate::new(keys), &good(), Some(receipt), &ReceiptState::default());
    assert_eq!(
        verdict(keys(1, KeyStatus::Active), &forged),
        Some(Check::Verification),
        "another key under the same name"
    );
    assert_eq!(verdict(keys(1, KeyStatus::Revoked), &receipt), Some(Check::Verification));
    assert_eq!(verdict(KeySet::new("empty"), &receipt), Some(Check::Verification));
    assert_eq!(verdict(keys(1, KeyStatus::Rotated), &receipt), None, "a rotated key verifies what it signed");
}

#[test]
fn the_stored_opening_of_a_receipt_cannot_be_altered() {
    let receipt = issue(1, &request(), Decision::Approved);
    let alter = |change: fn(&mut StoredReceipt)| {
        let mut altered = receipt.clone();
        change(&mut altered);
        assert_ne!(altered, receipt);
        assert_eq!(
            refused(&gate(), &good(), Some(&altered), &ReceiptState::default()),
            Some(Check::Verification)
        );
    };
    alter(|receipt| receipt.request_json = receipt.request_json.replace("acme", "evil"));
    alter(|receipt| receipt.request_json.push(' '));
    alter(|receipt| receipt.request_commitment_salt_b64 = Salt::from_bytes([8; 32]).to_base64());
    alter(|receipt| receipt.request_commitment_salt_b64 = "!".to_owned());
    alter(|receipt| receipt.summary = None);
    alter(|receipt| receipt.company_id = "mallory".to_owned());
    alter(|receipt| receipt.idem_key = "apr_2".to_owned());
    alter(|receipt| receipt.input_hash = "sha256:00".to_owned());
    alter(|receipt| receipt.artifact.signed_payload_hash = "0".repeat(64));
    alter(|receipt| {
        receipt.artifact.payload_bytes_b64 = receipt.artifact.payload_bytes_b64.replacen('e', "f", 1)
    });
    alter(|receipt| receipt.artifact.signature_b64 = receipt.artifact.signature_b64.chars().rev().collect());
}

#[test]
fn a_receipt_under_another_s_name_and_no_receipt_at_all_are_refused() {
    let receipt = issue(1, &request(), Decision::Approved);
    let renamed = Owned { receipt: "rcpt_2".parse().unwrap(), ..good() };
    assert_eq!(
        refused(&gate(), &renamed, Some(&receipt), &ReceiptState::default()),
        Some(Check::Verification)
    );
    assert_eq!(refused(&gate(), &good(), None, &ReceiptState::default()), Some(Check::Verification));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,4}", inner, 1..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// All leaves of a value, as paths for [`Value::pointer`].
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), found))
        }
        Value::Array(elements) => {
            elements
                .iter()
                .enumerate()
                .for_each(|(index, value)| leaves(value, &format!("{path}/{index}"), found));
        }
        _ => found.push(path.to_owned()),
    }
}

proptest! {
    /// The original demo hashed `evidence` as `{}`: two different artifacts had one hash.
    #[test]
    fn any_one_leaf_of_an_action_changed_changes_its_digest(evidence in any_json(), which in any::<prop::sample::Index>()) {
        let original = Request { evidence: evidence.to_string(), ..request() };
        let mut paths = Vec::new();
        leaves(&evidence, "", &mut paths);
        let mut changed = evidence.clone();
        let leaf = changed.pointer_mut(&paths[which.index(paths.len())]).unwrap();
        *leaf = if *leaf == json!("changed") { json!("changed again") } else { json!("changed") };
        let changed = Request { evidence: changed.to_string(), ..request() };
        prop_assert_ne!(original.input_hash().unwrap(), changed.input_hash().unwrap());
    }
}

#[test]
fn any_one_field_of_an_action_changed_changes_its_digest() {
    let original = request().input_hash().unwrap();
    let changed = [
        Request { tenant: "other".parse().unwrap(), ..request() },
        Request { instance: "wf_2".parse().unwrap(), ..request() },
        Request { call: 2, ..request() },
        Request { actor: "agent:other".parse().unwrap(), ..request() },
        Request { workflow: "other".to_owned(), ..request() },
        Request { component: Digest::of(b"other"), ..request() },
        Request { imports: vec![], ..request() },
        Request { capability: "cloudflare.dynamic-worker.delete".to_owned(), ..request() },
        Request { resource: "cloudflare://workers/acme/other".to_owned(), ..request() },
        Request { artifact: None, ..request() },
        Request { artifact: Some(facts("bundle.js", b"evil")), ..request() },
        Request { artifact: Some(facts("other.js", b"good")), ..request() },
        Request { reason: "other".to_owned(), ..request() },
        Request { environment: Environment::Production, ..request() },
        Request { form: Form::Undated, ..request() },
        Request { created_at: at(-1), ..request() },
        Request { expires_at: at(61), ..request() },
        Request { reversibility: Reversibility::Irreversible, ..request() },
    ];
    for request in changed {
        assert_ne!(request.input_hash().unwrap(), original, "{request:?}");
    }
}
