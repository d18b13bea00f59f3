//! The schedule: one row for each instance with its state and due time, found by an index.

use crate::sql::{cell, cell_0, damaged, every, key_at, one, run};
use crate::tables::usage::changed;
use receipt::Timestamp;
use rusqlite::{Connection, Row, params};
use store::{
    FirstEnded, InstanceKey, InstanceState, InstanceSummary, ScheduleRow, Selection, StoreError, UsageChange,
};
use workflow::TenantId;

/// Updates an instance's row, and its tenant's counts: an instance that has ended does not count as one, and none of
/// its requests waits for a decision.
pub(crate) fn enter(
    db: &Connection,
    (row, last): (i64, Option<i64>),
    schedule: ScheduleRow,
    since: Timestamp,
    change: &mut UsageChange,
) -> Result<(), StoreError> {
    const LEFT: &str = "UPDATE requests SET open = 0 WHERE instance = ?1 AND open = 1";
    const UPDATE: &str =
        "UPDATE instances SET state = ?2, due = ?3, since = ?4, ended = ?5, last = ?6 WHERE id = ?1";
    let had_ended = one(db, "SELECT ended FROM instances WHERE id = ?1", [row], cell_0::<i64>)?;
    let (before, ended) = (had_ended.unwrap_or(0), i64::from(schedule.state.has_ended()));
    change.instances += before - ended;
    if ended == 1 {
        change.pending -= changed(db, LEFT, [row])?;
    }
    let due = schedule.due.map(Timestamp::as_millis);
    run(db, UPDATE, params![row, number(schedule.state), due, since.as_millis(), ended, last])
}

/// The tenants that have a time at all, from one to the next by the index.
macro_rules! tenants {
    ($rest:literal) => {
        concat!(
            "WITH RECURSIVE next(tenant) AS (
                SELECT min(tenant) FROM instances WHERE due IS NOT NULL
                UNION ALL SELECT (SELECT min(i.tenant) FROM instances i WHERE i.due IS NOT NULL AND i.tenant > next.tenant)
                    FROM next WHERE next.tenant IS NOT NULL) ",
            $rest
        )
    };
}

/// The tenants that have an instance that is due at the time `by`.
pub(crate) fn due_tenants(db: &Connection, by: Timestamp) -> Result<Vec<TenantId>, StoreError> {
    const SELECT: &str = tenants!(
        "SELECT tenant FROM next WHERE tenant IS NOT NULL
            AND EXISTS (SELECT 1 FROM instances i WHERE i.tenant = next.tenant AND i.due <= ?1)"
    );
    every(db, SELECT, [by.as_millis()], |row| cell::<String>(row, 0)?.parse().map_err(damaged))
}

/// A tenant's instances that are due at the time `by`, the longest due first.
pub(crate) fn due(
    db: &Connection,
    tenant: &TenantId,
    by: Timestamp,
    limit: u32,
) -> Result<Vec<InstanceKey>, StoreError> {
    const SELECT: &str =
        "SELECT tenant, instance FROM instances WHERE tenant = ?1 AND due <= ?2 ORDER BY due LIMIT ?3";
    every(db, SELECT, params![tenant.as_str(), by.as_millis(), limit], |row| key_at(row, 0))
}

/// The first time after `after` at which an instance is due.
pub(crate) fn next_due(db: &Connection, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    const SELECT: &str = tenants!(
        "SELECT min((SELECT min(i.due) FROM instances i WHERE i.tenant = next.tenant AND i.due > ?1)) FROM next
            WHERE tenant IS NOT NULL"
    );
    let found: Option<Option<i64>> = one(db, SELECT, [after.as_millis()], cell_0)?;
    Ok(found.flatten().map(Timestamp::from_millis))
}

/// An instance's line.
pub(crate) fn entered(db: &Connection, key: &InstanceKey) -> Result<Option<InstanceSummary>, StoreError> {
    const SELECT: &str =
        "SELECT tenant, instance, state, due, since FROM instances WHERE tenant = ?1 AND instance = ?2";
    one(db, SELECT, [key.tenant.as_str(), key.instance.as_str()], line)
}

