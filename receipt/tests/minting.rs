//! Minting and attesting: what comes out verifies, and what must not come out does not.

#![expect(clippy::unwrap_used, reason = "a receipt that cannot be made has failed")]

mod common;

use common::{KEY_ID, at, demo, draft, json, key, keys, minted, signer, stepped_up, with};
use receipt::{
    Artifact, AttestationArtifact, AttestationDraft, Attribution, AuthMethod, Binding, Decider, DeciderProof,
    Decision, Digest, Draft, Ed25519Signer, ExecutionOutcome, Json, Key, KeySet, KeySetError, KeyStatus,
    MintError, NotApproved, Opening, Projection, Resolution, Salt, Scope, SignError, Signer, Stated,
    Timestamp, VerifyError, attest, mint, verify, verify_attestation,
};

#[test]
fn what_is_minted_verifies_and_opens() {
    let minted = minted();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    assert_eq!(minted.artifact.disagreements(&receipt), Vec::<&str>::new());
    let opened = receipt.open(&minted.opening).unwrap();
    assert_eq!(opened.binding(), &draft().binding);
    assert_eq!(opened.summary(), draft().summary.as_deref());
    assert_eq!(opened.rule(), None);
    let request = with(&with(opened.request(), "receiptBinding", None), "receiptSummary", None);
    assert_eq!(request, draft().request);
    assert_eq!(
        receipt.request_commitment().unwrap().tagged(),
        json(receipt.payload_json()).get("requestCommitment").unwrap().as_str().unwrap()
    );
}

#[test]
fn the_same_draft_gives_the_same_receipt_and_another_salt_another_commitment() {
    assert_eq!(minted(), minted());
    let other = mint(&Draft { salt: Salt::from_bytes([1; 32]), ..draft() }, &signer()).unwrap();
    let commitment = |artifact: &Artifact| verify(artifact, &keys()).unwrap().request_commitment();
    assert_ne!(commitment(&minted().artifact), commitment(&other.artifact));
}

