//! Opening a journal, and telling whether it is one.

use crate::file::connect::{alone, immutable};
use crate::file::schema::{check_format, is_older, migrate, prepare_once};
use crate::file::{connect, wal};
use crate::sql::classify;
use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::{FolderError, StoreError, ownership};

/// Opens the journal to write, and makes it, for its owner only: it has what opens the receipts.
pub(crate) fn own(path: &Path) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::from(FolderError::Unusable { path: path.to_owned(), error });
    let made = File::options().write(true).create(true).truncate(false).mode(0o600).open(path);
    ownership::close_to_others(&made.map_err(failed)?).map_err(failed)?;
    // SQLite gives the journal's other files its mode. A lock on one of them would keep the owner from writing.
    for beside in ["-wal", "-shm"].map(|ending| with_ending(path, ending)) {
        match File::options().write(true).open(&beside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => opened.and_then(|file| ownership::close_to_others(&file)).map_err(failed)?,
        }
    }
    migrated(path).map_err(|error| read_only(error, path))
}

/// Opens a journal of any format that this program knows, in the newest.
fn migrated(path: &Path) -> Result<Connection, StoreError> {
    check_format(&connect::plain(path)?, path)?;
    wal::check(path)?;
    let mut connection = connect::write(path)?;
    migrate(&mut connection, &deployments_next_to(path))?;
    Ok(connection)
}

/// SQLite reports a read-only database if it may write the journal but may not create files in its folder.
fn read_only(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Database(error)
            if matches!(code(&error), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen)) =>
        {
            let folder = path.parent().unwrap_or(path).to_owned();
            let words = "this account may make no file in it: chmod u+w it, or mount it writable";
            let error = io::Error::new(io::ErrorKind::PermissionDenied, words);
            FolderError::Unusable { path: folder, error }.into()
        }
        other => other,
    }
}

/// Opens the journal for reading. Even then SQLite has to write to the write-ahead log. If this account may not
/// write, no process of this account is writing, and the file is read without the log.
pub(crate) fn read(path: &Path) -> Result<Connection, StoreError> {
    read_as_it_is(path).and_then(|connection| ready(connection, path))
}

/// Opens a journal of any format for reading.
pub(crate) fn read_as_it_is(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(classify)?;
    match check_format(&connection, path) {
        Err(StoreError::Database(error))
            if matches!(code(&error), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen)) =>
        {
            let connection = immutable(path)?;
            check_format(&connection, path)?;
            Ok(connection)
        }
        // The first process that opens a journal makes the index of the log, and nothing else is written to read it. If that is this
        // process, no other one is writing.
        Err(StoreError::Full(_)) => {
            drop(connection);
            let connection = match wal::has_log(path) {
                true => copied(&alone(path)?)?,
                false => immutable(path)?,
            };
            check_format(&connection, path)?;
            Ok(connection)
        }
        checked => checked.map(|()| connection),
    }
}

fn code(error: &Arc<dyn std::error::Error + Send + Sync>) -> Option<ErrorCode> {
    error.downcast_ref::<rusqlite::Error>()?.sqlite_error_code()
}

/// A journal stays of an older format until a process opens it to write. To read it, a copy in memory is migrated.
fn ready(connection: Connection, path: &Path) -> Result<Connection, StoreError> {
    prepare_once(&connection).map_err(classify)?;
    connection.pragma_update(None, "cell_size_check", true).map_err(classify)?;
    if !is_older(&connection).map_err(classify)? {
        return Ok(connection);
    }
    let mut copy = copied(&connection)?;
    migrate(&mut copy, &deployments_next_to(path))?;
    Ok(copy)
}

/// A copy in memory.
fn copied(connection: &Connection) -> Result<Connection, StoreError> {
    let mut copy = Connection::open_in_memory().map_err(classify)?;
    let backup = Backup::new(connection, &mut copy).map_err(classify)?;
    backup.run_to_completion(PAGES, Duration::ZERO, None).map_err(classify)?;
    drop(backup);
    Ok(copy)
}

fn deployments_next_to(journal: &Path) -> PathBuf {
    journal.with_file_name("deployments")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// The number of pages that are copied at a time.
const PAGES: i32 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sqlite;
    use std::fs;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    use store::DataFolder;
    use tempfile::TempDir;

    #[test]
    fn a_journal_is_not_for_others_to_open() {
        let folder = TempDir::new().unwrap();
        let files =
            ["", "-wal", "-shm"].map(|ending| with_ending(&folder.path().join("journal.sqlite"), ending));
        let modes = || {
            files
                .each_ref()
                .map(|file| fs::metadata(file).map_or(0, |found| found.permissions().mode() & 0o777))
        };
        let data = DataFolder::own(folder.path()).unwrap();
        let reader = {
            let store = Sqlite::open(&data).unwrap();
            assert_eq!(modes(), [0o600; 3]);
            // SQLite keeps the journal's other files while a reader is open.
            let reader = read(&files[0]).unwrap();
            drop(store);
            reader
        };
        for file in &files {
            fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
        }
        let store = Sqlite::open(&data).unwrap();
        assert_eq!(modes(), [0o600; 3], "left by an earlier version");
        drop((store, reader));
    }
}
