//! Errors in the form of RFC 9457, with a stable code and the command line's hint. They reveal nothing about another tenant
//! or this machine.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::Error;
use engine::api::AccessError;
use engine::issuer::IssueError;
use serde::Serialize;
use std::time::Duration;
use store::StoreError;
use utoipa::ToSchema;

/// A problem.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    /// When the same request may succeed, if that is known.
    retry_after: Duration,
}

/// A problem in the form of RFC 9457.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDocument {
    /// The name of its kind: `urn:pp-host:problem:` and the code.
    r#type: String,
    /// The status in words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// A stable code for programs.
    code: &'static str,
    /// The problem and how to fix it, for people.
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after: Duration::from_secs(1) }
    }

    /// Adds the time after which to try again.
    pub(crate) fn retry_after(self, time: Duration) -> Self {
        Self { retry_after: time, ..self }
    }

    /// An invalid request.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", detail)
    }

    /// The resource does not exist, or the caller may not know whether it does.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// An error that the caller cannot fix. The log has its cause.
    pub(crate) fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "internal error; the log of pp-host serve has the cause",
        )
    }

    /// A request exceeds a limit.
    pub(crate) fn limit(status: StatusCode, name: &'static str, most: impl std::fmt::Display) -> Self {
        Self::new(
            status,
            "limit",
            format!("limit {name} reached: at most {most} (pp-host limits explains it)"),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let sent = ProblemDocument {
            r#type: format!("urn:pp-host:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Problem"),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
        };
        let retry_after = self.retry_after.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX);
        let body = serde_json::to_vec(&sent).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
            }
            _ => {}
        }
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use StatusCode as S;
        let (status, code) = match &error {
            Error::Store(error) => return of_the_store(error),
            Error::Load(_) => (S::UNPROCESSABLE_ENTITY, "not-a-workflow"),
            Error::NoRequest(_) => (S::NOT_FOUND, "no-request"),
            Error::NoReceipt(_) => (S::NOT_FOUND, "no-receipt"),
            Error::NotADecider(_)
            | Error::RemovedDecider(..)
            | Error::OtherTenant(..)
            | Error::NoRole { .. } => (S::FORBIDDEN, "not-a-decider"),
            Error::SelfApproval(..) => (S::FORBIDDEN, "own-request"),
            Error::DemoNotAllowed(_) => (S::CONFLICT, "people-decide"),
            Error::NotWaiting { .. } => (S::CONFLICT, "not-waiting"),
            Error::Ended(..) => (S::CONFLICT, "ended"),
            Error::AlreadyStopped(..) | Error::NotStopped(..) | Error::NotEnded { .. } => {
                (S::CONFLICT, "wrong-state")
            }
            Error::ActionInProgress(_) | Error::Busy(_) | Error::DrivenElsewhere(_) => (S::CONFLICT, "busy"),
            Error::InputMismatch { .. } => (S::CONFLICT, "other-input"),
            Error::SignedMeanwhile(_) => (S::CONFLICT, "changed-meanwhile"),
            Error::SignedAlready(..) | Error::SignedTooOften(..) => (S::CONFLICT, "signed-already"),
            Error::NothingToRevoke(_) | Error::NoUnknownOutcome(..) | Error::AlreadyResolved(..) => {
                (S::CONFLICT, "nothing-to-do")
            }
            Error::Unresolved { .. } | Error::Unreviewed { .. } => (S::CONFLICT, "unsettled"),
            Error::Passkey(_) => (S::UNPROCESSABLE_ENTITY, "passkey-refused"),
            Error::NoPasskey { .. } => (S::CONFLICT, "no-passkey"),
            Error::UnknownPasskey => (S::FORBIDDEN, "unknown-passkey"),
            Error::CannotCount { .. } | Error::KeyCannotCount { .. } => {
                (S::UNPROCESSABLE_ENTITY, "cannot-count")
            }
            Error::Statement(_) => (S::UNPROCESSABLE_ENTITY, "statement-refused"),
            Error::Issue(error) => return of_the_issuer(error),
            Error::Params(_)
            | Error::Event { .. }
            | Error::Id(_)
            | Error::TooLong(_)
            | Error::NoSuchCall(..) => (S::BAD_REQUEST, "invalid-request"),
            Error::Act(_) => (S::CONFLICT, "act-refused"),
            Error::NoWorkflow(..) => (S::NOT_FOUND, "no-workflow"),
            Error::TooManyUploads(..) => (S::TOO_MANY_REQUESTS, "quota"),
            Error::Token(_) => (S::UNAUTHORIZED, "token"),
            Error::Access(error) => return of_access(error),
            Error::ActNotAllowed | Error::ActsAtAuthority => (S::FORBIDDEN, "not-here"),
            Error::Keyring(_)
            | Error::Journal { .. }
            | Error::KeySetMismatch(_)
            | Error::Entropy(_)
            | Error::AuthorityMismatch
            | Error::PolicyMissing(_)
            | Error::KeysAtAuthority
            | Error::NoTenant(_)
            | Error::Internal(_) => return Self::internal(&error),
        };
        Self::new(status, code, error.to_string())
    }
}

