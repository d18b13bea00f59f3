//! A store in which one write fails.

use receipt::{Digest, Timestamp};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;
use store::{
    ActStore, Answer, AskHistory, ClaimStore, Claims, Commit, Deleted, Deployment, DeploymentPage,
    DeploymentStore, Fact, FirstEnded, HostInfo, HostSigner, Hosts, InstanceKey, InstanceSummary,
    JournalStore, Medium, ReceiptStore, RecordedAct, RecordedDeployment, RecordedReceipt, RecordedRequest,
    RequestFilter, RequestStore, RequestWithJournal, ScheduleStore, Selection, Store, StoreError,
    StoredReceipt, Usage, UsageStore, Write, WriteStore,
};
use workflow::{ReceiptId, RequestId, TenantId};

/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(86_400);

/// When a write fails.
#[derive(Debug, Clone, Copy)]
pub enum When {
    /// Before any of it is on disk.
    Before,
    /// Before any of it is on disk, and the caller learns of it only after a while.
    Late,
    /// After all of it is written, without an answer to the caller.
    After,
}

/// The time until a late failure is answered: a drive meanwhile looks several times for entries to write.
const LATE: Duration = Duration::from_millis(200);

/// A store in which one write fails.
pub struct Faulty {
    inner: Box<dyn Store>,
    when: When,
    /// Writes up to and including the one that fails.
    left: AtomicUsize,
    /// The latest time that was asked for, where the clock of the store is not used.
    clock: Option<AtomicI64>,
    /// Called before each write.
    before: Box<dyn Fn(&Write<'_>) + Send + Sync>,
}

/// Holds writes back while it is closed, like a disk that hangs.
#[derive(Default)]
pub struct Gate {
    /// Whether it is closed, and the number of writes that wait.
    state: Mutex<(bool, usize)>,
    changed: Condvar,
}

impl Gate {
    pub fn close(&self) {
        self.state.lock().unwrap().0 = true;
    }

    pub fn open(&self) {
        self.state.lock().unwrap().0 = false;
        self.changed.notify_all();
    }

    pub fn waiting(&self) -> usize {
        self.state.lock().unwrap().1
    }

    pub fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        state = self.changed.wait_while(state, |(is_closed, _)| *is_closed).unwrap();
        state.1 -= 1;
    }
}

impl Faulty {
    /// A store whose write number `failing` fails, counted from 1.
    pub fn new(inner: Box<dyn Store>, when: When, failing: usize) -> Self {
        Self { inner, when, left: AtomicUsize::new(failing), clock: None, before: Box::new(|_| {}) }
    }

    /// A store in which no write fails, and this is called before each.
    pub fn observed(inner: Box<dyn Store>, before: impl Fn(&Write<'_>) + Send + Sync + 'static) -> Self {
        Self { before: Box::new(before), ..Self::new(inner, When::Before, 0) }
    }

    /// A store in which no write fails, for its only host: that host's claims last forever, and its clock is the time,
    /// as in a folder.
    pub fn alone(inner: Box<dyn Store>) -> Self {
        let signer = HostSigner::Own(Digest::of(b"keys"));
        let (name, version) = ("alone:1".to_owned(), "0.0.0".to_owned());
        inner
            .register(&HostInfo { id: "alone".parse().unwrap(), name, version, signer, place: String::new() })
            .wait()
            .unwrap();
        Self { clock: Some(AtomicI64::new(0)), ..Self::new(inner, When::Before, 0) }
    }
}

impl WriteStore for Faulty {
    fn write(&self, write: Write<'_>) -> Commit {
        (self.before)(&write);
        let last = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match (last, self.when) {
            (Ok(1), When::Before) => Commit::ready(Err(StoreError::Full(Medium::Folder))),
            (Ok(1), When::Late) => {
                let (promise, answer) = Commit::promised();
                thread::spawn(move || {
                    thread::sleep(LATE);
                    promise.answer(Err(StoreError::Full(Medium::Folder)));
                });
                answer
            }
            (Ok(1), When::After) => {
                Commit::ready(self.inner.write(write).wait().and(Err(StoreError::Stopped)))
            }
            _ => self.inner.write(write),
        }
    }
}

impl JournalStore for Faulty {
    fn facts(&self, key: Option<&InstanceKey>) -> Answer<Vec<Fact>> {
        self.inner.facts(key)
    }

    fn facts_from(&self, key: &InstanceKey, index: u64, limit: u32) -> Answer<Vec<Fact>> {
        self.inner.facts_from(key, index, limit)
    }

    fn deletions(&self, tenant: Option<&TenantId>, from: Timestamp, limit: u32) -> Answer<Vec<Deleted>> {
        self.inner.deletions(tenant, from, limit)
    }

    fn instances(&self) -> Answer<Vec<InstanceKey>> {
        self.inner.instances()
    }

    fn component(&self, digest: &Digest) -> Answer<Vec<u8>> {
        self.inner.component(digest)
    }

    fn output(&self, key: &InstanceKey) -> Answer<String> {
        self.inner.output(key)
    }

