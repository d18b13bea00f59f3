//! The store in a PostgreSQL database: a thread of its own with a runtime, on which one session writes and a few read.

use crate::connection::Connection;
use crate::error::{PostgresError, Trouble};
use crate::import::{Import, Incoming, import};
use crate::location::Location;
use crate::readers::{Lease, Readers};
use crate::record::Record;
use crate::shared::{CommitDemand, Shared};
use crate::writer::{Job, Writer};
use crate::{blobs, claims, journals, requests, schedule, schema, tail};
use receipt::{Digest, Timestamp};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;
use store::{
    ActStore, Answer, AskHistory, BlobStore, ClaimStore, Claims, Commit, Deleted, Deployment, DeploymentPage,
    DeploymentStore, Fact, FirstEnded, HostInfo, Hosts, InstanceKey, InstanceSummary, JournalStore,
    ReceiptStore, RecordedAct, RecordedDeployment, RecordedReceipt, RecordedRequest, RequestFilter,
    RequestStore, RequestWithJournal, ScheduleStore, Selection, StoreError, StoredReceipt, TakeRow, Usage,
    UsageStore, Write, WriteStore,
};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use workflow::{ReceiptId, RequestId, TenantId};

/// The time for which a renewal retries an unresponsive server: a claim does not last much longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Rows of another engine that are on their way into the database.
const ROWS_UNDER_WAY: usize = 256;

/// The attempts of a renewal.
const TRIES: u32 = 4;

/// A [`Store`](store::Store) in PostgreSQL. Dropping it waits until all submitted writes are written or refused.
pub struct Postgres {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    /// The session that keeps claims: no read and no write is before it.
    keeper: Arc<Mutex<Option<Arc<Connection>>>>,
    runtime: Handle,
    queue: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Postgres({})", self.shared.place)
    }
}

impl Postgres {
    /// Opens the database at a `postgres://` URL.
    ///
    /// # Errors
    /// When the URL is not valid, the server cannot be reached, or the schema is missing or of another version.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_demanding(url, CommitDemand::Any)
    }

    /// The same, and demands something of its commits, from now on.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and where commits are not as demanded.
    pub fn open_demanding(url: &str, demand: CommitDemand) -> Result<Self, StoreError> {
        let place = Location::parse(url)?;
        let (queue, jobs) = unbounded_channel();
        let (opened, answer) = channel();
        let run = move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(opened.send(Err(PostgresError::Server(error.to_string()).into()))),
            };
            let handle = runtime.handle().clone();
            runtime.block_on(async move {
                match start(place, demand).await {
                    Ok((writer, shared)) => {
                        drop(opened.send(Ok((handle, shared))));
                        serve(writer, jobs).await;
                    }
                    Err(trouble) => drop(opened.send(Err(trouble.into_error()))),
                }
            });
        };
        let thread = std::thread::Builder::new().name("pp-host-store".to_owned()).spawn(run);
        let thread = thread.map_err(|error| StoreError::from(PostgresError::Server(error.to_string())))?;
        let (runtime, shared) = answer.recv().map_err(|_| StoreError::Stopped)??;
        let (readers, keeper) = (Arc::new(Readers::new(Arc::clone(&shared))), Arc::default());
        Ok(Self { shared, readers, keeper, runtime, queue: Some(queue), thread: Some(thread) })
    }

    /// Makes the schema in the database at that URL, or upgrades it.
    ///
    /// # Errors
    /// When the URL is not valid, the server cannot be reached, the account may not make tables, or a newer program
    /// made the schema.
    pub fn migrate(url: &str) -> Result<(), StoreError> {
        let place = Location::parse(url)?;
        let run = move || -> Result<(), StoreError> {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime =
                runtime.map_err(|error| StoreError::from(PostgresError::Server(error.to_string())))?;
            let migrated = runtime.block_on(async { schema::migrate(&place.connect().await?).await });
            migrated.map_err(Trouble::into_error)
        };
        // A thread of its own: the caller may be on a runtime, which cannot wait on another one.
        std::thread::spawn(run).join().unwrap_or(Err(StoreError::Stopped))
    }

    /// Imports everything that `export` passes, into the empty database at that URL: in one transaction, compared
    /// before it is committed. `id` names the move: a committed one is not made again. `before_commit` is called when
    /// only the commit is left.
    ///
    /// # Errors
    /// When the database is not empty or cannot be used, or when `export` or `before_commit` fails. Then nothing was written.
    pub fn import(
        url: &str,
        id: &str,
        export: impl FnOnce(TakeRow<'_>) -> Result<Digest, StoreError>,
        before_commit: impl FnOnce() -> Result<(), StoreError> + Send,
    ) -> Result<Import, StoreError> {
        let place = Location::parse(url)?;
        let (rows, incoming) = tokio::sync::mpsc::channel(ROWS_UNDER_WAY);
        std::thread::scope(|scope| {
            let work = move || -> Result<Import, StoreError> {
                let runtime = Builder::new_current_thread().enable_all().build();
                let runtime =
                    runtime.map_err(|error| StoreError::from(PostgresError::Server(error.to_string())))?;
                let imported = import(&place, id, incoming, before_commit);
                runtime.block_on(imported).map_err(Trouble::into_error)
            };
            let importing = scope.spawn(work);
            let send = |row| rows.blocking_send(row).map_err(|_| StoreError::Stopped);
            let exported = export(&mut |row| send(Incoming::Row(Box::new(row))))
                .and_then(|audit| send(Incoming::End(audit)));
            drop(rows);
            match (exported, importing.join().unwrap_or(Err(StoreError::Stopped))) {
                (Err(error), Err(StoreError::Stopped)) => Err(error),
                // The database failed first, and accepted no more rows.
                (_, imported) => imported,
            }
        })
    }

    /// Reads on the store's runtime, which never waits for the caller's.
    fn read<T, F>(&self, read: impl FnOnce(Lease) -> F + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        let (promise, answer) = Answer::promised();
        let readers = Arc::clone(&self.readers);
        self.runtime.spawn(async move {
            let done = async { read(readers.lease().await?).await }.await;
            promise.answer(done.map_err(Trouble::into_error));
        });
        answer
    }
}

