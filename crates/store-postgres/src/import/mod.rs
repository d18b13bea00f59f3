//! Importing everything from another engine, in one transaction: complete and compared with its source, or not at all.

use crate::error::{DatabaseError, PostgresError};
use crate::import::rows::insert;
use crate::read::tail;
use crate::schema;
use crate::session::connection::{Connection, values};
use crate::session::location::Location;
use receipt::Digest;
use store::{AuditDigest, StoreError, TransferCounts, TransferRow};
use tokio::sync::mpsc::Receiver;

mod rows;

/// The most rows and bytes of one insert.
const ROWS: usize = 1_000;
const BYTES: usize = 4 << 20;

/// Facts read back in one query.
const PAGE: u32 = 1_000;

/// The result of a move into the database.
#[derive(Debug)]
pub enum Import {
    /// Everything was imported.
    Done(TransferCounts),
    /// An earlier call committed the move of that id. These are the present counts.
    DoneBefore(TransferCounts),
    /// The database does not have that move, and refuses it.
    Refused(StoreError),
    /// The connection ended during the last commit. Making the same move again shows whether it took place.
    Unknown(StoreError),
}

/// A message from the exporting engine.
pub(crate) enum Incoming {
    Row(Box<TransferRow>),
    /// The end, with the digest of the audit.
    End(Digest),
}

/// Imports rows from `incoming` until the end. `before_commit` is called when everything is imported and compared.
pub(crate) async fn import(
    place: &Location,
    id: &str,
    mut incoming: Receiver<Incoming>,
    before_commit: impl FnOnce() -> Result<(), StoreError>,
) -> Result<Import, DatabaseError> {
    let db = place.connect().await?;
    schema::check(&db, place).await?;
    begin(&db).await?;
    if db.one("SELECT 1 FROM moves WHERE id = $1", values![id.to_owned()]).await?.is_some() {
        return Ok(Import::DoneBefore(counts(&db).await?));
    }
    if !is_empty(&db).await? {
        return Ok(Import::Refused(PostgresError::NotEmpty { place: place.to_string() }.into()));
    }
    let (mut came, mut numbers) = (TransferCounts::default(), Numbers::default());
    let (mut waiting, mut bytes) = (Vec::new(), 0);
    let audit = loop {
        // If the end is missing, the exporting side has failed and reports the reason.
        match incoming.recv().await.ok_or(StoreError::Stopped)? {
            Incoming::End(audit) => break audit,
            Incoming::Row(row) => {
                came.add(&row);
                numbers.see(&row);
                bytes += size(&row);
                waiting.push(*row);
            }
        }
        if waiting.len() >= ROWS || bytes >= BYTES {
            insert(&db, &std::mem::take(&mut waiting)).await?;
            bytes = 0;
        }
    };
    insert(&db, &waiting).await?;
    numbers.save(&db).await?;
    compare(&db, came, audit).await?;
    db.query("INSERT INTO moves (id) VALUES ($1)", values![id.to_owned()]).await?;
    before_commit()?;
    db.take_warning();
    match db.commit(&[]).await {
        Ok(_) if !db.take_warning() => Ok(Import::Done(came)),
        Ok(_) => Ok(Import::Unknown(in_doubt(place))),
        Err(DatabaseError::Lost(_)) => Ok(Import::Unknown(in_doubt(place))),
        Err(other) => Err(other),
    }
}

fn in_doubt(place: &Location) -> StoreError {
    PostgresError::Undecided { place: place.to_string() }.into()
}

/// Begins the transaction. No host reads or writes until it ends.
async fn begin(db: &Connection) -> Result<(), DatabaseError> {
    const LOCK: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0;
        LOCK TABLE writers, claims, acts_head, acts, instances, usage_parts, receipt_states, receipts, requests, entries, components, holdings, outputs, subjects,
            denials, rates, precedents, deletions, deployments, deployments_head, live, artifacts, artifact_holders, blobs, blob_chunks, hosts, moves
            IN ACCESS EXCLUSIVE MODE";
    db.run(LOCK).await
}

