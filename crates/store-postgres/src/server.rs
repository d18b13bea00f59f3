//! Which server this is, and which history of it: a standby that was promoted has the same identifier and another timeline.

use crate::connection::Connection;
use crate::error::{PostgresError, Trouble};

/// A server's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    system: i64,
    timeline: String,
}

impl Server {
    /// Looks it up.
    pub(crate) async fn of(db: &Connection) -> Result<Self, Trouble> {
        const IDENTITY: &str = "SELECT system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM pg_control_system()";
        let row = db.one(IDENTITY, Vec::new()).await?;
        let row =
            row.ok_or_else(|| PostgresError::Server("the server does not say which one it is".to_owned()))?;
        Ok(Self { system: row.get(0), timeline: row.get(1) })
    }

    /// Refuses another server. Another timeline of the same one is taken over: a standby was promoted. Whether it was.
    pub(crate) fn compare(&mut self, now: &Self) -> Result<bool, PostgresError> {
        if self.system != now.system {
            let named = |server: &Self| format!("server {} (timeline {})", server.system, server.timeline);
            return Err(PostgresError::OtherServer { before: named(self), now: named(now) });
        }
        let was_promoted = self.timeline != now.timeline;
        self.timeline.clone_from(&now.timeline);
        Ok(was_promoted)
    }
}