impl Postgres {
    /// Works on the session that keeps claims. A transaction that another host's undid is tried again.
    fn keep<T, F>(&self, act: impl Fn(Arc<Shared>, Arc<Connection>) -> F + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send,
    {
        let (promise, answer) = Answer::promised();
        let (shared, keeper) = (Arc::clone(&self.shared), Arc::clone(&self.keeper));
        self.runtime.spawn(async move {
            let mut session = keeper.lock().await;
            let done = keep(&shared, &mut session, act).await;
            promise.answer(done.map_err(Trouble::into_error));
        });
        answer
    }
}

async fn keep<T, F: Future<Output = Result<T, Trouble>> + Send>(
    shared: &Arc<Shared>,
    session: &mut Option<Arc<Connection>>,
    act: impl Fn(Arc<Shared>, Arc<Connection>) -> F,
) -> Result<T, Trouble> {
    let mut tries = 0;
    loop {
        shared.check()?;
        tries += 1;
        let db = match session.take().filter(|db| !db.is_closed()) {
            Some(db) => db,
            None => Arc::new(shared.connect(PATIENCE).await?),
        };
        let done = act(Arc::clone(shared), Arc::clone(&db)).await;
        if matches!(done, Err(Trouble::Raced(_) | Trouble::Lost(_))) && tries < TRIES {
            // An open transaction ends with its session.
            continue;
        }
        if done.is_ok() {
            *session = Some(db);
        }
        return done;
    }
}

async fn start(place: Location, demand: CommitDemand) -> Result<(Writer, Arc<Shared>), Trouble> {
    let db: Connection = place.connect().await?;
    schema::check(&db, &place).await?;
    let shared = Arc::new(Shared::start(place, demand, &db).await?);
    Ok((Writer::start(Arc::clone(&shared), db).await?, shared))
}

/// The writer is a task of its own: if it panics, reads continue, and writes answer that the store has stopped.
async fn serve(writer: Writer, jobs: UnboundedReceiver<Job>) {
    let _ = tokio::spawn(writer.serve(jobs)).await;
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads with copies of the values that are named.
macro_rules! read {
    ($store:ident, |$db:ident $(, $name:ident)*| $read:expr) => {{
        $(let $name = $name.to_owned();)*
        $store.read(move |$db| async move { $read.await })
    }};
}

impl WriteStore for Postgres {
    fn write(&self, write: Write<'_>) -> Commit {
        let record = match Record::of(write) {
            Ok(record) => record,
            Err(error) => return Commit::ready(Err(error)),
        };
        let (promise, commit) = Commit::promised();
        if let Some(queue) = &self.queue {
            // When the task is gone, the promise is returned and dropped, which answers the caller with an error.
            drop(queue.send(Job { record, promise }));
        }
        commit
    }
}

impl JournalStore for Postgres {
    fn facts(&self, key: Option<&InstanceKey>) -> Answer<Vec<Fact>> {
        match key {
            Some(key) => read!(self, |db, key| journals::journal(&db, &key)),
            None => read!(self, |db| journals::all(&db)),
        }
    }

    fn facts_from(&self, key: &InstanceKey, index: u64, limit: u32) -> Answer<Vec<Fact>> {
        read!(self, |db, key| journals::from(&db, &key, index, limit))
    }

    fn deletions(&self) -> Answer<Vec<Deleted>> {
        read!(self, |db| journals::deletions(&db))
    }

    fn instances(&self) -> Answer<Vec<InstanceKey>> {
        read!(self, |db| journals::instances(&db))
    }

    fn component(&self, digest: &Digest) -> Answer<Vec<u8>> {
        read!(self, |db, digest| journals::component(&db, &digest))
    }

    fn output(&self, key: &InstanceKey) -> Answer<String> {
        read!(self, |db, key| journals::output(&db, &key))
    }

    fn facts_after(&self, seq: u64, limit: u32) -> Answer<Vec<Fact>> {
        let shared = Arc::clone(&self.shared);
        self.read(move |db| async move {
            let horizon = horizon(&shared, &db).await?;
            tail::after(&db, seq, limit, horizon).await
        })
    }

    fn last_seq(&self) -> Answer<u64> {
        let shared = Arc::clone(&self.shared);
        self.read(move |db| async move {
            let horizon = horizon(&shared, &db).await?;
            tail::last(&db, horizon).await
        })
    }

    fn now(&self, _wall: Timestamp) -> Answer<Timestamp> {
        Answer::ready(Ok(self.shared.clock.now()))
    }
}

/// The place below which nothing is still to come.
async fn horizon(shared: &Shared, db: &Connection) -> Result<i64, Trouble> {
    let found = tail::horizon(db, shared.horizon.load(Ordering::Acquire)).await?;
    Ok(shared.horizon.fetch_max(found, Ordering::AcqRel).max(found))
}

impl ClaimStore for Postgres {
    fn register(&self, host: &HostInfo) -> Answer<()> {
        self.shared.set_host(host.id.clone());
        let host = host.clone();
        self.keep(move |_, db| {
            let host = host.clone();
            async move { claims::register(&db, &host).await }
        })
    }

    fn renew(&self, ttl: Duration) -> Answer<Claims> {
        self.keep(move |shared, db| async move {
            // A failover ends every session, so this session still reaches the server that was compared when it was opened.
            shared.look(&db).await?;
            let claims = claims::renew(&db, &shared.host()?, &shared.claim(), ttl).await?;
            Ok(Claims { notice: shared.take_notice(), ..claims })
        })
    }

    fn release(&self) -> Answer<()> {
        self.keep(|shared, db| async move { claims::release(&db, &shared.host()?, &shared.claim()).await })
    }

    fn hosts(&self) -> Answer<Hosts> {
        read!(self, |db| claims::hosts(&db))
    }
}

impl BlobStore for Postgres {
    fn keep_blob(&self, digest: &Digest, bytes: Arc<[u8]>) -> Answer<()> {
        read!(self, |db, digest| blobs::keep(&db, &digest, &bytes))
    }

    fn blob(&self, digest: &Digest) -> Answer<Option<Vec<u8>>> {
        read!(self, |db, digest| blobs::read(&db, &digest))
    }

    fn blobs(&self) -> Answer<Vec<Digest>> {
        read!(self, |db| blobs::list(&db))
    }

    fn sweep_blob(&self, digest: &Digest) -> Answer<()> {
        read!(self, |db, digest| blobs::sweep(&db, &digest))
    }
}

impl RequestStore for Postgres {
    fn request(&self, id: &RequestId) -> Answer<Option<RecordedRequest>> {
        read!(self, |db, id| requests::request(&db, &id))
    }

    fn request_and_journal(&self, id: &RequestId) -> Answer<Option<RequestWithJournal>> {
        read!(self, |db, id| requests::with_journal(&db, &id))
    }

    fn requests(&self, which: RequestFilter) -> Answer<Vec<RecordedRequest>> {
        read!(self, |db| requests::list(&db, &which))
    }

    fn asked(&self, tenant: &TenantId, capability: &str, resource: &str) -> Answer<AskHistory> {
        let subject = format!("{capability} {resource}");
        read!(self, |db, tenant| requests::asked(&db, &tenant, &subject))
    }

    fn asked_since(&self, tenant: &TenantId, since: Timestamp) -> Answer<u64> {
        read!(self, |db, tenant| requests::asked_since(&db, &tenant, since))
    }
}

impl ReceiptStore for Postgres {
    fn receipt(&self, id: &ReceiptId) -> Answer<Option<RecordedReceipt>> {
        read!(self, |db, id| requests::receipt(&db, &id))
    }

    fn revocation(&self, id: &ReceiptId) -> Answer<Option<StoredReceipt>> {
        read!(self, |db, id| requests::revocation(&db, &id))
    }

    fn receipts(&self) -> Answer<Vec<ReceiptId>> {
        read!(self, |db| requests::receipts(&db))
    }

    fn precedents(&self, tenant: &TenantId, digest: &Digest) -> Answer<Vec<ReceiptId>> {
        read!(self, |db, tenant, digest| requests::precedents(&db, &tenant, &digest))
    }
}

impl ActStore for Postgres {
    fn acts(&self, after: u64) -> Answer<Vec<RecordedAct>> {
        read!(self, |db| requests::acts(&db, after))
    }
}

impl ScheduleStore for Postgres {
    fn due_tenants(&self, by: Timestamp) -> Answer<Vec<TenantId>> {
        let claim = self.shared.claim();
        read!(self, |db| schedule::due_tenants(&db, by, claim))
    }

    fn due(&self, tenant: &TenantId, by: Timestamp, limit: u32) -> Answer<Vec<InstanceKey>> {
        let claim = self.shared.claim();
        read!(self, |db, tenant| schedule::due(&db, &tenant, (by, limit), claim))
    }

    fn next_due(&self, after: Timestamp) -> Answer<Option<Timestamp>> {
        let claim = self.shared.claim();
        read!(self, |db| schedule::next_due(&db, after, claim))
    }

    fn entered(&self, key: &InstanceKey) -> Answer<Option<InstanceSummary>> {
        read!(self, |db, key| schedule::entered(&db, &key))
    }

    fn list(&self, selection: &Selection) -> Answer<Vec<InstanceSummary>> {
        read!(self, |db, selection| schedule::list(&db, &selection))
    }

    fn first_ended(&self) -> Answer<Vec<FirstEnded>> {
        read!(self, |db| schedule::first_ended(&db))
    }

    fn ended(&self, tenant: &TenantId, by: Timestamp, skip: u32, limit: u32) -> Answer<Vec<InstanceKey>> {
        read!(self, |db, tenant| schedule::ended(&db, &tenant, by, (skip, limit)))
    }
}

impl DeploymentStore for Postgres {
    fn deployments(&self, page: DeploymentPage) -> Answer<Vec<RecordedDeployment>> {
        read!(self, |db| schedule::deployments(&db, page))
    }

    fn live_deployment(&self, tenant: &TenantId, resource: &str) -> Answer<Option<Deployment>> {
        read!(self, |db, tenant, resource| schedule::live(&db, &tenant, &resource))
    }

    fn keeps_artifact(&self, sha256: &Digest) -> Answer<bool> {
        read!(self, |db, sha256| schedule::keeps(&db, &sha256))
    }
}

impl UsageStore for Postgres {
    fn usage(&self, tenant: &TenantId) -> Answer<Usage> {
        read!(self, |db, tenant| schedule::kept(&db, &tenant))
    }
}
