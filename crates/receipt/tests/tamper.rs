//! Every bit and every length of a valid receipt: no payload verifies except its own.

use crate::common;
use crate::common::{keys, minted, signer};
use receipt::{Artifact, Digest, Draft, KeySet, VerifiedReceipt, mint, verify};

fn good() -> (Artifact, VerifiedReceipt) {
    let artifact = minted().artifact;
    let receipt = verify(&artifact, &keys()).unwrap();
    (artifact, receipt)
}

/// A single-bit change of the envelope either fails or changes nothing that is signed.
#[test]
fn no_bit_of_the_envelope_can_be_flipped_into_another_payload() {
    let (artifact, receipt) = good();
    let text = artifact.to_json().into_bytes();
    let mut unauthenticated = 0;
    for bit in 0..text.len() * 8 {
        let mut flipped = text.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(flipped) = String::from_utf8(flipped) else { continue };
        if let Ok(verified) = Artifact::parse(&flipped).and_then(|artifact| verify(&artifact, &keys())) {
            assert_eq!(verified, receipt, "bit {bit}");
            unauthenticated += 1;
        }
    }
    // The rest are the convenience copies, a fifth of the envelope.
    assert!(
        unauthenticated > 0 && unauthenticated < text.len() * 2,
        "{unauthenticated} of {} bits",
        text.len() * 8
    );
}

/// As above for the signed bytes themselves, with the hash made to match: the signature must catch every bit.
#[test]
fn no_bit_of_the_payload_can_be_flipped() {
    let (artifact, receipt) = good();
    let payload = receipt.payload_json().as_bytes();
    for bit in 0..payload.len() * 8 {
        let mut flipped = payload.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let mut forged = artifact.clone();
        forged.signed_payload_hash = Digest::of(&flipped).to_string();
        forged.payload_bytes_b64 = common::base64(&flipped);
        let error = verify(&forged, &keys()).unwrap_err();
        assert!(["MALFORMED", "SIGNATURE_INVALID"].contains(&error.code()), "bit {bit}: {error}");
    }
}

#[test]
fn no_bit_of_the_signature_can_be_flipped() {
    let (artifact, _) = good();
    let signature = signer_signature(&artifact);
    for bit in 0..512 {
        let mut flipped = signature;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let forged = Artifact { signature_b64: common::base64(&flipped), ..artifact.clone() };
        assert_eq!(verify(&forged, &keys()).unwrap_err().code(), "SIGNATURE_INVALID", "bit {bit}");
    }
}

fn signer_signature(artifact: &Artifact) -> [u8; 64] {
    use receipt::Signer as _;
    let signature = signer().sign(&artifact.signed_payload_hash.parse().unwrap()).unwrap();
    assert_eq!(common::base64(&signature), artifact.signature_b64);
    signature
}

#[test]
fn no_bit_of_the_public_key_can_be_flipped() {
    let (artifact, _) = good();
    for bit in 0..256 {
        let mut key = common::key(&signer());
        key.public_key[bit / 8] ^= 1 << (bit % 8);
        let mut set = KeySet::new("");
        // Half of all strings are not even points.
        if set.insert(key).is_ok() {
            assert_eq!(verify(&artifact, &set).unwrap_err().code(), "SIGNATURE_INVALID", "bit {bit}");
        }
    }
}

#[test]
fn no_truncation_verifies() {
    let (artifact, receipt) = good();
    let text = artifact.to_json();
    for len in 0..text.len() {
        assert!(Artifact::parse(&text[..len]).is_err(), "{len}");
    }
    for len in 0..receipt.payload_json().len() {
        let payload = &receipt.payload_json().as_bytes()[..len];
        let mut cut = artifact.clone();
        cut.signed_payload_hash = Digest::of(payload).to_string();
        cut.payload_bytes_b64 = common::base64(payload);
        assert!(verify(&cut, &keys()).is_err(), "{len}");
    }
}

#[test]
fn no_key_of_the_envelope_may_occur_twice() {
    let text = minted().artifact.to_json();
    let mut count = 0;
    for (at, _) in text.match_indices("\":") {
        let start = text[..at].rfind('"').unwrap();
        let name = &text[start..at];
        let duplicate = format!("{}{name}\":null,{}", &text[..start], &text[start..]);
        assert_eq!(Artifact::parse(&duplicate).unwrap_err().code(), "MALFORMED", "{name}");
        count += 1;
    }
    assert_eq!(count, 13);
}

/// Change any one leaf of a request, and its commitment is another one.
#[test]
fn every_leaf_of_the_request_counts() {
    let request = common::request().canonical();
    let commitment = |request: &str| {
        let draft = common::by_policy(Draft { request: common::json(request), ..common::draft() });
        verify(&mint(&draft, &signer()).unwrap().artifact, &keys()).unwrap().request_commitment()
    };
    let original = commitment(&request);
    let mut leaves = 0;
    for (from, to) in [("128", "129"), ("18231", "18232"), ("\"failed\":0", "\"failed\":1"), ("acme", "acmf")]
    {
        assert!(request.contains(from));
        assert_ne!(commitment(&request.replacen(from, to, 1)), original, "{from}");
        leaves += 1;
    }
    for (at, _) in request.match_indices("\":\"") {
        let mut changed = request.clone();
        changed.insert(at + 3, 'x');
        assert_ne!(commitment(&changed), original, "{}", &request[at..]);
        leaves += 1;
    }
    assert_eq!(leaves, 20);
}
