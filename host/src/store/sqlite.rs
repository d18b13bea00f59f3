//! The store in one SQLite file.

use crate::store::Asked;
use crate::store::Batch;
use crate::store::DataFolder;
use crate::store::Fact;
use crate::store::Fate;
use crate::store::InstanceKey;
use crate::store::Judge;
use crate::store::NewRequest;
use crate::store::Place;
use crate::store::Quotas;
use crate::store::RecordedAct;
use crate::store::Requests;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::StoredReceipt;
use crate::store::Usage;
use crate::store::approvals;
use crate::store::open;
use crate::store::usage::Change;
use crate::store::usage::usage;
use receipt::Digest;
use receipt::Timestamp;
use rusqlite::Connection;
use rusqlite::ErrorCode;
use rusqlite::OptionalExtension as _;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::TransactionBehavior;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use rusqlite::ffi::SQLITE_IOERR_WRITE;
use rusqlite::params;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use workflow::Entry;
use workflow::ReceiptId;
use workflow::RequestId;
use workflow::TenantId;

/// How many of the last characters of an instance's output are kept.
const OUTPUT: i64 = 1 << 20;

/// A [`Store`] in `journal.sqlite`.
#[derive(Debug)]
pub struct Sqlite {
    connection: Mutex<Connection>,
}

impl Sqlite {
    /// Opens the folder's journal, for writing where the folder is owned.
    ///
    /// # Errors
    /// When it is damaged, foreign, newer than this program, or cannot be read.
    pub fn open(folder: &DataFolder) -> Result<Self, StoreError> {
        let path = folder.journal();
        let connection = match folder.is_owned() {
            true => open::own(&path)?,
            false => open::read(&path)?,
        };
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// A panic while the lock was held leaves no transaction behind: it was rolled back when it was dropped.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.lock();
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(classify)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(classify)?;
        Ok(done)
    }
}

impl Store for Sqlite {
    fn create(
        &self,
        key: &InstanceKey,
        component: (&Digest, &[u8]),
        at: Timestamp,
        entries: &[Entry],
        quotas: &Quotas,
    ) -> Result<Vec<Fact>, StoreError> {
        self.write(|tx| {
            let (digest, bytes) = component;
            let mut change = Change { instances: 1, ..Change::default() };
            tx.execute(
                "INSERT OR IGNORE INTO components VALUES (?1, ?2)",
                params![digest.to_string(), bytes],
            )
            .map_err(classify)?;
            let insert = "INSERT INTO instances (tenant, instance) VALUES (?1, ?2)";
            tx.execute(insert, [key.tenant.as_str(), key.instance.as_str()]).map_err(|error| {
                match is_constraint(&error) {
                    true => StoreError::Exists(key.clone()),
                    false => classify(error),
                }
            })?;
            change.hold(tx, &key.tenant, component)?;
            let facts = add(tx, Place { key, after: 0, at }, entries, &mut change)?;
            change.charge(tx, &key.tenant, Some(quotas))?;
            Ok(facts)
        })
    }

    fn append(&self, place: Place<'_>, batch: Batch<'_>) -> Result<Vec<Fact>, StoreError> {
        self.write(|tx| {
            let mut change = Change::default();
            if let Some(NewRequest { id, capability, resource, body }) = batch.request {
                let row = instance_row(tx, place.key)?;
                let subject = approvals::subject(capability, resource);
                let insert = "INSERT INTO requests (id, instance, body, tenant, subject, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
                let (tenant, at) = (place.key.tenant.as_str(), place.at.as_millis());
                tx.execute(insert, params![id.as_str(), row, body, tenant, subject, at]).map_err(classify)?;
                change.pending += 1;
                change.keep(body.len());
            }
            if let Some(receipt) = batch.receipt {
                let insert = "INSERT INTO receipts (id, request, body) VALUES (?1, ?2, ?3)";
                let body = to_json(receipt)?;
                let row = params![receipt.id.as_str(), receipt.request.as_str(), body];
                tx.execute(insert, row).map_err(|error| conflict(error, place.key))?;
                change.keep(body.len());
            }
            let facts = add(tx, place, batch.entries, &mut change)?;
            change.charge(tx, &place.key.tenant, batch.quotas)?;
            Ok(facts)
        })
    }

