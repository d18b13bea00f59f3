//! The issuer's keys: the public set, and the private key that signs.

pub(crate) mod ed25519;
pub(crate) mod keys;
pub(crate) mod signer;
