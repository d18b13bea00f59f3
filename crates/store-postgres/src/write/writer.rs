//! A host's one writing session. All queued writes are committed together.
//!
//! ```text
//!   write ─Record─► queue ─► [ begin, lock, read ] ─► judge each ─► [ write back, commit ] ─► every promise is answered
//!                               one exchange            in memory       one exchange
//! ```
//!
//! A group that consists of steps is one statement, and one exchange ([`steps`](crate::write::steps)).
//!
//! No write has a savepoint: each is judged on locked rows before anything is written, and a refused one has no effect.
//! A commit whose answer was lost, or came with a warning, is in doubt: the writer looks for the group's number in its
//! own row. The row stays locked until the old session's transaction has ended, so the look-up waits for its
//! end.

use crate::error::{DatabaseError, PostgresError};
use crate::schema::LOCK;
use crate::session::connection::{Call, Connection, values};
use crate::session::shared::Shared;
use crate::write::decide::write;
use crate::write::delete::delete;
use crate::write::load::{Group, load};
use crate::write::needs::Needs;
use crate::write::record::Record;
use crate::write::save::save;
use crate::write::state::GroupState;
use crate::write::steps::Steps;
use crate::write::usage_stripes::STRIPES;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use store::{Promise, Stamp, StoreError, Written};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep};

/// The most writes of one transaction.
const GROUP: usize = 2_048;

/// The bytes of one transaction: the write that reaches this size closes its group.
const GROUP_BYTES: usize = 8 << 20;

/// The attempts of a group whose transactions fail because of other hosts'.
const TRIES: u32 = 64;

/// The time for which an unresponsive server is retried before writes fail: as long as one takes to start, or to be
/// replaced.
const TIMEOUT: Duration = Duration::from_secs(20);

/// One generic plan for each statement: statements find rows by index, and planning again would take longer than most writes. Long texts, such as
/// receipts, are compressed by the faster method if the server was built with it.
const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan;
    SELECT set_config(name, 'lz4', false) FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)";

/// A write, and the promise of its answer.
pub(crate) struct Job {
    pub(crate) record: Record,
    pub(crate) promise: Promise<Option<Stamp>>,
}

/// The task that writes.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    name: String,
    /// The number of its stripes of tenants' usage.
    stripe: i16,
    /// The number of the last group that was begun.
    number: i64,
    /// The number of the last acknowledged group, and the number of promotions up to which that was verified.
    acknowledged: i64,
    promotions: u64,
    db: Option<Connection>,
}

/// The result of an attempt.
enum Attempt {
    Done(Vec<Written>),
    /// Every write of the group was refused.
    Refused(Vec<Written>),
    /// The attempt had no effect, for that reason, and may be repeated.
    Again(String),
    /// The answer to the commit was lost. `None`: it contained the writes' answers, which are read again if the commit took place.
    InDoubt(Option<Vec<Written>>),
    Failed(StoreError),
}

/// Commits a group as a whole, or nothing of it.
trait CommitGroup {
    fn commit(&mut self, group: &[Record]) -> impl Future<Output = Result<Vec<Written>, StoreError>> + Send;
}

impl CommitGroup for Writer {
    async fn commit(&mut self, group: &[Record]) -> Result<Vec<Written>, StoreError> {
        let mut last = "its answers were lost".to_owned();
        for attempt in 0..TRIES {
            let in_doubt = match self.attempt(group).await {
                Attempt::Done(answers) => {
                    self.acknowledged = self.number;
                    return Ok(answers);
                }
                Attempt::Refused(answers) => return Ok(answers),
                Attempt::Failed(error) => return Err(error),
                Attempt::Again(why) => {
                    last = why;
                    None
                }
                Attempt::InDoubt(answers) => Some(answers),
            };
            if let Some(answers) = in_doubt {
                // If the server cannot be queried, the caller gets an error that says that the result is unknown.
                match self.look_up(group, answers).await {
                    Ok(Some(answers)) => return Ok(answers),
                    Ok(None) => {}
                    Err(_) => return Err(StoreError::Stopped),
                }
            }
            // The other host has finished by then. The process's own timing is the jitter.
            sleep(Duration::from_millis(u64::from(attempt.min(10)))).await;
        }
        Err(PostgresError::Server(format!(
            "a transaction was tried {TRIES} times and failed; the last time: {last}"
        ))
        .into())
    }
}

impl Writer {
    /// Registers on a session.
    pub(crate) async fn start(shared: Arc<Shared>, db: Connection) -> Result<Self, DatabaseError> {
        db.run(SETTINGS).await?;
        let (name, stripe) = register(&db).await?;
        let promotions = shared.promotions();
        Ok(Self { shared, name, stripe, number: 0, acknowledged: 0, promotions, db: Some(db) })
    }

