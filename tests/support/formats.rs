//! Older formats of a data folder's journal, made from one of the newest.

use rusqlite::Connection;
use std::path::Path;

/// Each format with what takes a journal of it back to the format before, the newest first: a line for each step of
/// `crates/store-sqlite/src/file/schema.rs`.
const BACK: [(i64, &str); 7] = [
    (
        14,
        "DROP INDEX deployments_of_receipt; DROP INDEX deployments_of_tenant; DROP INDEX receipts_of_tenant; ALTER TABLE receipts DROP COLUMN tenant",
    ),
    (13, "DROP INDEX deletions_by_time; DROP INDEX deletions_of_tenant"),
    (12, "ALTER TABLE requests DROP COLUMN notified"),
    (11, "ALTER TABLE deletions DROP COLUMN state; ALTER TABLE deletions DROP COLUMN ended_at"),
    (10, "DROP TABLE artifacts"),
    (9, "DROP TABLE deployments; DROP TABLE live"),
    (
        8,
        "DROP TABLE precedents; DROP TABLE denials; ALTER TABLE subjects ADD COLUMN denied INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE known (tenant TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (tenant, digest)) STRICT, WITHOUT ROWID",
    ),
];

/// The newest format.
pub const NEWEST: i64 = BACK[0].0;

/// The oldest that a journal can be taken back to.
pub const OLDEST: i64 = BACK[BACK.len() - 1].0 - 1;

/// Opens the journal of a folder that no host has open.
pub fn journal(data: &Path) -> Connection {
    Connection::open(data.join("journal.sqlite")).unwrap()
}

/// The format of a folder's journal.
pub fn of(data: &Path) -> i64 {
    journal(data).query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// Takes the journal of a folder back from the newest format to this one. What the newer formats kept is lost.
pub fn take_back(data: &Path, format: i64) {
    assert!((OLDEST..NEWEST).contains(&format), "format {format}");
    assert_eq!(of(data), NEWEST, "tests/support/formats.rs lacks the newest format");
    let journal = journal(data);
    BACK.iter().filter(|(from, _)| *from > format).for_each(|(_, undo)| journal.execute_batch(undo).unwrap());
    journal.pragma_update(None, "user_version", format).unwrap();
}
