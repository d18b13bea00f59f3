//! Deployments and live pointers as rows, committed with the outcome in the journal.

use crate::sql::{cell, cell_0, classify, damaged, every, one};
use crate::tables::artifacts;
use crate::tables::usage::changed;
use receipt::Timestamp;
use rusqlite::{Connection, Row, params};
use std::path::{Path, PathBuf};
use std::{fs, io};
use store::{Deployment, DeploymentFilter, DeploymentPage, RecordedDeployment, StoreError};
use workflow::TenantId;

const COLUMNS: &str = "d.place, d.id, d.tenant, d.resource, d.artifact, d.sha256, d.bytes, d.location, d.receipt, d.redeemed, d.approved_at";

/// Records a deployment and switches its resource's live pointer, unless a later redeemed one is live. A deployment that is on record, under
/// its id, stays as it is: an attempt that is made again changes nothing. Its artifact is kept for as long as the instance (its row) is, and the
/// resource serves it. The bytes that its tenant keeps more, which may be fewer than none.
pub(crate) fn record(
    db: &Connection,
    deployment: &Deployment,
    instance: Option<i64>,
) -> Result<i64, StoreError> {
    const RECORD: &str = "INSERT INTO deployments (id, tenant, resource, artifact, sha256, bytes, location, receipt, redeemed, approved_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING";
    const SWITCH: &str = "INSERT INTO live VALUES (?1, ?2, ?3, ?4) ON CONFLICT (tenant, resource)
        DO UPDATE SET place = excluded.place, redeemed = excluded.redeemed WHERE redeemed <= excluded.redeemed";
    const LIVE: &str = "SELECT place FROM live WHERE tenant = ?1 AND resource = ?2";
    let Deployment { id, tenant, resource, artifact, artifact_sha256, artifact_bytes, .. } = deployment;
    let redeemed = deployment.order.cast_signed();
    let mut insert = db.prepare_cached(RECORD).map_err(classify)?;
    let inserted = insert.execute(params![
        id,
        tenant.as_str(),
        resource,
        artifact,
        artifact_sha256.to_string(),
        artifact_bytes.cast_signed(),
        deployment.location,
        deployment.receipt_id,
        redeemed,
        deployment.approved_at.as_millis(),
    ]);
    if inserted.map_err(classify)? == 0 {
        return Ok(0);
    }
    let (kept, place) = ((artifact_sha256, *artifact_bytes), db.last_insert_rowid());
    let mut more = match instance {
        Some(row) => artifacts::hold(db, tenant, kept, row)?,
        None => 0,
    };
    let before = one(db, LIVE, [tenant.as_str(), resource], cell_0::<i64>)?;
    if changed(db, SWITCH, params![tenant.as_str(), resource, place, redeemed])? > 0 {
        more += artifacts::hold(db, tenant, kept, -place)?;
        more -= before.map_or(Ok(0), |before| artifacts::let_go(db, tenant, -before))?;
    }
    Ok(more)
}

pub(crate) fn list(db: &Connection, page: &DeploymentPage) -> Result<Vec<RecordedDeployment>, StoreError> {
    // Every condition names ?3, so that each statement has the same parameters.
    let (condition, value) = match &page.filter {
        DeploymentFilter::All => ("?3 IS NULL", None),
        DeploymentFilter::Live => ("?3 IS NULL AND l.place IS NOT NULL", None),
        DeploymentFilter::Tenant(tenant) => ("d.tenant = ?3", Some(tenant.as_str())),
        DeploymentFilter::Receipt(receipt) => ("d.receipt = ?3", Some(receipt.as_str())),
    };
    let select = format!(
        "SELECT {COLUMNS}, l.place FROM deployments d LEFT JOIN live l ON l.tenant = d.tenant AND l.resource = d.resource AND l.place = d.place
         WHERE d.place > ?1 AND {condition} ORDER BY d.place LIMIT ?2"
    );
    every(db, &select, params![page.after.cast_signed(), page.limit, value], |row| {
        let place = cell::<i64>(row, 0)?.unsigned_abs();
        let is_live = cell::<Option<i64>>(row, 11)?.is_some();
        Ok(RecordedDeployment { place, deployment: deployment(row)?, is_live })
    })
}

pub(crate) fn live(
    db: &Connection,
    tenant: &TenantId,
    resource: &str,
) -> Result<Option<Deployment>, StoreError> {
    let select = format!(
        "SELECT {COLUMNS} FROM live l JOIN deployments d ON d.place = l.place WHERE l.tenant = ?1 AND l.resource = ?2"
    );
    one(db, &select, params![tenant.as_str(), resource], deployment)
}

fn deployment(row: &Row<'_>) -> Result<Deployment, StoreError> {
    let number = |column| cell::<i64>(row, column).map(i64::unsigned_abs);
    Ok(Deployment {
        id: cell(row, 1)?,
        tenant: cell::<String>(row, 2)?.parse().map_err(damaged)?,
        resource: cell(row, 3)?,
        artifact: cell(row, 4)?,
        artifact_sha256: cell::<String>(row, 5)?.parse().map_err(damaged)?,
        artifact_bytes: number(6)?,
        location: cell(row, 7)?,
        receipt_id: cell(row, 8)?,
        order: number(9)?,
        approved_at: Timestamp::from_millis(cell(row, 10)?),
    })
}

/// Takes over what format 8 kept as files below this folder: a record a deployment, and a pointer a resource, which may name a deployment
/// whose record was never written.
pub(crate) fn import(db: &Connection, folder: &Path) -> Result<(), StoreError> {
    let failed = |error: io::Error| damaged(format!("{}: {error}", folder.display()));
    let mut files = json_files(&folder.join("records")).map_err(failed)?;
    for tenant in listed(&folder.join("current")).map_err(failed)? {
        files.extend(json_files(&tenant).map_err(failed)?);
    }
    let mut deployments = Vec::new();
    for file in files {
        let text = fs::read(&file).map_err(failed)?;
        let read = serde_json::from_slice::<Deployment>(&text);
        deployments.push(read.map_err(|error| damaged(format!("{}: {error}", file.display())))?);
    }
    deployments.sort_by(|a, b| (a.order, &a.id).cmp(&(b.order, &b.id)));
    deployments.iter().try_for_each(|deployment| record(db, deployment, None).map(drop))
}

fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    Ok(listed(folder)?.into_iter().filter(is_json).collect())
}

/// The paths in a folder; none if there is no folder.
fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}
