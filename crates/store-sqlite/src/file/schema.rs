//! The tables, and the upgrade of the tables of older formats.

use crate::file::views;
use crate::sql::classify;
use crate::tables::deployments;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use std::path::Path;
use store::{FolderError, StoreError};

/// `PRAGMA application_id`: "PPHS".
const APPLICATION: i64 = 0x5050_4853;

/// `PRAGMA user_version`: the format of the tables and of the entries in them.
const FORMAT: i64 = 14;

/// The cache of the writing connection, in KiB: 8 MiB. SQLite scans all of it at the end of a transaction that has
/// split pages, so a larger cache makes commits slower.
const CACHE_KIB: i64 = 8 << 10;

/// More than the number of statements.
const STATEMENTS: usize = 64;

/// The steps from each format to the next; a new database runs all of them. A released step is never edited, only
/// followed by another.
const STEPS: [fn() -> String; FORMAT as usize] = [
    || EVERYTHING.to_owned(),
    || COUNTERS.to_owned(),
    || APPROVALS.to_owned(),
    || SCHEDULE.to_owned(),
    || DELETIONS.to_owned(),
    || format!("{DENSITY}{}{}", views::words_table(), views::create()),
    || format!("{TAIL}{}", views::create()),
    || PRECEDENTS.to_owned(),
    || DEPLOYMENTS.to_owned(),
    || ARTIFACTS.to_owned(),
    || ENDS.to_owned(),
    || NOTICES.to_owned(),
    || AUDIT_PAGES.to_owned(),
    || TENANTS.to_owned(),
];

