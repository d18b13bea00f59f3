//! The meaning of PostgreSQL's errors.

use std::fmt;
use std::sync::Arc;
use store::{Medium, StoreError};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// The fault of a database, or of the connection to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresError {
    /// The URL is not valid, or has an option that this client does not support.
    Url(String),
    /// The server cannot be reached, or refuses this account.
    Connect {
        /// The hosts and the database, without a password.
        place: String,
        /// The problem.
        problem: String,
    },
    /// There is no schema yet.
    NoSchema {
        /// The hosts and the database.
        place: String,
    },
    /// A schema of an older program.
    OldSchema {
        /// The version found.
        found: i32,
        /// The version known.
        known: i32,
    },
    /// A schema of a newer program.
    NewSchema {
        /// The version found.
        found: i32,
        /// The version known.
        known: i32,
    },
    /// The database to which a data folder is to be moved is not empty.
    NotEmpty {
        /// The hosts and the database.
        place: String,
    },
    /// The connection ended during the commit of a move.
    Undecided {
        /// The hosts and the database.
        place: String,
    },
    /// The server is not the one before, or has another history.
    OtherServer {
        /// The earlier server.
        before: String,
        /// The present server.
        now: String,
    },
    /// A standby was promoted that may lack acknowledged commits.
    LossyFailover {
        /// The timeline before.
        before: String,
        /// The timeline now.
        now: String,
        /// How it was detected.
        why: String,
    },
    /// Synchronous replication is demanded, and commits are not synchronous.
    NotSynchronous {
        /// The hosts and the database.
        place: String,
    },
    /// An artifact is in object storage, and this host has none.
    NoObjectStorage {
        /// The artifact.
        digest: String,
    },
    /// An artifact's object is missing.
    NoObject {
        /// The artifact.
        digest: String,
        /// The object.
        name: String,
    },
    /// The facts after a place cannot be read yet, as a transaction that may add some before them is open.
    OpenTransaction {
        /// The place.
        after: i64,
        /// The transaction's process.
        whose: String,
        /// Since when it is open.
        since: String,
    },
    /// Another process, elsewhere, works as this host.
    SameHost {
        /// The host.
        host: String,
    },
    /// The database has no record of this host.
    UnknownHost {
        /// The host.
        host: String,
    },
    /// The connection ended, or the server stopped answering.
    Lost(String),
    /// The server refused a statement.
    Server(String),
}

impl std::error::Error for PostgresError {}

impl fmt::Display for PostgresError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(problem) => {
                write!(f, "not a URL of a PostgreSQL database: {problem} (postgres://USER@HOST/DATABASE)")
            }
            Self::Connect { place, problem } => write!(f, "cannot use the database at {place}: {problem}"),
            Self::NoSchema { place } => {
                write!(
                    f,
                    "the database at {place} has no schema of pp-host yet: make it with pp-host migrate"
                )
            }
            Self::OldSchema { found, known } => write!(
                f,
                "the database has schema version {found} and this pp-host needs {known}: upgrade it with pp-host migrate"
            ),
            Self::NewSchema { found, known } => write!(
                f,
                "the database was made by a newer pp-host (schema version {found}; this one knows {known}): use that version"
            ),
            Self::NotEmpty { place } => write!(
                f,
                "the database at {place} is not empty, and a data folder is moved to an empty one: name another database, or another schema in it with ?options=-csearch_path%3DSCHEMA"
            ),
            Self::Undecided { place } => write!(
                f,
                "the connection to the database at {place} ended during the last commit, so that it is not known whether the folder was moved: run the same command again"
            ),
            Self::OtherServer { before, now } => write!(
                f,
                "the database is {now} and was {before}: after a failover, start pp-host again once the right server is in service"
            ),
            Self::LossyFailover { before, now, why } => write!(
                f,
                "a standby of the database was promoted (timeline {before}, {now} now), and {why}: receipts that were spent may be unspent, and their actions be done again. This host does nothing more: compare what your targets have with pp-host receipts list, revoke what was acted on, then start pp-host again"
            ),
            Self::NotSynchronous { place } => write!(
                f,
                "commits in the database at {place} are not synchronous, which --require-synchronous demands: set synchronous_standby_names there and leave synchronous_commit on, or leave the option out"
            ),
            Self::NoObjectStorage { digest } => write!(
                f,
                "artifact {digest} is in object storage, and this host has none: start it with the --artifacts that the other hosts have"
            ),
            Self::NoObject { digest, name } => write!(
                f,
                "artifact {digest} is missing: the database says that it is in {name}; if that is another bucket than the other hosts have, correct --artifacts, else restore the object"
            ),
            Self::OpenTransaction { after, whose, since } => write!(
                f,
                "the facts after place {after} cannot be read: a transaction that may add facts before them is open in the database, of {whose}, since {since}; if it does not end, end it there, with pg_terminate_backend or ROLLBACK PREPARED"
            ),
            Self::SameHost { host } => f.write_str(&same_host(host)),
            Self::UnknownHost { host } => f.write_str(&unknown_host(host)),
            Self::Lost(problem) => write!(f, "the connection to the database was lost: {problem}"),
            Self::Server(problem) => f.write_str(problem),
        }
    }
}

