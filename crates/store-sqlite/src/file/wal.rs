//! The write-ahead log: when its pages are moved into the database, and whether log and database belong together.
//!
//! A second thread moves most of the log; the writing thread only moves the rest, so no write waits for the bulk. After
//! all pages have been moved, SQLite starts the log over, and neither file alone shows whether it belongs to the other.
//! So both record their state in the table `log`:
//!
//! ```text
//!   closed   incremented before each end of a log, and moved into the database with it
//!   opened   the value of `closed` when the log began: the database must have reached it for the two to belong together
//! ```
//!
//! A folder that was copied while a process wrote to it can have a database and a log of different times. It is refused.

use crate::file::connect;
use crate::sql::{cell, classify, one, run};
use rusqlite::Connection;
use rusqlite::hooks::Wal as WalHook;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::{fs, io};
use store::files::count_synchronisation;
use store::{FolderError, StoreError};

/// Pages in the log before they are moved: 64 MiB, so that a page that is written repeatedly is moved once. The file's
/// size does not show it: the file keeps its greatest size, and is written again from its beginning.
const LONG: u32 = 16_384;

/// A log's header: with nothing after it there is nothing in the log.
const HEADER: u64 = 32;

/// The size of a page in the log: 4 KiB and its header.
const FRAME: u64 = 4_096 + 24;

/// Pages in the log before room is made for more: a process that writes a little and ends needs none.
const FEW: u32 = 16;

/// The log grows by this many bytes at once. Writing to existing space takes less time than growing the file with each
/// commit.
const ROOM: usize = 1 << 20;
const LEFT: u64 = 64 << 10;

/// The writer's side.
#[derive(Debug)]
pub(crate) struct Wal {
    /// The pages in the log after the last commit.
    pages: Arc<AtomicU32>,
    /// The next transaction begins a log.
    begins: bool,
    mover: Option<(SyncSender<()>, JoinHandle<()>)>,
    /// The bulk has been moved.
    moved: Arc<AtomicBool>,
    /// The bulk is being moved.
    moving: bool,
    file: PathBuf,
    /// The length of the file, at least.
    length: u64,
}

impl Wal {
    /// Ends the log that the last owner may have left, on the connection that writes.
    pub(crate) fn open(db: &mut Connection, database: &Path) -> Result<Self, StoreError> {
        let (signal, signals) = sync_channel::<()>(1);
        let (moved, other) = (Arc::<AtomicBool>::default(), connect::write(database)?);
        let done = Arc::clone(&moved);
        let work = move || {
            while signals.recv().is_ok() {
                // If it fails, the writer moves all pages itself and reports the error.
                let _ = checkpoint(&other);
                done.store(true, Ordering::Release);
            }
        };
        let thread = std::thread::Builder::new().name("pp-host-log".to_owned()).spawn(work);
        let thread = thread.map_err(|error| FolderError::Unusable { path: database.to_owned(), error })?;
        let pages = Arc::<AtomicU32>::default();
        let counted = Arc::clone(&pages);
        let count = move |_: &mut WalHook, pages: i32| {
            counted.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        };
        db.wal_hook(Some(count)).map_err(classify)?;
        let (file, mover) = (log_of(database), Some((signal, thread)));
        let mut log = Self { pages, begins: false, mover, moved, moving: false, file, length: 0 };
        log.end(db)?;
        Ok(log)
    }

    /// Within a transaction: records that a log begins with it, if one does.
    pub(crate) fn begin(&mut self, db: &Connection) -> Result<(), StoreError> {
        if self.needs_room() {
            // If it fails, the log grows by itself, or reports the error.
            let _ = self.make_room();
        }
        match self.begins {
            true => run(db, "UPDATE log SET opened = closed", []),
            false => Ok(()),
        }
    }

    /// After that transaction is on disk.
    pub(crate) fn begun(&mut self) {
        self.begins = false;
    }

    /// Between transactions: has a long log moved.
    pub(crate) fn tend(&mut self, db: &Connection) {
        match () {
            () if self.moving && self.moved.swap(false, Ordering::Acquire) => {
                self.moving = false;
                // Pages that cannot be moved now are moved with the next log.
                let _ = self.end(db);
            }
            () if !self.moving && self.is_long() => {
                self.moving = self.mover.as_ref().is_some_and(|(signal, _)| signal.try_send(()).is_ok());
            }
            () => {}
        }
    }

