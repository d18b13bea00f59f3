//! Compares a later key set with the pinned one.

use receipt::{Key, KeySet, KeyStatus};
use std::fmt;

/// A change of a pinned key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// A key that was not there.
    New(String),
    /// A key that signs nothing new.
    Rotated(String),
    /// A key whose receipts no longer count.
    Revoked(String),
}

impl fmt::Display for KeyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New(key_id) => write!(f, "key {key_id} is new, and pinned from now on"),
            Self::Rotated(key_id) => write!(f, "key {key_id} no longer signs"),
            Self::Revoked(key_id) => write!(f, "key {key_id} is revoked: nothing that it signed counts"),
        }
    }
}

/// The changes since `pinned`; or the first key because of which `found` is not the same set, with the difference.
pub(super) fn changes(pinned: &KeySet, found: &KeySet) -> Result<Vec<KeyChange>, (String, &'static str)> {
    let mut changes = Vec::new();
    for key in pinned.keys() {
        let refused = |problem| (key.key_id.clone(), problem);
        let now = found.get(&key.key_id).ok_or_else(|| refused("does not have"))?;
        if (now.public_key, now.created_at) != (key.public_key, key.created_at) {
            return Err(refused("has another public key under the name of"));
        }
        changes.extend(change(key, now).map_err(refused)?);
    }
    let new = found.keys().filter(|key| pinned.get(&key.key_id).is_none());
    changes.extend(new.map(|key| KeyChange::New(key.key_id.clone())));
    Ok(changes)
}

/// A retired key never becomes active again.
fn change(pinned: &Key, now: &Key) -> Result<Option<KeyChange>, &'static str> {
    match (pinned.status, now.status) {
        (KeyStatus::Revoked, KeyStatus::Revoked) if pinned.revoked_at == now.revoked_at => Ok(None),
        (KeyStatus::Revoked, _) => Err("takes back the revocation of"),
        (KeyStatus::Rotated, KeyStatus::Active) => Err("signs again with the rotated"),
        (KeyStatus::Active, KeyStatus::Active) | (KeyStatus::Rotated, KeyStatus::Rotated) => Ok(None),
        (KeyStatus::Active, KeyStatus::Rotated) => Ok(Some(KeyChange::Rotated(now.key_id.clone()))),
        (KeyStatus::Active | KeyStatus::Rotated, KeyStatus::Revoked) => {
            Ok(Some(KeyChange::Revoked(now.key_id.clone())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use receipt::{Ed25519Signer, Signer as _, Timestamp};

    fn set(keys: &[(&str, u8, KeyStatus)]) -> KeySet {
        let mut set = KeySet::new("test");
        for (key_id, seed, status) in keys {
            let public_key = Ed25519Signer::from_seed(*key_id, &[*seed; 32]).public_key();
            let revoked_at = (*status == KeyStatus::Revoked).then(|| Timestamp::from_millis(9));
            let created_at = Timestamp::from_millis(1);
            set.insert(Key {
                key_id: (*key_id).to_owned(),
                public_key,
                status: *status,
                created_at,
                revoked_at,
            })
            .unwrap();
        }
        set
    }

    #[test]
    fn a_set_goes_on_or_is_another() {
        use KeyStatus::{Active, Revoked, Rotated};
        let one = |status| set(&[("pp_1", 1, status)]);
        let new = |key_id: &str| KeyChange::New(key_id.to_owned());
        assert_eq!(changes(&set(&[]), &one(Active)), Ok(vec![new("pp_1")]));
        for status in [Active, Rotated, Revoked] {
            assert_eq!(changes(&one(status), &one(status)), Ok(vec![]));
            assert!(changes(&one(status), &set(&[])).is_err(), "missing");
            assert!(changes(&one(status), &set(&[("pp_1", 2, status)])).is_err(), "another key");
            assert!(changes(&one(status), &set(&[("pp_2", 1, status)])).is_err(), "another name");
        }
        let rotated = set(&[("pp_1", 1, Rotated), ("pp_2", 2, Active)]);
        assert_eq!(
            changes(&one(Active), &rotated),
            Ok(vec![KeyChange::Rotated("pp_1".to_owned()), new("pp_2")])
        );
        for before in [Active, Rotated] {
            assert_eq!(changes(&one(before), &one(Revoked)), Ok(vec![KeyChange::Revoked("pp_1".to_owned())]));
        }
        for (before, now) in [(Revoked, Active), (Revoked, Rotated), (Rotated, Active)] {
            assert!(changes(&one(before), &one(now)).is_err(), "{before} {now}");
        }
    }
}
