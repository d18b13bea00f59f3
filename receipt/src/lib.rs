//! Permission Protocol receipts: mint, verify, open, attest.
#![no_std]

extern crate alloc;

mod artifact;
mod attestation;
mod canonical;
mod decider;
mod digest;
mod encoding;
mod error;
mod fields;
mod fixture;
pub mod json;
mod keys;
mod mint;
mod opening;
mod payload;
mod projection;
mod signer;
mod timestamp;
mod verified;
mod verify;

pub use artifact::Artifact;
pub use attestation::{
    AttestationArtifact, AttestationDraft, ExecutionOutcome, VerifiedAttestation, attest, verify_attestation,
};
pub use canonical::Canonicalization;
pub use decider::{Decider, DeciderProof, Reauth, Webauthn};
pub use digest::{Digest, ParseDigestError, Salt};
pub use error::{MintError, NotApproved, Reason, VerifyError};
pub use fields::{Attribution, AuthMethod, Decision, Resolution, RiskTier, Scope};
pub use fixture::{Fixture, verify_fixture};
pub use json::{Json, JsonError};
pub use keys::{DEMO_KEY_ID, Key, KeySet, KeySetError, KeyStatus};
pub use mint::{Draft, Minted, mint};
pub use opening::{Binding, Opened, Opening, Stated, StatedBinding, check_stored};
pub use projection::{Projection, Rule};
pub use signer::{Ed25519Signer, SignError, Signer};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use verified::{Approved, VerifiedReceipt};
pub use verify::verify;