fn same_host(host: &str) -> String {
    format!(
        "another process uses this host's id, {host}, and has claims under it, so this one drives nothing: if a data folder was copied, end this host, remove the file host in its folder and start it again; if the folder was moved or the machine started again, the claims before end within seconds"
    )
}

fn unknown_host(host: &str) -> String {
    format!(
        "the database has no record of this host, {host}, as after a restore of an older one: start this host again, which makes one"
    )
}

impl From<PostgresError> for StoreError {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Server(_) => Self::Database(Arc::new(error)),
            other => Self::Unavailable(Arc::new(other)),
        }
    }
}

/// Why work in the database failed.
#[derive(Debug)]
pub(crate) enum DatabaseError {
    /// The transaction was rolled back because of another one. A retry may succeed.
    Raced(StoreError),
    /// The connection is gone. Whether a commit that was under way took place is not known.
    Lost(StoreError),
    /// A retry does not succeed either.
    Refused(StoreError),
}

impl DatabaseError {
    /// The error for the caller.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Raced(error) | Self::Lost(error) | Self::Refused(error) => error,
        }
    }
}

impl From<StoreError> for DatabaseError {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<PostgresError> for DatabaseError {
    fn from(error: PostgresError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<Error> for DatabaseError {
    fn from(error: Error) -> Self {
        let lost = || Self::Lost(PostgresError::Lost(words(&error)).into());
        let Some(code) = error.code() else { return lost() };
        let raced = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::UNIQUE_VIOLATION,
        ];
        match code {
            code if raced.contains(code) => Self::Raced(meaning(&error)),
            code if is_about_the_connection(code) => lost(),
            _ => Self::Refused(meaning(&error)),
        }
    }
}

/// Classes of codes of a server that ends the session, shuts down, or can no longer write.
fn is_about_the_connection(code: &SqlState) -> bool {
    const ENDS: [&str; 7] = ["57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "25006"];
    code.code().starts_with("08") || ENDS.contains(&code.code())
}

/// The error for a caller of the store.
pub(crate) fn meaning(error: &Error) -> StoreError {
    let damaged = [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED];
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => StoreError::Full(Medium::Database),
        Some(code) if damaged.contains(code) => StoreError::Damaged(words(error)),
        _ => PostgresError::Server(words(error)).into(),
    }
}

/// The error in words: the server's message with its code, or the client's with its causes.
pub(crate) fn words(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// A row that no version of this program can have written.
pub(crate) fn damaged(error: impl fmt::Display) -> StoreError {
    StoreError::Damaged(error.to_string())
}
