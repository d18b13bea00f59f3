//! Key sets: accepted and refused texts, added and retired keys.

use crate::common;
use crate::common::{KEY_ID, at, json, key, keys, signer, with};
use receipt::{Ed25519Signer, Json, Key, KeySet, KeySetError, KeyStatus, Timestamp};

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
    // The neutral element verifies signatures that were never made, 0xFF… is a second encoding of another point, and the rest
    // are no keys at all.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    for bytes in [&neutral[..], &[0xFF; 32], &[2; 32], &[0; 31], &[0; 33]] {
        let error = changed("public_key_b64", Some(common::base64(bytes).into())).unwrap_err();
        assert_eq!(error, KeySetError::PublicKey(KEY_ID.to_owned()), "{bytes:?}");
    }
}
