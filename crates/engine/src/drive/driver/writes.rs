//! Writing a drive's entries: what waits to be written, the batch, and the rebase on a signal that arrived first.

use crate::Error;
use crate::drive::driver::{Driver, WriteTiming};
use crate::runtime::due::{differs, schedule_row};
use crate::runtime::times::Times;
use receipt::Timestamp;
use std::time::Instant;
use store::{Batch, Commit, JournalPosition, ScheduleRow, StoreError, Write, Writer};
use workflow::Entry;

/// The most waiting entries.
const UNWRITTEN: usize = 16;

impl Driver {
    pub(crate) fn append(
        &mut self,
        entries: impl Into<Vec<Entry>>,
    ) -> impl Future<Output = Result<(), Error>> {
        self.append_batch(Batch { entries: entries.into(), ..Batch::default() })
    }

    /// The driver applies an entry in memory before the entry is on disk. If the store refuses a batch of deferred
    /// entries only, the driver defers them again. If the store refuses any other batch, the driver drops it, because
    /// its records (such as a deployment's row) are written with it or not at all; memory is then ahead of the disk,
    /// and this driver writes nothing more.
    #[expect(
        clippy::manual_async_fn,
        reason = "a function would hold the batch twice, and a step is moved about with it"
    )]
    pub(crate) fn append_batch(&mut self, mut batch: Batch) -> impl Future<Output = Result<(), Error>> {
        async move {
            self.check_is_level()?;
            let now = self.inner.now()?;
            self.apply(&batch.entries)?;
            let waited = self.put_before(&mut batch);
            loop {
                let after = self.replay.len() - batch.entries.len();
                let row = schedule_row(&self.replay.status(), now);
                batch.schedule = self.is_moved(row).then_some(row);
                self.row = None;
                let refused = match self.hand_over(after, &mut batch, now).await {
                    Err(StoreError::Conflict(_)) => self.catch_up(&batch.entries).await.err(),
                    Err(error) => Some(error.into()),
                    Ok(stamp) => {
                        self.inner.journals.report(stamp, &self.origin.key, after, &batch.entries);
                        self.times.extend(stamp, &batch.entries);
                        self.row = Some(row);
                        batch.entries.clear();
                        self.unwritten = batch.entries;
                        return Ok(());
                    }
                };
                let Some(error) = refused else { continue };
                match batch.entries.len() == waited {
                    true => self.unwritten = batch.entries,
                    false => self.is_ahead = true,
                }
                return Err(error);
            }
        }
    }

    /// A signal has arrived: rebases on it, as if it had come before the entries that are not on disk: the waiting
    /// ones, and `applied`.
    pub(crate) async fn catch_up(&mut self, applied: &[Entry]) -> Result<(), Error> {
        let key = &self.origin.key;
        let facts = self.inner.journals.store.facts(Some(key)).await?;
        let row = self.inner.journals.store.entered(key).await?;
        let unwritten: Vec<_> = self.unwritten.iter().chain(applied).cloned().collect();
        let caught_up = self.replay.caught_up(facts.iter().map(|fact| &fact.entry), &unwritten);
        let moved_on = facts.len() > self.replay.len() - unwritten.len();
        match caught_up.map_err(|illegal| self.illegal(illegal))? {
            Some(replay) if moved_on => self.replay = replay,
            // The unwritten entries are no longer valid; the journal on disk is authoritative.
            _ => return Err(StoreError::Conflict(key.clone()).into()),
        }
        self.times = Times::of(&facts);
        self.row = row.map(|entered| entered.schedule);
        Ok(())
    }

    /// Removes the last `refused` entries, which the store refused: the guest has not been told of them, and continues
    /// without them. The entries that `waited` before them wait again.
    pub(crate) async fn take_back(&mut self, waited: Vec<Entry>, refused: usize) -> Result<(), Error> {
        let facts = self.inner.journals.store.facts(Some(&self.origin.key)).await?;
        let entries = facts.iter().map(|fact| &fact.entry);
        let before = self.replay.taken_back(entries, &waited, refused);
        match before.map_err(|illegal| self.illegal(illegal))? {
            Some(replay) => (self.replay, self.unwritten, self.is_ahead) = (replay, waited, false),
            None => return Err(StoreError::Conflict(self.origin.key.clone()).into()),
        }
        self.times = Times::of(&facts);
        Ok(())
    }

    /// Whether another entry may wait for the next.
    pub(super) fn may_defer(&self) -> bool {
        self.timing == WriteTiming::Deferred && self.unwritten.len() + 1 < UNWRITTEN
    }

    /// Puts an entry in the table that waits to be written.
    pub(super) fn defer(&mut self, entry: Entry) -> Result<(), Error> {
        if self.unwritten.is_empty() {
            self.since = Instant::now();
        }
        self.apply(std::slice::from_ref(&entry))?;
        self.unwritten.push(entry);
        Ok(())
    }

    /// Writes what waits to be written.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        self.append_batch(Batch::default()).await
    }

    /// Parks the instance: all entries are on disk, and the schedule row has its due time.
    pub(crate) async fn park(&mut self) -> Result<(), Error> {
        self.flush().await?;
        match self.is_moved(schedule_row(&self.replay.status(), self.inner.now()?)) {
            true => self.append_batch(Batch::default()).await,
            false => Ok(()),
        }
    }

    /// Whether the schedule has another row than this.
    fn is_moved(&self, row: ScheduleRow) -> bool {
        self.row.is_none_or(|before| differs(before, row))
    }

    /// Writes entries that are not in the table yet, and applies them when they are on disk. Returns the place of the
    /// last of them among all facts.
    pub(crate) async fn write(&mut self, mut batch: Batch) -> Result<u64, Error> {
        self.check_is_level()?;
        let (after, now) = (self.replay.len() - self.unwritten.len(), self.inner.now()?);
        let waited = self.put_before(&mut batch);
        match self.hand_over(after, &mut batch, now).await {
            Ok(stamp) => {
                self.inner.journals.report(stamp, &self.origin.key, after, &batch.entries);
                self.times.extend(stamp, &batch.entries);
                self.apply(batch.entries.get(waited..).unwrap_or_default())?;
                Ok(stamp.map_or(0, |stamp| stamp.seq + batch.entries.len() as u64 - 1))
            }
            Err(error) => {
                batch.entries.truncate(waited);
                self.unwritten = batch.entries;
                Err(error.into())
            }
        }
    }

    /// Refuses to write if the table is ahead of the disk: the next drive begins with the state on disk.
    fn check_is_level(&self) -> Result<(), StoreError> {
        match self.is_ahead {
            true => Err(StoreError::Conflict(self.origin.key.clone())),
            false => Ok(()),
        }
    }

    /// Puts the waiting entries before the batch's own, so that a drive that is dropped during the write has submitted
    /// them. Returns their number.
    fn put_before(&mut self, batch: &mut Batch) -> usize {
        let mut entries = std::mem::take(&mut self.unwritten);
        let waited = entries.len();
        entries.append(&mut batch.entries);
        batch.entries = entries;
        waited
    }

    fn hand_over(&self, after: usize, batch: &mut Batch, at: Timestamp) -> Commit {
        batch.quotas = batch.entries.iter().any(is_of_the_guest).then(|| self.quotas.clone());
        self.inner.write(Write::Append {
            place: JournalPosition { key: self.origin.key.clone(), after, at },
            batch,
            writer: Writer::Driver,
        })
    }

    fn apply(&mut self, entries: &[Entry]) -> Result<(), Error> {
        for entry in entries {
            self.replay.apply(entry).map_err(|illegal| self.illegal(illegal))?;
        }
        Ok(())
    }

    fn illegal(&self, illegal: workflow::Illegal) -> Error {
        Error::Journal { key: self.origin.key.clone(), illegal }
    }
}

