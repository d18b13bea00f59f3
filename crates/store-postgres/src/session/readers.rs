//! Sessions for reading: a few, kept open, each lent to one read at a time.

use crate::error::DatabaseError;
use crate::session::connection::Connection;
use crate::session::shared::Shared;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most concurrent sessions.
const SESSIONS: usize = 4;

/// The time for which an unresponsive server is retried: as long as one takes to start.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The sessions that are not lent.
pub(crate) struct Readers {
    shared: Arc<Shared>,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// A session that is lent.
pub(crate) struct PooledConnection {
    connection: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, idle: Mutex::default(), permits: Arc::new(Semaphore::new(SESSIONS)) }
    }

    /// Lends a session, and opens one if none is idle.
    pub(crate) async fn acquire(self: &Arc<Self>) -> Result<PooledConnection, DatabaseError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Stopped)?;
        let connection = match self.take() {
            Some(connection) => connection,
            None => self.shared.connect(TIMEOUT).await?,
        };
        Ok(PooledConnection { connection: Some(connection), readers: Arc::clone(self), _permit: permit })
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.is_closed());
        idle.pop()
    }
}

impl Deref for PooledConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        // Only `drop` takes it.
        #[expect(clippy::unwrap_used, reason = "it has its session until it is dropped")]
        self.connection.as_ref().unwrap()
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(Connection::is_idle) {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
