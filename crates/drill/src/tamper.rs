//! Alters a database directly. The host itself writes to it only through [`Store`](store::Store).

use crate::Obstacle;
use crate::fixture::Fixture;
use rusqlite::{Connection, Params, params};
use std::time::Duration;
use store::InstanceKey;

/// Changes rows of the drill's own temporary database, as an attacker with write access to a data folder could. An attack that changes
/// nothing was not tried.
pub(super) fn rewrite(ground: &Fixture, statement: &str, params: impl Params) -> Result<(), Obstacle> {
    let database = Connection::open(ground.data().join("journal.sqlite"))?;
    database.busy_timeout(Duration::from_secs(5))?;
    match database.execute(statement, params)? {
        0 => Err(format!("no row was changed by: {statement}").into()),
        _ => Ok(()),
    }
}

/// Adds a fact to an instance's journal, as if the host had.
pub(super) fn add_fact(ground: &Fixture, key: &InstanceKey, body: &str) -> Result<(), Obstacle> {
    let statement = "INSERT INTO entries (seq, instance, idx, at, body, prev) \
         SELECT (SELECT max(seq + count) FROM entries), instance, max(idx + count), max(at), ?1, max(seq) FROM entries \
         WHERE instance = (SELECT id FROM instances WHERE instance = ?2)";
    rewrite(ground, statement, params![body, key.instance.as_str()])
}

/// Replaces a text in every fact of an instance that has it. Such an attacker also removes the checksums that would
/// show it.
pub(super) fn rewrite_journal(
    ground: &Fixture,
    key: &InstanceKey,
    from: &str,
    to: &str,
) -> Result<(), Obstacle> {
    let statement = "UPDATE entries SET bytes = NULL, sum = NULL, body = \
         (SELECT group_concat(replace(body, ?1, ?2), char(4)) FROM (SELECT body FROM facts WHERE row = entries.seq AND of = entries.instance ORDER BY seq)) \
         WHERE seq IN (SELECT row FROM facts WHERE instance = ?3 AND instr(body, ?1) > 0)";
    rewrite(ground, statement, params![from, to, key.instance.as_str()])
}
