//! Receipts made with this crate's own test key, so that a clone without the published vectors tests every path.
//!
//! The seed is public. Nothing signed with it means anything.

pub(crate) mod passkey;

use receipt::{
    Artifact, Attribution, AuthMethod, Binding, Decider, DeciderKey, DeciderProof, DeciderSet, Decision,
    DecisionStatement, Digest, Draft, Ed25519Signer, Ed25519StatementSigner, Expected, Json, Key, KeySet,
    KeyStatus, Matter, Minted, Nonce, Person, Projection, Reauth, Resolution, RiskTier, Salt, Scope,
    SignError, Signer, StatementSigner, Timestamp, VerifiedDecision, Webauthn, mint, sign_decision,
};

/// Reports a skipped test on the terminal itself, because the test harness captures the output of passing tests.
pub(crate) fn not_run(what: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "NOT RUN: {what}");
}

/// The id of the test key.
pub(crate) const KEY_ID: &str = "receipt-test-key";

/// The ids of demonstrations' keys: the hosted service's, and one of this project.
pub(crate) const DEMO_KEY_IDS: [&str; 2] = [receipt::DEMO_KEY_ID, "pp_demo_0123456789abcdef"];

pub(crate) fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(KEY_ID, &[7; 32])
}

pub(crate) fn key(signer: &dyn Signer) -> Key {
    Key {
        key_id: signer.key_id().to_owned(),
        public_key: signer.public_key(),
        status: KeyStatus::Active,
        created_at: at("2026-01-01T00:00:00.000Z"),
        revoked_at: None,
    }
}