/// The text of an error about the authority's process names a socket and accounts of this machine: the log has it.
fn of_the_issuer(error: &IssueError) -> Problem {
    match error {
        IssueError::Unreachable { .. } | IssueError::Stranger { .. } => {
            tracing::error!(%error, "the authority cannot be asked");
            let detail = "the authority, which signs receipts, cannot be asked now: try again";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no-authority", detail)
        }
        IssueError::NoActiveKey(_) | IssueError::Mint(_) => Problem::internal(error),
        IssueError::Request(_)
        | IssueError::InvalidRequestDocument(_)
        | IssueError::Lapsed { .. }
        | IssueError::Approval(_)
        | IssueError::Frozen(_)
        | IssueError::Unreviewed { .. }
        | IssueError::Undecided(_)
        | IssueError::Refused(_) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "statement-refused", error.to_string())
        }
    }
}

fn of_access(error: &AccessError) -> Problem {
    use StatusCode as S;
    let (status, code) = match error {
        AccessError::Unauthenticated(_) => (S::UNAUTHORIZED, "unauthenticated"),
        AccessError::MissingScope { .. } => (S::FORBIDDEN, "missing-scope"),
        AccessError::OperatorsOnly(_) => (S::FORBIDDEN, "operators-only"),
        AccessError::OtherPerson(_) => (S::FORBIDDEN, "other-person"),
        AccessError::NotFound => (S::NOT_FOUND, "not-found"),
        AccessError::TenantNeeded => (S::BAD_REQUEST, "tenant-needed"),
    };
    Problem::new(status, code, error.to_string())
}

fn of_the_store(error: &StoreError) -> Problem {
    use StatusCode as S;
    let (status, code) = match error {
        StoreError::NoInstance(_) => (S::NOT_FOUND, "no-instance"),
        StoreError::Exists(_) => (S::CONFLICT, "exists"),
        StoreError::Conflict(_) | StoreError::ActsMoved | StoreError::ReceiptMoved(_) => {
            (S::CONFLICT, "changed-meanwhile")
        }
        StoreError::AlreadyRedeemed(_) => (S::CONFLICT, "spent"),
        StoreError::Revoked(_) => (S::CONFLICT, "revoked"),
        StoreError::Quota(_) => (S::TOO_MANY_REQUESTS, "quota"),
        StoreError::Full(_) => (S::INSUFFICIENT_STORAGE, "full"),
        other => return Problem::internal(other),
    };
    Problem::new(status, code, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use receipt::Scope;

    fn of(error: IssueError) -> (u16, &'static str, String) {
        let problem = Problem::from(Error::Issue(error));
        (problem.status.as_u16(), problem.code, problem.detail)
    }

    #[test]
    fn an_error_of_the_authority_names_nothing_of_this_machine() {
        let socket = || std::path::PathBuf::from("/run/secret.sock");
        let down = IssueError::Unreachable { socket: socket(), why: "refused".to_owned() };
        let stranger = IssueError::Stranger { socket: socket(), found: 4_242, expected: 4_243 };
        for error in [down, stranger] {
            let (status, code, detail) = of(error);
            assert_eq!((status, code), (503, "no-authority"));
            assert!(!detail.contains("secret") && !detail.contains("424"), "{detail}");
        }
        assert_eq!(of(IssueError::NoActiveKey(Scope::Demo)).0, 500);
        let (status, code, _) = of(IssueError::Undecided("one more approval".to_owned()));
        assert_eq!((status, code), (422, "statement-refused"));
    }
}