    fn redeem(
        &self,
        place: Place<'_>,
        id: &ReceiptId,
        acts: u64,
        judge: Judge<'_>,
    ) -> Result<Fact, StoreError> {
        self.write(|tx| {
            approvals::check_acts(tx, acts)?;
            let found = find_receipt(tx, id)?;
            let fate = found.as_ref().map_or_else(Fate::default, |(_, fate)| fate.clone());
            let entry = judge(found.as_ref().map(|(receipt, _)| receipt), &fate);
            let mut change = Change::default();
            let facts = add(tx, place, std::slice::from_ref(&entry), &mut change)?;
            change.charge(tx, &place.key.tenant, None)?;
            facts
                .into_iter()
                .next()
                .ok_or_else(|| StoreError::Damaged("an entry was not recorded".to_owned()))
        })
    }

    fn facts(&self, key: Option<&InstanceKey>) -> Result<Vec<Fact>, StoreError> {
        const SELECT: &str = "SELECT e.seq, e.at, i.tenant, i.instance, e.idx, e.body FROM entries e JOIN instances i ON i.id = e.instance";
        let connection = self.lock();
        match key {
            None => select(&connection, &format!("{SELECT} ORDER BY e.seq"), []),
            Some(key) => {
                let row = instance_row(&connection, key)?;
                select(&connection, &format!("{SELECT} WHERE e.instance = ?1 ORDER BY e.idx"), [row])
            }
        }
    }

    fn instances(&self) -> Result<Vec<InstanceKey>, StoreError> {
        let connection = self.lock();
        let mut statement =
            connection.prepare("SELECT tenant, instance FROM instances ORDER BY id").map_err(classify)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(classify)?;
        rows.map(|row| row.map_err(classify).and_then(|(tenant, instance)| parse_key(tenant, instance)))
            .collect()
    }

    fn component(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let select = "SELECT bytes FROM components WHERE digest = ?1";
        let found = self
            .lock()
            .query_row(select, [digest.to_string()], |row| row.get(0))
            .optional()
            .map_err(classify)?;
        let bytes: Vec<u8> =
            found.ok_or_else(|| StoreError::Damaged(format!("component {digest} is missing")))?;
        match Digest::of(&bytes) == *digest {
            true => Ok(bytes),
            false => Err(StoreError::Damaged(format!(
                "component {digest} has other bytes than it was stored with"
            ))),
        }
    }

    fn request(&self, id: &RequestId) -> Result<Option<(InstanceKey, String)>, StoreError> {
        let select = "SELECT i.tenant, i.instance, r.body FROM requests r JOIN instances i ON i.id = r.instance WHERE r.id = ?1";
        let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found = self.lock().query_row(select, [id.as_str()], row).optional().map_err(classify)?;
        found.map(|(tenant, instance, body)| Ok((parse_key(tenant, instance)?, body))).transpose()
    }

    fn receipt(&self, id: &ReceiptId) -> Result<Option<(StoredReceipt, Fate)>, StoreError> {
        find_receipt(&self.lock(), id)
    }

    fn receipts(&self) -> Result<Vec<ReceiptId>, StoreError> {
        let connection = self.lock();
        let mut statement = connection.prepare("SELECT id FROM receipts ORDER BY seq").map_err(classify)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(classify)?;
        rows.map(|row| row.map_err(classify)?.parse().map_err(damaged)).collect()
    }

    fn act(&self, seen: u64, at: Timestamp, body: &str) -> Result<u64, StoreError> {
        self.write(|tx| approvals::add_act(tx, seen, at, body))
    }

    fn acts(&self, after: u64) -> Result<Vec<RecordedAct>, StoreError> {
        approvals::acts(&self.lock(), after)
    }

    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Result<Asked, StoreError> {
        approvals::asked(&self.lock(), tenant, capability, resource)
    }

    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Result<u64, StoreError> {
        approvals::asked_since(&self.lock(), tenant, since)
    }

