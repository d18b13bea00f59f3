//! A request that passes the check when it is made can be committed with any decisions; one that cannot be committed
//! does not pass.

use crate::common::{by_policy, draft, json, keys, request, signer, with};
use proptest::prelude::*;
use receipt::json::{MAX_DEPTH, MAX_LEN};
use receipt::{
    ApprovalError, Decider, DeciderKey, DeciderSet, Decision, DecisionStatement, Digest, Draft,
    Ed25519StatementSigner, Envelope, EnvelopeSignature, Expected, Json, MAX_APPROVALS, MAX_REASON_LEN,
    Matter, MintError, Nonce, PAYLOAD_TYPE, Person, RawSignature, Timestamp, VerifiedDecision, check_request,
    mint, sign_decision, verify,
};

/// The request with that as its evidence.
fn offering(evidence: Json) -> Json {
    at(&request(), "action.parameters.evidence", evidence)
}

/// `object` with another value at a path.
fn at(object: &Json, path: &str, value: Json) -> Json {
    match path.split_once('.') {
        Some((member, rest)) => with(object, member, Some(at(object.get(member).unwrap(), rest, value))),
        None => with(object, path, Some(value)),
    }
}

fn nested(levels: usize) -> Json {
    json(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)))
}

/// Names that are longer than any real one, and the longest reason in the characters that take most.
fn everybody(request: &Json, at: Timestamp) -> Vec<VerifiedDecision> {
    let matter = Matter::of(request, Digest::of(b"view"), Digest::of(b"policy")).unwrap();
    let deciders: Vec<_> = (0..MAX_APPROVALS)
        .map(|number| {
            let signer = Ed25519StatementSigner::from_seed(&[number as u8; 32]).unwrap();
            (format!("{number:x>64}"), signer)
        })
        .collect();
    let mut set = DeciderSet::new();
    for (name, signer) in &deciders {
        use receipt::StatementSigner as _;
        let (id, roles) = (name.parse().unwrap(), vec!["r".repeat(64).parse().unwrap()]);
        let keys = vec![DeciderKey::new(signer.public_key(), at)];
        set.insert(Person { id, roles, tenants: vec![], earlier: vec![], removed_at: None, keys }).unwrap();
    }
    let signed = |(name, signer): &(String, Ed25519StatementSigner)| {
        let statement = DecisionStatement {
            matter: matter.clone(),
            decision: Decision::Approved,
            reason: Some("\u{1}".repeat(MAX_REASON_LEN)),
            decider: name.parse().unwrap(),
            role: "r".repeat(64).parse().unwrap(),
            decided_at: at,
            expires_at: Timestamp::from_millis(at.as_millis() + 3_600_000),
            nonce: Nonce::from_bytes([7; 16]),
        };
        let envelope = sign_decision(&statement, signer).unwrap();
        set.verify(&envelope, &Expected::about(&matter, at)).unwrap()
    };
    deciders.iter().map(signed).collect()
}

/// Mints a receipt with the most and the longest decisions, and reads its export as an auditor does.
fn committed_by_everybody(request: &Json) -> Result<(), MintError> {
    let now = draft().created_at;
    let approvals = everybody(request, now);
    let decider = Decider::person(approvals[0].person(), Decision::Approved);
    let summary = Some("\u{1}".repeat(MAX_REASON_LEN));
    let minted =
        mint(&Draft { request: request.clone(), approvals, decider, summary, ..draft() }, &signer())?;
    let export = minted.opening.to_owner_fields().canonical();
    assert!(export.len() <= MAX_LEN);
    let opening = receipt::Opening::from_owner_fields(&json(&export)).unwrap();
    let opened = verify(&minted.artifact, &keys()).unwrap().open(&opening).unwrap();
    let bare = ["receiptBinding", "receiptSummary", "approvals"]
        .iter()
        .fold(opened.request().clone(), |request, key| with(&request, key, None));
    assert_eq!(bare, *request);
    assert_eq!(opened.approvals().unwrap().len(), MAX_APPROVALS);
    Ok(())
}

#[test]
fn evidence_is_as_deep_as_a_receipt_is_read() {
    // The request itself has three levels around it.
    let deepest = offering(nested(MAX_DEPTH - 3));
    assert_eq!(check_request(&deepest), Ok(()));
    committed_by_everybody(&deepest).unwrap();
    for levels in MAX_DEPTH - 2..=MAX_DEPTH {
        let deep = offering(nested(levels));
        assert!(matches!(check_request(&deep), Err(MintError::Unreadable(_))), "{levels}");
        let draft = Draft { request: deep, ..by_policy(draft()) };
        assert!(matches!(mint(&draft, &signer()), Err(MintError::Unreadable(_))), "{levels}");
    }
}

