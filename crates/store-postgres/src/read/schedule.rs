//! Reading instances' states and due times, tenants' usage, and deployments.

use crate::error::{DatabaseError, damaged};
use crate::read::journals::names;
use crate::session::connection::{Connection, Value, values};
use crate::write::decide::number;
use crate::write::load::{key, name, state, text, usage};
use receipt::{Digest, Timestamp};
use store::{
    Deployment, DeploymentFilter, DeploymentPage, FirstEnded, InstanceKey, InstanceSummary,
    RecordedDeployment, ScheduleRow, Selection, StoreError, Usage,
};
use tokio_postgres::Row;
use workflow::TenantId;

/// The condition that this host holds the shard of the instance `i`. The server looks up the held shards once, and not for each instance.
macro_rules! held {
    ($claim:literal) => {
        concat!(
            " AND i.shard = ANY(ARRAY(SELECT c.shard FROM claims c WHERE c.claim = ",
            $claim,
            " AND c.until > clock_timestamp()))"
        )
    };
}

/// The tenants with a matching instance. The query steps from tenant to tenant by the index.
macro_rules! tenants {
    ($condition:literal, $($rest:tt)*) => {
        concat!(
            "WITH RECURSIVE next(tenant) AS (
                (SELECT i.tenant FROM instances i WHERE ",
            $condition,
            " ORDER BY i.tenant LIMIT 1)
                UNION ALL SELECT (SELECT i.tenant FROM instances i WHERE ",
            $condition,
            " AND i.tenant > next.tenant ORDER BY i.tenant LIMIT 1)
                    FROM next WHERE next.tenant IS NOT NULL) ",
            $($rest)*
        )
    };
}

/// The tenants with an instance that is due by then.
pub(crate) async fn due_tenants(
    db: &Connection,
    by: Timestamp,
    claim: String,
) -> Result<Vec<TenantId>, DatabaseError> {
    const SELECT: &str = tenants!(
        "i.due IS NOT NULL",
        "SELECT tenant FROM next WHERE tenant IS NOT NULL
            AND EXISTS (SELECT 1 FROM instances i WHERE i.tenant = next.tenant AND i.due <= $1",
        held!("$2"),
        ")"
    );
    let rows = db.query(SELECT, values![by.as_millis(), claim]).await?;
    Ok(rows.iter().map(|row| name(row, 0)).collect::<Result<_, _>>()?)
}

/// A tenant's instances that are due by then, the longest due first.
pub(crate) async fn due(
    db: &Connection,
    tenant: &TenantId,
    (by, limit): (Timestamp, u32),
    claim: String,
) -> Result<Vec<InstanceKey>, DatabaseError> {
    const SELECT: &str = concat!(
        "SELECT i.tenant, i.instance FROM instances i WHERE i.tenant = $1 AND i.due <= $2",
        held!("$4"),
        " ORDER BY i.due LIMIT $3"
    );
    keys(&db.query(SELECT, values![tenant.to_string(), by.as_millis(), i64::from(limit), claim]).await?)
}

/// The first time after that at which an instance is due.
pub(crate) async fn next_due(
    db: &Connection,
    after: Timestamp,
    claim: String,
) -> Result<Option<Timestamp>, DatabaseError> {
    const SELECT: &str = tenants!(
        "i.due IS NOT NULL",
        "SELECT min((SELECT min(i.due) FROM instances i WHERE i.tenant = next.tenant AND i.due > $1",
        held!("$2"),
        ")) FROM next WHERE tenant IS NOT NULL"
    );
    let row = db.one(SELECT, values![after.as_millis(), claim]).await?;
    Ok(row.and_then(|row| row.get::<_, Option<i64>>(0)).map(Timestamp::from_millis))
}

/// The state of an instance.
pub(crate) async fn entered(
    db: &Connection,
    key: &InstanceKey,
) -> Result<Option<InstanceSummary>, DatabaseError> {
    const SELECT: &str =
        "SELECT tenant, instance, state, due, since FROM instances WHERE tenant = $1 AND instance = $2";
    Ok(db.one(SELECT, names(key)).await?.as_ref().map(summary).transpose()?)
}

/// Instances and their states, newest first. With a tenant, the query reads no other tenant's rows.
pub(crate) async fn list(
    db: &Connection,
    selection: &Selection,
) -> Result<Vec<InstanceSummary>, DatabaseError> {
    macro_rules! select {
        ($whose:literal) => {
            concat!(
                "SELECT tenant, instance, state, due, since FROM instances WHERE ",
                $whose,
                " AND ($2::smallint IS NULL OR state = $2) AND ($6::bigint IS NULL OR since >= $6)
                AND ($4::text IS NULL OR id < (SELECT a.id FROM instances a WHERE a.tenant = $4 AND a.instance = $5))
                ORDER BY id DESC LIMIT $3"
            )
        };
    }
    const OF_ALL: &str = select!("$1::text IS NULL");
    const OF_ONE: &str = select!("tenant = $1::text");
    let tenant = selection.tenant.as_ref().map(ToString::to_string);
    let select = if tenant.is_some() { OF_ONE } else { OF_ALL };
    let (of, id) = match &selection.after {
        Some(key) => (Some(key.tenant.to_string()), Some(key.instance.to_string())),
        None => (None, None),
    };
    let since = selection.since.map(Timestamp::as_millis);
    let (state, limit) = (selection.state.map(number), selection.limit.map(i64::from));
    let rows = db.query(select, values![tenant, state, limit, of, id, since]).await?;
    Ok(rows.iter().map(summary).collect::<Result<_, _>>()?)
}

/// The tenants with ended instances, and the time at which the first of these ended.
pub(crate) async fn first_ended(db: &Connection) -> Result<Vec<FirstEnded>, DatabaseError> {
    const SELECT: &str = tenants!(
        "i.ended",
        "SELECT tenant, (SELECT min(i.since) FROM instances i WHERE i.ended AND i.tenant = next.tenant) FROM next
            WHERE tenant IS NOT NULL"
    );
    let first = |row: &Row| -> Result<_, StoreError> {
        Ok(FirstEnded { tenant: name(row, 0)?, at: Timestamp::from_millis(row.get(1)) })
    };
    Ok(db.query(SELECT, Vec::new()).await?.iter().map(first).collect::<Result<_, _>>()?)
}

/// A tenant's instances that had ended by then, the longest ended first.
pub(crate) async fn ended(
    db: &Connection,
    tenant: &TenantId,
    by: Timestamp,
    (skip, limit): (u32, u32),
) -> Result<Vec<InstanceKey>, DatabaseError> {
    const SELECT: &str = "SELECT tenant, instance FROM instances
        WHERE ended AND tenant = $1 AND since <= $2 ORDER BY since LIMIT $3 OFFSET $4";
    let values = values![tenant.to_string(), by.as_millis(), i64::from(limit), i64::from(skip)];
    keys(&db.query(SELECT, values).await?)
}

fn keys(rows: &[Row]) -> Result<Vec<InstanceKey>, DatabaseError> {
    Ok(rows.iter().map(|row| key(row, 0)).collect::<Result<_, _>>()?)
}

fn summary(row: &Row) -> Result<InstanceSummary, StoreError> {
    let due: Option<i64> = row.get(3);
    let schedule = ScheduleRow { state: state(row.get(2))?, due: due.map(Timestamp::from_millis) };
    Ok(InstanceSummary { key: key(row, 0)?, schedule, since: Timestamp::from_millis(row.get(4)) })
}

/// A tenant's usage: zero for an unknown tenant.
pub(crate) async fn kept(db: &Connection, tenant: &TenantId) -> Result<Usage, DatabaseError> {
    const USAGE: &str = "SELECT coalesce(sum(instances), 0)::bigint, coalesce(sum(pending), 0)::bigint, coalesce(sum(bytes), 0)::bigint
        FROM usage_parts WHERE tenant = $1";
    let row = db.one(USAGE, values![tenant.to_string()]).await?;
    Ok(row.map(|row| usage(&row, 0)).unwrap_or_default())
}

macro_rules! deployments {
    ($rest:literal) => {
        concat!(
            "SELECT d.place, d.id, d.tenant, d.resource, d.artifact, d.sha256, d.bytes, d.location, d.receipt, d.redeemed, d.approved_at,
                l.place IS NOT NULL ",
            $rest
        )
    };
}

/// Deployments, in the order in which they were recorded.
pub(crate) async fn deployments(
    db: &Connection,
    page: &DeploymentPage,
) -> Result<Vec<RecordedDeployment>, DatabaseError> {
    const ALL: &str = deployments!(
        "FROM deployments d LEFT JOIN live l ON l.place = d.place WHERE d.place > $1 ORDER BY d.place LIMIT $2"
    );
    const LIVE: &str = deployments!(
        "FROM deployments d JOIN live l ON l.place = d.place WHERE d.place > $1 ORDER BY d.place LIMIT $2"
    );
    const TENANT: &str = deployments!(
        "FROM deployments d LEFT JOIN live l ON l.place = d.place WHERE d.place > $1 AND d.tenant = $3 ORDER BY d.place LIMIT $2"
    );
    const RECEIPT: &str = deployments!(
        "FROM deployments d LEFT JOIN live l ON l.place = d.place WHERE d.place > $1 AND d.receipt = $3 ORDER BY d.place LIMIT $2"
    );
    let (after, limit) = (page.after.cast_signed(), i64::from(page.limit));
    let (select, values): (_, Vec<Value>) = match &page.filter {
        DeploymentFilter::All => (ALL, values![after, limit]),
        DeploymentFilter::Live => (LIVE, values![after, limit]),
        DeploymentFilter::Tenant(tenant) => (TENANT, values![after, limit, tenant.to_string()]),
        DeploymentFilter::Receipt(receipt) => (RECEIPT, values![after, limit, receipt.to_string()]),
    };
    let rows = db.query(select, values).await?;
    let recorded = |row: &Row| -> Result<_, StoreError> {
        let place = row.get::<_, i64>(0).unsigned_abs();
        Ok(RecordedDeployment { place, deployment: deployment(row)?, is_live: row.get(11) })
    };
    Ok(rows.iter().map(recorded).collect::<Result<_, _>>()?)
}

/// The deployment that a resource serves now.
pub(crate) async fn live(
    db: &Connection,
    tenant: &TenantId,
    resource: &str,
) -> Result<Option<Deployment>, DatabaseError> {
    const LIVE: &str = deployments!(
        "FROM live l JOIN deployments d ON d.place = l.place WHERE l.tenant = $1 AND l.digest = sha256($2::bytea)"
    );
    let values: Vec<Value> = values![tenant.to_string(), resource.as_bytes().to_vec()];
    Ok(db.one(LIVE, values).await?.as_ref().map(deployment).transpose()?)
}

/// Whether a tenant keeps an artifact.
pub(crate) async fn keeps(db: &Connection, sha256: &Digest) -> Result<bool, DatabaseError> {
    const HELD: &str = "SELECT 1 FROM artifacts WHERE sha256 = $1 AND holders > 0 LIMIT 1";
    Ok(db.one(HELD, values![sha256.to_string()]).await?.is_some())
}

fn deployment(row: &Row) -> Result<Deployment, StoreError> {
    let number = |column| row.get::<_, i64>(column).unsigned_abs();
    Ok(Deployment {
        id: row.get(1),
        tenant: name(row, 2)?,
        resource: text(row, 3)?,
        artifact: text(row, 4)?,
        artifact_sha256: row.get::<_, &str>(5).parse().map_err(damaged)?,
        artifact_bytes: number(6),
        location: text(row, 7)?,
        receipt_id: row.get(8),
        order: number(9),
        approved_at: Timestamp::from_millis(row.get(10)),
    })
}