/// Format 1. Entries are only appended, in the order of their `seq`. Records that are found by another name have a
/// small table each, written in the same transaction.
const EVERYTHING: &str = "
    CREATE TABLE components (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE instances (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, instance TEXT NOT NULL, UNIQUE (tenant, instance)) STRICT;
    CREATE TABLE entries (seq INTEGER PRIMARY KEY, instance INTEGER NOT NULL, idx INTEGER NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE UNIQUE INDEX entries_of_instance ON entries (instance, idx);
    CREATE TABLE requests (id TEXT PRIMARY KEY, instance INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE TABLE receipts (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, request TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
    CREATE TABLE redemptions (receipt TEXT PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;
    CREATE TABLE attestations (receipt TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
    CREATE TABLE outputs (instance INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
";

/// Format 2 counts each tenant's usage, so that a quota check reads one row instead of scanning the tables. `usage`
/// equals a count over the other tables; `ended` and `open` ensure that each is counted down once.
const COUNTERS: &str = "
    CREATE TABLE usage (tenant TEXT PRIMARY KEY, instances INTEGER NOT NULL, pending INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
    CREATE TABLE holdings (tenant TEXT NOT NULL, component TEXT NOT NULL, PRIMARY KEY (tenant, component)) STRICT, WITHOUT ROWID;
    ALTER TABLE instances ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE requests ADD COLUMN open INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX open_requests ON requests (instance) WHERE open = 1;

    CREATE TEMP TABLE facts AS SELECT instance, idx, body ->> 'fact' AS fact, body ->> 'request' AS request, body ->> 'component' AS component
        FROM entries WHERE json_valid(body);
    UPDATE instances SET ended = 1 WHERE id IN (SELECT instance FROM facts WHERE fact IN ('completed', 'failed'));
    UPDATE requests SET open = 0 WHERE instance IN (SELECT id FROM instances WHERE ended = 1)
        OR id IN (SELECT request FROM facts WHERE fact IN ('decided', 'lapsed'));
    INSERT INTO holdings SELECT DISTINCT tenant, component FROM facts JOIN instances i ON i.id = facts.instance WHERE fact = 'loaded';
    INSERT INTO usage
        SELECT tenant, sum(live), sum(pending), sum(bytes) FROM (
            SELECT tenant, 1 - ended AS live, 0 AS pending, 0 AS bytes FROM instances
            UNION ALL SELECT tenant, 0, 0, octet_length(e.body) FROM entries e JOIN instances i ON i.id = e.instance
            UNION ALL SELECT tenant, 0, r.open, octet_length(r.body) FROM requests r JOIN instances i ON i.id = r.instance
            UNION ALL SELECT tenant, 0, 0, octet_length(p.body) FROM receipts p JOIN requests r ON r.id = p.request JOIN instances i ON i.id = r.instance
            UNION ALL SELECT tenant, 0, 0, octet_length(o.text) FROM outputs o JOIN instances i ON i.id = o.instance
            UNION ALL SELECT tenant, 0, 0, length(c.bytes) FROM holdings h JOIN components c ON c.digest = h.component
        ) GROUP BY tenant;
    DROP TABLE facts;
";

/// Format 3 has decisions by people: operators' acts (`acts`), revocations, and the history that is shown with every
/// request: how often the same was asked and refused, and whether its code and its artifact were ever approved
/// (`known`).
const APPROVALS: &str = "
    CREATE TABLE acts (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE TABLE revocations (receipt TEXT PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
    CREATE TABLE known (tenant TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (tenant, digest)) STRICT, WITHOUT ROWID;
    ALTER TABLE requests ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
    ALTER TABLE requests ADD COLUMN subject TEXT NOT NULL DEFAULT '';
    ALTER TABLE requests ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE requests ADD COLUMN outcome TEXT;

    CREATE TEMP TABLE ends AS SELECT body ->> 'request' AS request, at, body ->> 'fact' AS fact, body ->> 'decision' AS decision
        FROM entries WHERE json_valid(body) AND body ->> 'fact' IN ('requested', 'decided', 'lapsed');
    CREATE INDEX temp.ends_of_request ON ends (request);
    UPDATE requests SET
        tenant = (SELECT tenant FROM instances i WHERE i.id = requests.instance),
        subject = coalesce(body ->> 'capability' || ' ' || (body ->> 'resource'), ''),
        at = coalesce((SELECT at FROM ends WHERE request = requests.id AND fact = 'requested'), 0),
        outcome = (SELECT coalesce(decision, 'LAPSED') FROM ends WHERE request = requests.id AND fact <> 'requested')
        WHERE json_valid(body);
    DROP TABLE ends;
    CREATE INDEX requests_by_subject ON requests (tenant, subject);
    CREATE INDEX requests_by_time ON requests (tenant, at);
";

/// Format 4 has the schedule: each instance's state, as the number of its [`InstanceState`](store::InstanceState), and
/// when it is due. Until then instances only waited for decisions, which lapse at a time too. `subjects` counts
/// requests by capability and resource, which was a scan.
const SCHEDULE: &str = "
    ALTER TABLE instances ADD COLUMN state INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE instances ADD COLUMN due INTEGER;
    ALTER TABLE instances ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
    CREATE TEMP TABLE ends AS SELECT instance, body ->> 'fact' AS fact FROM entries
        WHERE json_valid(body) AND body ->> 'fact' IN ('completed', 'failed');
    UPDATE instances SET since = coalesce((SELECT at FROM entries e WHERE e.instance = instances.id ORDER BY idx DESC LIMIT 1), 0);
    UPDATE instances SET state = 6 WHERE id IN (SELECT instance FROM ends WHERE fact = 'completed');
    UPDATE instances SET state = 5 WHERE id IN (SELECT instance FROM ends WHERE fact = 'failed');
    DROP TABLE ends;
    UPDATE instances SET state = 2 WHERE id IN (SELECT instance FROM requests WHERE open = 1);
    UPDATE instances SET due = since WHERE state = 1;
    UPDATE instances SET due = coalesce((SELECT CAST(round(unixepoch(r.body ->> 'expires_at', 'subsec') * 1000) AS INTEGER)
        FROM requests r WHERE r.instance = instances.id AND r.open = 1 AND json_valid(r.body)), since) WHERE state = 2;
    CREATE INDEX agenda ON instances (tenant, due) WHERE due IS NOT NULL;
    CREATE TABLE subjects (tenant TEXT NOT NULL, subject TEXT NOT NULL, times INTEGER NOT NULL, denied INTEGER NOT NULL, PRIMARY KEY (tenant, subject)) STRICT, WITHOUT ROWID;
    INSERT INTO subjects SELECT tenant, subject, count(*), count(*) FILTER (WHERE outcome = 'DENIED') FROM requests GROUP BY tenant, subject;
    DROP INDEX requests_by_subject;
";

/// Format 5 has deletions: the deleted instances (`deletions`, with the last place among all facts that had been given
/// out, which is not given out again), the ended instances and since when, and how many instances of a tenant have each
/// component, so that the last one deletes it.
const DELETIONS: &str = "
    CREATE TABLE deletions (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, tenant TEXT NOT NULL, instance TEXT NOT NULL, deleted_by TEXT NOT NULL, facts INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;
    CREATE INDEX ended ON instances (tenant, since) WHERE ended = 1;
    ALTER TABLE holdings ADD COLUMN instances INTEGER NOT NULL DEFAULT 0;
    CREATE TEMP TABLE held AS SELECT i.tenant AS tenant, e.body ->> 'component' AS component, count(*) AS times
        FROM entries e JOIN instances i ON i.id = e.instance WHERE json_valid(e.body) AND e.body ->> 'fact' = 'loaded' GROUP BY 1, 2;
    UPDATE holdings SET instances = coalesce((SELECT times FROM held h WHERE h.tenant = holdings.tenant AND h.component = holdings.component), 0);
    DROP TABLE held;
    CREATE INDEX holders ON holdings (component);
";

/// Format 6 is for very many waiting instances. Entries that are appended together are one row, encoded, with a
/// checksum. `texts` has texts that many rows share. `length` is the number of entries when the instance's row was last
/// written. A request does not repeat the journal's content. `rates` counts a tenant's requests by the minute, which
/// was an index. `log` is described in [`wal`](crate::file::wal). Existing rows mean the same in format 6 as in format
/// 5.
const DENSITY: &str = "
    CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 1), opened INTEGER NOT NULL, closed INTEGER NOT NULL) STRICT;
    INSERT INTO log VALUES (1, 0, 0);
    CREATE TABLE texts (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT;
    ALTER TABLE instances ADD COLUMN loaded INTEGER;
    ALTER TABLE instances ADD COLUMN length INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE entries ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE entries ADD COLUMN bytes BLOB;
    ALTER TABLE entries ADD COLUMN sum INTEGER;

    CREATE TABLE rates (tenant TEXT NOT NULL, minute INTEGER NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (tenant, minute)) STRICT, WITHOUT ROWID;
    INSERT INTO rates SELECT tenant, at / 60000, count(*) FROM requests GROUP BY 1, 2;

    CREATE TEMP TABLE made AS SELECT seq, body ->> 'request' AS request FROM entries
        WHERE json_valid(body) AND body ->> 'fact' = 'requested';
    CREATE INDEX temp.made_by_request ON made (request);
    CREATE TABLE requests_6 (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, instance INTEGER NOT NULL, open INTEGER NOT NULL DEFAULT 1,
        outcome TEXT, common INTEGER, bytes BLOB, body TEXT NOT NULL) STRICT;
    INSERT INTO requests_6 (seq, id, instance, open, outcome, body)
        SELECT coalesce((SELECT min(seq) FROM made WHERE request = requests.id), -requests.rowid), id, instance, open, outcome, body
        FROM requests ORDER BY 1;
    DROP TABLE made;
    DROP TABLE requests;
    ALTER TABLE requests_6 RENAME TO requests;
    CREATE INDEX open_requests ON requests (instance) WHERE open = 1;
";

/// Format 7 has no index of entries, which cost a page in each commit. An entry names the one before it (`prev`), an
/// instance names its `first` and `last` entry as of its last schedule row, and `settled` is the place up to which that
/// holds for all instances ([`heads`](crate::journal::heads)).
const TAIL: &str = "
    DROP VIEW asked;
    DROP VIEW facts;
    ALTER TABLE entries ADD COLUMN prev INTEGER;
    UPDATE entries SET prev = (SELECT e.seq FROM entries e WHERE e.instance = entries.instance AND e.idx < entries.idx ORDER BY e.idx DESC LIMIT 1);
    ALTER TABLE instances DROP COLUMN length;
    ALTER TABLE instances ADD COLUMN first INTEGER;
    ALTER TABLE instances ADD COLUMN last INTEGER;
    UPDATE instances SET first = (SELECT seq FROM entries WHERE instance = instances.id ORDER BY idx LIMIT 1),
        last = (SELECT seq FROM entries WHERE instance = instances.id ORDER BY idx DESC LIMIT 1);
    DROP INDEX entries_of_instance;
    CREATE TABLE settled (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL) STRICT;
    INSERT INTO settled VALUES (1, coalesce((SELECT max(seq + count - 1) FROM entries), 0));
";

/// Format 8 has no list of known code, which was never corrected. `precedents` names the receipt to judge again, the
/// latest for each set of people who signed (`signers`, their keys), and `denials` the people who denied. For older
/// denials the people are not known.
const PRECEDENTS: &str = "
    DROP TABLE known;
    CREATE TABLE precedents (tenant TEXT NOT NULL, digest TEXT NOT NULL, signers TEXT NOT NULL, seq INTEGER NOT NULL, receipt TEXT NOT NULL, PRIMARY KEY (tenant, digest, signers)) STRICT, WITHOUT ROWID;
    CREATE INDEX precedents_by_seq ON precedents (tenant, digest, seq);
    CREATE TEMP TABLE spent AS SELECT s.seq AS seq, r.id AS receipt, r.body ->> 'company_id' AS tenant, r.body ->> 'request_json' AS request
        FROM receipts r JOIN redemptions s ON s.receipt = r.id WHERE json_valid(r.body);
    DELETE FROM spent WHERE tenant IS NULL OR NOT json_valid(request) OR request ->> '$.approvals' IS NULL;
    INSERT INTO precedents SELECT DISTINCT tenant, digest, receipt, seq, receipt FROM (
        SELECT tenant, seq, receipt, request ->> '$.action.parameters.component' AS digest FROM spent
        UNION ALL SELECT tenant, seq, receipt, request ->> '$.action.parameters.artifact.sha256' FROM spent) WHERE digest IS NOT NULL;
    DROP TABLE spent;
    CREATE TABLE denials (tenant TEXT NOT NULL, subject TEXT NOT NULL, signers TEXT NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (tenant, subject, signers)) STRICT, WITHOUT ROWID;
    INSERT INTO denials SELECT tenant, subject, '', denied FROM subjects WHERE denied > 0;
    ALTER TABLE subjects DROP COLUMN denied;
";

/// Format 9 has deployments and live pointers as rows, committed with the outcome. Format 8 had them as files, which
/// are imported once ([`import`](crate::tables::deployments::import)).
const DEPLOYMENTS: &str = "
    CREATE TABLE deployments (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, resource TEXT NOT NULL, artifact TEXT NOT NULL,
        sha256 TEXT NOT NULL, bytes INTEGER NOT NULL, location TEXT NOT NULL, receipt TEXT NOT NULL, redeemed INTEGER NOT NULL, approved_at INTEGER NOT NULL) STRICT;
    CREATE TABLE live (tenant TEXT NOT NULL, resource TEXT NOT NULL, place INTEGER NOT NULL, redeemed INTEGER NOT NULL, PRIMARY KEY (tenant, resource)) STRICT, WITHOUT ROWID;
";

/// Format 11 keeps how a deleted instance had ended, and when.
const ENDS: &str = "
    ALTER TABLE deletions ADD COLUMN state INTEGER;
    ALTER TABLE deletions ADD COLUMN ended_at INTEGER;
";

/// Format 12 keeps with each request which of its notices were delivered.
const NOTICES: &str = "ALTER TABLE requests ADD COLUMN notified INTEGER NOT NULL DEFAULT 0;";

/// Format 13 has indexes for the pages of an audit: deletions from a time on, of one tenant or of all.
const AUDIT_PAGES: &str = "
    CREATE INDEX deletions_by_time ON deletions (at);
    CREATE INDEX deletions_of_tenant ON deletions (tenant, at);
";

/// Format 14 has a receipt's tenant, which was a part of the text only, and indexes for the pages of a tenant.
const TENANTS: &str = "
    ALTER TABLE receipts ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
    UPDATE receipts SET tenant = coalesce(body ->> 'company_id', '') WHERE json_valid(body);
    CREATE INDEX receipts_of_tenant ON receipts (tenant, seq);
    CREATE INDEX deployments_of_tenant ON deployments (tenant, place);
    CREATE INDEX deployments_of_receipt ON deployments (receipt, place);
";

/// Format 10 has the artifacts that are needed, and their holders ([`artifacts`](crate::tables::artifacts)): existing
/// instances that acted with them, and resources that serve them. [`COUNT_ARTIFACTS`] counts them.
const ARTIFACTS: &str = "
    CREATE TABLE artifacts (sha256 TEXT NOT NULL, tenant TEXT NOT NULL, holder INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (sha256, tenant, holder)) STRICT, WITHOUT ROWID;
    CREATE INDEX artifacts_by_holder ON artifacts (holder);
    CREATE TEMP TABLE spent AS SELECT q.instance AS holder, r.body ->> 'company_id' AS tenant, r.body ->> 'request_json' AS request
        FROM receipts r JOIN redemptions s ON s.receipt = r.id JOIN requests q ON q.id = r.request WHERE json_valid(r.body);
    DELETE FROM spent WHERE tenant IS NULL OR NOT json_valid(request) OR request ->> '$.action.parameters.artifact.bytes' IS NULL;
    INSERT OR IGNORE INTO artifacts
        SELECT request ->> '$.action.parameters.artifact.sha256', tenant, holder, request ->> '$.action.parameters.artifact.bytes' FROM spent;
    DROP TABLE spent;
    INSERT OR IGNORE INTO artifacts SELECT d.sha256, d.tenant, -d.place, d.bytes FROM live l JOIN deployments d ON d.place = l.place;
";

/// Adds artifacts to tenants' usage.
const COUNT_ARTIFACTS: &str = "
    INSERT INTO usage SELECT tenant, 0, 0, sum(bytes) FROM (SELECT tenant, max(bytes) AS bytes FROM artifacts GROUP BY tenant, sha256)
        WHERE true GROUP BY tenant ON CONFLICT (tenant) DO UPDATE SET bytes = bytes + excluded.bytes;
";

/// Refuses a file that is not a journal, or has a newer format.
pub(crate) fn check_format(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let pragma = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    let foreign = |error| match error {
        rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::NotADatabase => {
            FolderError::Foreign(path.to_owned()).into()
        }
        other => classify(other),
    };
    let (tables, application, format) = (
        tables.map_err(foreign)?,
        pragma("application_id").map_err(classify)?,
        pragma("user_version").map_err(classify)?,
    );
    match () {
        () if tables > 0 && application != APPLICATION => Err(FolderError::Foreign(path.to_owned()).into()),
        () if format > FORMAT => {
            Err(FolderError::Newer { path: path.to_owned(), found: format, known: FORMAT }.into())
        }
        () => Ok(()),
    }
}

/// Whether a journal has an older format than this.
pub(crate) fn is_older(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(format(connection)? < FORMAT)
}

fn format(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Write-ahead log with full synchronisation: a commit that has returned survives a power cut.
pub(crate) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Undoing one write of many is done in memory.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // crate::file::wal decides when the log is moved.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    prepare_once(connection)
}

/// Makes SQLite plan each statement once. Otherwise it plans a statement again when other values are bound.
pub(crate) fn prepare_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// Brings a journal of an older format to this one, in one transaction: a crash in between leaves the old one. `deployments` is the folder
/// that format 8 kept deployments in.
pub(crate) fn migrate(connection: &mut Connection, deployments: &Path) -> Result<(), StoreError> {
    let format = format(connection).map_err(classify)?;
    if format == FORMAT {
        return Ok(());
    }
    let tx = connection.transaction().map_err(classify)?;
    for step in STEPS.iter().skip(usize::try_from(format).unwrap_or(0)) {
        tx.execute_batch(&step()).map_err(classify)?;
    }
    if format < 9 {
        deployments::import(&tx, deployments)?;
    }
    if format < 10 {
        tx.execute_batch(COUNT_ARTIFACTS).map_err(classify)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION).map_err(classify)?;
    tx.pragma_update(None, "user_version", FORMAT).map_err(classify)?;
    tx.commit().map_err(classify)
}
