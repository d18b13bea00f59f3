//! A tenant's usage, counted from scratch and by other means than the host's.

use rusqlite::Connection;
use std::path::Path;
use store::Usage;

/// Counts it in the database in that data folder.
pub fn recount(folder: &Path, tenant: &str) -> Usage {
    let journal = Connection::open(folder.join("journal.sqlite")).unwrap();
    let one =
        |sql: &str| journal.query_row(sql, [tenant], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
    let ended = "coalesce((SELECT e.body ->> 'fact' FROM facts e WHERE e.of = i.id
        AND e.body ->> 'fact' IN ('completed', 'failed', 'terminated', 'restarted') ORDER BY idx DESC LIMIT 1), 'none') IN ('completed', 'failed', 'terminated')";
    let over = "EXISTS (SELECT 1 FROM facts e WHERE e.of = i.id AND e.body ->> 'request' = r.id AND e.body ->> 'fact' IN ('decided', 'lapsed', 'withdrawn'))";
    let requests = "FROM requests r JOIN instances i ON i.id = r.instance WHERE i.tenant = ?1";
    let bytes = [
        "FROM facts e JOIN instances i ON i.id = e.of WHERE i.tenant = ?1",
        "FROM asked e WHERE e.tenant = ?1",
        // A receipt stays when its instance is deleted.
        "FROM receipts e WHERE e.body ->> 'company_id' = ?1",
    ];
    let bytes = bytes.map(|rest| one(&format!("SELECT coalesce(sum(octet_length(e.body)), 0) {rest}")));
    let components = "SELECT coalesce(sum(length(bytes)), 0) FROM components WHERE digest IN
        (SELECT e.body ->> 'component' FROM facts e JOIN instances i ON i.id = e.of WHERE i.tenant = ?1 AND e.body ->> 'fact' = 'loaded')";
    let outputs = "SELECT coalesce(sum(octet_length(text)), 0) FROM outputs o JOIN instances i ON i.id = o.instance WHERE i.tenant = ?1";
    // Artifacts that existing instances have acted with, and live ones.
    let artifacts = "SELECT coalesce(sum(bytes), 0) FROM (
        SELECT e.body ->> '$.asked.artifact.sha256' AS sha256, e.body ->> '$.asked.artifact.bytes' AS bytes FROM facts e
            WHERE e.tenant = ?1 AND e.body ->> 'fact' = 'redeemed'
        UNION SELECT d.sha256, d.bytes FROM live l JOIN deployments d ON d.place = l.place WHERE l.tenant = ?1)";
    Usage {
        instances: one(&format!("SELECT count(*) FROM instances i WHERE i.tenant = ?1 AND NOT {ended}")),
        pending_approvals: one(&format!("SELECT count(*) {requests} AND NOT {over} AND NOT {ended}")),
        stored_bytes: bytes.iter().sum::<u64>() + one(components) + one(outputs) + one(artifacts),
    }
}
