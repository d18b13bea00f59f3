//! The few functions with which this crate calls SQLite, and the meaning of SQLite's errors.

use crate::locked::Locked;
use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_WRITE};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Params, Row};
use std::sync::Arc;
use store::{InstanceKey, Medium, StoreError};

/// The first row, if there is one.
pub(crate) fn one<T>(
    db: &Connection,
    select: &str,
    values: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut select = db.prepare_cached(select).map_err(classify)?;
    select.query_row(values, |row| Ok(read(row))).optional().map_err(classify)?.transpose()
}

/// Every row, in order.
pub(crate) fn every<T>(
    db: &Connection,
    select: &str,
    values: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut select = db.prepare_cached(select).map_err(classify)?;
    let mut rows = select.query(values).map_err(classify)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(classify)? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Calls the function with each row, in order.
pub(crate) fn each(
    db: &Connection,
    select: &str,
    values: impl Params,
    mut act: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut select = db.prepare_cached(select).map_err(classify)?;
    let mut rows = select.query(values).map_err(classify)?;
    while let Some(row) = rows.next().map_err(classify)? {
        act(row)?;
    }
    Ok(())
}

pub(crate) fn cell<T: rusqlite::types::FromSql>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    row.get(column).map_err(classify)
}

pub(crate) fn cell_0<T: rusqlite::types::FromSql>(row: &Row<'_>) -> Result<T, StoreError> {
    cell(row, 0)
}

pub(crate) fn key_at(row: &Row<'_>, column: usize) -> Result<InstanceKey, StoreError> {
    let part = |column| cell::<String>(row, column);
    let (tenant, instance) = (part(column)?, part(column + 1)?);
    Ok(InstanceKey { tenant: tenant.parse().map_err(damaged)?, instance: instance.parse().map_err(damaged)? })
}

pub(crate) fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(error.to_string())
}

pub(crate) fn classify(error: rusqlite::Error) -> StoreError {
    match &error {
        rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::DiskFull => {
            StoreError::Full(Medium::Folder)
        }
        // The system does not let the file grow: a quota or a size limit, which SQLite reports like a broken disk.
        rusqlite::Error::SqliteFailure(code, _)
            if [SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE].contains(&code.extended_code) =>
        {
            StoreError::Full(Medium::Folder)
        }
        rusqlite::Error::SqliteFailure(code, _)
            if matches!(code.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
        {
            StoreError::Damaged(error.to_string())
        }
        rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::DatabaseBusy => {
            StoreError::Unavailable(Arc::new(Locked::find()))
        }
        _ => StoreError::Database(Arc::new(error)),
    }
}

pub(crate) fn run(db: &Connection, statement: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(statement).map_err(classify)?;
    statement.execute(values).map(drop).map_err(classify)
}

/// An insert that fails if another writer was first.
pub(crate) fn unique(
    db: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
    key: &InstanceKey,
) -> Result<(), StoreError> {
    let mut statement = db.prepare_cached(statement).map_err(classify)?;
    statement.execute(values).map(drop).map_err(|error| conflict(error, key))
}

pub(crate) fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

pub(crate) fn conflict(error: rusqlite::Error, key: &InstanceKey) -> StoreError {
    if is_constraint(&error) { StoreError::Conflict(key.clone()) } else { classify(error) }
}