#[test]
fn what_is_let_through_at_the_bound_can_be_committed_with_everything() {
    for unit in ["x", "\\", " ", "\u{10ffff}"] {
        let text = |count: usize| offering(Json::from(unit.repeat(count)));
        let (mut fits, mut exceeds) = (0, MAX_LEN / unit.len());
        while fits + 1 < exceeds {
            let middle = usize::midpoint(fits, exceeds);
            match check_request(&text(middle)) {
                Ok(()) => fits = middle,
                Err(MintError::TooLong { .. }) => exceeds = middle,
                Err(error) => panic!("{unit:?}: {error}"),
            }
        }
        assert!(fits > 128 << 10, "{unit:?}: {fits} of them");
        committed_by_everybody(&text(fits)).unwrap();
    }
}

#[test]
fn a_text_that_grows_when_it_is_escaped_is_refused_when_it_is_asked() {
    let long = offering(Json::from("\u{1}".repeat(1 << 20)));
    assert!(matches!(check_request(&long), Err(MintError::TooLong { .. })));
    let draft = Draft { request: long, ..by_policy(draft()) };
    assert!(matches!(mint(&draft, &signer()), Err(MintError::TooLong { .. })));
}

#[test]
fn a_number_that_is_not_one_is_refused() {
    for number in [f64::NAN, f64::INFINITY] {
        assert_eq!(check_request(&offering(Json::Number(number))), Err(MintError::NotReadBack));
    }
}

#[test]
fn a_request_that_cannot_be_decided_is_refused() {
    for (path, value) in [
        ("action.parameters.resource", Json::from("r".repeat(receipt::MAX_RESOURCE_LEN + 1))),
        ("action.parameters.requestId", Json::from("")),
        ("tenantId", Json::from("t".repeat(257))),
        ("action.parameters.component", Json::Null),
    ] {
        let undecidable = check_request(&at(&request(), path, value));
        assert!(matches!(undecidable, Err(MintError::Undecidable(_))), "{path}: {undecidable:?}");
    }
    assert_eq!(check_request(&Json::Null), Err(MintError::RequestNotObject));
    let taken = with(&request(), "approvals", Some(Json::Null));
    assert_eq!(check_request(&taken), Err(MintError::RequestReservedKey("approvals")));
}

#[test]
fn a_reason_is_as_long_in_a_receipt_as_in_a_decision() {
    let summary = |len: usize| Draft { summary: Some("é".repeat(len / 2)), ..draft() };
    assert!(mint(&summary(MAX_REASON_LEN), &signer()).is_ok());
    let error = mint(&summary(MAX_REASON_LEN + 2), &signer()).unwrap_err();
    assert_eq!(error, MintError::SummaryTooLong(MAX_REASON_LEN + 2));
}

#[test]
fn a_key_id_is_no_longer_than_there_is_room_for() {
    let decision = draft().approvals.remove(0);
    let statement = decision.statement();
    let expected = Expected::about(&statement.matter, statement.decided_at);
    let [signature] = decision.envelope().signatures() else { panic!("one signature") };
    let bytes = statement.canonical();
    for (len, counts) in [(0, true), (128, true), (129, false), (100_000, false)] {
        let RawSignature { bytes: signed, .. } = &signature.signature;
        let signature = RawSignature { bytes: signed.clone(), extension: None };
        let signature = EnvelopeSignature { key_id: "k".repeat(len), signature };
        // A very long one is refused before anything is verified.
        let Ok(envelope) = Envelope::new(PAYLOAD_TYPE, bytes.as_bytes(), vec![signature]) else {
            assert!(!counts, "{len}");
            continue;
        };
        let verified = crate::common::deciders().verify(&envelope, &expected);
        assert_eq!(verified.is_ok(), counts, "{len}");
        assert!(counts || verified == Err(ApprovalError::KeyId(len)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_request_that_passes_is_minted(evidence in crate::strategies::json()) {
        let request = offering(evidence);
        if check_request(&request).is_ok() {
            let minted = mint(&Draft { request, ..by_policy(draft()) }, &signer());
            prop_assert!(minted.is_ok(), "{minted:?}");
        }
    }
}
