//! The writing thread. All waiting writes are committed together, with one disk synchronisation.
//!
//! ```text
//!   write ─Record─► queue ─► [ begin │ savepoint, write, release │ … │ commit ] ─► every promise is answered
//!              └─ no write runs or waits, and the caller blocks: the same on the caller's thread ─┘
//! ```
//!
//! Each write except a step has a savepoint, so that a refused write is undone alone; a step is refused before it is
//! written. When the commit itself fails, nothing of the group is stored, and each write gets that error.
//!
//! If many callers write at once, a group waits for more of them ([`gathering`]).

pub(crate) mod append;
pub(crate) mod apply;
pub(crate) mod cache;
pub(crate) mod deletion;
mod gathering;
pub(crate) mod projections;

use crate::file::wal::Wal;
use crate::journal::heads::{Hint, TailView};
use crate::sql::classify;
use crate::tables::acts;
use crate::writer::apply::Record;
use crate::writer::cache::WriterCache;
use crate::writer::gathering::Gathering;
use receipt::Timestamp;
use rusqlite::Connection;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use store::files::count_synchronisation;
use store::{Commit, InstanceKey, Promise, Stamp, StoreError, Written};
use workflow::TenantId;

/// The most writes in one transaction, so that a write waits only a few milliseconds for others.
const GROUP: usize = 2_048;

/// Bytes in one transaction, about: a group is closed by the write that reaches it.
const GROUP_BYTES: usize = 8 << 20;

/// A write, and the promise of its answer.
struct Job {
    record: Record,
    promise: Promise<Option<Stamp>>,
}

/// The handle of the writing thread. Dropping it waits until all submitted writes are on disk.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    session: Arc<Mutex<Session>>,
    shared: Arc<SharedState>,
}

/// State that readers may use without querying the database.
#[derive(Debug)]
struct SharedState {
    /// The latest time ever recorded.
    latest: AtomicI64,
    /// The place of the last act of an operator; [`UNKNOWN`] if that has to be asked.
    acts: AtomicU64,
    /// Writes that are submitted and have not begun.
    queued: AtomicUsize,
    /// The heads of journals.
    tail: Mutex<TailView>,
}

/// No place of an act.
const UNKNOWN: u64 = u64::MAX;

impl Writer {
    /// Starts the thread on a connection that no other thread writes through. The inner error is the thread's.
    pub(crate) fn start(
        db: Connection,
        log: Wal,
        mut cache: WriterCache,
    ) -> Result<std::io::Result<Self>, StoreError> {
        let (queue, jobs) = channel();
        let mut tail = TailView::default();
        cache.begin(&db)?;
        cache.next(&db)?;
        cache.publish(&mut tail);
        let shared = Arc::new(SharedState {
            latest: AtomicI64::new(cache.latest().as_millis()),
            acts: AtomicU64::new(acts::last(&db).unwrap_or(UNKNOWN)),
            queued: AtomicUsize::new(0),
            tail: Mutex::new(tail),
        });
        let session =
            Arc::new(Mutex::new(Session { db, cache, log: Some(log), shared: Arc::clone(&shared) }));
        let (at_session, shared_there) = (Arc::clone(&session), Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("pp-host-writer".to_owned())
            .spawn(move || serve(&at_session, &shared_there, &jobs));
        Ok(thread.map(|thread| Self { queue: Some(queue), thread: Some(thread), session, shared }))
    }

    /// Hands a write over.
    pub(crate) fn hand_over(&self, record: Record) -> Commit {
        let (promise, commit) = Commit::promised();
        if let Some(queue) = &self.queue {
            self.shared.queued.fetch_add(1, Ordering::AcqRel);
            // When the thread is gone, the promise is returned and dropped, which answers the caller with an error.
            drop(queue.send(Job { record, promise }));
        }
        commit
    }

    /// Writes, and blocks this thread until it is on disk. If no write is under way or waits, this thread does it: two threads that wait for
    /// each other take as long as half a commit.
    pub(crate) fn write_here(&self, record: Record) -> Written {
        let none_waits = self.shared.queued.load(Ordering::Acquire) == 0;
        match none_waits.then(|| self.session.try_lock().ok()).flatten() {
            Some(mut session) => session.write(&[record]).pop().unwrap_or(Err(StoreError::Stopped)),
            None => self.hand_over(record).wait(),
        }
    }

    /// The latest time ever recorded.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        let latest = self.shared.latest.load(Ordering::Acquire);
        (latest > i64::MIN).then(|| Timestamp::from_millis(latest))
    }

    /// Whether there is no act after that place, as far as this process knows.
    pub(crate) fn has_no_act_after(&self, seq: u64) -> bool {
        self.shared.acts.load(Ordering::Acquire) <= seq
    }

    /// The known end of an instance's journal, for reads that begin afterwards.
    pub(crate) fn hint(&self, key: &InstanceKey) -> Hint {
        self.shared.tail().hint(key)
    }

    /// A tenant's bytes in the tail.
    pub(crate) fn bytes_in_tail(&self, tenant: &TenantId) -> i64 {
        self.shared.tail().bytes(tenant)
    }
}

impl SharedState {
    fn tail(&self) -> MutexGuard<'_, TailView> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.take();
        if let Some(thread) = self.thread.take() {
            // After a panic every waiting caller has its answer: the store has stopped.
            let _ = thread.join();
        }
    }
}

