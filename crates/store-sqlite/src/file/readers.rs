//! Connections that read. A long read blocks no other read and no write.

use crate::file::open;
use crate::sql::run;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::StoreError;

/// The most idle connections that are kept open: opening one costs as much as twenty reads.
const IDLE: usize = 32;

/// Connections that are free.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Opens the first.
    pub(crate) fn open(path: PathBuf) -> Result<Self, StoreError> {
        let first = open::read(&path)?;
        Ok(Self { path, idle: Mutex::new(vec![first]) })
    }

    /// Reads the committed state of one moment.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self.lock().pop();
        let connection = idle.map_or_else(|| open::read(&self.path), Ok)?;
        run(&connection, "BEGIN", [])?;
        let result = read(&connection);
        run(&connection, "COMMIT", [])?;
        let mut idle = self.lock();
        if idle.len() < IDLE {
            idle.push(connection);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
