//! Strict Ed25519: a key and a signature each have exactly one encoding, and weak keys are refused.

use ed25519_dalek::{Signature, VerifyingKey};

/// The public key in `bytes`, unless it is weak or not canonical: a weak key verifies signatures that no holder made,
/// and a second encoding would give one key two names.
pub(crate) fn read_point(bytes: &[u8; 32]) -> Option<VerifyingKey> {
    let point = VerifyingKey::from_bytes(bytes).ok()?;
    (is_canonical_point(bytes) && !point.is_weak()).then_some(point)
}

/// Whether the y coordinate is below 2^255 − 19. The few larger ones are second encodings of other points.
fn is_canonical_point(bytes: &[u8; 32]) -> bool {
    let [lowest, middle @ .., highest] = bytes;
    *lowest < 0xED || middle.iter().any(|byte| *byte != 0xFF) || highest & 0x7F != 0x7F
}

/// Strict verification: no small-order keys or points, no second encoding of anything.
pub(crate) fn is_signed(key: &VerifyingKey, message: &[u8], signature: &Signature) -> bool {
    key.verify_strict(message, signature).is_ok()
}