    /// Writes submitted writes until the queue is closed or the database can no longer be used.
    pub(crate) async fn serve(mut self, mut jobs: UnboundedReceiver<Job>) {
        let mut next = jobs.recv().await;
        while let Some(first) = next {
            let (records, promises, other) = gather(first, &mut jobs);
            let answers = write_group(&mut self, &records).await;
            for (promise, answer) in promises.into_iter().zip(answers) {
                promise.answer(answer);
            }
            next = match other {
                Some(job) => Some(job),
                None => jobs.recv().await,
            };
        }
        if let Some(db) = &self.db {
            // If this fails, a later process removes the old row. Nothing depends on it, so it waits for no standby.
            let _ = db.run("SET synchronous_commit TO off").await;
            let _ = db.query("DELETE FROM writers WHERE writer = $1", values![self.name]).await;
        }
    }

    /// Makes one attempt.
    async fn attempt(&mut self, group: &[Record]) -> Attempt {
        if let Err(error) = self.shared.check().map_err(DatabaseError::from) {
            return Attempt::Failed(error.into_error());
        }
        if let Err(error) = self.connect().await {
            return Attempt::Failed(error.into_error());
        }
        self.number += 1;
        if let Some(ended) = self.attempt_steps(group).await {
            return ended;
        }
        let Some(db) = &self.db else { return Attempt::Again("the session has ended".to_owned()) };
        let claim = self.shared.claim();
        let prepared = prepare(&self.shared, db, self.group(&claim), group).await;
        let (calls, answers) = match prepared {
            Ok((Some(calls), answers)) => (calls, answers),
            Ok((None, answers)) => {
                self.roll_back().await;
                return Attempt::Refused(answers);
            }
            Err(error) => return self.give_up(error).await,
        };
        db.take_warning();
        match db.commit(&calls).await {
            Ok(_) if db.take_warning() => self.doubt(Some(answers)),
            Ok(_) => Attempt::Done(answers),
            Err(DatabaseError::Lost(_)) => self.doubt(Some(answers)),
            // A statement that could not be prepared was not followed by the commit that ends the transaction.
            Err(error) => self.give_up(error).await,
        }
    }

    /// Tries a group that consists of steps. `None` if it has other writes or a step may have to be refused: nothing was written.
    async fn attempt_steps(&mut self, group: &[Record]) -> Option<Attempt> {
        let (steps, db, claim) = (Steps::of(group)?, self.db.as_ref()?, self.shared.claim());
        db.take_warning();
        let written = steps.write(db, self.group(&claim), self.shared.demands_synchronous()).await;
        match written {
            Ok(None) => None,
            Ok(Some(_)) if db.take_warning() => Some(self.doubt(None)),
            Ok(Some(answers)) => Some(Attempt::Done(answers)),
            Err(DatabaseError::Lost(_)) => Some(self.doubt(None)),
            Err(DatabaseError::Raced(error)) => Some(Attempt::Again(error.to_string())),
            Err(DatabaseError::Refused(error)) => Some(Attempt::Failed(error)),
        }
    }

    fn group<'a>(&'a self, claim: &'a str) -> Group<'a> {
        Group { writer: &self.name, number: self.number, claim, stripe: self.stripe }
    }

    fn doubt(&mut self, answers: Option<Vec<Written>>) -> Attempt {
        self.db = None;
        Attempt::InDoubt(answers)
    }

    /// Ends an attempt before its commit.
    async fn give_up(&mut self, error: DatabaseError) -> Attempt {
        match &error {
            DatabaseError::Lost(_) => self.db = None,
            DatabaseError::Raced(_) | DatabaseError::Refused(_) => self.roll_back().await,
        }
        match error {
            DatabaseError::Refused(error) => Attempt::Failed(error),
            DatabaseError::Raced(error) | DatabaseError::Lost(error) => Attempt::Again(error.to_string()),
        }
    }

    async fn roll_back(&mut self) {
        if let Some(db) = &self.db
            && db.run("ROLLBACK").await.is_err()
        {
            self.db = None;
        }
    }

