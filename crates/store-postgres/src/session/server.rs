//! The server's identity and history, and whether its commits are on a second machine: a promoted standby has the same
//! identifier and another timeline.

use crate::error::{DatabaseError, PostgresError};
use crate::session::connection::Connection;
use receipt::Timestamp;
use tokio_postgres::Row;

/// The server's state when it was last queried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    system: i64,
    timeline: String,
    /// Whether a commit waits until it is on the disk of a standby.
    pub(crate) is_synchronous: bool,
    /// Its clock.
    pub(crate) now: Timestamp,
}

/// The result of a query of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerCheck {
    Same,
    /// A standby was promoted that has all acknowledged commits.
    Promoted,
}

impl Server {
    /// Queries the server.
    pub(crate) async fn of(db: &Connection) -> Result<Self, DatabaseError> {
        const LOOK: &str = "SELECT system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8),
                current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') IN ('on', 'remote_apply'),
                (extract(epoch FROM clock_timestamp()) * 1000)::bigint
            FROM pg_control_system()";
        let row = db.one(LOOK, Vec::new()).await?;
        let read = |row: Row| Self {
            system: row.get(0),
            timeline: row.get(1),
            is_synchronous: row.get(2),
            now: Timestamp::from_millis(row.get(3)),
        };
        let silent = || PostgresError::Server("the server did not report its identifier".to_owned());
        Ok(row.map(read).ok_or_else(silent)?)
    }

    /// Accepts the server's present state. Refuses another server, and another timeline if commits were not
    /// synchronous before: the last acknowledged commits may be lost with the previous server.
    pub(crate) fn compare(&mut self, now: &Self) -> Result<ServerCheck, PostgresError> {
        if self.system != now.system {
            let named = |server: &Self| format!("server {} (timeline {})", server.system, server.timeline);
            return Err(PostgresError::OtherServer { before: named(self), now: named(now) });
        }
        let was_promoted = self.timeline != now.timeline;
        if was_promoted && !self.is_synchronous {
            let why = "commits were not synchronous before it, so that the last ones may be lost".to_owned();
            return Err(self.lossy(now, why));
        }
        self.clone_from(now);
        Ok(if was_promoted { ServerCheck::Promoted } else { ServerCheck::Same })
    }

    /// A failover that may have lost commits, and the reason for that conclusion.
    fn lossy(&self, now: &Self, why: String) -> PostgresError {
        PostgresError::LossyFailover { before: self.timeline.clone(), now: now.timeline.clone(), why }
    }

    /// A failover to this server that has certainly lost commits.
    pub(crate) fn has_lost(&self, commits: i64) -> PostgresError {
        let why = format!("the last {commits} commits of this host are not there");
        PostgresError::LossyFailover { before: "before".to_owned(), now: self.timeline.clone(), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(system: i64, timeline: &str, is_synchronous: bool) -> Server {
        Server { system, timeline: timeline.to_owned(), is_synchronous, now: Timestamp::from_millis(0) }
    }

    #[test]
    fn a_promoted_standby_is_accepted_where_commits_were_synchronous_and_another_server_never() {
        for is_synchronous in [false, true] {
            let before = server(1, "00000001", is_synchronous);
            assert_eq!(
                before.clone().compare(&server(1, "00000001", !is_synchronous)),
                Ok(ServerCheck::Same)
            );
            for timeline in ["00000001", "00000002"] {
                let other = before.clone().compare(&server(2, timeline, true));
                assert!(matches!(other, Err(PostgresError::OtherServer { .. })), "{other:?}");
            }
            let mut seen = before;
            let promoted = seen.compare(&server(1, "00000002", true));
            match is_synchronous {
                true => assert_eq!(promoted, Ok(ServerCheck::Promoted)),
                false => assert!(matches!(promoted, Err(PostgresError::LossyFailover { .. }))),
            }
            // A refused server is not recorded: the next one is compared with the server before.
            assert_eq!(seen.timeline, if is_synchronous { "00000002" } else { "00000001" });
        }
    }
}