    /// Ends the log: moves its remaining pages. While a reader needs pages that only the log has, the log continues.
    fn end(&mut self, db: &Connection) -> Result<(), StoreError> {
        run(db, "UPDATE log SET closed = closed + 1", [])?;
        self.begins = checkpoint(db)?;
        Ok(())
    }

    /// Ends the log when the host closes.
    pub(crate) fn close(mut self, db: &Connection) {
        if let Some((signal, thread)) = self.mover.take() {
            drop(signal);
            // A panic there has moved no page, which the log survives.
            let _ = thread.join();
        }
        let _ = self.end(db);
    }

    fn needs_room(&self) -> bool {
        let pages = self.pages.load(Ordering::Relaxed);
        (FEW..LONG).contains(&pages) && HEADER + u64::from(pages) * FRAME + LEFT > self.length
    }

    /// Lengthens the file by zeros, which are no pages of a log. No other process lengthens it while a transaction that writes is open.
    fn make_room(&mut self) -> io::Result<()> {
        let file = File::options().write(true).open(&self.file)?;
        self.length = file.metadata()?.len();
        if self.needs_room() {
            // Grows the log only as far as the disk allows: exceeding a file size limit could kill the process.
            self.length += file.write_at(&vec![0; ROOM], self.length)? as u64;
        }
        Ok(())
    }

    fn is_long(&self) -> bool {
        self.pages.load(Ordering::Relaxed) >= LONG
    }
}

/// Moves every page that no reader needs. Returns whether all pages were moved.
fn checkpoint(db: &Connection) -> Result<bool, StoreError> {
    // One synchronisation of the log before, and one of the database after.
    count_synchronisation();
    count_synchronisation();
    let counts = one(db, "PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((cell::<i64>(row, 0)?, cell::<i64>(row, 1)?, cell::<i64>(row, 2)?))
    })?;
    Ok(counts.is_some_and(|(busy, log, moved)| busy == 0 && log == moved))
}

/// The progress that a database records.
#[derive(Debug, Clone, Copy)]
struct Marks {
    opened: i64,
    closed: i64,
}

/// Refuses a database and a log that do not belong together.
pub(crate) fn check(database: &Path) -> Result<(), StoreError> {
    let has_log = has_log(database);
    let alone = connect::immutable(database).and_then(|db| marks(&db));
    // A journal of an older format has no marks.
    let Ok(together) = connect::plain(database).and_then(|db| marks(&db)) else { return Ok(()) };
    let fits = match (has_log, alone) {
        (true, Ok(alone)) => alone.closed >= together.opened && together.closed >= alone.closed,
        // Until the first log is moved there is nothing in the database.
        (true, Err(StoreError::Database(_))) => together.opened <= 1,
        // The last owner died while it moved a log, which is still there and complete.
        (true, Err(_)) => true,
        // A log was begun and is gone: another program has moved it, or a copy left it behind.
        (false, _) => together.closed > together.opened || is_sound(database)?,
    };
    match fits {
        true => Ok(()),
        false => Err(StoreError::Damaged(format!(
            "{} and its log are of different times; the folder was copied while it was in use: copy it again while no process uses it",
            database.display()
        ))),
    }
}

/// Whether the log may contain anything.
pub(crate) fn has_log(database: &Path) -> bool {
    fs::metadata(log_of(database)).is_ok_and(|log| log.len() > HEADER)
}

fn marks(db: &Connection) -> Result<Marks, StoreError> {
    let found = one(db, "SELECT opened, closed FROM log", [], |row| {
        Ok(Marks { opened: cell(row, 0)?, closed: cell(row, 1)? })
    })?;
    found.ok_or_else(|| StoreError::Damaged("the table log is empty".to_owned()))
}

/// Whether all pages and indexes of a database are consistent. Reads the whole database.
fn is_sound(database: &Path) -> Result<bool, StoreError> {
    let said =
        one(&connect::plain(database)?, "PRAGMA integrity_check(1)", [], |row| cell::<String>(row, 0))?;
    Ok(said.as_deref() == Some("ok"))
}

fn log_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
