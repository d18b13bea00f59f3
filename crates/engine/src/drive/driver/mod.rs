//! One drive of one instance: the shell that performs the core's turns.

mod writes;

use crate::Error;
use crate::drive::redeemed::RedeemedReceipt;
use crate::runtime::journals::Origin;
use crate::runtime::lease::Lease;
use crate::runtime::slots::RunSlot;
use crate::runtime::state::HostState;
use crate::runtime::times::{Times, can_wait};
use receipt::Timestamp;
use sandbox::script::Script;
use sandbox::{Halt, Handler, HandlerAnswer};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Batch, Quotas, ScheduleRow};
use tokio::sync::Mutex;
use tracing::Instrument as _;
use workflow::{Command, Entry, Failure, Live, Outcome, PreparedCommand, Replay, Turn};

/// An instance being driven.
pub(crate) struct Driver {
    pub(crate) inner: Arc<HostState>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) replay: Replay,
    /// The content of the bundle that runs, if one does. Loading it again could wait for the drive's own place in memory.
    pub(crate) script: Option<Arc<Script>>,
    times: Times,
    pub(crate) quotas: Quotas,
    /// Entries that have been applied and are not on disk: beginnings of steps that wait for the next entry, and that
    /// entry.
    pub(super) unwritten: Vec<Entry>,
    /// Whether entries have been applied that the store refused. The driver then writes nothing more.
    is_ahead: bool,
    /// The instance's schedule row on disk. `None` while it is being written, and after a failed write: then it is
    /// written again.
    row: Option<ScheduleRow>,
    timing: WriteTiming,
    /// Since when the first of them waits.
    since: Instant,
    slice: RunSlot,
    /// The receipt that was spent last, for its permit.
    pub(crate) redeemed: Option<RedeemedReceipt>,
    /// The exclusive right to drive this instance, held while this driver, or an effect that it began, exists.
    pub(crate) lease: Arc<Lease>,
}

/// How long the beginning of a step waits for its end, or the next entry: long enough for most steps, and short enough
/// for a person who watches.
const MAX_WRITE_DELAY: Duration = Duration::from_millis(50);

/// When the beginnings of steps are written. An event or an operator's command that arrives before that discards them, so with many arrivals
/// no step would ever begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteTiming {
    /// With the next entry, or after a delay.
    Deferred,
    /// Before the guest gets their answers.
    Immediate,
}

/// Why a drive stops before the workflow ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// The instance waits: park it.
    #[error("the instance waits")]
    Waiting,
    /// The guest broke a rule: end it.
    #[error("the workflow broke a rule: {0}")]
    Broke(Failure),
    /// The guest took another path than before: the instance is stopped until an operator acts.
    #[error(transparent)]
    Diverged(#[from] workflow::Divergence),
    /// An error of the host.
    #[error(transparent)]
    Error(#[from] Error),
}

/// The progress of a command without waiting.
enum Progress {
    /// To its answer.
    Answered(Outcome),
    /// The recorded entries have to be written first.
    Write,
    /// The live operation has to be performed first.
    Do(Box<Live>),
}

/// Watches a drive while its guest computes: writes the beginnings of steps that take long, gives the drive's run slot to another drive,
/// and returns when an attempt has taken longer than it may.
pub(crate) async fn watch(driver: &Mutex<Driver>) -> Result<(), Error> {
    let mut before = 0;
    loop {
        tokio::time::sleep(MAX_WRITE_DELAY).await;
        let mut driver = driver.lock().await;
        if driver.replay.is_overdue(driver.inner.now()?) {
            return Ok(());
        }
        if driver.replay.len() == before {
            driver.slice.release();
        }
        before = driver.replay.len();
        if driver.since.elapsed() >= MAX_WRITE_DELAY {
            // If this fails, the entries wait for the next write, and the drive fails if that fails too.
            let _ = driver.flush().await;
        }
    }
}

/// A driver, shared between the guest's store and the caller that waits for the drive to end.
pub(crate) struct SharedDriver {
    driver: Arc<Mutex<Driver>>,
    place: GuestPosition,
}

impl SharedDriver {
    pub(crate) fn new(driver: &Arc<Mutex<Driver>>) -> Self {
        Self { driver: Arc::clone(driver), place: GuestPosition::default() }
    }
}

/// The guest's last answer: its place in the journal, and its time.
#[derive(Clone, Copy, Default)]
struct GuestPosition {
    position: usize,
    time: Option<Timestamp>,
    /// The time of the last answer that the guest waited for. A guest may have computed a time since then, and asked for
    /// other things first.
    waited: Option<Timestamp>,
}

impl GuestPosition {
    fn answered(&mut self, command: &Command, (position, time): (usize, Option<Timestamp>)) {
        let waited = match command {
            Command::Await { .. }
            | Command::Sleep(_)
            | Command::WaitForEvent(_)
            | Command::RequireApproval(_)
            | Command::Perform(_) => time,
            _ => self.waited,
        };
        *self = Self { position, time, waited };
    }
}

impl Handler for SharedDriver {
    fn handle(&mut self, command: Command) -> HandlerAnswer<'_> {
        let (shared, place, command) = (&*self.driver, &mut self.place, PreparedCommand::from(command));
        let Ok(mut driver) = shared.try_lock() else {
            return HandlerAnswer::Later(Box::pin(async move {
                let mut driver = shared.lock().await;
                let further = driver.advance(&command, place.waited);
                driver.answer(&command, further, place).await
            }));
        };
        match driver.advance(&command, place.waited) {
            Ok(Progress::Answered(outcome)) => {
                place.answered(command.command(), driver.place());
                HandlerAnswer::Here(Ok(outcome))
            }
            further => {
                HandlerAnswer::Later(Box::pin(async move { driver.answer(&command, further, place).await }))
            }
        }
    }

    fn position(&self) -> usize {
        self.place.position
    }

    fn time(&self) -> Option<Timestamp> {
        self.place.time
    }
}

