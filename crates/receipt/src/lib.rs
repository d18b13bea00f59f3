//! Permission Protocol receipts: mint, verify, open, attest; and the signed decisions of people that they rest on.
//!
//! A receipt is a signed statement that one decision was made about one action: approved or denied, by whom, under which
//! policy version, when. This crate implements the published format
//! (<https://github.com/permission-protocol/receipt-spec>) in full: `jcs_v1`, `jcs_v2` and `jcs_v3` receipts, execution
//! attestations, key sets, the public projection and the opening of commitments.
//!
//! It does no IO, has no clock, draws no randomness and keeps no state; it is `no_std` with `alloc` and builds for
//! `wasm32-unknown-unknown`. Times, salts and keys are arguments.
//!
//! # What the types promise
//!
//! - A [`VerifiedReceipt`] comes only from [`verify`]. It may be a denial.
//! - An [`Approved`] comes from [`VerifiedReceipt::approved`] for one [`Scope`]: a denial or a demo decision never
//!   passes where a production approval is required.
//! - An [`Opened`] comes from [`VerifiedReceipt::open`]: the request in it is the one that was committed to.
//! - A [`Payload`] comes from [`Envelope::verify`], and a [`VerifiedDecision`] from [`DeciderSet::verify`]. It may be a denial.
//! - What leaves [`mint`] and [`attest`] has been verified. An approval that cannot be signed does not exist.
//!
//! # For an auditor: verify, and open
//!
//! Pin the issuer's keys first. Keys that come with a receipt prove nothing.
//!
//! ```
//! use receipt::{Artifact, KeySet, Opening, Scope, verify};
//!
//! # fn issued() -> (String, String, Opening) {
//! #     use receipt::*;
//! #     let signer = Ed25519Signer::from_seed("issuer-key-1", &[7; 32]);
//! #     let created_at = Timestamp::from_millis(1_795_424_400_000);
//! #     let draft = Draft {
//! #         id: "rcpt_0001".into(), agent_id: "agent:release".into(), run_id: None,
//! #         request: Json::parse(r#"{"action":{"operation":"deploy","tool":"workers","parameters":{"to":"edge"}}}"#).unwrap(),
//! #         approvals: vec![], binding: Binding::default(), summary: None, decision: Decision::Approved,
//! #         decider: Decider::policy_engine(), scope: Scope::Production,
//! #         risk_tier: None, policy_version: None, reason_codes: vec![], projection: Projection::ExecuteV1,
//! #         created_at, expires_at: created_at, salt: Salt::from_bytes([1; 32]),
//! #     };
//! #     let minted = mint(&draft, &signer).unwrap();
//! #     let mut keys = KeySet::new("https://issuer.example");
//! #     let (key_id, public_key) = ("issuer-key-1".into(), signer.public_key());
//! #     keys.insert(Key { key_id, public_key, status: KeyStatus::Active, created_at, revoked_at: None }).unwrap();
//! #     (minted.artifact.to_json(), keys.to_json(), minted.opening)
//! # }
//! # let (receipt_json, pinned_keys_json, opening) = issued();
//! let keys = KeySet::parse(&pinned_keys_json)?;
//! let receipt = verify(&Artifact::parse(&receipt_json)?, &keys)?;
//! println!("{} {} by {:?}", receipt.id(), receipt.decision(), receipt.decider().map(|decider| &decider.display));
//!
//! // Holding the request and its salt, see what exactly was approved.
//! let opened = receipt.open(&opening)?;
//! assert_eq!(opened.request().pointer(["action", "parameters", "to"]).and_then(|to| to.as_str()), Some("edge"));
//!
//! // A denial or a demo decision is genuine too, but not an approval.
//! let approved = receipt.approved(Scope::Production)?;
//! assert_eq!(approved.receipt().id(), "rcpt_0001");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # For a decider: sign; for the issuer: verify, mint, attest
//!
//! A person signs a [`DecisionStatement`] with their own key, which the issuer does not have: an in-toto statement in a DSSE
//! envelope, behind a [`StatementSigner`]. The issuer verifies it under the pinned [`DeciderSet`], counts people by a
//! [`Quorum`], and mints a receipt that commits to the envelopes. [`mint`] refuses a person's decision without them.
//!
//! The salt is 32 fresh random bytes, the nonce 16; the issuer's key is behind a [`Signer`], so it can live in another process.
//!
//! ```
//! use receipt::*;
//!
//! # fn random<const N: usize>() -> [u8; N] { [1; N] }
//! # let now = Timestamp::from_millis(1_795_424_400_000);
//! # let later = Timestamp::from_millis(now.as_millis() + 15 * 60 * 1000);
//! # let request = Json::parse(r#"{"tenantId":"acme","actor":{"runId":"inst_0001"},"action":{"tool":"workers",
//! #     "operation":"deploy","parameters":{"requestId":"apr_0001","resource":"edge","artifact":null,
//! #     "component":"0b5f9f2f1dfc5c0c0a2b7ac54d4bd5e4e1d6c62d6f0c5d0b6b3a8f2f6c1d7e90"}}}"#)?;
//! # let (view, policy) = (Digest::of(b"what was shown"), Digest::of(b"policy"));
//! // Whose decisions count. A file that is pinned, like the issuer's keys.
//! let alice = Ed25519StatementSigner::from_seed(&random())?;
//! let mut deciders = DeciderSet::new();
//! deciders.insert(Person {
//!     id: "alice".parse()?,
//!     roles: vec!["release".parse()?],
//!     tenants: vec![],
//!     earlier: vec![],
//!     removed_at: None,
//!     keys: vec![DeciderKey::new(alice.public_key(), now)],
//! })?;
//!
//! // Alice decides, elsewhere.
//! let matter = Matter::of(&request, view, policy)?;
//! let statement = DecisionStatement {
//!     matter: matter.clone(),
//!     decision: Decision::Approved,
//!     reason: Some("tests are green".into()),
//!     decider: "alice".parse()?,
//!     role: "release".parse()?,
//!     decided_at: now,
//!     expires_at: later,
//!     nonce: Nonce::from_bytes(random()),
//! };
//! let envelope = sign_decision(&statement, &alice)?;
//!
//! // The issuer has the envelope, and believes none of it until it is verified.
//! let decision = deciders.verify(&envelope, &Expected::about(&matter, now))?;
//! let one = std::num::NonZeroUsize::MIN;
//! let quorum = Quorum { role: "release".parse()?, approvals: one, denials: one, excluded: Default::default() };
//! assert_eq!(quorum.tally(matter.request, [&decision]), Tally::Approved(vec!["alice".parse()?]));
//!
//! let signer = Ed25519Signer::from_seed("issuer-key-1", &random());
//! let draft = Draft {
//!     id: "rcpt_0001".into(),
//!     agent_id: "agent:release".into(),
//!     run_id: Some("inst_0001".into()),
//!     request,
//!     approvals: vec![decision],
//!     binding: Binding { company_id: Some("acme".into()), ..Binding::default() },
//!     summary: Some("tests are green".into()),
//!     decision: Decision::Approved,
//!     decider: Decider::person(&statement.decider, Decision::Approved),
//!     scope: Scope::Production,
//!     risk_tier: Some(RiskTier::ExecuteWithApproval),
//!     policy_version: Some("policy-7".into()),
//!     reason_codes: vec!["APPROVAL_GRANTED".into()],
//!     projection: Projection::ExecuteV1,
//!     created_at: now,
//!     expires_at: later,
//!     salt: Salt::from_bytes(random()),
//! };
//! let Minted { artifact, opening } = mint(&draft, &signer)?; // publish the one, guard the other
//!
//! // A verifier that opens the receipt verifies Alice again, not only the issuer.
//! # let mut keys = KeySet::new("https://issuer.example");
//! # let (key_id, public_key) = ("issuer-key-1".into(), signer.public_key());
//! # keys.insert(Key { key_id, public_key, status: KeyStatus::Active, created_at: now, revoked_at: None })?;
//! let opened = verify(&artifact, &keys)?.open(&opening)?;
//! let approvals = verify_approvals(&opened, &deciders, Judged::AsIssued)?;
//! assert_eq!(approvals[0].person().as_str(), "alice");
//!
//! // The action has run, once. Say how it ended.
//! let outcome = ExecutionOutcome::Succeeded { started_at: now, finished_at: now, output_hash: None };
//! let attestation = AttestationDraft { receipt_id: artifact.receipt_id, outcome, tool_call_id: None, created_at: now };
//! let attestation = attest(&attestation, &signer)?;
//! assert_eq!(attestation.approval_receipt_id(), "rcpt_0001");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # For a browser: one function over strings
//!
//! Nothing here needs a runtime. Built for `wasm32-unknown-unknown`, this is a whole verifier:
//!
//! ```
//! /// What to show for a receipt, or the specification's code for what is wrong with it.
//! pub fn check(receipt_json: &str, pinned_keys_json: &str, now_ms: i64) -> Result<String, &'static str> {
//!     let keys = receipt::KeySet::parse(pinned_keys_json).map_err(|_| "MALFORMED")?;
//!     let artifact = receipt::Artifact::parse(receipt_json).map_err(|error| error.code())?;
//!     let receipt = receipt::verify(&artifact, &keys).map_err(|error| error.code())?;
//!     let expired = receipt.is_expired(receipt::Timestamp::from_millis(now_ms));
//!     Ok(format!("{} {}{}", receipt.decision(), receipt.id(), if expired { " (redemption over)" } else { "" }))
//! }
//! assert_eq!(check("{}", r#"{"issuer":"https://issuer.example","keys":[]}"#, 0), Err("MALFORMED"));
//! ```
//!
//! # Invariants
//!
//! - The order of the checks is the specification's, and the first failure is the one reported: [`VerifyError::code`].
//! - An unknown version or projection tag is unverifiable here, never tampered, and only once its signature verifies.
//! - Ed25519 is verified strictly. Receipts and attestations sign the 32 bytes of a SHA-256, people the DSSE encoding itself.
//! - A production decision by a person has that person's signature in the committed request. [`mint`] ensures it.
//! - A duplicate key is refused wherever it occurs. No two readers see two documents.
//!
//! # Modules
//!
//! ```text
//! mint ─► people ─► verify ─► issuer, format ─► ground
//!
//! mint     a draft to a receipt; revocations          verify   verification, opening a commitment
//! people   keys, passkeys, envelopes, statements,     issuer   the issuer's key set and signer
//!          deciders, approvals, quorums               format   artifact, payload, canonical form, projection
//! ground   json, digest, encoding, timestamp, names, fields, members, ed25519, error
//! ```
//!
//! `attestation` signs and verifies outcomes, on `mint` and `verify`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod attestation;
mod digest;
mod encoding;
mod error;
mod fields;
mod format;
mod issuer;
pub mod json;
mod mint;
mod people;
mod timestamp;
mod verify;

