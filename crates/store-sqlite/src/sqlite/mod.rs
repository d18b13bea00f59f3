//! The store in one SQLite file: many readers and one writer.

mod claims;
pub(crate) mod export;
#[cfg(test)]
mod tests;

use crate::file::open;
use crate::file::readers::Readers;
use crate::file::wal::Wal;
use crate::journal::heads::Hint;
use crate::journal::sparse_index::SparseIndex;
use crate::journal::{self, heads, range, tenant};
use crate::tables::usage::usage;
use crate::tables::{acts, artifacts, decisions, deletions, deployments, query, requests, schedule};
use crate::writer::Writer;
use crate::writer::apply::Record;
use crate::writer::cache::WriterCache;
use receipt::{Digest, Timestamp};
use rusqlite::Connection;
use std::sync::Mutex;
use std::{fs, io};
use store::{
    ActStore, Answer, AskHistory, Commit, DataFolder, Deleted, Deployment, DeploymentPage, DeploymentStore,
    Fact, FirstEnded, FolderError, HostInfo, InstanceKey, InstanceSummary, JournalStore, ReceiptPage,
    ReceiptStore, RecordedAct, RecordedDeployment, RecordedReceipt, RecordedRequest, RequestFilter,
    RequestStore, RequestWithJournal, ScheduleStore, Selection, StoreError, StoredReceipt, Usage,
    UsageChange, UsageStore, Write, WriteStore, Written,
};
use workflow::{ReceiptId, RequestId, TenantId};

/// A [`Store`](store::Store) in `journal.sqlite`.
#[derive(Debug)]
pub struct Sqlite {
    readers: Readers,
    /// For reading long journals in parts.
    sparse_index: Mutex<SparseIndex>,
    /// `None` if the folder was opened to look.
    pub(crate) writer: Option<Writer>,
    /// The host that has the folder, if it has registered.
    pub(crate) host: Mutex<Option<HostInfo>>,
}

impl Sqlite {
    /// Opens the folder's journal, for writing if the folder is owned.
    ///
    /// # Errors
    /// The journal is damaged, foreign, newer than this program, or cannot be read.
    pub fn open(folder: &DataFolder) -> Result<Self, StoreError> {
        let path = folder.journal();
        let mut writer = None;
        if folder.is_owned() {
            let mut db = open::own(&path)?;
            remove_imported(folder)?;
            let (latest, mark) = (query::latest(&db)?, deletions::mark(&db)?);
            let failed = |error| FolderError::Unusable { path: path.clone(), error };
            let log = Wal::open(&mut db, &path)?;
            let cache = WriterCache::new(latest, mark);
            writer = Some(Writer::start(db, log, cache)?.map_err(failed)?);
        }
        let (sparse_index, host) = (Mutex::default(), Mutex::default());
        Ok(Self { readers: Readers::open(path)?, sparse_index, writer, host })
    }
}

/// Format 8 stored each deployment as a file. They are rows now; the files are removed because two copies can differ.
fn remove_imported(folder: &DataFolder) -> Result<(), StoreError> {
    let path = folder.deployments().join("records");
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound && path.is_dir() => {
            Err(FolderError::Unusable { path, error }.into())
        }
        _ => Ok(()),
    }
}

impl Sqlite {
    /// The latest time ever recorded.
    pub(crate) fn latest(&self) -> Result<Option<Timestamp>, StoreError> {
        match &self.writer {
            Some(writer) => Ok(writer.latest()),
            None => self.readers.read(query::latest),
        }
    }

    /// The known end of an instance's journal. A hint from before a transaction refers only to entries that the
    /// transaction sees.
    fn hint(&self, key: &InstanceKey) -> Option<Hint> {
        self.writer.as_ref().map(|writer| writer.hint(key))
    }
}

/// Reads that are more than one statement.
impl Sqlite {
    fn answer<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Answer<T> {
        Answer::ready(self.readers.read(read))
    }

    fn read_facts(&self, key: Option<&InstanceKey>) -> Result<Vec<Fact>, StoreError> {
        let hint = key.and_then(|key| self.hint(key));
        self.readers.read(|db| match key {
            None => journal::all(db),
            Some(key) => journal::journal(db, key, hint),
        })
    }

