//! Envelopes: the published encoding, strict reading, and no payload verifies except the signed one.

use crate::common;
use crate::common::{alice, base64, json, request, statement, with};
use proptest::prelude::*;
use receipt::{
    Decision, Ed25519StatementSigner, Envelope, EnvelopeError, EnvelopeSignature, Extension, Json,
    MAX_ENVELOPE_LEN, MAX_KEYID_LEN, MAX_SIGNATURES, PAYLOAD_TYPE, PublicKey, StatementSigner as _, pae,
    sign_decision,
};

fn good() -> Envelope {
    sign_decision(&statement(&request(), Decision::Approved), &alice()).unwrap()
}

fn key() -> PublicKey {
    alice().public_key()
}

/// An envelope over anything, signed by Alice.
fn sealed(payload_type: &str, payload: &[u8]) -> Envelope {
    let signature = alice().sign(&pae(payload_type, payload)).unwrap();
    let key_id = key().key_id().to_string();
    Envelope::new(payload_type, payload, vec![EnvelopeSignature { key_id, signature }]).unwrap()
}

/// From the protocol's own text, and the shapes in which lengths go wrong.
#[test]
fn the_encoding_is_the_published_one() {
    let published = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), published);
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    assert_eq!(pae("é", b"\x00\xff"), b"DSSEv1 2 \xc3\xa9 2 \x00\xff", "lengths are of bytes");
    assert_ne!(pae("a 1 b", b""), pae("a", b"b 0 "));
    assert_ne!(pae("a", b"1"), pae("a1", b""));
}

/// The id that securesystemslib gives the key whose 32 bytes are RFC 8032's first test key.
#[test]
fn a_key_id_is_the_one_of_securesystemslib() {
    let rfc8032 = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let bytes = std::array::from_fn(|at| u8::from_str_radix(&rfc8032[2 * at..2 * at + 2], 16).unwrap());
    let key = PublicKey::ed25519(&bytes).unwrap();
    let id = "74c181c7ad8a0855d4b55e44d2ba87aabdddb196832571f15f92fece332e4916";
    assert_eq!(key.key_id().to_string(), id);
    assert_eq!(PublicKey::parse(key.scheme(), &key.to_pem(), None), Ok(key.clone()));
    assert_eq!(PublicKey::parse(key.scheme(), &key.to_pem().replace('\n', "\r\n"), None), Ok(key.clone()));
    assert_eq!(PublicKey::parse(key.scheme(), &key.to_base64(), None), Ok(key));
}

#[test]
fn what_is_no_public_key_is_refused() {
    let good = key().to_pem();
    let weak = [0; 32];
    assert!(PublicKey::ed25519(&weak).is_err());
    let texts = [
        String::new(),
        base64(&weak),
        base64(&[1; 31]),
        good.replace("PUBLIC", "PRIVATE"),
        good.replace("-----END", "\n-----END"),
        good.replace("MCow", "MCoW"),
        format!("{good}{good}"),
        format!(" {good}"),
        key().to_base64().replace('=', ""),
        key().key_id().to_string(),
    ];
    for text in texts {
        assert!(PublicKey::parse(receipt::Scheme::Ed25519, &text, None).is_err(), "{text}");
    }
}

#[test]
fn an_envelope_survives_being_written() {
    let envelope = good();
    let text = envelope.to_json().canonical();
    assert_eq!(Envelope::parse(&text).unwrap(), envelope);
    assert_eq!(Envelope::from_json(&json(&text)).unwrap(), envelope);
    let payload = envelope.verify(&key()).unwrap();
    assert_eq!(payload.payload_type(), PAYLOAD_TYPE);
    assert_eq!(payload.bytes(), statement(&request(), Decision::Approved).canonical().as_bytes());
    assert!(!format!("{envelope:?}").contains("payload:"), "what is not verified is not shown");
}