impl Driver {
    pub(crate) fn new(
        inner: Arc<HostState>,
        origin: Origin,
        replay: Replay,
        (times, row): (Times, ScheduleRow),
        (lease, timing): (Arc<Lease>, WriteTiming),
    ) -> Self {
        let quotas = inner.journals.settings.of(&origin.key.tenant).quotas;
        let (unwritten, is_ahead, since) = (Vec::new(), false, Instant::now());
        let (origin, slice, redeemed) = (Arc::new(origin), inner.slots.begin(), None);
        let row = Some(row);
        Self {
            inner,
            origin,
            replay,
            script: None,
            times,
            quotas,
            unwritten,
            is_ahead,
            timing,
            row,
            since,
            slice,
            redeemed,
            lease,
        }
    }

    fn place(&self) -> (usize, Option<Timestamp>) {
        let position = self.replay.position();
        (position, self.times.at(position))
    }

    /// Continues from there until the command is answered; `place` is the guest's position then.
    async fn answer(
        &mut self,
        command: &PreparedCommand,
        mut further: Result<Progress, Stop>,
        place: &mut GuestPosition,
    ) -> Result<Outcome, Halt> {
        loop {
            let done = match further {
                Ok(Progress::Answered(outcome)) => {
                    place.answered(command.command(), self.place());
                    return Ok(outcome);
                }
                Ok(Progress::Write) => self.record().await,
                Ok(Progress::Do(live)) => Box::pin(self.carry_out(live)).await,
                Err(stop) => return Err(Box::new(stop)),
            };
            further = match done {
                Ok(()) => self.advance(command, place.waited),
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Gets as far as possible without waiting. `waited` is the time of the last answer that the guest waited for.
    fn advance(&mut self, command: &PreparedCommand, waited: Option<Timestamp>) -> Result<Progress, Stop> {
        let now = self.inner.now()?;
        self.replay.set_guest_clock(waited.unwrap_or(self.origin.started_at));
        // An operator may have paused or ended the instance during its last call.
        while !self.replay.stands_still() {
            match self.replay.next(command, now)? {
                Turn::Return(outcome) => return Ok(Progress::Answered(outcome)),
                Turn::Wait(_) => return Err(Stop::Waiting),
                Turn::Break(failure) => return Err(Stop::Broke(failure)),
                Turn::Record(entry) => {
                    let can_wait = can_wait(&entry) && self.may_defer();
                    self.defer(entry)?;
                    if !can_wait {
                        return Ok(Progress::Write);
                    }
                }
                Turn::Do(live) => return Ok(Progress::Do(Box::new(live))),
            }
        }
        Err(Stop::Waiting)
    }

    /// Records the workflow's own end, or its being ended.
    pub(crate) async fn finish(&mut self, end: Result<Result<String, Failure>, Failure>) -> Result<(), Stop> {
        let entry = match end {
            Ok(returned) => self.replay.finish(&returned)?,
            Err(failure) => Entry::Failed { failure },
        };
        let mut entries = match self.replay.unsettled().is_empty() {
            true => Vec::new(),
            false => {
                let replay = self.replay.clone();
                self.inner.apart(move |inner| inner.settlement(&replay)).await?
            }
        };
        entries.push(entry);
        Ok(self.append(entries).await?)
    }

    /// Records that an attempt took longer than it may, once the guest that made it is gone.
    pub(crate) async fn cut_off(&mut self) -> Result<(), Error> {
        let cut_off = self.replay.cut_off(self.inner.now()?);
        self.append(cut_off).await
    }

    /// Records the call at which the guest took another path.
    pub(crate) async fn diverge(&mut self, divergence: workflow::Divergence) -> Result<(), Error> {
        let (call, message) = (divergence.call, divergence.to_string());
        self.append([Entry::Diverged { call, message }]).await
    }

    /// Writes the guest's entries, and returns when it is this drive's turn again.
    async fn record(&mut self) -> Result<(), Error> {
        self.append_batch(Batch::default()).await?;
        self.slice.step().await;
        Ok(())
    }

    /// The only place where the host acts. Boxed, so that the frequent future of a step does not have the size of an
    /// action's.
    async fn carry_out(&mut self, live: Box<Live>) -> Result<(), Error> {
        self.slice.release();
        match *live {
            Live::Request { call, asked, action, mode } => self.request(call, asked, action, mode).await,
            Live::Redeem { call, asked, invocation } => self.redeem(call, asked, invocation).await,
            Live::Effect { call, invocation, interrupted } => {
                let span = tracing::info_span!("action", receipt = %invocation.receipt);
                self.act(call, &invocation, interrupted).instrument(span).await
            }
            Live::Attest { call, receipt, effect } => {
                let scope = self.scope_of(&receipt).await?;
                let attested = self.attested(call, &receipt, scope, &effect).await?;
                self.append([attested]).await
            }
        }
    }
}