pub(crate) fn keys() -> KeySet {
    let mut keys = KeySet::new("https://issuer.example");
    keys.insert(key(&signer())).unwrap();
    keys
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn json(text: &str) -> Json {
    Json::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Alice's key. Its seed is public.
pub(crate) fn alice() -> Ed25519StatementSigner {
    Ed25519StatementSigner::from_seed(&[0xA1; 32]).unwrap()
}

/// A person who releases for all tenants, with that one key.
pub(crate) fn person(id: &str, key: &dyn StatementSigner) -> Person {
    Person {
        id: id.parse().unwrap(),
        roles: vec!["release".parse().unwrap()],
        tenants: vec![],
        earlier: vec![],
        removed_at: None,
        keys: vec![DeciderKey::new(key.public_key(), at("2026-01-01T00:00:00.000Z"))],
    }
}

/// Alice alone.
pub(crate) fn deciders() -> DeciderSet {
    let mut deciders = DeciderSet::new();
    deciders.insert(person("alice", &alice())).unwrap();
    deciders
}

/// The matter of a decision about `request`.
pub(crate) fn matter(request: &Json) -> Matter {
    Matter::of(request, Digest::of(b"what was shown"), Digest::of(b"the policy")).unwrap()
}

/// Alice's decision about `request`, half a minute before the receipt.
pub(crate) fn statement(request: &Json, decision: Decision) -> DecisionStatement {
    DecisionStatement {
        matter: matter(request),
        decision,
        reason: Some("Reviewed the diff; tests are green".to_owned()),
        decider: "alice".parse().unwrap(),
        role: "release".parse().unwrap(),
        decided_at: at("2026-11-23T08:59:30.000Z"),
        expires_at: at("2026-11-23T09:59:30.000Z"),
        nonce: Nonce::from_bytes([0x0f; 16]),
    }
}

/// `statement`, signed by Alice and verified.
pub(crate) fn signed(statement: &DecisionStatement) -> VerifiedDecision {
    let envelope = sign_decision(statement, &alice()).unwrap();
    deciders().verify(&envelope, &Expected::about(&statement.matter, statement.decided_at)).unwrap()
}

/// The draft with Alice's signature under its exact content.
pub(crate) fn approved(draft: Draft) -> Draft {
    let approval = signed(&statement(&draft.request, draft.decision));
    Draft { approvals: vec![approval], ..draft }
}

/// The draft as the policy's decision, which no person signs.
pub(crate) fn by_policy(draft: Draft) -> Draft {
    Draft { approvals: vec![], decider: Decider::policy_engine(), ..draft }
}

/// A deployment request, in the host's form.
pub(crate) fn request() -> Json {
    json(
        r#"{
        "action": {
            "tool": "cloudflare.dynamic-worker", "operation": "deploy",
            "parameters": {
                "component": "0b5f9f2f1dfc5c0c0a2b7ac54d4bd5e4e1d6c62d6f0c5d0b6b3a8f2f6c1d7e90", "requestId": "apr_0001",
                "resource": "worker/checkout", "evidence": {"tests": {"passed": 128, "failed": 0}},
                "artifact": {"name": "checkout.wasm", "bytes": 18231, "sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"}
            }
        },
        "actor": {"agentId": "agent:release", "runId": "inst_0001"},
        "context": {"environment": "production", "reversibility": "PARTIALLY_REVERSIBLE"},
        "hashes": {"inputHash": "sha256:0000000000000000000000000000000000000000000000000000000000000000"},
        "intent": {"category": "deployment", "name": "deploy_worker", "summary": "Ship the checkout fix"},
        "tenantId": "acme"
    }"#,
    )
}

/// An approval by a human, who signed it.
pub(crate) fn draft() -> Draft {
    approved(Draft {
        id: "rcpt_0001".to_owned(),
        agent_id: "agent:release".to_owned(),
        run_id: Some("inst_0001".to_owned()),
        request: request(),
        approvals: vec![],
        binding: Binding {
            company_id: Some("acme".to_owned()),
            idem_key: Some("inst_0001/deploy".to_owned()),
            input_hash: None,
        },
        summary: Some("Reviewed the diff; tests are green".to_owned()),
        decision: Decision::Approved,
        decider: human(),
        scope: Scope::Production,
        risk_tier: Some(RiskTier::ExecuteWithApproval),
        policy_version: Some("policy-7".to_owned()),
        reason_codes: vec!["PRODUCTION_REQUIRES_APPROVAL".to_owned(), "HUMAN_APPROVED".to_owned()],
        projection: Projection::ExecuteV1,
        created_at: at("2026-11-23T09:00:00.000Z"),
        expires_at: at("2026-11-23T09:15:00.000Z"),
        salt: Salt::from_bytes([0x5a; 32]),
    })
}

pub(crate) fn human() -> Decider {
    Decider {
        id: "user:alice".to_owned(),
        display: "alice".to_owned(),
        auth_method: Some(AuthMethod::Session),
        resolution: Some(Resolution::AllowOnce),
        attribution: Attribution::Credentialed,
        proof: None,
    }
}

pub(crate) fn demo() -> Decider {
    Decider {
        id: "demo:visitor".to_owned(),
        display: "demo visitor".to_owned(),
        auth_method: Some(AuthMethod::AnonymousDemo),
        resolution: Some(Resolution::AllowOnce),
        attribution: Attribution::Unattributed,
        proof: None,
    }
}

pub(crate) fn webauthn() -> Webauthn {
    Webauthn {
        credential_id_hash: Digest::of(b"credential"),
        challenge_hash: Digest::of(b"challenge"),
        authenticator_data_hash: Digest::of(b"authenticator data"),
        user_verified: true,
        rp_id: "issuer.example".to_owned(),
        origin: "https://issuer.example".to_owned(),
        review_generation: Some(2),
        verified_at: at("2026-11-23T08:59:58.123Z"),
    }
}

pub(crate) fn reauth() -> Reauth {
    Reauth {
        auth_time: at("2026-11-23T08:55:00.000Z"),
        max_age_ms: 300_000,
        verified_at: at("2026-11-23T08:59:59.000Z"),
    }
}

/// A decision after a step-up, by an engine: a person's proof is compared with the assertion that the person signed.
pub(crate) fn stepped_up(proof: DeciderProof) -> Draft {
    let auth_method = match proof {
        DeciderProof::Webauthn(_) => AuthMethod::SessionStepupWebauthn,
        DeciderProof::Reauth(_) => AuthMethod::SessionReauth,
    };
    let id = "system/pp-engine".to_owned();
    let decider = Decider { id, auth_method: Some(auth_method), proof: Some(proof), ..human() };
    Draft { approvals: vec![], decider, ..draft() }
}

pub(crate) fn minted() -> Minted {
    mint(&draft(), &signer()).unwrap()
}

/// An envelope over any payload text, validly signed by `signer`.
pub(crate) fn seal(text: &str, signer: &dyn Signer) -> Artifact {
    let digest = Digest::of(text.as_bytes());
    let key_id = signer.key_id().to_owned();
    envelope(key_id, digest.to_string(), &signer.sign(&digest).unwrap(), text.as_bytes())
}

/// An envelope from its parts.
pub(crate) fn envelope(
    key_id: String,
    signed_payload_hash: String,
    signature: &[u8],
    payload: &[u8],
) -> Artifact {
    Artifact {
        receipt_id: "rcpt_0001".to_owned(),
        status: None,
        receipt_version: None,
        canonicalization: None,
        key_id,
        alg: "ed25519".to_owned(),
        signed_payload_hash,
        signature_b64: base64(signature),
        payload_bytes_b64: base64(payload),
        issued_at: None,
        expires_at: None,
        redeemed_at: None,
    }
}

/// Standard base64 with padding, written out so that the tests do not share the crate's own.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) & 63;
            out.push(if digit <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    out
}

/// The payload of a freshly minted receipt, to be changed and signed again.
pub(crate) fn payload() -> Json {
    let minted = minted();
    json(receipt::verify(&minted.artifact, &keys()).unwrap().payload_json())
}

/// `object` with `key` set, or taken out.
pub(crate) fn with(object: &Json, key: &str, value: Option<Json>) -> Json {
    let members = object.as_object().unwrap().iter();
    let kept = members
        .filter(|(name, _)| name.as_str() != Some(key))
        .map(|(name, json)| (name.clone(), json.clone()));
    Json::object(kept.chain(value.map(|value| (key.into(), value))))
}

/// A signer that signs another digest than the given one.
pub(crate) struct Liar(pub(crate) Ed25519Signer);

impl Signer for Liar {
    fn key_id(&self) -> &str {
        self.0.key_id()
    }

    fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    fn sign(&self, _: &Digest) -> Result<[u8; 64], SignError> {
        self.0.sign(&Digest::of(b"something else"))
    }
}

/// Cannot sign.
pub(crate) struct Offline;

impl Signer for Offline {
    fn key_id(&self) -> &str {
        KEY_ID
    }

    fn public_key(&self) -> [u8; 32] {
        signer().public_key()
    }

    fn sign(&self, _: &Digest) -> Result<[u8; 64], SignError> {
        Err(SignError("the agent does not answer".to_owned()))
    }
}