    fn is_known(&self, tenant: &TenantId, digest: &Digest) -> Result<bool, StoreError> {
        approvals::is_known(&self.lock(), tenant, digest)
    }

    fn requests(&self, which: Requests) -> Result<Vec<(InstanceKey, String, Option<String>)>, StoreError> {
        approvals::requests(&self.lock(), which)
    }

    fn revoke(&self, receipt: &ReceiptId, at: Timestamp, body: &str) -> Result<(), StoreError> {
        self.write(|tx| approvals::revoke(tx, receipt, at, body))
    }

    fn latest(&self) -> Result<Option<Timestamp>, StoreError> {
        latest(&self.lock())
    }

    fn keep_output(&self, key: &InstanceKey, output: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            let row = instance_row(tx, key)?;
            let length = || -> Result<i64, StoreError> {
                let select = "SELECT octet_length(text) FROM outputs WHERE instance = ?1";
                let found = tx.query_row(select, [row], |row| row.get(0)).optional();
                Ok(found.map_err(classify)?.unwrap_or(0))
            };
            let before = length()?;
            let append = "INSERT INTO outputs VALUES (?1, ?2) ON CONFLICT (instance) DO UPDATE SET text = substr(text || ?2, -?3)";
            tx.execute(append, params![row, output, OUTPUT]).map_err(classify)?;
            let change = Change { bytes: length()? - before, ..Change::default() };
            change.charge(tx, &key.tenant, None)
        })
    }

    fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        usage(&self.lock(), tenant)
    }

    fn output(&self, key: &InstanceKey) -> Result<String, StoreError> {
        let connection = self.lock();
        let row = instance_row(&connection, key)?;
        let select = "SELECT text FROM outputs WHERE instance = ?1";
        let found = connection.query_row(select, [row], |row| row.get(0)).optional().map_err(classify)?;
        Ok(found.unwrap_or_default())
    }
}

/// Adds entries, and to the small tables what some of them stand for.
fn add(
    tx: &Transaction<'_>,
    place: Place<'_>,
    entries: &[Entry],
    change: &mut Change,
) -> Result<Vec<Fact>, StoreError> {
    let Place { key, after, at } = place;
    // Another instance may have recorded something later since `at` was looked up.
    let at = latest(tx)?.map_or(at, |latest| latest.max(at));
    let row = instance_row(tx, key)?;
    let mut insert = tx
        .prepare_cached("INSERT INTO entries (instance, idx, at, body) VALUES (?1, ?2, ?3, ?4)")
        .map_err(classify)?;
    let mut facts = Vec::with_capacity(entries.len());
    let expected: u64 = tx
        .query_row("SELECT coalesce(max(idx), -1) + 1 FROM entries WHERE instance = ?1", [row], |row| {
            row.get::<_, i64>(0)
        })
        .map_err(classify)?
        .unsigned_abs();
    if expected != after as u64 {
        return Err(StoreError::Conflict(key.clone()));
    }
    for (index, entry) in (after as u64..).zip(entries) {
        let body = to_json(entry)?;
        let values = params![row, index.cast_signed(), at.as_millis(), body];
        change.keep(body.len());
        change.settle(tx, row, entry)?;
        approvals::settle(tx, entry)?;
        let seq = insert.insert(values).map_err(|error| conflict(error, key))?.unsigned_abs();
        match entry {
            Entry::Redeemed { receipt, .. } => {
                let insert = "INSERT INTO redemptions VALUES (?1, ?2, ?3)";
                tx.execute(insert, params![receipt.as_str(), seq.cast_signed(), at.as_millis()])
                    .map_err(|error| conflict(error, key))?;
            }
            Entry::Attested { receipt, document, .. } => {
                let insert = "INSERT INTO attestations VALUES (?1, ?2)";
                tx.execute(insert, params![receipt.as_str(), document])
                    .map_err(|error| conflict(error, key))?;
            }
            _ => {}
        }
        facts.push(Fact { seq, at, key: key.clone(), index, entry: entry.clone() });
    }
    Ok(facts)
}

