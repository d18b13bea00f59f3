//! Attacks on the deciding side and its input.

pub(crate) mod authority;
pub(crate) mod decisions;
pub(crate) mod passkeys;
pub(crate) mod people;
pub(crate) mod precedents;