    fn read_component(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let bytes = self.readers.read(|db| query::component(db, digest))?;
        let bytes = bytes.ok_or_else(|| StoreError::Damaged(format!("component {digest} is missing")))?;
        match Digest::of(&bytes) == *digest {
            true => Ok(bytes),
            false => Err(query::other_bytes(digest)),
        }
    }

    fn read_request_and_journal(&self, id: &RequestId) -> Result<Option<RequestWithJournal>, StoreError> {
        let found = self.readers.read(|db| {
            let Some(kept) = requests::kept(db, id)? else { return Ok(None) };
            let hint = self.hint(&kept.key);
            // A hint from within a transaction may refer to entries that were committed after it began.
            let is_seen = hint.is_none_or(|hint| journal::last(db).is_ok_and(|last| hint.is_seen_at(last)));
            let facts = is_seen.then(|| kept.journal(db, hint)).transpose()?;
            Ok(Some((kept, facts)))
        })?;
        let Some((kept, facts)) = found else { return Ok(None) };
        let facts = facts.map_or_else(|| self.read_facts(Some(&kept.key)), Ok)?;
        let document = kept.of_journal(&facts)?;
        Ok(Some(RequestWithJournal { key: kept.key, document, facts }))
    }

    fn read_usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        let settled = self.readers.read(|db| usage(db, tenant))?;
        // Asked after the read, so that entries that were settled in between are not counted twice. The writing process
        // counts exactly.
        let bytes = match &self.writer {
            Some(writer) => writer.bytes_in_tail(tenant),
            None => self.readers.read(|db| heads::bytes(db, tenant))?,
        };
        Ok(UsageChange { bytes, ..UsageChange::default() }.on(settled))
    }
}

impl WriteStore for Sqlite {
    fn write(&self, write: Write<'_>) -> Commit {
        match (&self.writer, Record::of(write)) {
            (Some(writer), Ok(record)) => writer.hand_over(record),
            (None, _) => Commit::ready(Err(FolderError::NotOwned.into())),
            (_, Err(error)) => Commit::ready(Err(error)),
        }
    }

    fn write_here(&self, write: Write<'_>) -> Written {
        match &self.writer {
            Some(writer) => writer.write_here(Record::of(write)?),
            None => Err(FolderError::NotOwned.into()),
        }
    }

    fn write_alone(&self, write: Write<'_>) -> Commit {
        Commit::ready(self.write_here(write))
    }
}

impl JournalStore for Sqlite {
    fn facts(&self, key: Option<&InstanceKey>) -> Answer<Vec<Fact>> {
        Answer::ready(self.read_facts(key))
    }

    fn facts_from(&self, key: &InstanceKey, index: u64, limit: u32) -> Answer<Vec<Fact>> {
        let hint = self.hint(key);
        self.answer(|db| range::from(db, key, (index, limit), hint, &self.sparse_index))
    }

    fn deletions(&self, tenant: Option<&TenantId>, from: Timestamp, limit: u32) -> Answer<Vec<Deleted>> {
        self.answer(|db| deletions::from(db, tenant, from, limit))
    }

    fn instances(&self) -> Answer<Vec<InstanceKey>> {
        self.answer(query::instances)
    }

    fn component(&self, digest: &Digest) -> Answer<Vec<u8>> {
        Answer::ready(self.read_component(digest))
    }

    fn output(&self, key: &InstanceKey) -> Answer<String> {
        self.answer(|db| query::output(db, key))
    }

    fn facts_after(&self, seq: u64, limit: u32) -> Answer<Vec<Fact>> {
        self.answer(|db| range::after(db, seq, limit))
    }

    fn facts_of_tenant(&self, tenant: &TenantId, seq: u64, limit: u32) -> Answer<Vec<Fact>> {
        self.answer(|db| tenant::after(db, tenant, seq, limit))
    }

    fn last_seq(&self) -> Answer<u64> {
        self.answer(journal::last)
    }

    fn now(&self, wall: Timestamp) -> Answer<Timestamp> {
        Answer::ready(self.latest().map(|latest| latest.map_or(wall, |latest| latest.max(wall))))
    }
}

