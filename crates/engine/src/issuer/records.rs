//! The records of an authority in its own process, independent of any host: the receipts that it signed, and the
//! statements that it admitted.

use crate::issuer::issued_log::{AdmittedStatement, IssuedLog, Name, Record};
use crate::issuer::wire::SignedDecision;
use crate::issuer::{AdmittedEnvelope, IssueError, JudgingContext, Request, admit};
use receipt::{Decision, Envelope, Timestamp};
use std::io;
use std::path::{Path, PathBuf};
use store::StoredReceipt;
use workflow::{ReceiptId, RequestId};

/// The file of signed decisions.
const SIGNED: &str = "signed.jsonl";

/// Whether a folder belongs to an authority that serves other processes.
pub(crate) fn serves_hosts(data: &Path) -> bool {
    data.join(SIGNED).exists()
}

/// Two files in the authority's folder.
pub(super) struct Records {
    signed: IssuedLog<SignedDecision>,
    statements: IssuedLog<AdmittedStatement>,
}

impl Records {
    /// Opens them, and makes missing files. The error is of the file that it names.
    pub(super) fn open(data: &Path) -> Result<Self, (PathBuf, io::Error)> {
        fn open<T: Record>(path: PathBuf) -> Result<IssuedLog<T>, (PathBuf, io::Error)> {
            IssuedLog::open(&path).map_err(|error| (path, error))
        }
        Ok(Self { signed: open(data.join(SIGNED))?, statements: open(data.join("statements.jsonl"))? })
    }

    /// The latest time on record.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.signed.latest().max(self.statements.latest())
    }

    /// The signed decision about a request.
    pub(super) fn signed_about(&mut self, request: &RequestId) -> Result<Option<SignedDecision>, IssueError> {
        Ok(self.signed.find(&Name::Request(request.clone())).map_err(unread)?.pop())
    }

    /// Records a signed decision, before a caller gets it.
    pub(super) fn keep(&mut self, decision: &SignedDecision) -> Result<(), IssueError> {
        self.signed.keep(decision).map_err(unread)
    }

    /// Admits new statements, and keeps each once, without what its signer did not sign. Returns all admitted ones, and
    /// why the first of the others was refused.
    pub(super) fn admit_new(
        &mut self,
        request: &Request,
        envelopes: &[String],
        context: JudgingContext<'_>,
        at: Timestamp,
    ) -> Result<(Vec<AdmittedEnvelope>, Option<IssueError>), IssueError> {
        let known = self.statements.find(&Name::Request(request.id.clone())).map_err(unread)?;
        let kept = known.into_iter().map(|AdmittedStatement { envelope, at, .. }| {
            parse_envelope(&envelope).map(|envelope| AdmittedEnvelope { envelope, at })
        });
        let mut kept = kept.collect::<Result<Vec<_>, _>>()?;
        let mut refused = None;
        for text in envelopes {
            match admit_new(request, &parse_envelope(text)?, &kept, context, at) {
                Ok(None) => {}
                Ok(Some(envelope)) => {
                    let text = envelope.to_json().canonical();
                    let statement = AdmittedStatement { request: request.id.clone(), envelope: text, at };
                    self.statements.keep(&statement).map_err(unread)?;
                    kept.push(AdmittedEnvelope { envelope, at });
                }
                Err(error) => drop(refused.get_or_insert(error)),
            }
        }
        Ok((kept, refused))
    }

    /// The approval of that name, as it was signed here.
    pub(super) fn approved(&mut self, id: &ReceiptId) -> Result<StoredReceipt, IssueError> {
        let signed = self.signed.find(&Name::Receipt(id.clone())).map_err(unread)?.pop();
        match signed.map(|signed| signed.receipt) {
            Some(receipt) if receipt.artifact.status.as_deref() == Some(Decision::Approved.as_str()) => {
                Ok(receipt)
            }
            _ => Err(IssueError::Refused(format!("no approval {id} was signed here"))),
        }
    }
}

/// Admits a statement, unless it is kept already. Returns the envelope to keep.
fn admit_new(
    request: &Request,
    envelope: &Envelope,
    kept: &[AdmittedEnvelope],
    context: JudgingContext<'_>,
    at: Timestamp,
) -> Result<Option<Envelope>, IssueError> {
    let is_kept = |envelope: &Envelope| kept.iter().any(|kept| kept.is_same(envelope));
    // The statement was admitted when its key could sign, which the key may not be able to do now.
    if is_kept(envelope) {
        return Ok(None);
    }
    let decision = admit(request, envelope, context, at)?;
    // Compared again, because the submitted envelope may have had any text in place of its key's id.
    if is_kept(decision.envelope()) {
        return Ok(None);
    }
    match AdmittedEnvelope::is_full(kept, decision.person()) {
        false => Ok(Some(decision.envelope().clone())),
        true => Err(IssueError::Refused(format!(
            "{} has signed as many statements about {} as the authority keeps",
            decision.person(),
            request.id
        ))),
    }
}

pub(super) fn parse_envelope(text: &str) -> Result<Envelope, IssueError> {
    Envelope::parse(text).map_err(|error| IssueError::Refused(error.to_string()))
}

fn unread(error: io::Error) -> IssueError {
    IssueError::Refused(format!("the copy of what was signed: {error}"))
}