/// Whether the database has no record at all.
async fn is_empty(db: &Connection) -> Result<bool, DatabaseError> {
    const EMPTY: &str =
        "SELECT NOT (EXISTS (SELECT 1 FROM instances) OR EXISTS (SELECT 1 FROM entries) OR EXISTS (SELECT 1 FROM requests)
            OR EXISTS (SELECT 1 FROM receipts) OR EXISTS (SELECT 1 FROM receipt_states) OR EXISTS (SELECT 1 FROM acts) OR EXISTS (SELECT 1 FROM deletions)
            OR EXISTS (SELECT 1 FROM deployments) OR EXISTS (SELECT 1 FROM components) OR EXISTS (SELECT 1 FROM blobs)
            OR EXISTS (SELECT 1 FROM usage_parts) OR EXISTS (SELECT 1 FROM hosts) OR EXISTS (SELECT 1 FROM moves))";
    Ok(db.one(EMPTY, Vec::new()).await?.is_some_and(|row| row.get(0)))
}

/// The approximate size of a row in bytes.
fn size(row: &TransferRow) -> usize {
    match row {
        TransferRow::Component(_, bytes) | TransferRow::Artifact(_, bytes) => bytes.len(),
        TransferRow::Entries(row) => row.texts.iter().map(String::len).sum(),
        TransferRow::Request(row) => row.body.len(),
        TransferRow::Instance(row) => row.output.len(),
        TransferRow::Receipt(row) => row.body.len(),
        _ => 0,
    }
}

/// The numbers from which the sequences continue.
#[derive(Default)]
struct Numbers {
    fact: u64,
    instance: i64,
    receipt: u64,
    act: u64,
    deployment: u64,
}

impl Numbers {
    fn see(&mut self, row: &TransferRow) {
        match row {
            TransferRow::Entries(row) => self.fact = self.fact.max(row.seq + row.texts.len() as u64 - 1),
            TransferRow::LastPlace(seq) => self.fact = self.fact.max(*seq),
            TransferRow::Instance(row) => self.instance = self.instance.max(row.number),
            TransferRow::Receipt(row) => self.receipt = self.receipt.max(row.seq),
            TransferRow::Act(act) => self.act = self.act.max(act.seq),
            TransferRow::Deployment(row) => self.deployment = self.deployment.max(row.place),
            _ => {}
        }
    }

    async fn save(&self, db: &Connection) -> Result<(), DatabaseError> {
        const SEQUENCE: &str = "SELECT setval($1::text::regclass, greatest($2::bigint, 1), $2::bigint > 0)";
        const RECEIPTS: &str = "SELECT setval(pg_get_serial_sequence('receipts', 'seq')::regclass, greatest($1::bigint, 1), $1::bigint > 0)";
        db.query(SEQUENCE, values!["facts".to_owned(), self.fact.cast_signed()]).await?;
        db.query(SEQUENCE, values!["instance_ids".to_owned(), self.instance]).await?;
        db.query(RECEIPTS, values![self.receipt.cast_signed()]).await?;
        db.query("UPDATE acts_head SET last = $1", values![self.act.cast_signed()]).await?;
        db.query("UPDATE deployments_head SET last = $1", values![self.deployment.cast_signed()]).await?;
        Ok(())
    }
}

/// The number of records of each kind.
async fn counts(db: &Connection) -> Result<TransferCounts, DatabaseError> {
    const COUNTS: &str = "SELECT (SELECT count(*) FROM instances), (SELECT coalesce(sum(count), 0)::bigint FROM entries),
        (SELECT count(*) FROM requests), (SELECT count(*) FROM receipts), (SELECT count(*) FROM acts), (SELECT count(*) FROM deletions),
        (SELECT count(*) FROM deployments), (SELECT count(*) FROM components), (SELECT count(*) FROM blobs)";
    let row = db.one(COUNTS, Vec::new()).await?.ok_or(StoreError::Stopped)?;
    let count = |column: usize| row.get::<_, i64>(column).unsigned_abs();
    Ok(TransferCounts {
        instances: count(0),
        facts: count(1),
        requests: count(2),
        receipts: count(3),
        acts: count(4),
        deletions: count(5),
        deployments: count(6),
        components: count(7),
        artifacts: count(8),
    })
}

/// Compares the imported records with their source: their numbers, and the audit fact by fact.
async fn compare(db: &Connection, came: TransferCounts, audit: Digest) -> Result<(), DatabaseError> {
    let there = counts(db).await?;
    let (mut read, mut seq) = (AuditDigest::default(), 0);
    loop {
        let page = tail::after(db, seq, PAGE, i64::MAX).await?;
        page.iter().try_for_each(|fact| read.add(fact))?;
        match page.last() {
            Some(last) => seq = last.seq,
            None => break,
        }
    }
    match there == came && read.finish() == audit {
        true => Ok(()),
        false => {
            let words = "what the database has is not what was moved to it: nothing was changed";
            Err(StoreError::Damaged(words.to_owned()).into())
        }
    }
}