    /// The answers of the last group if it was committed; `None` if it was not and can no longer be.
    async fn look_up(
        &mut self,
        group: &[Record],
        answers: Option<Vec<Written>>,
    ) -> Result<Option<Vec<Written>>, DatabaseError> {
        let end = Instant::now() + TIMEOUT;
        loop {
            match self.look_up_once(group).await {
                Ok(found) => {
                    self.acknowledged = self.number;
                    return Ok(found.map(|found| answers.unwrap_or(found)));
                }
                Err(DatabaseError::Lost(_)) if Instant::now() < end && !self.shared.is_closing() => {
                    self.db = None;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the session that may have committed the group has ended its transaction. If the group was not committed, its number is replaced:
    /// a statement that reaches the server later finds a larger number and writes nothing.
    async fn look_up_once(&mut self, group: &[Record]) -> Result<Option<Vec<Written>>, DatabaseError> {
        const LAST: &str =
            "WITH before AS MATERIALIZED (SELECT last FROM writers WHERE writer = $1 FOR UPDATE)
            UPDATE writers w SET last = CASE WHEN before.last = $2 THEN $2 ELSE $2 + 1 END
            FROM before WHERE w.writer = $1 RETURNING before.last = $2";
        self.connect().await?;
        let db = self.db.as_ref().ok_or(DatabaseError::Lost(StoreError::Stopped))?;
        db.take_warning();
        let row = db.one(LAST, values![self.name.clone(), self.number]).await?;
        if db.take_warning() {
            // This commit is in doubt like the group's: it may not be on the standby. A new session looks again.
            return Err(DatabaseError::Lost(StoreError::Stopped));
        }
        if !row.is_some_and(|row| row.get(0)) {
            self.number += 1;
            return Ok(None);
        }
        match Steps::of(group) {
            Some(steps) => steps.written(db).await.map(Some),
            None => Ok(Some(Vec::new())),
        }
    }

    /// Ensures that there is a session. One that is lost while it is prepared is replaced.
    async fn connect(&mut self) -> Result<(), DatabaseError> {
        if self.db.as_ref().is_some_and(|db| !db.is_closed()) {
            return Ok(());
        }
        self.db = None;
        let end = Instant::now() + TIMEOUT;
        loop {
            match self.open().await {
                Ok(db) => {
                    self.db = Some(db);
                    return Ok(());
                }
                Err(DatabaseError::Lost(_)) if Instant::now() < end && !self.shared.is_closing() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens a session. After the promotion of a standby, the commits acknowledged to this writer must be there.
    async fn open(&mut self) -> Result<Connection, DatabaseError> {
        const LAST: &str = "SELECT last FROM writers WHERE writer = $1";
        const AGAIN: &str =
            "INSERT INTO writers (writer, last, part) VALUES ($1, 0, $2) ON CONFLICT DO NOTHING";
        let db = self.shared.connect(TIMEOUT).await?;
        if self.shared.promotions() != self.promotions {
            let row = db.one(LAST, values![self.name.clone()]).await?;
            let lost = self.acknowledged - row.map_or(0, |row| row.get::<_, i64>(0));
            if lost > 0 {
                return Err(self.shared.has_lost(lost).into());
            }
            self.promotions = self.shared.promotions();
        }
        db.run(SETTINGS).await?;
        db.query(AGAIN, values![self.name.clone(), self.stripe]).await?;
        Ok(db)
    }
}

/// Writes a group. If the database refuses it as a whole because of a write in it, each is retried alone, so that one
/// does not make the others fail. A server that is away or full is so for each of them.
async fn write_group(writer: &mut impl CommitGroup, group: &[Record]) -> Vec<Written> {
    match writer.commit(group).await {
        Ok(answers) => answers,
        Err(error @ (StoreError::Stopped | StoreError::Full(_) | StoreError::Unavailable(_))) => {
            group.iter().map(|_| Err(error.duplicate())).collect()
        }
        Err(error) if group.len() == 1 => vec![Err(error)],
        Err(_) => {
            let mut answers = Vec::with_capacity(group.len());
            for record in group {
                let alone = writer.commit(std::slice::from_ref(record)).await;
                answers.push(alone.map_or_else(Err, |mut one| one.pop().unwrap_or(Err(StoreError::Stopped))));
            }
            answers
        }
    }
}

/// Gives a writer its name and a stripe: the one with the fewest writers that were seen lately, then with the fewest of all, as a process that was killed leaves
/// its row. Among equals the first, so that a lone host has the same stripe after each start. Writers that start at once do so one after another.
async fn register(db: &Connection) -> Result<(String, i16), DatabaseError> {
    const ALONE: &str = "SELECT pg_advisory_xact_lock($1::bigint # 'writers'::regclass::oid::bigint)";
    const LONG_GONE: &str = "DELETE FROM writers WHERE seen < now() - interval '30 days'";
    const NAME: &str = "INSERT INTO writers (writer, last, part) SELECT gen_random_uuid()::text, 0, p.part
        FROM generate_series(0, $1::smallint - 1) AS p(part)
        ORDER BY (SELECT count(*) FROM writers w WHERE w.part = p.part AND w.seen > now() - interval '10 minutes'),
            (SELECT count(*) FROM writers w WHERE w.part = p.part), p.part LIMIT 1 RETURNING writer, part";
    let calls = [
        Call::new(ALONE, values![LOCK]),
        Call::new(LONG_GONE, Vec::new()),
        Call::new(NAME, values![STRIPES]),
    ];
    let answers = db.begin("BEGIN", &calls).await?;
    db.commit(&[]).await?;
    let row = answers.last().and_then(|rows| rows.first()).ok_or(StoreError::Stopped)?;
    Ok((row.get(0), row.get(1)))
}

/// Everything up to the commit. Returns the final calls, if there is anything to write, and the answers.
async fn prepare(
    shared: &Shared,
    db: &Connection,
    number: Group<'_>,
    group: &[Record],
) -> Result<(Option<Vec<Call>>, Vec<Written>), DatabaseError> {
    let (needs, mut locked) = (Needs::of(group), BTreeSet::new());
    loop {
        let (mut state, places) = load(db, &number, (&needs, &locked)).await?;
        shared.check_commit(state.is_synchronous)?;
        if let [Record::Delete(deletion)] = group {
            return Ok(match delete(db, deletion).await? {
                Ok(calls) => (Some(calls), vec![Ok(None)]),
                Err(refused) => (None, vec![Err(refused)]),
            });
        }
        let answers = judge(&mut state, group, places);
        if state.lacks_headroom.is_empty() {
            let calls = answers.iter().any(Result::is_ok).then(|| save(&state));
            return Ok((calls, answers));
        }
        // The headroom of this writer's stripes does not suffice. Locks are taken in their order, so it begins again.
        locked.append(&mut state.lacks_headroom);
    }
}

/// Judges one write after another. A refused one changes nothing.
fn judge(state: &mut GroupState, group: &[Record], places: Vec<i64>) -> Vec<Written> {
    let mut answers = Vec::with_capacity(group.len());
    for (record, seq) in group.iter().zip(places) {
        let written = write(state, record, seq);
        match written {
            Ok(_) => state.keep(),
            Err(_) => state.take_back(),
        }
        answers.push(written);
    }
    answers
}

type Gathered = (Vec<Record>, Vec<Promise<Option<Stamp>>>, Option<Job>);

/// Collects waiting writes, up to a bound, and the job with which the next group begins. A deletion has a group of its
/// own.
fn gather(first: Job, jobs: &mut UnboundedReceiver<Job>) -> Gathered {
    let is_alone = |job: &Job| matches!(job.record, Record::Delete(_));
    let (mut bytes, alone) = (first.record.bytes(), is_alone(&first));
    let (mut records, mut promises) = (vec![first.record], vec![first.promise]);
    while !alone && records.len() < GROUP && bytes < GROUP_BYTES {
        match jobs.try_recv() {
            Ok(job) if is_alone(&job) => return (records, promises, Some(job)),
            Ok(job) => {
                bytes = bytes.saturating_add(job.record.bytes());
                records.push(job.record);
                promises.push(job.promise);
            }
            Err(_) => break,
        }
    }
    (records, promises, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use receipt::Timestamp;

    /// A server where every commit fails for a reason. It counts them.
    struct Failing(StoreError, usize);

    impl CommitGroup for Failing {
        async fn commit(&mut self, _: &[Record]) -> Result<Vec<Written>, StoreError> {
            self.1 += 1;
            Err(self.0.duplicate())
        }
    }

    /// The refused ones of three writes, and the number of commits.
    fn three(error: PostgresError) -> (usize, usize) {
        let act = |seen| Record::Act { seen, at: Timestamp::from_millis(0), body: "{}".to_owned() };
        let (group, mut server) = ([act(0), act(1), act(2)], Failing(error.into(), 0));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answers = runtime.block_on(write_group(&mut server, &group));
        (answers.iter().filter(|answer| answer.is_err()).count(), server.1)
    }

    #[test]
    fn a_group_waits_once_for_a_server_that_is_away_and_each_write_is_tried_alone_after_a_refusal() {
        let away = PostgresError::Connect { place: "db".to_owned(), problem: "refused".to_owned() };
        assert_eq!(three(away), (3, 1));
        assert_eq!(three(PostgresError::Server("a text is too long".to_owned())), (3, 4));
    }
}