/// The newest instances of a selection. A tenant's are found by its name, without reading other tenants'.
pub(crate) fn list(db: &Connection, selection: &Selection) -> Result<Vec<InstanceSummary>, StoreError> {
    macro_rules! select {
        ($whose:literal) => {
            concat!(
                "SELECT tenant, instance, state, due, since FROM instances WHERE ",
                $whose,
                " AND (?2 IS NULL OR state = ?2) AND (?6 IS NULL OR since >= ?6)
                AND (?4 IS NULL OR id < (SELECT a.id FROM instances a WHERE a.tenant = ?4 AND a.instance = ?5))
                ORDER BY id DESC LIMIT ?3"
            )
        };
    }
    const OF_ALL: &str = select!("?1 IS NULL");
    const OF_ONE: &str = select!("tenant = ?1");
    let tenant = selection.tenant.as_ref().map(TenantId::as_str);
    let select = if tenant.is_some() { OF_ONE } else { OF_ALL };
    let state = selection.state.map(number);
    let limit = selection.limit.map_or(-1, i64::from);
    let after = selection.after.as_ref();
    let (of, id) = (after.map(|key| key.tenant.as_str()), after.map(|key| key.instance.as_str()));
    let since = selection.since.map(Timestamp::as_millis);
    every(db, select, params![tenant, state, limit, of, id, since], line)
}

/// The tenants that have instances which have ended, from one to the next by the index, and when the first did.
pub(crate) fn first_ended(db: &Connection) -> Result<Vec<FirstEnded>, StoreError> {
    const SELECT: &str = "WITH RECURSIVE next(tenant) AS (
            SELECT min(tenant) FROM instances WHERE ended = 1
            UNION ALL SELECT (SELECT min(i.tenant) FROM instances i WHERE i.ended = 1 AND i.tenant > next.tenant)
                FROM next WHERE next.tenant IS NOT NULL)
        SELECT tenant, (SELECT min(i.since) FROM instances i WHERE i.ended = 1 AND i.tenant = next.tenant) FROM next
            WHERE tenant IS NOT NULL";
    every(db, SELECT, [], |row| {
        let tenant = cell::<String>(row, 0)?.parse().map_err(damaged)?;
        Ok(FirstEnded { tenant, at: Timestamp::from_millis(cell(row, 1)?) })
    })
}

/// A tenant's instances that had ended at the time `by`, the longest ended first: at most `limit`, without the first
/// `skip`.
pub(crate) fn ended(
    db: &Connection,
    tenant: &TenantId,
    by: Timestamp,
    (skip, limit): (u32, u32),
) -> Result<Vec<InstanceKey>, StoreError> {
    const SELECT: &str = "SELECT tenant, instance FROM instances
        WHERE ended = 1 AND tenant = ?1 AND since <= ?2 ORDER BY since LIMIT ?3 OFFSET ?4";
    every(db, SELECT, params![tenant.as_str(), by.as_millis(), limit, skip], |row| key_at(row, 0))
}

fn line(row: &Row<'_>) -> Result<InstanceSummary, StoreError> {
    let due: Option<i64> = cell(row, 3)?;
    let schedule = ScheduleRow { state: of_number(cell(row, 2)?)?, due: due.map(Timestamp::from_millis) };
    Ok(InstanceSummary { key: key_at(row, 0)?, schedule, since: Timestamp::from_millis(cell(row, 4)?) })
}

/// A state's number in the database: its index in [`InstanceState::ALL`].
pub(crate) fn number(state: InstanceState) -> i64 {
    InstanceState::ALL.iter().position(|known| *known == state).map_or(-1, |index| index as i64)
}

pub(crate) fn of_number(number: i64) -> Result<InstanceState, StoreError> {
    let known = usize::try_from(number).ok().and_then(|number| InstanceState::ALL.get(number).copied());
    known.ok_or_else(|| StoreError::Damaged(format!("an instance has the unknown state {number}")))
}
