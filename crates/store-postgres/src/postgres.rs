//! The store in a PostgreSQL database: a thread with an async runtime, on which one session writes and a few sessions read.

use crate::blob::objects::Objects;
use crate::error::{DatabaseError, PostgresError};
use crate::import::{Import, Incoming, import};
use crate::schema;
use crate::session::connection::Connection;
use crate::session::location::Location;
use crate::session::readers::{PooledConnection, Readers};
use crate::session::shared::{CommitDemand, Shared};
use crate::write::record::Record;
use crate::write::writer::{Job, Writer};
use receipt::Digest;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;
use store::{Answer, Commit, ObjectStorage, StoreError, TakeRow};
use tokio::runtime::{Builder, Handle};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The time for which a renewal retries an unresponsive server: a claim does not last much longer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The most rows of another engine that are in the channel to the database.
const ROWS_UNDER_WAY: usize = 256;

/// The attempts of a renewal.
const TRIES: u32 = 4;

/// A [`Store`](store::Store) in PostgreSQL. Dropping it waits until all submitted writes are written or refused.
pub struct Postgres {
    pub(crate) shared: Arc<Shared>,
    /// The object storage for artifacts; `None` keeps them in the database.
    pub(crate) objects: Option<Objects>,
    readers: Arc<Readers>,
    /// The session for claims, which therefore never queue behind a read or a write.
    keeper: Arc<Mutex<Option<Arc<Connection>>>>,
    runtime: Handle,
    queue: Option<UnboundedSender<Job>>,
    /// Dropped when the store is: the runtime serves reads until then.
    open: Option<oneshot::Sender<()>>,
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