    fn facts_after(&self, seq: u64, limit: u32) -> Answer<Vec<Fact>> {
        self.inner.facts_after(seq, limit)
    }

    fn facts_of_tenant(&self, tenant: &TenantId, seq: u64, limit: u32) -> Answer<Vec<Fact>> {
        self.inner.facts_of_tenant(tenant, seq, limit)
    }

    fn last_seq(&self) -> Answer<u64> {
        self.inner.last_seq()
    }

    fn now(&self, wall: Timestamp) -> Answer<Timestamp> {
        match &self.clock {
            Some(latest) => {
                let before = latest.fetch_max(wall.as_millis(), Ordering::SeqCst);
                Answer::ready(Ok(wall.max(Timestamp::from_millis(before))))
            }
            None => self.inner.now(wall),
        }
    }
}

impl RequestStore for Faulty {
    fn request(&self, id: &RequestId) -> Answer<Option<RecordedRequest>> {
        self.inner.request(id)
    }

    fn request_and_journal(&self, id: &RequestId) -> Answer<Option<RequestWithJournal>> {
        self.inner.request_and_journal(id)
    }

    fn requests(&self, which: RequestFilter) -> Answer<Vec<RecordedRequest>> {
        self.inner.requests(which)
    }

    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Answer<AskHistory> {
        self.inner.asked(tenant, capability, resource)
    }

    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Answer<u64> {
        self.inner.asked_since(tenant, since)
    }
}

impl ReceiptStore for Faulty {
    fn receipt(&self, id: &ReceiptId) -> Answer<Option<RecordedReceipt>> {
        self.inner.receipt(id)
    }

    fn receipt_of(&self, request: &RequestId) -> Answer<Option<StoredReceipt>> {
        self.inner.receipt_of(request)
    }

    fn receipts(&self, page: store::ReceiptPage) -> Answer<Vec<ReceiptId>> {
        self.inner.receipts(page)
    }

    fn revocation(&self, id: &ReceiptId) -> Answer<Option<StoredReceipt>> {
        self.inner.revocation(id)
    }

    fn precedents(&self, tenant: &TenantId, digests: &[Digest]) -> Answer<Vec<(Digest, ReceiptId)>> {
        self.inner.precedents(tenant, digests)
    }
}

impl ActStore for Faulty {
    fn acts(&self, after: u64) -> Answer<Vec<RecordedAct>> {
        self.inner.acts(after)
    }

    fn acts_after(&self, seq: u64, limit: u32) -> Answer<Vec<RecordedAct>> {
        self.inner.acts_after(seq, limit)
    }
}

impl ScheduleStore for Faulty {
    fn due_tenants(&self, by: Timestamp) -> Answer<Vec<TenantId>> {
        self.inner.due_tenants(by)
    }

    fn due(&self, tenant: &TenantId, by: Timestamp, limit: u32) -> Answer<Vec<InstanceKey>> {
        self.inner.due(tenant, by, limit)
    }

    fn next_due(&self, after: Timestamp) -> Answer<Option<Timestamp>> {
        self.inner.next_due(after)
    }

    fn entered(&self, key: &InstanceKey) -> Answer<Option<InstanceSummary>> {
        self.inner.entered(key)
    }

    fn list(&self, selection: &Selection) -> Answer<Vec<InstanceSummary>> {
        self.inner.list(selection)
    }

    fn first_ended(&self) -> Answer<Vec<FirstEnded>> {
        self.inner.first_ended()
    }

    fn ended(&self, tenant: &TenantId, by: Timestamp, skip: u32, limit: u32) -> Answer<Vec<InstanceKey>> {
        self.inner.ended(tenant, by, skip, limit)
    }
}

impl DeploymentStore for Faulty {
    fn deployments(&self, page: DeploymentPage) -> Answer<Vec<RecordedDeployment>> {
        self.inner.deployments(page)
    }

    fn live_deployment(&self, tenant: &TenantId, resource: &str) -> Answer<Option<Deployment>> {
        self.inner.live_deployment(tenant, resource)
    }

    fn keeps_artifact(&self, sha256: &Digest) -> Answer<bool> {
        self.inner.keeps_artifact(sha256)
    }
}

impl UsageStore for Faulty {
    fn usage(&self, tenant: &TenantId) -> Answer<Usage> {
        self.inner.usage(tenant)
    }
}

impl ClaimStore for Faulty {
    fn register(&self, host: &HostInfo) -> Answer<()> {
        self.inner.register(host)
    }

    fn renew(&self, ttl: Duration) -> Answer<Claims> {
        match &self.clock {
            Some(_) => {
                let held = self.inner.renew(FOR_EVER).wait();
                Answer::ready(held.map(|claims| Claims { valid_for: None, ..claims }))
            }
            None => self.inner.renew(ttl),
        }
    }

    fn release(&self) -> Answer<()> {
        self.inner.release()
    }

    fn hosts(&self) -> Answer<Hosts> {
        self.inner.hosts()
    }
}