/// Whether the guest caused an entry, so that it counts against the tenant's quotas. Decisions, redemptions, effects
/// and signatures are recorded regardless of quotas: otherwise the journal could lack an effect that took place.
fn is_of_the_guest(entry: &Entry) -> bool {
    match entry {
        Entry::StepStarted { .. }
        | Entry::AttemptFailed { .. }
        | Entry::AttemptStarted { .. }
        | Entry::SleepStarted { .. }
        | Entry::WaitStarted { .. }
        | Entry::EventReceived { .. }
        | Entry::Awaiting { .. }
        | Entry::StepCompleted { .. }
        | Entry::StepFailed { .. }
        | Entry::Rejected { .. }
        | Entry::Requested { .. }
        | Entry::Completed { .. } => true,
        Entry::Loaded { .. }
        | Entry::Started { .. }
        | Entry::SleepEnded { .. }
        | Entry::WaitMatched { .. }
        | Entry::WaitTimedOut { .. }
        | Entry::Delivered { .. }
        | Entry::Signed { .. }
        | Entry::Decided { .. }
        | Entry::Issued { .. }
        | Entry::Lapsed { .. }
        | Entry::Withdrawn { .. }
        | Entry::Redeemed { .. }
        | Entry::Refused { .. }
        | Entry::Performed { .. }
        | Entry::Attested { .. }
        | Entry::Resolved { .. }
        | Entry::Paused { .. }
        | Entry::Resumed { .. }
        | Entry::Diverged { .. }
        | Entry::Restarted { .. }
        | Entry::Terminated { .. }
        | Entry::Failed { .. } => false,
    }
}
