//! Errors of a bucket, with hints.

use object_store::Error;
use std::fmt;
use std::sync::Arc;
use store::StoreError;

/// The most characters of a server's message that an error repeats.
const LONGEST: usize = 300;

/// A fault of object storage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    /// A setting, such as the endpoint, is not valid.
    #[error("cannot use {place}: {problem}; look at the variables that begin with AWS_")]
    Settings {
        /// The bucket.
        place: String,
        /// The problem.
        problem: String,
    },
    /// There are no credentials.
    #[error(
        "there are no credentials for {place} ({problem}): set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives them"
    )]
    NoCredentials {
        /// The bucket.
        place: String,
        /// The problem.
        problem: String,
    },
    /// The server does not accept the credentials, or they do not allow the request.
    #[error(
        "{place} refuses the credentials ({problem}): they need GetObject, PutObject, DeleteObject and ListBucket there"
    )]
    Refused {
        /// The bucket.
        place: String,
        /// The server's words.
        problem: String,
    },
    /// There is no such bucket.
    #[error(
        "there is no bucket {bucket} at {endpoint}: make it, or name another with --artifacts s3://BUCKET/PREFIX"
    )]
    NoBucket {
        /// The bucket's name.
        bucket: String,
        /// The server.
        endpoint: String,
    },
    /// The server cannot be reached, or does not answer as an object storage does.
    #[error(
        "cannot use {place} at {endpoint}: {problem}; look at AWS_ENDPOINT_URL, AWS_REGION and the network"
    )]
    Unreachable {
        /// The bucket.
        place: String,
        /// The server.
        endpoint: String,
        /// The problem.
        problem: String,
    },
}

impl From<BucketError> for StoreError {
    fn from(error: BucketError) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}

/// An error on one line: its innermost cause, or the code and the message of a server's answer.
pub(crate) fn words(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once('<')?.0.trim())
    };
    let said = match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => text.clone(),
    };
    OneLine(&said).to_string()
}

/// The server's code of an error, such as `NoSuchBucket`.
pub(crate) fn has_code(error: &Error, code: &str) -> bool {
    error.to_string().contains(&format!("<Code>{code}</Code>"))
}

/// Whether the server refused the credentials or the request. Not every request has an error of its own for that.
pub(crate) fn is_refused(error: &Error) -> bool {
    let refusals = ["status code: 401", "status code: 403"];
    let said = error.to_string();
    matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. })
        || refusals.iter().any(|refusal| said.contains(refusal))
}

/// A text of bounded length without control characters.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = self.0.chars().map(|c| if c.is_control() { ' ' } else { c });
        f.write_str(&printable.take(LONGEST).collect::<String>())
    }
}
