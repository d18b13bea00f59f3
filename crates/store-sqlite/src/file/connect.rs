//! The ways to connect to a journal's file, without reading its content.

use crate::file::schema::prepare;
use crate::sql::classify;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use store::StoreError;

/// Opens an existing journal for writing.
pub(crate) fn write(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(classify)?;
    prepare(&connection).map_err(classify)?;
    Ok(connection)
}

/// Opens it as it is, log and all, and leaves it so.
pub(crate) fn plain(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(classify)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(classify)?;
    Ok(connection)
}

/// Opens the file alone, without its log files.
pub(crate) fn immutable(path: &Path) -> Result<Connection, StoreError> {
    let uri = format!("file:{}?immutable=1", percent_encoded(path));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags).map_err(classify)
}

/// Opens it with its log, and keeps the log's index in this process: a disk that is full has no room for the file of the index. No other
/// connection reads the journal meanwhile.
pub(crate) fn alone(path: &Path) -> Result<Connection, StoreError> {
    let connection = plain(path)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(classify)?;
    connection.pragma_update(None, "query_only", true).map_err(classify)?;
    Ok(connection)
}

fn percent_encoded(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let encode = |byte: &u8| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    path.as_os_str().as_bytes().iter().map(encode).collect()
}