/// The writing thread's state, behind a lock.
#[derive(Debug)]
struct Session {
    db: Connection,
    cache: WriterCache,
    /// The log; `None` after the end.
    log: Option<Wal>,
    shared: Arc<SharedState>,
}

/// The thread. After a panic in the middle of a write, nothing more is written.
fn serve(session: &Mutex<Session>, shared: &SharedState, jobs: &Receiver<Job>) {
    let (mut records, mut promises, mut gathering) = (Vec::new(), Vec::new(), Gathering::new());
    while let Ok(first) = jobs.recv() {
        gathering.wait(&shared.queued, std::thread::sleep);
        let Ok(mut session) = session.lock() else { return };
        gather(first, jobs, &mut records, &mut promises);
        shared.queued.fetch_sub(records.len(), Ordering::AcqRel);
        gathering.closed(records.len());
        let answers = session.write(&records);
        drop(session);
        for (promise, answer) in promises.drain(..).zip(answers) {
            promise.answer(answer);
        }
        records.clear();
    }
    if let Ok(mut session) = session.lock() {
        session.close();
    }
}

impl Session {
    /// Writes a group, and has a long log moved.
    fn write(&mut self, group: &[Record]) -> Vec<Written> {
        let acts = group.iter().any(|record| matches!(record, Record::Act { .. }));
        let answers = self.commit(group);
        if acts {
            let last = acts::last(&self.db).unwrap_or(UNKNOWN);
            self.shared.acts.store(last, Ordering::Release);
        }
        if let Some(log) = &mut self.log {
            log.tend(&self.db);
        }
        answers
    }

    fn close(&mut self) {
        if let Some(log) = self.log.take() {
            log.close(&self.db);
        }
    }

    /// Writes a group. An error of the transaction is the answer to each write in it.
    fn commit(&mut self, group: &[Record]) -> Vec<Written> {
        match self.transact(group) {
            Ok(answers) => answers,
            Err(error) => {
                self.cache.forget();
                self.roll_back();
                group.iter().map(|_| Err(error.duplicate())).collect()
            }
        }
    }

    fn transact(&mut self, group: &[Record]) -> Result<Vec<Written>, StoreError> {
        self.run("BEGIN IMMEDIATE")?;
        self.cache.begin(&self.db)?;
        self.log.as_mut().map_or(Ok(()), |log| log.begin(&self.db))?;
        let answers = match group {
            [record] => {
                let mark = self.cache.mark();
                let written = record.write(&self.db, &mut self.cache);
                // A refused write rolls back the transaction.
                if written.is_err() {
                    self.cache.take_back(mark);
                    self.roll_back();
                    return Ok(vec![written]);
                }
                vec![written]
            }
            group => group.iter().map(|record| self.attempt(record)).collect::<Result<_, _>>()?,
        };
        self.cache.finish(&self.db)?;
        self.run("COMMIT")?;
        count_synchronisation();
        self.committed();
        Ok(answers)
    }

    fn committed(&mut self) {
        if let Some(log) = &mut self.log {
            log.begun();
        }
        self.shared.latest.store(self.cache.latest().as_millis(), Ordering::Release);
        self.cache.publish(&mut self.shared.tail());
    }

    fn roll_back(&self) {
        if !self.db.is_autocommit() {
            // If this fails too, there is no transaction to roll back.
            let _ = self.db.execute_batch("ROLLBACK");
        }
    }

    /// One write of a group, undone if it is refused. The outer error is the transaction's.
    fn attempt(&mut self, record: &Record) -> Result<Written, StoreError> {
        if record.is_one_row() {
            let mark = self.cache.mark();
            let written = record.write(&self.db, &mut self.cache);
            return match written {
                // A full disk ends the transaction, and the group with it.
                Err(error) if self.db.is_autocommit() => Err(error),
                Err(refused) => {
                    self.cache.take_back(mark);
                    Ok(Err(refused))
                }
                written => Ok(written),
            };
        }
        self.run("SAVEPOINT one")?;
        let mark = self.cache.mark();
        let written = record.write(&self.db, &mut self.cache);
        if written.is_err() {
            self.cache.take_back(mark);
            // A full disk may have ended the transaction already: then this fails, and the group with it.
            self.run("ROLLBACK TO one")
                .map_err(|error| written.as_ref().err().map_or(error, StoreError::duplicate))?;
        }
        self.run("RELEASE one")?;
        Ok(written)
    }

    fn run(&self, statement: &str) -> Result<(), StoreError> {
        let mut statement = self.db.prepare_cached(statement).map_err(classify)?;
        statement.execute([]).map(drop).map_err(classify)
    }
}

/// Collects the waiting writes, up to a bound.
fn gather(
    first: Job,
    jobs: &Receiver<Job>,
    records: &mut Vec<Record>,
    promises: &mut Vec<Promise<Option<Stamp>>>,
) {
    let (mut bytes, mut next) = (0_usize, Some(first));
    while let Some(Job { record, promise }) = next {
        bytes = bytes.saturating_add(record.bytes());
        records.push(record);
        promises.push(promise);
        next = if records.len() < GROUP && bytes < GROUP_BYTES { jobs.try_recv().ok() } else { None };
    }
}
