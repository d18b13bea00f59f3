//! Properties that hold for every input. Shared by the fuzz targets and by the smoke run on stable.

use receipt::{
    ApprovalError, Artifact, AttestationArtifact, DeciderSet, Decision, DecisionStatement, Digest, Draft,
    Envelope, Expected, Fixture, Json, KeySet, MintError, Opening, Projection, Salt, StatementSigner as _,
    mint, sign_decision, verify,
};

use crate::common::{alice, by_policy, deciders, draft, keys, payload, request, seal, signer, with};

/// No text causes a panic, and JSON text has a canonical form that reads back as itself.
pub(crate) fn parse(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(json) = Json::parse(text) {
        let canonical = json.canonical();
        assert_eq!(Json::parse(&canonical).map(|json| json.canonical()), Ok(canonical));
    }
    if let Ok(artifact) = Artifact::parse(text) {
        assert_eq!(Artifact::parse(&artifact.to_json()), Ok(artifact.clone()));
        let _ = verify(&artifact, &keys());
    }
    if let Ok(set) = KeySet::parse(text) {
        assert_eq!(KeySet::parse(&set.to_json()), Ok(set));
    }
    let _ = (AttestationArtifact::parse(text), Fixture::parse(text));
}

/// A payload that verifies is canonical, has no other version's fields, and is returned as it was signed.
pub(crate) fn signed(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(receipt) = verify(&seal(text, &signer()), &keys()) else { return };
    assert_eq!(receipt.payload_json(), text);
    assert_eq!(receipt.payload_digest(), Digest::of(input));
    assert_eq!(Json::parse(text).map(|json| json.canonical()).as_deref(), Ok(text));
}

/// A projection that is allowed is canonical, names a known tag, and shows nothing that is reserved.
pub(crate) fn projection(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let payload = with(&payload(), "publicProjectionJson", Some(text.into()));
    let Ok(receipt) = verify(&seal(&payload.canonical(), &signer()), &keys()) else { return };
    let projection = receipt.projection().unwrap();
    assert_eq!(projection.canonical(), text);
    assert!(projection.get("receiptBinding").is_none() && projection.get("receiptSummary").is_none());
    let tag = projection.get("projection").and_then(Json::as_str).and_then(Projection::from_signed);
    assert_eq!(tag, receipt.projection_tag());
}

/// For every text that Alice's key signs: a statement that is read equals the one that was written, and a refused one
/// is refused as a whole.
pub(crate) fn statement(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(envelope) = Envelope::parse(text) {
        assert_eq!(Envelope::parse(&envelope.to_json().canonical()), Ok(envelope.clone()));
        if let Ok(payload) = envelope.verify(&alice().public_key()) {
            assert_eq!(
                payload.bytes(),
                crate::common::statement(&request(), Decision::Approved).canonical().as_bytes()
            );
        }
    }
    if let Ok(set) = DeciderSet::parse(text) {
        assert_eq!(DeciderSet::parse(&set.to_json()), Ok(set));
    }
    if let Ok(statement) = DecisionStatement::parse(text) {
        assert_eq!(statement.canonical(), text);
        let envelope = sign_decision(&statement, &alice()).unwrap();
        let expected = Expected::about(&statement.matter, statement.decided_at);
        match deciders().verify(&envelope, &expected) {
            Ok(decision) => assert_eq!(decision.person().as_str(), "alice"),
            Err(error) => {
                assert!(!matches!(error, ApprovalError::NotSigned | ApprovalError::Statement(_)), "{error}")
            }
        }
    }
}

/// For every request that is minted, its own projection is allowed and its own opening opens; no other salt does.
pub(crate) fn opening(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok(request) = Json::parse(text) else { return };
    match mint(&by_policy(Draft { request, ..draft() }), &signer()) {
        Ok(minted) => {
            let receipt = verify(&minted.artifact, &keys()).unwrap();
            let other = Opening { salt: Salt::from_bytes([0; 32]), ..minted.opening };
            assert_eq!(receipt.open(&other).unwrap_err().code(), "REQUEST_COMMITMENT_MISMATCH");
        }
        Err(MintError::RequestNotObject | MintError::RequestReservedKey(_)) => {}
        // With the binding added, the request may be one level too deep or a few bytes too long to read back.
        Err(MintError::SelfCheck(error)) => assert_eq!(error.code(), "RECEIPT_BINDING_MISMATCH"),
        Err(other) => panic!("{other}"),
    }
}