impl RequestStore for Sqlite {
    fn request(&self, id: &RequestId) -> Answer<Option<RecordedRequest>> {
        self.answer(|db| requests::request(db, id))
    }

    fn request_and_journal(&self, id: &RequestId) -> Answer<Option<RequestWithJournal>> {
        Answer::ready(self.read_request_and_journal(id))
    }

    fn requests(&self, which: RequestFilter) -> Answer<Vec<RecordedRequest>> {
        self.answer(|db| decisions::requests(db, which))
    }

    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Answer<AskHistory> {
        self.answer(|db| decisions::asked(db, tenant, capability, resource))
    }

    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Answer<u64> {
        self.answer(|db| decisions::asked_since(db, tenant, since))
    }
}

impl ReceiptStore for Sqlite {
    fn receipt(&self, id: &ReceiptId) -> Answer<Option<RecordedReceipt>> {
        self.answer(|db| query::receipt(db, id))
    }

    fn receipt_of(&self, request: &RequestId) -> Answer<Option<StoredReceipt>> {
        self.answer(|db| query::receipt_of(db, request))
    }

    fn receipts(&self, page: ReceiptPage) -> Answer<Vec<ReceiptId>> {
        self.answer(|db| query::receipts(db, &page))
    }

    fn revocation(&self, id: &ReceiptId) -> Answer<Option<StoredReceipt>> {
        self.answer(|db| query::revocation(db, id))
    }

    fn precedents(&self, tenant: &TenantId, digests: &[Digest]) -> Answer<Vec<(Digest, ReceiptId)>> {
        self.answer(|db| decisions::precedents(db, tenant, digests))
    }
}

impl ActStore for Sqlite {
    fn acts(&self, after: u64) -> Answer<Vec<RecordedAct>> {
        match &self.writer {
            Some(writer) if writer.has_no_act_after(after) => Answer::ready(Ok(Vec::new())),
            _ => self.answer(|db| acts::after(db, after)),
        }
    }

    fn acts_after(&self, seq: u64, limit: u32) -> Answer<Vec<RecordedAct>> {
        self.answer(|db| acts::page(db, seq, limit))
    }
}

impl ScheduleStore for Sqlite {
    fn due_tenants(&self, by: Timestamp) -> Answer<Vec<TenantId>> {
        self.answer(|db| schedule::due_tenants(db, by))
    }

    fn due(&self, tenant: &TenantId, by: Timestamp, limit: u32) -> Answer<Vec<InstanceKey>> {
        self.answer(|db| schedule::due(db, tenant, by, limit))
    }

    fn next_due(&self, after: Timestamp) -> Answer<Option<Timestamp>> {
        self.answer(|db| schedule::next_due(db, after))
    }

    fn entered(&self, key: &InstanceKey) -> Answer<Option<InstanceSummary>> {
        self.answer(|db| schedule::entered(db, key))
    }

    fn list(&self, selection: &Selection) -> Answer<Vec<InstanceSummary>> {
        self.answer(|db| schedule::list(db, selection))
    }

    fn first_ended(&self) -> Answer<Vec<FirstEnded>> {
        self.answer(schedule::first_ended)
    }

    fn ended(&self, tenant: &TenantId, by: Timestamp, skip: u32, limit: u32) -> Answer<Vec<InstanceKey>> {
        self.answer(|db| schedule::ended(db, tenant, by, (skip, limit)))
    }
}

impl DeploymentStore for Sqlite {
    fn deployments(&self, page: DeploymentPage) -> Answer<Vec<RecordedDeployment>> {
        self.answer(|db| deployments::list(db, &page))
    }

    fn live_deployment(&self, tenant: &TenantId, resource: &str) -> Answer<Option<Deployment>> {
        self.answer(|db| deployments::live(db, tenant, resource))
    }

    fn keeps_artifact(&self, sha256: &Digest) -> Answer<bool> {
        self.answer(|db| artifacts::is_held(db, sha256))
    }
}

impl UsageStore for Sqlite {
    fn usage(&self, tenant: &TenantId) -> Answer<Usage> {
        Answer::ready(self.read_usage(tenant))
    }
}