pub use attestation::{
    AttestationArtifact, AttestationDraft, ExecutionOutcome, VerifiedAttestation, attest, verify_attestation,
};
pub use digest::{Digest, Digester, ParseDigestError, Salt};
pub use error::{NotApproved, Reason, VerifyError};
pub use fields::{Attribution, AuthMethod, Decision, Resolution, RiskTier, Scope};
pub use format::artifact::Artifact;
pub use format::binding::{Binding, Stated, StatedBinding};
pub use format::canonical::Canonicalization;
pub use format::decider::{Decider, DeciderProof, Reauth, Webauthn};
pub use format::names::{MAX_NAME_LEN, ParseNameError, PersonId, Role};
pub use format::projection::{Projection, Rule};
pub use format::request::request_digest;
pub use issuer::keys::{DEMO_KEY_ID, DEMO_KEY_PREFIX, Key, KeySet, KeySetError, KeyStatus, is_demo_key};
pub use issuer::signer::{Ed25519Signer, SignError, Signer};
pub use json::members::ShapeError;
pub use json::{Json, JsonError};
pub use mint::error::MintError;
pub use mint::revocation::{REVOCATION_AGENT, revocation_request};
pub use mint::room::check_request;
pub use mint::{Draft, Minted, mint};
pub use people::approvals::{ApprovalError, Judged, MAX_APPROVALS, VerifiedDecision, verify_approvals};
pub use people::deciders::{
    DeciderKey, DeciderSet, DeciderSetError, Grants, KeyHolder, MAX_CHANGES, MAX_KEYS, MAX_PEOPLE, MAX_ROLES,
    MAX_TENANTS, NotCounted, Person,
};
pub use people::dsse::{
    Envelope, EnvelopeError, EnvelopeSignature, MAX_ENVELOPE_LEN, MAX_KEYID_LEN, MAX_SIGNATURES, Payload,
};
pub use people::key::PublicKey;
pub use people::passkey::{
    Aaguid, Assertion, AssertionResponse, COSE_ALGORITHMS, EXTENSION_KIND, MAX_AUTHENTICATOR_DATA_LEN,
    MAX_CLIENT_DATA_LEN, MAX_CREDENTIAL_ID_LEN, MAX_ORIGIN_LEN, MAX_ORIGINS, Passkey, PasskeyError,
    PasskeyRecord, RegistrationResponse, RelyingParty, challenge,
};
pub use people::quorum::{Quorum, Tally};
pub use people::scheme::{KeyId, PublicKeyError, Scheme};
pub use people::signature::{Extension, RawSignature, pae};
pub use people::statement::{
    BREAK_GLASS_MS, CLOCK_SKEW_MS, DecisionStatement, Differs, Ed25519StatementSigner, Expected, LAPSES_AT,
    MAX_REASON_LEN, MAX_RESOURCE_LEN, Matter, Mismatch, Nonce, PAYLOAD_TYPE, PREDICATE_TYPE, REQUESTED_AT,
    STATEMENT_TYPE, SignDecisionError, StatementError, StatementSigner, sign_decision,
};
pub use timestamp::{ParseTimestampError, Timestamp};
pub use verify::fixture::{Fixture, verify_fixture};
pub use verify::opening::{Opened, Opening, check_stored};
pub use verify::verified::{Approved, VerifiedReceipt};
pub use verify::verify;
