//! The protocol between a host and an authority in its own process: one JSON text a line, each way, over a Unix socket.

use crate::issuer::Request;
use crate::trust::Precedent;
use receipt::{Digest, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::io::{BufRead, Read as _, Write};
use store::StoredReceipt;
use workflow::{Effect, ReceiptId, RequestId};

/// The longest line, in bytes. The largest request with its evidence and signatures takes a fraction of it.
const LONGEST: u64 = 8 << 20;

/// A host's request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum IssuerRequest {
    /// The public keys.
    Keys,
    /// The operators' acts after that one.
    Acts { after: u64 },
    /// Admit a signed statement that is not enough by itself.
    Admit {
        request: Box<Request>,
        envelope: String,
        /// The receipts that may make the request's code and bytes known, to be judged.
        #[serde(default)]
        precedents: Vec<Precedent>,
    },
    /// Judge a request and sign the decision. Without envelopes the policy decides alone. The authority names the receipt, and counts
    /// every statement that it has admitted, whether it is among these or not.
    Issue {
        request: Box<Request>,
        envelopes: Option<Vec<String>>,
        /// The receipts that may make the request's code and bytes known, to be judged.
        #[serde(default)]
        precedents: Vec<Precedent>,
    },
    /// Sign a revocation of a receipt that the authority signed.
    Revoke { receipt: ReceiptId, by: String, reason: Option<String> },
    /// Sign how an action ended.
    Attest { receipt: ReceiptId, effect: Effect },
    /// Register a passkey with an invitation of an operator of the authority: the browser's answer, as bytes.
    Register { code: String, public_key: Vec<u8>, authenticator_data: Vec<u8>, client_data_json: Vec<u8> },
    /// Record a second person's review of a break-glass decision.
    Review {
        request: Box<Request>,
        envelope: String,
        #[serde(default)]
        precedents: Vec<Precedent>,
    },
    /// A review of a request that was deleted with its instance: about the request that the authority's own receipt
    /// commits to.
    ReviewDeleted { request: RequestId, envelope: String },
}

/// An authority's answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum IssuerReply {
    /// The public key set.
    Keys { keys: String },
    /// The digest of the acts up to the requested one, and those after it, in order.
    Acts { before: Digest, acts: Vec<ActRow> },
    /// A signed decision.
    Issued(Box<SignedDecision>),
    /// A signed revocation.
    Revoked { receipt: Box<StoredReceipt> },
    /// A signed outcome.
    Attested { key_id: String, document: String },
    /// Done.
    Done,
    /// The authority refused; the message says why.
    Refused { message: String },
}

/// An act, with its place.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ActRow {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) body: String,
}

/// A signed decision. Its receipt has the content.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedDecision {
    pub(super) decider: String,
    pub(super) reason: Option<String>,
    pub(super) key_id: String,
    pub(super) expires_at: Timestamp,
    pub(super) receipt: StoredReceipt,
}

/// Writes one line.
pub(super) fn write_line(to: &mut impl Write, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Reads one line; `None` if the other side has hung up.
pub(super) fn read_line<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    from.take(LONGEST).read_until(b'\n', &mut line)?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(serde_json::from_slice(&line)?)),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a line without an end, or too long")),
    }
}