    /// Opens the database, and demands a durability of its commits from now on.
    ///
    /// # Errors
    /// As for [`open`](Self::open), and when commits are not as demanded.
    pub fn open_demanding(url: &str, demand: CommitDemand) -> Result<Self, StoreError> {
        let place = Location::parse(url)?;
        let (queue, jobs) = unbounded_channel();
        let (opened, answer) = channel();
        let (open, is_closed) = oneshot::channel();
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
                        serve(writer.serve(jobs), is_closed).await;
                    }
                    Err(error) => drop(opened.send(Err(error.into_error()))),
                }
            });
        };
        let thread = std::thread::Builder::new().name("pp-host-store".to_owned()).spawn(run);
        let thread = thread.map_err(|error| StoreError::from(PostgresError::Server(error.to_string())))?;
        let (runtime, shared) = answer.recv().map_err(|_| StoreError::Stopped)??;
        let (readers, keeper) = (Arc::new(Readers::new(Arc::clone(&shared))), Arc::default());
        let (queue, open, thread) = (Some(queue), Some(open), Some(thread));
        Ok(Self { shared, objects: None, readers, keeper, runtime, queue, open, thread })
    }

    /// Opens the database, and keeps new artifacts in object storage. Artifacts in the database are still read from it.
    #[must_use]
    pub fn with_objects(mut self, objects: Arc<dyn ObjectStorage>) -> Self {
        self.objects = Some(objects);
        self
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
            migrated.map_err(DatabaseError::into_error)
        };
        // On a thread of its own: the caller may be on a runtime, where blocking on another runtime is not possible.
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
                runtime.block_on(imported).map_err(DatabaseError::into_error)
            };
            let importing = scope.spawn(work);
            let send = |row| rows.blocking_send(row).map_err(|_| StoreError::Stopped);
            let exported = export(&mut |row| send(Incoming::Row(Box::new(row))))
                .and_then(|audit| send(Incoming::End(audit)));
            drop(rows);
            match (exported, importing.join().unwrap_or(Err(StoreError::Stopped))) {
                (Err(error), Err(StoreError::Stopped)) => Err(error),
                // The import failed first and accepts no more rows.
                (_, imported) => imported,
            }
        })
    }

    /// Reads on the store's runtime, which never waits for the caller's runtime.
    pub(crate) fn read<T, F>(&self, read: impl FnOnce(PooledConnection) -> F + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DatabaseError>> + Send,
    {
        self.read_with(|readers| async move { read(readers.acquire().await?).await })
    }

    /// The same for a read that borrows a session for parts of it.
    pub(crate) fn read_with<T, F>(&self, read: impl FnOnce(Arc<Readers>) -> F + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DatabaseError>> + Send,
    {
        let (promise, answer) = Answer::promised();
        let readers = Arc::clone(&self.readers);
        self.runtime
            .spawn(async move { promise.answer(read(readers).await.map_err(DatabaseError::into_error)) });
        answer
    }

    /// Submits a write.
    pub(crate) fn submit(&self, record: Record) -> Commit {
        let (promise, commit) = Commit::promised();
        if let Some(queue) = &self.queue {
            // If the task has ended, `send` returns the promise; dropping it answers the caller with an error.
            drop(queue.send(Job { record, promise }));
        }
        commit
    }

    /// Works on the session for claims. A transaction that fails because of another host's is retried.
    pub(crate) fn keep<T, F>(
        &self,
        act: impl Fn(Arc<Shared>, Arc<Connection>) -> F + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DatabaseError>> + Send,
    {
        let (promise, answer) = Answer::promised();
        let (shared, keeper) = (Arc::clone(&self.shared), Arc::clone(&self.keeper));
        self.runtime.spawn(async move {
            // One that hangs does not have others queue behind it.
            let Ok(mut session) = timeout(TIMEOUT, keeper.lock()).await else {
                let before = "the server has not answered the call before this one yet".to_owned();
                return promise.answer(Err(PostgresError::Lost(before).into()));
            };
            let done = keep(&shared, &mut session, act).await;
            promise.answer(done.map_err(DatabaseError::into_error));
        });
        answer
    }
}

async fn keep<T, F: Future<Output = Result<T, DatabaseError>> + Send>(
    shared: &Arc<Shared>,
    session: &mut Option<Arc<Connection>>,
    act: impl Fn(Arc<Shared>, Arc<Connection>) -> F,
) -> Result<T, DatabaseError> {
    let mut tries = 0;
    loop {
        shared.check()?;
        tries += 1;
        let db = match session.take().filter(|db| !db.is_closed()) {
            Some(db) => db,
            None => Arc::new(shared.connect(TIMEOUT).await?),
        };
        let done = act(Arc::clone(shared), Arc::clone(&db)).await;
        if matches!(done, Err(DatabaseError::Raced(_) | DatabaseError::Lost(_))) && tries < TRIES {
            // An open transaction ends with its session.
            continue;
        }
        if done.is_ok() {
            *session = Some(db);
        }
        return done;
    }
}

async fn start(place: Location, demand: CommitDemand) -> Result<(Writer, Arc<Shared>), DatabaseError> {
    let db: Connection = place.connect().await?;
    schema::check(&db, &place).await?;
    let shared = Arc::new(Shared::start(place, demand, &db).await?);
    Ok((Writer::start(Arc::clone(&shared), db).await?, shared))
}

/// The writer is a task of its own: if it panics, reads continue until the store is closed, and writes answer that the store has stopped.
async fn serve(writing: impl Future<Output = ()> + Send + 'static, is_closed: oneshot::Receiver<()>) {
    let _ = tokio::spawn(writing).await;
    let _ = is_closed.await;
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.shared.close();
        self.queue.take();
        self.open.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_go_on_after_a_writer_that_panics() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (open, is_closed) = oneshot::channel();
        let (handle, (panics, has_panicked)) = (runtime.handle().clone(), channel::<()>());
        let writing = async move {
            drop(panics);
            panic!("as a defect would")
        };
        let serving = std::thread::spawn(move || runtime.block_on(serve(writing, is_closed)));
        has_panicked.recv().unwrap_err();
        let (read, answer) = channel();
        handle.spawn(async move {
            tokio::task::yield_now().await;
            read.send(1)
        });
        assert_eq!(answer.recv(), Ok(1));
        drop(open);
        serving.join().unwrap();
    }
}