/// Times never run backwards in here, so the last entry has the latest.
fn latest(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let select = "SELECT at FROM entries ORDER BY seq DESC LIMIT 1";
    let at: Option<i64> = connection.query_row(select, [], |row| row.get(0)).optional().map_err(classify)?;
    Ok(at.map(Timestamp::from_millis))
}

fn find_receipt(
    connection: &Connection,
    id: &ReceiptId,
) -> Result<Option<(StoredReceipt, Fate)>, StoreError> {
    let one = |select: &str| {
        connection
            .query_row(select, [id.as_str()], |row| row.get::<_, String>(0))
            .optional()
            .map_err(classify)
    };
    let Some(body) = one("SELECT body FROM receipts WHERE id = ?1")? else { return Ok(None) };
    let redeemed = connection
        .query_row("SELECT at, seq FROM redemptions WHERE receipt = ?1", [id.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
        })
        .optional()
        .map_err(classify)?;
    let redeemed = redeemed.map(|(at, seq)| (Timestamp::from_millis(at), seq.unsigned_abs()));
    let attestation = one("SELECT body FROM attestations WHERE receipt = ?1")?;
    let revoked = approvals::revocation(connection, id)?;
    Ok(Some((from_json(&body)?, Fate { redeemed, attestation, revoked })))
}

fn select<P: rusqlite::Params>(
    connection: &Connection,
    select: &str,
    params: P,
) -> Result<Vec<Fact>, StoreError> {
    let mut statement = connection.prepare_cached(select).map_err(classify)?;
    let mut rows = statement.query(params).map_err(classify)?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next().map_err(classify)? {
        facts.push(fact(row)?);
    }
    Ok(facts)
}

fn fact(row: &Row<'_>) -> Result<Fact, StoreError> {
    let seq = row.get::<_, i64>(0).map_err(classify)?.unsigned_abs();
    let key = parse_key(row.get(2).map_err(classify)?, row.get(3).map_err(classify)?)?;
    let body: String = row.get(5).map_err(classify)?;
    let entry = serde_json::from_str(&body).map_err(|error| {
        StoreError::Damaged(format!("fact {seq} of instance {key} cannot be read: {error}"))
    })?;
    let at = Timestamp::from_millis(row.get(1).map_err(classify)?);
    Ok(Fact { seq, at, key, index: row.get::<_, i64>(4).map_err(classify)?.unsigned_abs(), entry })
}

fn instance_row(connection: &Connection, key: &InstanceKey) -> Result<i64, StoreError> {
    let select = "SELECT id FROM instances WHERE tenant = ?1 AND instance = ?2";
    let found = connection.query_row(select, [key.tenant.as_str(), key.instance.as_str()], |row| row.get(0));
    found.optional().map_err(classify)?.ok_or_else(|| StoreError::NoInstance(key.to_string()))
}

pub(super) fn parse_key(tenant: String, instance: String) -> Result<InstanceKey, StoreError> {
    Ok(InstanceKey { tenant: tenant.parse().map_err(damaged)?, instance: instance.parse().map_err(damaged)? })
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(damaged)
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(damaged)
}

fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(error.to_string())
}

pub(super) fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}

fn conflict(error: rusqlite::Error, key: &InstanceKey) -> StoreError {
    if is_constraint(&error) { StoreError::Conflict(key.clone()) } else { classify(error) }
}

pub(super) fn classify(error: rusqlite::Error) -> StoreError {
    match &error {
        rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::DiskFull => StoreError::Full,
        // A file that the system does not let grow: a quota or a size limit, which SQLite does not tell from a broken disk.
        rusqlite::Error::SqliteFailure(code, _)
            if [SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE].contains(&code.extended_code) =>
        {
            StoreError::Full
        }
        rusqlite::Error::SqliteFailure(code, _)
            if matches!(code.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) =>
        {
            StoreError::Damaged(error.to_string())
        }
        _ => StoreError::Database(error),
    }
}