#[test]
fn the_envelope_survives_both_ways_of_writing_it() {
    let artifact = minted().artifact;
    assert_eq!(Artifact::parse(&artifact.to_json()).unwrap(), artifact);
    let serde = serde_json::to_string(&artifact).unwrap();
    assert_eq!(serde_json::from_str::<Artifact>(&serde).unwrap(), artifact);
    assert_eq!(json(&artifact.to_json()).get("artifact"), Some(&json(&serde)));
    assert!(
        serde_json::from_str::<Artifact>(&serde.replacen('{', r#"{"alg":"x","#, 1)).is_err(),
        "duplicates"
    );
}

#[test]
fn an_edited_convenience_copy_is_noticed() {
    let good = minted().artifact;
    let receipt = verify(&good, &keys()).unwrap();
    let mut edited = good.clone();
    edited.status = Some("DENIED".to_owned());
    edited.expires_at = Some("2036-11-23T09:15:00.000Z".to_owned());
    edited.receipt_version = Some(2);
    edited.receipt_id = "other".to_owned();
    edited.canonicalization = Some("jcs_v2".to_owned());
    edited.issued_at = Some("never".to_owned());
    assert_eq!(verify(&edited, &keys()).unwrap(), receipt, "nothing is decided from a copy");
    let all = ["receipt_id", "status", "receipt_version", "canonicalization", "issued_at", "expires_at"];
    assert_eq!(edited.disagreements(&receipt), all);
}

fn refused(change: impl FnOnce(&mut Draft)) -> MintError {
    let mut draft = draft();
    change(&mut draft);
    mint(&draft, &signer()).unwrap_err()
}

#[test]
fn reserved_keys_and_other_shapes_are_refused() {
    assert_eq!(refused(|draft| draft.request = json("[]")), MintError::RequestNotObject);
    for key in ["receiptBinding", "receiptSummary"] {
        for value in ["null", "\"x\"", "{}"] {
            let request = json(&format!(r#"{{"{key}":{value}}}"#));
            assert_eq!(refused(|draft| draft.request = request), MintError::RequestReservedKey(key));
        }
    }
    for tag in [Projection::DeployGateV1, Projection::DeployGateV2] {
        assert_eq!(refused(|draft| draft.projection = tag), MintError::ProjectionNotIssued(tag.as_str()));
    }
    assert_eq!(refused(|draft| draft.id.clear()), MintError::EmptyField("id"));
    assert_eq!(refused(|draft| draft.agent_id.clear()), MintError::EmptyField("agent_id"));
    assert_eq!(refused(|draft| draft.decider.display.clear()), MintError::EmptyField("decider.display"));
}

#[test]
fn contradictions_are_refused() {
    let contradiction = |error: MintError| matches!(error, MintError::Contradiction(_));
    assert!(contradiction(refused(|draft| draft.decider.resolution = Some(Resolution::Deny))));
    assert!(contradiction(refused(|draft| draft.decision = Decision::Denied)));
    assert!(contradiction(refused(|draft| {
        draft.decision = Decision::Denied;
        draft.decider.resolution = Some(Resolution::AllowAlways);
    })));
    assert!(contradiction(refused(|draft| draft.projection = Projection::RevocationV1)));
    assert!(contradiction(refused(|draft| draft.expires_at = at("2026-11-23T08:59:59.999Z"))));
}

#[test]
fn demo_and_production_do_not_mix() {
    let mixed = |change: fn(&mut Decider), scope: Scope| {
        let mut decider = demo();
        change(&mut decider);
        matches!(refused(|draft| (draft.decider, draft.scope) = (decider, scope)), MintError::ScopeMixed(_))
    };
    assert!(mixed(|_| {}, Scope::Production));
    let partly: [fn(&mut Decider); 3] = [
        |decider| decider.id = "user:alice".to_owned(),
        |decider| decider.auth_method = Some(AuthMethod::Session),
        |decider| decider.attribution = Attribution::Credentialed,
    ];
    for change in partly {
        assert!(mixed(change, Scope::Demo));
        assert!(mixed(change, Scope::Production));
    }
    let demo_key = Ed25519Signer::from_seed(receipt::DEMO_KEY_ID, &[9; 32]);
    assert!(matches!(mint(&draft(), &demo_key).unwrap_err(), MintError::ScopeMixed(_)));

    let minted = mint(&Draft { decider: demo(), scope: Scope::Demo, ..draft() }, &demo_key).unwrap();
    let mut set = KeySet::new("demo");
    set.insert(key(&demo_key)).unwrap();
    let receipt = verify(&minted.artifact, &set).unwrap();
    let wanted = NotApproved::OtherScope { found: Scope::Demo, wanted: Scope::Production };
    assert_eq!(receipt.approved(Scope::Production).unwrap_err(), wanted);
    assert_eq!(receipt.approved(Scope::Demo).unwrap().receipt(), &receipt);
}

#[test]
fn denials_and_revocations_are_signed_like_approvals() {
    let mut denial = Draft { decision: Decision::Denied, ..draft() };
    denial.decider.resolution = Some(Resolution::Deny);
    let minted = mint(&denial, &signer()).unwrap();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    assert_eq!(receipt.decision(), Decision::Denied);
    assert_eq!(receipt.approved(Scope::Production).unwrap_err(), NotApproved::Denied);

    let request = json(
        r#"{"intent":{"name":"authorization_revocation","summary":"private"},"metadata":{"revokedReceiptId":"rcpt_0001","reason":"private"},"scope":{"env":"production","repo":"acme/private"}}"#,
    );
    let revocation = Draft {
        request,
        projection: Projection::RevocationV1,
        risk_tier: None,
        policy_version: None,
        ..denial
    };
    let minted = mint(&revocation, &signer()).unwrap();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    let projection = r#"{"intent":{"name":"authorization_revocation"},"metadata":{"revokedReceiptId":"rcpt_0001"},"projection":"revocation/v1","scope":{"env":"production"}}"#;
    assert_eq!(receipt.projection().unwrap().canonical(), projection);
    assert!(!receipt.payload_json().contains("private"));
}

#[test]
fn step_up_evidence_is_signed_with_the_decision() {
    for proof in [DeciderProof::Webauthn(common::webauthn()), DeciderProof::Reauth(common::reauth())] {
        let decider = stepped_up(proof);
        let minted = mint(&Draft { decider: decider.clone(), ..draft() }, &signer()).unwrap();
        assert_eq!(verify(&minted.artifact, &keys()).unwrap().decider(), Some(&decider));
        // Either half alone is refused by verifying what was minted.
        let code = |decider: Decider| match refused(|draft| draft.decider = decider) {
            MintError::SelfCheck(error) => error.code(),
            other => panic!("{other}"),
        };
        assert_eq!(code(Decider { proof: None, ..decider.clone() }), "DECIDER_PROOF_MISMATCH");
        assert_eq!(
            code(Decider { auth_method: Some(AuthMethod::Session), ..decider }),
            "DECIDER_PROOF_MISMATCH"
        );
    }
    let stale = receipt::Reauth { max_age_ms: 1, ..common::reauth() };
    let error = refused(|draft| draft.decider = stepped_up(DeciderProof::Reauth(stale)));
    assert!(matches!(error, MintError::SelfCheck(VerifyError::DeciderProofInvalid(_))));
    let huge = receipt::Reauth { max_age_ms: u64::MAX, ..common::reauth() };
    let error = refused(|draft| draft.decider = stepped_up(DeciderProof::Reauth(huge)));
    assert!(matches!(error, MintError::SelfCheck(VerifyError::DeciderProofInvalid(_))));
}

/// Signs something, but not what it was given.
struct Liar(Ed25519Signer);

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
struct Offline;

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

#[test]
fn an_approval_that_cannot_be_signed_does_not_exist() {
    assert!(matches!(mint(&draft(), &Offline).unwrap_err(), MintError::Sign(_)));
    let self_check = mint(&draft(), &Liar(signer())).unwrap_err();
    assert!(matches!(self_check, MintError::SelfCheck(VerifyError::SignatureInvalid(_))));
    assert!(matches!(attest(&attestation(), &Offline).unwrap_err(), MintError::Sign(_)));
    assert!(matches!(attest(&attestation(), &Liar(signer())).unwrap_err(), MintError::SelfCheck(_)));
    let nameless = Ed25519Signer::from_seed("", &[7; 32]);
    assert!(matches!(mint(&draft(), &nameless).unwrap_err(), MintError::SignerKey(_)));
}

#[test]
fn secrets_are_not_printed() {
    let seed_and_salt = format!("{:?} {:?}", signer(), draft().salt);
    assert_eq!(seed_and_salt, "Ed25519Signer { key_id: \"receipt-test-key\", .. } Salt(..)");
}

#[test]
fn an_opening_compares_everything_that_is_stated() {
    let minted = minted();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    let code = |change: fn(&mut Opening)| {
        let mut opening = minted.opening.clone();
        change(&mut opening);
        receipt.open(&opening).err().map_or("opened", |error| error.code())
    };
    assert_eq!(code(|_| {}), "opened");
    assert_eq!(
        code(|opening| *opening = Opening::new(opening.request_json.clone(), opening.salt.clone())),
        "opened"
    );
    assert_eq!(code(|opening| opening.request_json.push(' ')), "REQUEST_COMMITMENT_MISMATCH");
    assert_eq!(code(|opening| opening.salt = Salt::from_bytes([0; 32])), "REQUEST_COMMITMENT_MISMATCH");
    assert_eq!(code(|opening| opening.summary = Stated::Absent), "COMMITTED_SUMMARY_MISMATCH");
    assert_eq!(
        code(|opening| opening.summary = Stated::Value("other".to_owned())),
        "COMMITTED_SUMMARY_MISMATCH"
    );
    assert_eq!(code(|opening| opening.binding.company_id = Stated::Absent), "RECEIPT_BINDING_MISMATCH");
    assert_eq!(
        code(|opening| opening.binding.company_id = Stated::Value("b".to_owned())),
        "RECEIPT_BINDING_MISMATCH"
    );
    assert_eq!(
        code(|opening| opening.binding.idem_key = Stated::Value("b".to_owned())),
        "RECEIPT_BINDING_MISMATCH"
    );
    assert_eq!(
        code(|opening| opening.binding.input_hash = Stated::Value("b".to_owned())),
        "RECEIPT_BINDING_MISMATCH"
    );
}

#[test]
fn stating_that_there_is_none_is_a_claim() {
    let draft = Draft { summary: None, binding: Binding::default(), ..draft() };
    let minted = mint(&draft, &signer()).unwrap();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    let opened = receipt.open(&minted.opening).unwrap();
    assert_eq!((opened.summary(), opened.binding()), (None, &Binding::default()));
    let empty = Opening { summary: Stated::Value(String::new()), ..minted.opening };
    assert_eq!(receipt.open(&empty).unwrap_err().code(), "COMMITTED_SUMMARY_MISMATCH");
}

/// The code of opening a receipt that commits to `request` as it stands.
fn committed(request: &str) -> &'static str {
    let salt = Salt::from_bytes([3; 32]);
    let mut bytes = salt.as_bytes().to_vec();
    bytes.extend(request.as_bytes());
    let projection = r#"{"projection":"execute/v1"}"#;
    let payload = with(&common::payload(), "requestCommitment", Some(Digest::of(&bytes).tagged().into()));
    let payload = with(&payload, "publicProjectionJson", Some(projection.into()));
    let receipt = verify(&common::seal(&payload.canonical(), &signer()), &keys()).unwrap();
    receipt.open(&Opening::new(request, salt)).err().map_or("opened", |error| error.code())
}

#[test]
fn a_committed_request_has_the_shape_that_minting_writes() {
    let binding = r#""receiptBinding":{"companyId":null,"idemKey":"k","inputHash":null}"#;
    assert_eq!(committed(&format!("{{{binding}}}")), "opened");
    assert_eq!(committed(&format!(r#"{{{binding},"receiptSummary":"s"}}"#)), "opened");
    for summary in ["null", "1", "{}", r#""\ud800""#] {
        let request = format!(r#"{{{binding},"receiptSummary":{summary}}}"#);
        assert_eq!(committed(&request), "COMMITTED_SUMMARY_MISMATCH", "{summary}");
    }
    for request in
        ["", "null", "[]", "{}", "not json", r#"{"receiptBinding":null}"#, r#"{"receiptBinding":[]}"#]
    {
        assert_eq!(committed(request), "RECEIPT_BINDING_MISMATCH", "{request}");
    }
    for broken in [
        r#"{"companyId":null,"idemKey":"k"}"#,
        r#"{"companyId":null,"idemKey":"k","inputHash":1}"#,
        r#"{"companyId":null,"idemKey":"k","inputHash":null,"more":null}"#,
    ] {
        assert_eq!(
            committed(&format!(r#"{{"receiptBinding":{broken}}}"#)),
            "RECEIPT_BINDING_MISMATCH",
            "{broken}"
        );
    }
    // A key twice: two readers could see two requests.
    assert_eq!(committed(&format!(r#"{{"a":1,"a":2,{binding}}}"#)), "RECEIPT_BINDING_MISMATCH");
    let projects = format!(r#"{{"intent":{{"name":"x"}},{binding}}}"#);
    assert_eq!(committed(&projects), "PUBLIC_PROJECTION_MISMATCH");
}

#[test]
fn owner_fields_carry_an_opening() {
    let opening = minted().opening;
    let fields = opening.to_owner_fields();
    assert_eq!(Opening::from_owner_fields(&fields).unwrap(), opening);
    assert_eq!(fields.get("input_hash"), Some(&Json::Null));
    let code = |fields: Json| Opening::from_owner_fields(&fields).unwrap_err().code();
    for key in ["request_json", "request_commitment_salt_b64"] {
        assert_eq!(code(with(&fields, key, None)), "REQUEST_COMMITMENT_UNAVAILABLE");
        assert_eq!(code(with(&fields, key, Some(Json::Null))), "REQUEST_COMMITMENT_UNAVAILABLE");
    }
    let short = with(&fields, "request_commitment_salt_b64", Some(common::base64(&[0; 31]).into()));
    assert_eq!(code(short), "REQUEST_COMMITMENT_MISMATCH");
    assert_eq!(code(with(&fields, "summary", Some(1_u32.into()))), "MALFORMED");
    let unstated = with(&with(&fields, "summary", None), "company_id", None);
    let unstated = Opening::from_owner_fields(&unstated).unwrap();
    assert_eq!((unstated.summary, unstated.binding.company_id), (Stated::Nothing, Stated::Nothing));
}

fn attestation() -> AttestationDraft {
    AttestationDraft {
        receipt_id: draft().id,
        outcome: ExecutionOutcome::Succeeded {
            started_at: at("2026-11-23T09:01:00.000Z"),
            finished_at: at("2026-11-23T09:01:02.500Z"),
            output_hash: Some(Digest::of(b"{}")),
        },
        tool_call_id: Some("dep_1".to_owned()),
        created_at: at("2026-11-23T09:01:02.600Z"),
    }
}

#[test]
fn every_outcome_is_attested_and_verifies() {
    let receipt = verify(&minted().artifact, &keys()).unwrap();
    let (started_at, finished_at) = (at("2026-11-23T09:01:00.000Z"), at("2026-11-23T09:01:00.000Z"));
    for outcome in [
        attestation().outcome,
        ExecutionOutcome::Failed { started_at, finished_at, output_hash: None },
        ExecutionOutcome::Unknown { started_at: Some(started_at) },
        ExecutionOutcome::Unknown { started_at: None },
    ] {
        let draft = AttestationDraft { outcome, ..attestation() };
        let artifact = attest(&draft, &signer()).unwrap();
        assert_eq!(AttestationArtifact::parse(&artifact.to_json().unwrap()).unwrap(), artifact);
        let verified = verify_attestation(&artifact, &receipt, &keys()).unwrap();
        assert_eq!((verified.receipt_id(), verified.outcome()), (receipt.id(), outcome));
        assert_eq!((verified.tool_call_id(), verified.created_at()), (Some("dep_1"), draft.created_at));
        assert_eq!((verified.key_id(), artifact.approval_receipt_id()), (KEY_ID, receipt.id()));
        assert_eq!(verified.payload_digest(), Digest::of(verified.payload_json().as_bytes()));
    }
    let backwards = ExecutionOutcome::Failed {
        started_at,
        finished_at: at("2026-11-23T09:00:59.999Z"),
        output_hash: None,
    };
    let error = attest(&AttestationDraft { outcome: backwards, ..attestation() }, &signer()).unwrap_err();
    assert!(matches!(error, MintError::SelfCheck(VerifyError::AttestationInconsistent(_))));
    let nameless = AttestationDraft { receipt_id: String::new(), ..attestation() };
    assert_eq!(attest(&nameless, &signer()).unwrap_err(), MintError::EmptyField("receipt_id"));
}

/// The verdict on an attestation envelope for the minted approval.
fn attested(envelope: &str) -> Result<(), VerifyError> {
    let receipt = verify(&minted().artifact, &keys()).unwrap();
    verify_attestation(&AttestationArtifact::parse(envelope)?, &receipt, &keys()).map(|_| ())
}

fn attested_code(envelope: &str) -> (&'static str, u8) {
    attested(envelope).map_or_else(|error| (error.code(), error.exit_code()), |()| ("verified", 0))
}

/// An attestation envelope over any payload, validly signed.
fn sealed_attestation(payload: &Json) -> String {
    let artifact = json(&common::seal(&payload.canonical(), &signer()).to_json());
    let envelope = with(artifact.get("artifact").unwrap(), "approval_receipt_id", Some(draft().id.into()));
    Json::object([("attestation_artifact", envelope)]).canonical()
}

#[test]
fn an_attestation_belongs_to_one_approval() {
    let artifact = attest(&attestation(), &signer()).unwrap();
    let other = mint(&Draft { id: "rcpt_0002".to_owned(), ..draft() }, &signer()).unwrap();
    let other = verify(&other.artifact, &keys()).unwrap();
    let error = verify_attestation(&artifact, &other, &keys()).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("RECEIPT_MISMATCH", 3));

    let mut denial = Draft { decision: Decision::Denied, ..draft() };
    denial.decider.resolution = None;
    let denial = verify(&mint(&denial, &signer()).unwrap().artifact, &keys()).unwrap();
    let error = verify_attestation(&artifact, &denial, &keys()).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("RECEIPT_NOT_APPROVED", 3));

    // The envelope names the right receipt, the signed bytes another.
    let elsewhere = AttestationDraft { receipt_id: "rcpt_0002".to_owned(), ..attestation() };
    let elsewhere = attest(&elsewhere, &signer()).unwrap().to_json().unwrap();
    assert_eq!(attested_code(&elsewhere.replace("rcpt_0002", "rcpt_0001")), ("MALFORMED", 3));
}

#[test]
fn unsigned_and_withheld_outcomes_are_neither_verified_nor_tampered() {
    let unsigned = r#"{"attestation_artifact":{"approval_receipt_id":"rcpt_0001","outcome":"succeeded","signed":false}}"#;
    assert_eq!(attested_code(unsigned), ("ATTESTATION_UNSIGNED", 5));
    let withheld = r#"{"attestation_artifact":{"approval_receipt_id":"rcpt_0001","outcome":null,"payload_withheld":true}}"#;
    assert_eq!(attested_code(withheld), ("PAYLOAD_WITHHELD", 6));
    assert_eq!(AttestationArtifact::parse(withheld).unwrap().to_json(), None);
    assert_eq!(
        attested_code(r#"{"attestation_artifact":{"approval_receipt_id":"rcpt_0001"}}"#),
        ("MALFORMED", 3)
    );
    assert_eq!(attested_code(r#"{"attestation_artifact":{}}"#), ("MALFORMED", 3));
    assert_eq!(attested_code("{}"), ("MALFORMED", 3));
    assert_eq!(
        attested_code(r#"{"attestation_artifact":{"approval_receipt_id":"other","signed":false}}"#),
        ("RECEIPT_MISMATCH", 3)
    );
}

#[test]
fn attestations_are_checked_step_by_step() {
    let receipt = verify(&minted().artifact, &keys()).unwrap();
    let artifact = attest(&attestation(), &signer()).unwrap();
    let text = verify_attestation(&artifact, &receipt, &keys()).unwrap().payload_json().to_owned();
    let changed =
        |key: &str, value: Option<Json>| attested_code(&sealed_attestation(&with(&json(&text), key, value)));
    assert_eq!(changed("outcome", Some("succeeded".into())), ("verified", 0));
    assert_eq!(changed("signatureKeyId", Some("x".into())), ("MALFORMED", 3));
    assert_eq!(changed("canonicalization", None), ("MALFORMED", 3));
    assert_eq!(changed("canonicalization", Some("attest_v2".into())), ("CANONICALIZATION_UNSUPPORTED", 8));
    assert_eq!(changed("extra", Some("x".into())), ("CANONICAL_MISMATCH", 4));
    assert_eq!(changed("toolCallId", Some(Json::Null)), ("CANONICAL_MISMATCH", 4));
    for (key, value) in [
        ("outcome", "done"),
        ("outcome", "unknown"),
        ("outputHash", "abc"),
        ("startedAt", "2026-11-23T09:01:03.000Z"),
        ("startedAt", "2026-11-23T09:01:00Z"),
        ("finishedAt", "2026-02-30T09:01:00.000Z"),
        ("createdAt", "+002026-11-23T09:01:02.600Z"),
        ("signatureAlg", "rsa"),
        ("toolCallId", ""),
    ] {
        assert_eq!(changed(key, Some(value.into())), ("ATTESTATION_INCONSISTENT", 7), "{key} {value}");
    }
    for key in ["outcome", "startedAt", "finishedAt", "attestationVersion", "signatureAlg", "createdAt"] {
        assert_eq!(changed(key, None), ("ATTESTATION_INCONSISTENT", 7), "{key}");
        assert_eq!(changed(key, Some(7_u32.into())), ("ATTESTATION_INCONSISTENT", 7), "{key}");
    }
    let unknown = with(&with(&json(&text), "outcome", Some("unknown".into())), "finishedAt", None);
    assert_eq!(attested_code(&sealed_attestation(&unknown)).0, "ATTESTATION_INCONSISTENT", "an output alone");

    let envelope = artifact.to_json().unwrap();
    let forged = with(
        json(&envelope).get("attestation_artifact").unwrap(),
        "signature_b64",
        Some(common::base64(&[0; 64]).into()),
    );
    let forged = Json::object([("attestation_artifact", forged)]).canonical();
    assert_eq!(attested_code(&forged), ("SIGNATURE_INVALID", 1));
    let newer = sealed_attestation(&with(&json(&text), "canonicalization", Some("attest_v2".into())));
    let signature =
        json(&newer).pointer(["attestation_artifact", "signature_b64"]).unwrap().as_str().unwrap().to_owned();
    assert_eq!(
        attested_code(&newer.replace(&signature, &common::base64(&[0; 64]))),
        ("SIGNATURE_INVALID", 1)
    );
    let verdict = verify_attestation(&artifact, &receipt, &KeySet::new("nobody"));
    assert_eq!(verdict.unwrap_err().code(), "KEY_NOT_FOUND");
}

#[test]
fn key_sets_survive_writing_and_reading() {
    let mut set = keys();
    let next = Ed25519Signer::from_seed("next", &[8; 32]);
    set.rotate(KEY_ID, key(&next)).unwrap();
    assert_eq!(set.get(KEY_ID).unwrap().status, KeyStatus::Rotated);
    assert_eq!(set.get("next").unwrap().status, KeyStatus::Active);
    assert_eq!(set.rotate(KEY_ID, key(&signer())), Err(KeySetError::NotActive(KEY_ID.to_owned())));
    assert_eq!(set.rotate("next", key(&signer())), Err(KeySetError::DuplicateKeyId(KEY_ID.to_owned())));
    assert_eq!(set.get("next").unwrap().status, KeyStatus::Active, "a failed rotation changes nothing");
    assert_eq!(set.rotate("none", key(&signer())), Err(KeySetError::NoSuchKey("none".to_owned())));
    let inactive = Key { key_id: "later".to_owned(), status: KeyStatus::Rotated, ..key(&next) };
    assert_eq!(set.rotate("next", inactive), Err(KeySetError::NotActive("later".to_owned())));
    let first = at("2026-12-01T00:00:00.000Z");
    set.revoke("next", first).unwrap();
    set.revoke("next", Timestamp::from_millis(0)).unwrap();
    assert_eq!(set.get("next").unwrap().revoked_at, Some(first), "the first revocation counts");
    assert_eq!(set.revoke("none", first), Err(KeySetError::NoSuchKey("none".to_owned())));
    assert_eq!(KeySet::parse(&set.to_json()).unwrap(), set);
    assert_eq!(set.keys().map(|key| key.key_id.as_str()).collect::<Vec<_>>(), [KEY_ID, "next"]);
    assert_eq!(set.issuer(), "https://issuer.example");
}

#[test]
fn odd_key_sets_are_refused() {
    let good = json(&keys().to_json());
    let entry = &good.get("keys").unwrap().as_array().unwrap()[0];
    let parse = |entries: Vec<Json>| KeySet::parse(&with(&good, "keys", Some(entries.into())).canonical());
    let changed = |key: &str, value: Option<Json>| parse(vec![with(entry, key, value)]);
    assert!(KeySet::parse("{").is_err());
    assert_eq!(KeySet::parse("{}").unwrap_err(), KeySetError::Shape("issuer"));
    assert_eq!(KeySet::parse(r#"{"issuer":"x"}"#).unwrap_err(), KeySetError::Shape("keys"));
    for key in ["key_id", "alg", "public_key_b64", "status", "created_at"] {
        assert_eq!(changed(key, None).unwrap_err(), KeySetError::Shape(key));
    }
    assert_eq!(changed("key_id", Some("".into())).unwrap_err(), KeySetError::Shape("key_id"));
    assert_eq!(changed("alg", Some("rsa".into())).unwrap().keys().count(), 0);
    assert_eq!(changed("revoked_at", None), KeySet::parse(&good.canonical()));
    assert_eq!(changed("revoked_at", Some("soon".into())).unwrap_err(), KeySetError::Shape("revoked_at"));
    let revoked_at = Some("2026-12-01T00:00:00.000Z".into());
    assert_eq!(
        changed("revoked_at", revoked_at).unwrap_err(),
        KeySetError::RevokedYetUsable(KEY_ID.to_owned())
    );
    let status = KeySetError::Status { key_id: KEY_ID.to_owned(), status: "paused".to_owned() };
    assert_eq!(changed("status", Some("paused".into())).unwrap_err(), status);
    assert_eq!(
        parse(vec![entry.clone(), entry.clone()]).unwrap_err(),
        KeySetError::DuplicateKeyId(KEY_ID.to_owned())
    );
    // The neutral element verifies signatures that nobody made, 0xFF… is a second encoding of another point, and the rest
    // are no keys at all.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    for bytes in [&neutral[..], &[0xFF; 32], &[2; 32], &[0; 31], &[0; 33]] {
        let error = changed("public_key_b64", Some(common::base64(bytes).into())).unwrap_err();
        assert_eq!(error, KeySetError::PublicKey(KEY_ID.to_owned()), "{bytes:?}");
    }
}
