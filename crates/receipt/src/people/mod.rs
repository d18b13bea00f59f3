//! People's signed decisions: keys and passkeys, envelopes, statements, the people whose decisions count, and quorums.

pub(crate) mod approvals;
pub(crate) mod deciders;
pub(crate) mod dsse;
pub(crate) mod key;
pub(crate) mod passkey;
pub(crate) mod quorum;
pub(crate) mod scheme;
pub(crate) mod signature;
pub(crate) mod statement;