#[test]
fn both_alphabets_are_read_and_no_third_spelling() {
    // Three bytes whose standard digits are `+` and `/`.
    let envelope = sealed("t", &[0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0x61]);
    let standard = envelope.to_json().canonical();
    assert!(standard.contains(r#""payload":"++++////YQ==""#), "{standard}");
    let url = standard.replace("++++////YQ==", "----____YQ==");
    assert_eq!(Envelope::parse(&url).unwrap(), envelope);
    for other in
        ["++++____YQ==", "++++////YQ", "++++////YR==", "++++////YQ==\\n", "++++////Y===", "++++////YQ== "]
    {
        let text = standard.replace("++++////YQ==", other);
        assert!(matches!(Envelope::parse(&text), Err(EnvelopeError::Shape(_))), "{other}");
    }
}

#[test]
fn only_the_members_of_an_envelope_are_read() {
    let good = good().to_json();
    let shape = |json: Json| matches!(Envelope::from_json(&json), Err(EnvelopeError::Shape(_)));
    for member in ["payload", "payloadType", "signatures"] {
        assert!(shape(with(&good, member, None)), "{member}");
        assert!(shape(with(&good, member, Some(Json::Null))), "{member}");
        assert!(shape(with(&good, member, Some(json("{}")))), "{member}");
    }
    assert!(shape(with(&good, "payload_type", Some("t".into()))));
    assert!(shape(json("[]")) && shape(json("null")));
    let signature = good.get("signatures").unwrap().as_array().unwrap()[0].clone();
    let signed = |signature: Json| with(&good, "signatures", Some(Json::array([signature])));
    assert!(Envelope::from_json(&signed(signature.clone())).is_ok());
    for (member, value) in [
        ("sig", None),
        ("sig", Some(Json::Null)),
        ("keyid", Some(Json::Null)),
        ("keyid", Some(1_u32.into())),
        ("cert", Some("x".into())),
        ("extension", Some(Json::Null)),
        ("extension", Some(json(r#"{"kind":"k"}"#))),
        ("extension", Some(json(r#"{"kind":"k","ext":[]}"#))),
        ("extension", Some(json(r#"{"kind":"k","ext":{},"more":1}"#))),
    ] {
        assert!(shape(signed(with(&signature, member, value.clone()))), "{member} {value:?}");
    }
    let text = good.canonical();
    for (at, _) in text.match_indices("\":") {
        let start = text[..at].rfind('"').unwrap();
        let twice = format!("{}{}\":null,{}", &text[..start], &text[start..at], &text[start..]);
        assert!(matches!(Envelope::parse(&twice), Err(EnvelopeError::Json(_))), "{twice}");
    }
}

#[test]
fn an_envelope_is_bounded() {
    let signature = good().signatures()[0].clone();
    let count = |count: usize| Envelope::new("t", b"", vec![signature.clone(); count]);
    assert_eq!(count(0), Err(EnvelopeError::Signatures(0)));
    assert!(count(1).is_ok() && count(MAX_SIGNATURES).is_ok());
    assert_eq!(count(MAX_SIGNATURES + 1), Err(EnvelopeError::Signatures(MAX_SIGNATURES + 1)));
    for count in [0, MAX_SIGNATURES + 1] {
        let signatures = Json::array(vec![json(r#"{"sig":""}"#); count]);
        let envelope = with(&good().to_json(), "signatures", Some(signatures));
        assert_eq!(Envelope::from_json(&envelope), Err(EnvelopeError::Signatures(count)));
    }
    let long = vec![0; MAX_ENVELOPE_LEN * 3 / 4];
    assert!(matches!(Envelope::new("t", &long, vec![signature.clone()]), Err(EnvelopeError::TooLong(_))));
    assert!(Envelope::new("t", &long[..long.len() - 600], vec![signature]).is_ok());
    let spaces = format!("{}{}", good().to_json().canonical(), " ".repeat(MAX_ENVELOPE_LEN));
    assert!(matches!(Envelope::parse(&spaces), Err(EnvelopeError::TooLong(_))));
}

#[test]
fn a_key_id_is_a_hint_and_decides_nothing() {
    let good = good();
    let bob = Ed25519StatementSigner::from_seed(&[0xB0; 32]).unwrap();
    let relabelled = |key_id: String| {
        let signature = EnvelopeSignature { key_id, ..good.signatures()[0].clone() };
        let payload = good.verify(&key()).unwrap();
        Envelope::new(payload.payload_type(), payload.bytes(), vec![signature]).unwrap()
    };
    for key_id in [String::new(), "alice".to_owned(), bob.public_key().key_id().to_string()] {
        assert!(relabelled(key_id.clone()).verify(&key()).is_ok(), "{key_id}");
        assert!(relabelled(key_id).verify(&bob.public_key()).is_err());
    }
    let unnamed = relabelled(String::new()).to_json().canonical();
    assert!(!unnamed.contains("keyid"));
    assert_eq!(Envelope::parse(&unnamed).unwrap(), relabelled(String::new()));
    assert_eq!(
        Envelope::parse(&unnamed.replace(r#"{"sig""#, r#"{"keyid":"","sig""#)).unwrap(),
        relabelled(String::new())
    );
    assert_eq!(good.verify(&bob.public_key()), Err(EnvelopeError::NotSigned(bob.public_key().key_id())));
    // The key id is not signed, so it may be any text up to a bound.
    let signature =
        |length: usize| EnvelopeSignature { key_id: "k".repeat(length), ..good.signatures()[0].clone() };
    let labelled = |length| Envelope::new(PAYLOAD_TYPE, b"", vec![signature(length)]);
    assert!(labelled(MAX_KEYID_LEN).is_ok());
    assert_eq!(labelled(MAX_KEYID_LEN + 1), Err(EnvelopeError::KeyId(MAX_KEYID_LEN + 1)));
    let long = unnamed.replace(r#"{"sig""#, &format!(r#"{{"keyid":"{}","sig""#, "k".repeat(200_000)));
    assert_eq!(Envelope::parse(&long), Err(EnvelopeError::KeyId(200_000)));
}

#[test]
fn the_right_signature_is_found_among_wrong_ones() {
    let good = good();
    let payload = good.verify(&key()).unwrap();
    let mut wrong = good.signatures()[0].clone();
    wrong.signature.bytes[0] ^= 1;
    let mut signatures = vec![wrong.clone(); MAX_SIGNATURES - 1];
    let all_wrong = Envelope::new(PAYLOAD_TYPE, payload.bytes(), signatures.clone()).unwrap();
    assert!(all_wrong.verify(&key()).is_err());
    signatures.push(good.signatures()[0].clone());
    assert!(Envelope::new(PAYLOAD_TYPE, payload.bytes(), signatures).unwrap().verify(&key()).is_ok());
    for len in [0, 1, 63, 65, 4096] {
        let mut signature = good.signatures()[0].clone();
        signature.signature.bytes.resize(len, 0);
        let envelope = Envelope::new(PAYLOAD_TYPE, payload.bytes(), vec![signature]).unwrap();
        assert!(envelope.verify(&key()).is_err(), "{len}");
    }
}

/// An extension says that the signature is checked in another way. A key that does not know the extension refuses it.
#[test]
fn an_unknown_extension_fails_closed() {
    let good = good();
    let mut signature = good.signatures()[0].clone();
    signature.signature.extension =
        Some(Extension { kind: "ssh-sk/v1".to_owned(), ext: receipt::json::Object::new() });
    let payload = good.verify(&key()).unwrap();
    let extended = Envelope::new(PAYLOAD_TYPE, payload.bytes(), vec![signature]).unwrap();
    assert!(extended.verify(&key()).is_err());
    let text = extended.to_json().canonical();
    assert!(text.contains(r#""extension":{"ext":{},"kind":"ssh-sk/v1"}"#), "{text}");
    assert_eq!(Envelope::parse(&text).unwrap(), extended, "and is kept");
}

#[test]
fn the_type_is_signed_along() {
    let text = good().to_json().canonical();
    let retyped = text.replace(PAYLOAD_TYPE, "application/vnd.in-toto+jsoN");
    assert_ne!(text, retyped);
    assert!(Envelope::parse(&retyped).unwrap().verify(&key()).is_err());
}

/// A single-bit change either fails or leaves the payload unchanged. The unchanged cases are in the key id, which is a
/// hint.
#[test]
fn no_bit_can_be_flipped_into_another_payload() {
    let good = good();
    let (text, payload) = (good.to_json().canonical().into_bytes(), good.verify(&key()).unwrap());
    let (mut accepted, mut key_id_bits) = (0, 0);
    let hint = key().key_id().to_string();
    let start = std::str::from_utf8(&text).unwrap().find(&hint).unwrap();
    for bit in 0..text.len() * 8 {
        let mut flipped = text.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let Ok(flipped) = String::from_utf8(flipped) else { continue };
        let Ok(envelope) = Envelope::parse(&flipped) else { continue };
        if let Ok(verified) = envelope.verify(&key()) {
            assert_eq!(verified, payload, "bit {bit}");
            accepted += 1;
            key_id_bits += usize::from((start..start + hint.len()).contains(&(bit / 8)));
        }
    }
    assert_eq!((accepted, key_id_bits), (398, 398), "only the key id is not signed");
}

#[test]
fn no_truncation_is_an_envelope() {
    let text = good().to_json().canonical();
    for len in 0..text.len() {
        assert!(Envelope::parse(&text[..len]).is_err(), "{len}");
    }
}

#[test]
fn no_bit_of_the_payload_and_no_part_of_it_verifies() {
    let good = good();
    let payload = good.verify(&key()).unwrap().bytes().to_vec();
    let verifies = |payload: &[u8]| {
        let envelope = Envelope::new(PAYLOAD_TYPE, payload, good.signatures().to_vec()).unwrap();
        envelope.verify(&key()).is_ok()
    };
    assert!(verifies(&payload));
    for bit in 0..payload.len() * 8 {
        let mut flipped = payload.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!verifies(&flipped), "bit {bit}");
    }
    for len in (0..payload.len()).step_by(7) {
        assert!(!verifies(&payload[..len]), "{len}");
    }
}

proptest! {
    /// Another implementation encodes, signs, reads and verifies the same.
    #[test]
    fn the_oracle_agrees(payload_type in ".{1,40}", payload in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(pae(&payload_type, &payload), dsse::pae(&payload_type, &payload));
        let theirs = dsse::Ed25519Signer::from_bytes(&[0xA1; 32]).unwrap();
        let verifier = theirs.verifier();

        let ours = sealed(&payload_type, &payload);
        let read = dsse::Envelope::from_json(ours.to_json().canonical().as_bytes()).unwrap();
        let verified = dsse::verify(&read, &[&verifier], 1).unwrap();
        prop_assert_eq!((verified.payload_type, verified.payload), (payload_type.clone(), payload.clone()));

        let signed = dsse::sign(&payload_type, &payload, &theirs).unwrap().to_json().unwrap();
        let read = Envelope::parse(std::str::from_utf8(&signed).unwrap()).unwrap();
        let verified = read.verify(&key()).unwrap();
        prop_assert_eq!((verified.payload_type(), verified.bytes()), (payload_type.as_str(), payload.as_slice()));
    }
}

/// Texts that are no envelopes are refused with a reason.
#[test]
fn what_is_no_envelope_is_refused() {
    for text in ["", "{", "null", "[]", "{}", "\"x\"", "\u{feff}{}", "{\"payload\":\"\"}"] {
        assert!(Envelope::parse(text).is_err(), "{text}");
    }
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    assert!(matches!(Envelope::parse(&deep), Err(EnvelopeError::Json(_))));
    assert!(Envelope::parse(&common::minted().artifact.to_json()).is_err());
}
