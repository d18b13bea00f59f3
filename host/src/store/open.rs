//! Opening a journal, and telling whether it is one.

use crate::store::StoreError;
use crate::store::sqlite::classify;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OpenFlags;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// `PRAGMA application_id`: "PPHS".
const APPLICATION: i64 = 0x5050_4853;

/// `PRAGMA user_version`: the format of the tables and of the entries in them.
const FORMAT: i64 = 1;

/// Entries are only ever added at the end, in the order of their `seq`. What has to be found by another name is in a small table
/// beside them, written in the same transaction.
const TABLES: &str = "
    CREATE TABLE components (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE instances (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, instance TEXT NOT NULL, UNIQUE (tenant, instance)) STRICT;
    CREATE TABLE entries (seq INTEGER PRIMARY KEY, instance INTEGER NOT NULL, idx INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE UNIQUE INDEX entries_of_instance ON entries (instance, idx);
    CREATE TABLE requests (id TEXT PRIMARY KEY, instance INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE TABLE receipts (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, request TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
    CREATE TABLE redemptions (receipt TEXT PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;
    CREATE TABLE attestations (receipt TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    CREATE TABLE outputs (instance INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
";

/// Opens the journal to write, and makes it, for its owner only: it has what opens the receipts.
pub(super) fn own(path: &Path) -> Result<Connection, StoreError> {
    let make = File::options().write(true).create(true).truncate(false).mode(0o600).open(path);
    make.map_err(|error| StoreError::Folder { path: path.to_owned(), error })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(classify)?;
    check_format(&connection, path)?;
    prepare(&mut connection).map_err(classify)?;
    Ok(connection)
}

/// Opens the journal to read. A write-ahead log wants to be written to even then; where that is not allowed nobody else writes either,
/// as far as this user goes, and the file is read as it lies.
pub(super) fn read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(classify)?;
    match check_format(&connection, path) {
        Err(StoreError::Database(error))
            if matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen)) =>
        {
            let uri = format!("file:{}?immutable=1", percent_encoded(path));
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            let connection = Connection::open_with_flags(uri, flags).map_err(classify)?;
            check_format(&connection, path)?;
            Ok(connection)
        }
        checked => checked.map(|()| connection),
    }
}

fn percent_encoded(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let encode = |byte: &u8| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    path.as_os_str().as_bytes().iter().map(encode).collect()
}

fn check_format(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    let foreign = |error| match error {
        rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::NotADatabase => {
            StoreError::Foreign(path.to_owned())
        }
        other => classify(other),
    };
    let (tables, application, format) = (
        tables.map_err(foreign)?,
        pragma("application_id").map_err(classify)?,
        pragma("user_version").map_err(classify)?,
    );
    match () {
        () if tables > 0 && application != APPLICATION => Err(StoreError::Foreign(path.to_owned())),
        () if format > FORMAT => {
            Err(StoreError::Newer { path: path.to_owned(), found: format, known: FORMAT })
        }
        () => Ok(()),
    }
}

/// Write-ahead log with full synchronisation: a commit that has returned survives a power cut.
fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if format == 0 {
        let tx = connection.transaction()?;
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", FORMAT)?;
        tx.commit()?;
    }
    Ok(())
}
