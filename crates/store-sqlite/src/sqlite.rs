//! The store in one SQLite file: readers beside one writer.

use crate::apply::Record;
use crate::cache::WriterCache;
use crate::heads::Hint;
use crate::readers::Readers;
use crate::usage::{Change, usage};
use crate::wal::Wal;
use crate::writer::Writer;
use crate::{DataFolder, approvals, deletion, deployments, heads, journal, open, query, requests, schedule};
use receipt::{Digest, Timestamp};
use std::{fs, io};
use store::{
    AskHistory, Commit, Deleted, Deployment, DeploymentPage, Fact, InstanceKey, InstanceSummary,
    ReceiptState, RecordedAct, RecordedDeployment, RequestFilter, Selection, Store, StoreError,
    StoredReceipt, Usage, Write, Written,
};
use workflow::{ReceiptId, RequestId, TenantId};

/// A [`Store`] in `journal.sqlite`.
#[derive(Debug)]
pub struct Sqlite {
    readers: Readers,
    /// None where the folder was opened to look.
    writer: Option<Writer>,
}

impl Sqlite {
    /// Opens the folder's journal, for writing where the folder is owned.
    ///
    /// # Errors
    /// When it is damaged, foreign, newer than this program, or cannot be read.
    pub fn open(folder: &DataFolder) -> Result<Self, StoreError> {
        let path = folder.journal();
        let mut writer = None;
        if folder.is_owned() {
            let mut db = open::own(&path)?;
            remove_imported(folder)?;
            let (latest, mark) = (query::latest(&db)?, deletion::mark(&db)?);
            let failed = |error| StoreError::Folder { path: path.clone(), error };
            let log = Wal::open(&mut db, &path)?;
            let ledger = WriterCache::new(latest, mark);
            writer = Some(Writer::start(db, log, ledger)?.map_err(failed)?);
        }
        Ok(Self { readers: Readers::open(path)?, writer })
    }
}

/// Format 8 kept a file a deployment. Each is a row by now, and what is kept twice can differ.
fn remove_imported(folder: &DataFolder) -> Result<(), StoreError> {
    let path = folder.deployments().join("records");
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound && path.is_dir() => {
            Err(StoreError::Folder { path, error })
        }
        _ => Ok(()),
    }
}

/// For whoever looks at everything, or follows what happens.
impl Sqlite {
    /// The last fact's place; 0 where there is none.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn last_seq(&self) -> Result<u64, StoreError> {
        self.readers.read(journal::last)
    }

    /// The first facts after that place, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn facts_after(&self, seq: u64, limit: u32) -> Result<Vec<Fact>, StoreError> {
        self.readers.read(|db| journal::after(db, seq, limit))
    }

    /// What is known of the end of an instance's journal. Asked before a transaction begins, it says nothing that is not in there.
    fn hint(&self, key: &InstanceKey) -> Option<Hint> {
        self.writer.as_ref().map(|writer| writer.hint(key))
    }
}

impl Store for Sqlite {
    fn write(&self, write: Write<'_>) -> Commit {
        match (&self.writer, Record::of(write)) {
            (Some(writer), Ok(record)) => writer.hand_over(record),
            (None, _) => Commit::ready(Err(StoreError::NotOwned)),
            (_, Err(error)) => Commit::ready(Err(error)),
        }
    }

    fn write_here(&self, write: Write<'_>) -> Written {
        match &self.writer {
            Some(writer) => writer.write_here(Record::of(write)?),
            None => Err(StoreError::NotOwned),
        }
    }

    fn facts(&self, key: Option<&InstanceKey>) -> Result<Vec<Fact>, StoreError> {
        let hint = key.and_then(|key| self.hint(key));
        self.readers.read(|db| match key {
            None => journal::all(db),
            Some(key) => journal::journal(db, key, hint),
        })
    }

    fn facts_from(&self, key: &InstanceKey, index: u64, limit: u32) -> Result<Vec<Fact>, StoreError> {
        let hint = self.hint(key);
        self.readers.read(|db| journal::from(db, key, (index, limit), hint))
    }

    fn deletions(&self) -> Result<Vec<Deleted>, StoreError> {
        self.readers.read(deletion::deletions)
    }

    fn revocation(&self, id: &ReceiptId) -> Result<Option<StoredReceipt>, StoreError> {
        self.readers.read(|db| query::revocation(db, id))
    }

    fn instances(&self) -> Result<Vec<InstanceKey>, StoreError> {
        self.readers.read(query::instances)
    }

    fn component(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let bytes = self.readers.read(|db| query::component(db, digest))?;
        let bytes = bytes.ok_or_else(|| StoreError::Damaged(format!("component {digest} is missing")))?;
        match Digest::of(&bytes) == *digest {
            true => Ok(bytes),
            false => Err(StoreError::Damaged(format!(
                "component {digest} has other bytes than it was stored with"
            ))),
        }
    }

