//! An authority in another process: this one has no private key.

use crate::issuer::wire::{IssuerReply, IssuerRequest};
use crate::issuer::{
    ActsSince, DecisionBasis, IssueError, IssueOrder, Issued, Issuer, JudgingContext, Request, wire,
};
use crate::trust::InvitationCode;
use crate::unix_connections::Deadline;
use receipt::{Decision, Envelope, KeySet, RegistrationResponse, Salt, Scope, Timestamp};
use std::io;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{RecordedAct, StoredReceipt};
use workflow::{Effect, ReceiptId, RequestId};

/// The time in which an authority must answer. It reads a few rows and signs.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The authority that listens on a socket.
#[derive(Debug, Clone)]
pub struct RemoteIssuer {
    socket: PathBuf,
    account: u32,
}

impl RemoteIssuer {
    /// The process of that account on that socket. Does not connect yet.
    #[must_use]
    pub fn at(socket: &Path, account: u32) -> Self {
        Self { socket: socket.to_owned(), account }
    }

    /// The public keys that verify its signatures.
    ///
    /// # Errors
    /// The authority cannot be reached, or does not answer with keys.
    pub fn keys(&self) -> Result<KeySet, IssueError> {
        match self.ask(&IssuerRequest::Keys)? {
            IssuerReply::Keys { keys } => KeySet::parse(&keys).map_err(|error| self.odd(&error.to_string())),
            other => Err(self.odd(&format!("{other:?}"))),
        }
    }

    /// Sends a request whose only result is that it is done.
    fn done(&self, ask: &IssuerRequest) -> Result<(), IssueError> {
        match self.ask(ask)? {
            IssuerReply::Done => Ok(()),
            other => Err(self.odd(&format!("{other:?}"))),
        }
    }

    /// Sends one question on one connection, and reads one answer: there is no state between questions.
    fn ask(&self, ask: &IssuerRequest) -> Result<IssuerReply, IssueError> {
        let stream = self.connect()?;
        let talk = || {
            wire::write_line(&mut Deadline::new(&stream, TIMEOUT), ask)?;
            wire::read_line(&mut BufReader::new(Deadline::new(&stream, TIMEOUT)))
        };
        match talk() {
            Ok(Some(IssuerReply::Refused { message })) => Err(IssueError::Refused(message)),
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.odd("it hung up")),
            Err(error) => Err(self.odd(&error.to_string())),
        }
    }

    /// A connection to the authority's process, which must belong to the expected account: any account that can
    /// re-create the socket file can listen on it.
    fn connect(&self) -> Result<UnixStream, IssueError> {
        let connected = || {
            let stream = UnixStream::connect(&self.socket)?;
            let peer = rustix::net::sockopt::socket_peercred(&stream)?;
            Ok((stream, peer.uid.as_raw()))
        };
        let (stream, found) = connected().map_err(|error: io::Error| self.odd(&error.to_string()))?;
        match found == self.account {
            true => Ok(stream),
            false => Err(IssueError::Stranger { socket: self.socket.clone(), found, expected: self.account }),
        }
    }

    fn odd(&self, what: &str) -> IssueError {
        IssueError::Unreachable { socket: self.socket.clone(), why: what.to_owned() }
    }
}

impl Issuer for RemoteIssuer {
    fn issue(&self, order: &IssueOrder<'_>, _: JudgingContext<'_>) -> Result<Issued, IssueError> {
        let envelopes = match order.basis {
            DecisionBasis::Policy => None,
            DecisionBasis::People(envelopes) => {
                Some(envelopes.iter().map(|admitted| admitted.envelope.to_json().canonical()).collect())
            }
            DecisionBasis::Demo(_) => {
                return Err(IssueError::Refused(
                    "an authority of its own signs no demo decisions".to_owned(),
                ));
            }
        };
        let request = Box::new(order.request.clone());
        let precedents = order.request.known.precedents();
        match self.ask(&IssuerRequest::Issue { request, envelopes, precedents })? {
            IssuerReply::Issued(signed) if signed.receipt.request != order.request.id => {
                Err(self.odd("a receipt about another request"))
            }
            IssuerReply::Issued(signed) => {
                let status = signed.receipt.artifact.status.as_deref().and_then(Decision::from_signed);
                Ok(Issued {
                    decision: status.ok_or_else(|| self.odd("a receipt without a decision"))?,
                    decider: signed.decider,
                    reason: signed.reason,
                    key_id: signed.key_id,
                    expires_at: signed.expires_at,
                    receipt: signed.receipt,
                })
            }
            other => Err(self.odd(&format!("{other:?}"))),
        }
    }

    fn revoke(
        &self,
        revoked: &StoredReceipt,
        (by, reason): (&str, Option<&str>),
        _: ReceiptId,
        _: Salt,
        _: Timestamp,
    ) -> Result<StoredReceipt, IssueError> {
        let (receipt, by, reason) = (revoked.id.clone(), by.to_owned(), reason.map(ToOwned::to_owned));
        match self.ask(&IssuerRequest::Revoke { receipt, by, reason })? {
            IssuerReply::Revoked { receipt } => Ok(*receipt),
            other => Err(self.odd(&format!("{other:?}"))),
        }
    }

    fn attest(
        &self,
        receipt: &ReceiptId,
        _: Scope,
        effect: &Effect,
        _: Timestamp,
    ) -> Result<(String, String), IssueError> {
        match self.ask(&IssuerRequest::Attest { receipt: receipt.clone(), effect: effect.clone() })? {
            IssuerReply::Attested { key_id, document } => Ok((key_id, document)),
            other => Err(self.odd(&format!("{other:?}"))),
        }
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn published_keys(&self) -> Option<Result<KeySet, IssueError>> {
        Some(self.keys())
    }

    fn acts(&self, after: u64) -> Option<Result<ActsSince, IssueError>> {
        Some(match self.ask(&IssuerRequest::Acts { after }) {
            Ok(IssuerReply::Acts { before, acts }) => {
                let recorded = |wire::ActRow { seq, at, body }| RecordedAct { seq, at, body };
                Ok(ActsSince { before, acts: acts.into_iter().map(recorded).collect() })
            }
            Ok(other) => Err(self.odd(&format!("{other:?}"))),
            Err(error) => Err(error),
        })
    }

    fn admit(&self, request: &Request, envelope: &Envelope) -> Option<Result<(), IssueError>> {
        let precedents = request.known.precedents();
        let (request, envelope) = (Box::new(request.clone()), envelope.to_json().canonical());
        Some(self.done(&IssuerRequest::Admit { request, envelope, precedents }))
    }

    fn review(
        &self,
        id: &RequestId,
        request: Option<&Request>,
        envelope: &Envelope,
    ) -> Option<Result<(), IssueError>> {
        let envelope = envelope.to_json().canonical();
        Some(self.done(&match request {
            Some(request) => {
                let precedents = request.known.precedents();
                IssuerRequest::Review { request: Box::new(request.clone()), envelope, precedents }
            }
            None => IssuerRequest::ReviewDeleted { request: id.clone(), envelope },
        }))
    }

    fn register(
        &self,
        code: &InvitationCode,
        response: &RegistrationResponse,
    ) -> Option<Result<(), IssueError>> {
        let RegistrationResponse { public_key, authenticator_data, client_data_json } = response.clone();
        let code = code.to_string();
        Some(self.done(&IssuerRequest::Register { code, public_key, authenticator_data, client_data_json }))
    }
}