    fn request(&self, id: &RequestId) -> Result<Option<(InstanceKey, String)>, StoreError> {
        self.readers.read(|db| requests::request(db, id))
    }

    fn request_and_journal(
        &self,
        id: &RequestId,
    ) -> Result<Option<(InstanceKey, serde_json::Value, Vec<Fact>)>, StoreError> {
        let found = self.readers.read(|db| {
            let Some(kept) = requests::kept(db, id)? else { return Ok(None) };
            let hint = self.hint(&kept.key);
            // Asked within a transaction, it may speak of what was committed since that began.
            let is_seen = hint.is_none_or(|hint| journal::last(db).is_ok_and(|last| hint.is_seen_at(last)));
            let facts = is_seen.then(|| kept.journal(db, hint)).transpose()?;
            Ok(Some((kept, facts)))
        })?;
        let Some((kept, facts)) = found else { return Ok(None) };
        let facts = facts.map_or_else(|| self.facts(Some(&kept.key)), Ok)?;
        let document = kept.of_journal(&facts)?;
        Ok(Some((kept.key, document, facts)))
    }

    fn receipt(&self, id: &ReceiptId) -> Result<Option<(StoredReceipt, ReceiptState)>, StoreError> {
        self.readers.read(|db| query::receipt(db, id))
    }

    fn receipts(&self) -> Result<Vec<ReceiptId>, StoreError> {
        self.readers.read(query::receipts)
    }

    fn acts(&self, after: u64) -> Result<Vec<RecordedAct>, StoreError> {
        match &self.writer {
            Some(writer) if writer.has_no_act_after(after) => Ok(Vec::new()),
            _ => self.readers.read(|db| approvals::acts(db, after)),
        }
    }

    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Result<AskHistory, StoreError> {
        self.readers.read(|db| approvals::asked(db, tenant, capability, resource))
    }

    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Result<u64, StoreError> {
        self.readers.read(|db| approvals::asked_since(db, tenant, since))
    }

    fn due_tenants(&self, by: Timestamp) -> Result<Vec<TenantId>, StoreError> {
        self.readers.read(|db| schedule::due_tenants(db, by))
    }

    fn due(&self, tenant: &TenantId, by: Timestamp, limit: u32) -> Result<Vec<InstanceKey>, StoreError> {
        self.readers.read(|db| schedule::due(db, tenant, by, limit))
    }

    fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.readers.read(|db| schedule::next_due(db, after))
    }

    fn entered(&self, key: &InstanceKey) -> Result<Option<InstanceSummary>, StoreError> {
        self.readers.read(|db| schedule::entered(db, key))
    }

    fn list(&self, selection: &Selection) -> Result<Vec<InstanceSummary>, StoreError> {
        self.readers.read(|db| schedule::list(db, selection))
    }

    fn first_ended(&self) -> Result<Vec<(TenantId, Timestamp)>, StoreError> {
        self.readers.read(schedule::first_ended)
    }

    fn ended(
        &self,
        tenant: &TenantId,
        by: Timestamp,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<InstanceKey>, StoreError> {
        self.readers.read(|db| schedule::ended(db, tenant, by, (skip, limit)))
    }

    fn precedents(&self, tenant: &TenantId, digest: &Digest) -> Result<Vec<ReceiptId>, StoreError> {
        self.readers.read(|db| approvals::precedents(db, tenant, digest))
    }

    fn requests(
        &self,
        which: RequestFilter,
    ) -> Result<Vec<(InstanceKey, String, Option<String>)>, StoreError> {
        self.readers.read(|db| approvals::requests(db, which))
    }

    fn latest(&self) -> Result<Option<Timestamp>, StoreError> {
        match &self.writer {
            Some(writer) => Ok(writer.latest()),
            None => self.readers.read(query::latest),
        }
    }

    fn usage(&self, tenant: &TenantId) -> Result<Usage, StoreError> {
        let settled = self.readers.read(|db| usage(db, tenant))?;
        // Asked afterwards: what is settled in between is not counted twice. Whoever writes counts exactly.
        let bytes = match &self.writer {
            Some(writer) => writer.bytes_in_tail(tenant),
            None => self.readers.read(|db| heads::bytes(db, tenant))?,
        };
        Ok(Change { bytes, ..Change::default() }.on(settled))
    }

    fn deployments(&self, page: DeploymentPage) -> Result<Vec<RecordedDeployment>, StoreError> {
        self.readers.read(|db| deployments::list(db, page))
    }

    fn live_deployment(&self, tenant: &TenantId, resource: &str) -> Result<Option<Deployment>, StoreError> {
        self.readers.read(|db| deployments::live(db, tenant, resource))
    }

    fn output(&self, key: &InstanceKey) -> Result<String, StoreError> {
        self.readers.read(|db| query::output(db, key))
    }
}
