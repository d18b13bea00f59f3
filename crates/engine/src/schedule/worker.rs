//! One run of the worker.

use crate::runtime::claims::ClaimTable;
use crate::runtime::due::schedule_row;
use crate::runtime::wakeups::Woken;
use crate::schedule::WorkerOptions;
use crate::schedule::queue::ReadyQueue;
use crate::{Error, Host};
use receipt::Timestamp;
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Duration;
use store::{InstanceKey, InstanceState, StoreError, Write};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use workflow::{Status, TenantId};

/// Instances of a tenant that are kept ready in memory.
const KEPT_READY: u32 = 256;

/// The delay before an instance in trouble is tried again: doubled each time, between these.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The pause between polls for other hosts' appends: the first after a poll that has found some, and doubled after each that has not, up to the second.
const POLLS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// The pause in driving when the store refuses writes.
const STORE_BACKOFF: Duration = Duration::from_secs(1);

/// The time limit of the turn that is under way at the signal to stop.
const LAST_TURN: Duration = Duration::from_secs(2);

type Driven = Result<(Id, Result<Status, Error>), JoinError>;

pub(super) struct Worker<'a> {
    host: &'a Host,
    options: WorkerOptions,
    ready: ReadyQueue,
    drives: JoinSet<Result<Status, Error>>,
    tasks: HashMap<Id, InstanceKey>,
    /// The driven instances, and whether each has become due again during its drive.
    driving: HashMap<InstanceKey, bool>,
    by_tenant: HashMap<TenantId, usize>,
    /// The tenants with more due instances than are ready.
    more: HashSet<TenantId>,
    /// The due time of the next instance that is not due yet.
    next: Option<Timestamp>,
    troubled: HashMap<InstanceKey, u32>,
    /// The work that fails because of the store, and was reported.
    failing: HashSet<StoreWork>,
}

/// Work that waits if the store fails.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum StoreWork {
    Look,
    Drive,
}

impl StoreWork {
    fn problem(self) -> &'static str {
        match self {
            Self::Look => "cannot look for due instances",
            Self::Drive => "cannot drive due instances",
        }
    }
}

impl<'a> Worker<'a> {
    pub(super) fn new(host: &'a Host, options: WorkerOptions) -> Self {
        Self {
            host,
            options,
            ready: ReadyQueue::default(),
            drives: JoinSet::new(),
            tasks: HashMap::new(),
            driving: HashMap::new(),
            by_tenant: HashMap::new(),
            more: HashSet::new(),
            next: None,
            troubled: HashMap::new(),
            failing: HashSet::new(),
        }
    }

    /// Works until `stop` completes: it counts at any moment, also while the database does not answer.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let (stopping, is_stopping) = watch::channel(false);
        {
            let mut turns = pin!(self.turns(is_stopping));
            tokio::select! {
                () = stop => {}
                worked = &mut turns => return worked,
            }
            let _ = stopping.send(true);
            // A drive that has ended is still scheduled, if the database answers.
            if let Ok(worked) = timeout(LAST_TURN, turns).await {
                worked?;
            }
        }
        self.finish().await;
        Ok(())
    }

    async fn turns(&mut self, mut is_stopping: watch::Receiver<bool>) -> Result<(), Error> {
        let mut others = Poll::new();
        let looked = self.look().await.map(drop);
        self.outlast(looked).await?;
        loop {
            // No drive begins after the signal.
            if *is_stopping.borrow() {
                return Ok(());
            }
            self.begin();
            let inner = &self.host.0;
            let next = self.next;
            let time = async {
                match next {
                    Some(next) => inner.until(next).await,
                    None => std::future::pending().await,
                }
            };
            let turned = tokio::select! {
                _ = is_stopping.changed() => return Ok(()),
                Some(driven) = self.drives.join_next_with_id() => self.ended(driven).await,
                () = inner.wakeups.notified() => self.take_wakeups().await,
                () = others.next(&inner.claims) => self.poll(&mut others).await,
                waited = time => waited,
            };
            let turned = match self.next.is_some_and(|next| self.is_past(next)) {
                true if turned.is_ok() => self.look().await.map(drop),
                _ => turned,
            };
            self.outlast(turned).await?;
        }
    }

    /// Begins as many drives as the bounds allow.
    fn begin(&mut self) {
        while self.drives.len() < self.options.max_drives.max(1) {
            let (by_tenant, settings) = (&self.by_tenant, &self.host.0.journals.settings);
            let may = |tenant: &TenantId| {
                let most = usize::try_from(settings.of(tenant).quotas.concurrent_drives)
                    .unwrap_or(usize::MAX)
                    .max(1);
                by_tenant.get(tenant).is_none_or(|driven| *driven < most)
            };
            let Some(key) = self.ready.pop(may) else { return };
            *self.by_tenant.entry(key.tenant.clone()).or_default() += 1;
            self.driving.insert(key.clone(), false);
            let host = self.host.clone();
            let named = key.clone();
            let task = self.drives.spawn(async move { host.drive(&key).await });
            self.tasks.insert(task.id(), named);
        }
    }

    /// Looks for entries that other hosts have appended. If they append much, the next look is soon.
    async fn poll(&mut self, others: &mut Poll) -> Result<(), Error> {
        let began = Instant::now();
        let found = self.look().await;
        others.polled(found.as_ref().is_ok_and(|found| *found > 0), began.elapsed());
        found.map(drop)
    }

    /// Looks into the schedule for everything that is due. Returns the number of instances that no wake-up has announced.
    async fn look(&mut self) -> Result<usize, Error> {
        // The refill skips instances that are driven, so wake-ups for these are taken here.
        self.woken();
        let (store, now) = (&self.host.0.journals.store, self.host.0.now()?);
        let tenants = store.due_tenants(now).await?;
        self.next = store.next_due(now).await?;
        let mut found = HashSet::new();
        for tenant in tenants {
            found.extend(self.refill(&tenant, now).await?);
        }
        // The look also found what this host has appended in the meantime.
        let own = self.woken();
        for key in &own.keys {
            found.remove(key);
        }
        if own.and_more {
            // Not all names were kept, so the worker reads the schedule again.
            self.host.0.wakeups.notify_all();
        }
        self.failing.remove(&StoreWork::Look);
        Ok(found.len())
    }

    /// Makes a tenant's instances ready: those that have been due longest, and that are not driven. Returns those that were not ready.
    async fn refill(&mut self, tenant: &TenantId, now: Timestamp) -> Result<Vec<InstanceKey>, Error> {
        if self.more.contains(tenant) && self.ready.of(tenant) >= KEPT_READY as usize {
            return Ok(Vec::new());
        }
        let driven = self.by_tenant.get(tenant).copied().unwrap_or(0);
        let known = u32::try_from(driven + self.ready.of(tenant)).unwrap_or(u32::MAX);
        let limit = KEPT_READY.saturating_add(known);
        let due = self.host.0.journals.store.due(tenant, now, limit).await?;
        match due.len() < limit as usize {
            true => self.more.remove(tenant),
            false => self.more.insert(tenant.clone()),
        };
        let driving = &self.driving;
        let new = due.into_iter().filter(|key| !driving.contains_key(key) && self.ready.push(key.clone()));
        Ok(new.collect())
    }

    /// A database that is unreachable or refuses a look does not end the worker: due instances stay due, and are found later.
    async fn outlast(&mut self, turned: Result<(), Error>) -> Result<(), Error> {
        match turned {
            Err(Error::Store(error)) if self.host.0.claims.are_shared() && may_pass(&error) => {
                self.back_off(StoreWork::Look, &error).await;
                Ok(())
            }
            turned => turned,
        }
    }

    /// Pauses, and reports the first failure of this work since it last succeeded.
    async fn back_off(&mut self, work: StoreWork, error: &StoreError) {
        if self.failing.insert(work) {
            let problem = work.problem();
            (self.host.0.on_background_error)(&format!("{problem}: {error} (it is tried again)"));
        }
        tokio::time::sleep(STORE_BACKOFF).await;
    }

    async fn take_wakeups(&mut self) -> Result<(), Error> {
        if self.woken().and_more { self.look().await.map(drop) } else { Ok(()) }
    }

    /// Takes the wake-ups. If not all names were kept, each instance that is driven may be due again.
    fn woken(&mut self) -> Woken {
        let woken = self.host.0.wakeups.take();
        woken.keys.iter().for_each(|key| self.due(key.clone()));
        if woken.and_more {
            self.driving.values_mut().for_each(|again| *again = true);
        }
        woken
    }

    /// An instance is due: now, or as soon as its present drive ends.
    fn due(&mut self, key: InstanceKey) {
        match self.driving.get_mut(&key) {
            Some(again) => *again = true,
            None if self.ready.of(&key.tenant) < KEPT_READY as usize => {
                self.ready.push(key);
            }
            None => drop(self.more.insert(key.tenant)),
        }
    }

    async fn ended(&mut self, driven: Driven) -> Result<(), Error> {
        let (task, result) = match driven {
            Ok((task, result)) => (task, result),
            Err(broke_off) => {
                (broke_off.id(), Err(Error::Internal(format!("a drive broke off: {broke_off}"))))
            }
        };
        let Some(key) = self.tasks.remove(&task) else { return Ok(()) };
        let again = self.driving.remove(&key).unwrap_or(false);
        self.release(&key.tenant);
        match result {
            Ok(status) => {
                self.failing.remove(&StoreWork::Drive);
                self.reschedule(&key, &status).await?;
            }
            // A wake-up comes when the holder of the lease releases it.
            Err(Error::Busy(_)) => {}
            // Another writer has changed the instance: look again.
            Err(Error::Store(StoreError::Conflict(_))) => self.due(key.clone()),
            // Another host has the shard now, and continues from the journal.
            Err(Error::DrivenElsewhere(_) | Error::Store(StoreError::ClaimLost(_))) => {
                self.troubled.remove(&key);
                return Ok(());
            }
            // The database failed, not the instance: it is due as soon as the database is back.
            Err(Error::Store(error)) if self.host.0.claims.are_shared() && is_away(&error) => {
                self.back_off(StoreWork::Drive, &error).await;
                return Ok(());
            }
            // Deleted while it waited for its turn.
            Err(Error::Store(StoreError::NoInstance(_))) => drop(self.troubled.remove(&key)),
            Err(error) => self.fail(&key, &error).await,
        }
        if again {
            self.due(key.clone());
        }
        if self.more.contains(&key.tenant) && self.ready.of(&key.tenant) == 0 {
            self.refill(&key.tenant, self.host.0.now()?).await.map(drop)?;
        }
        Ok(())
    }

    fn release(&mut self, tenant: &TenantId) {
        if let Some(driven) = self.by_tenant.get_mut(tenant) {
            *driven -= 1;
            if *driven == 0 {
                self.by_tenant.remove(tenant);
            }
        }
    }

    /// Schedules an instance after a drive. An instance that is due although it was just driven would loop without
    /// progress.
    async fn reschedule(&mut self, key: &InstanceKey, status: &Status) -> Result<(), Error> {
        let row = schedule_row(status, self.host.0.now()?);
        if row.state == InstanceState::Running {
            let error =
                Error::Internal("the drive came back and the instance neither ended nor waits".to_owned());
            self.fail(key, &error).await;
            return Ok(());
        }
        self.troubled.remove(key);
        match row.due {
            Some(due) if self.is_past(due) => self.due(key.clone()),
            Some(due) => self.next = Some(self.next.map_or(due, |next| next.min(due))),
            None => {}
        }
        Ok(())
    }

    /// Reports it, and leaves the instance alone for a while.
    async fn fail(&mut self, key: &InstanceKey, error: &Error) {
        self.host.0.report_error(key, error);
        let times = self.troubled.entry(key.clone()).or_default();
        let pause = BACKOFF.0.saturating_mul(1 << (*times).min(16)).min(BACKOFF.1);
        *times = times.saturating_add(1);
        let Ok(now) = self.host.0.now() else { return };
        let until = crate::issuer::after(now, pause);
        let postpone = Write::Postpone { key: key.clone(), until };
        match self.host.0.journals.store.write(postpone).await {
            Ok(_) => self.next = Some(self.next.map_or(until, |next| next.min(until))),
            // Deleted, or another host's by now.
            Err(StoreError::NoInstance(_) | StoreError::ClaimLost(_)) => drop(self.troubled.remove(key)),
            // The store refuses even this write. The worker waits for `STORE_BACKOFF` before it takes up the instance
            // again.
            Err(_) => {
                tokio::time::sleep(STORE_BACKOFF).await;
                self.due(key.clone());
            }
        }
    }

    fn is_past(&self, time: Timestamp) -> bool {
        self.host.0.now().is_ok_and(|now| time <= now)
    }

    /// Waits for drives to end, and unwinds those that do not.
    async fn finish(mut self) {
        let all = async { while self.drives.join_next().await.is_some() {} };
        let _ = timeout(self.options.grace, all).await;
        self.drives.shutdown().await;
    }
}

/// Whether the database cannot be reached, or its answer was lost. One that refuses is not away.
pub(super) fn is_away(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Stopped)
}

/// Whether the same look may succeed later.
fn may_pass(error: &StoreError) -> bool {
    is_away(error) || matches!(error, StoreError::Database(_))
}

/// The times of the polls for other hosts' appends. The times do not move if the worker does other work in between.
struct Poll {
    next: Instant,
    pause: Duration,
}

impl Poll {
    fn new() -> Self {
        Self { next: Instant::now() + POLLS.1, pause: POLLS.1 }
    }

    /// Completes when the next poll is due; never, if there are no other hosts.
    async fn next(&self, claims: &ClaimTable) {
        match claims.are_shared() {
            true => sleep_until(self.next).await,
            false => std::future::pending().await,
        }
    }

    /// Sets the time of the next one, so that polls take a fifth of the time at most.
    fn polled(&mut self, has_found: bool, took: Duration) {
        self.pause = if has_found { POLLS.0 } else { (2 * self.pause).min(POLLS.1) };
        self.next = Instant::now() + self.pause.max(4 * took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_instance_that_becomes_due_while_it_is_driven_is_driven_again() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::builder(folder.path()).open().unwrap();
        let key = InstanceKey { tenant: "acme".parse().unwrap(), instance: "i".parse().unwrap() };
        let mut worker = Worker::new(&host, WorkerOptions::default());
        worker.driving.insert(key.clone(), false);
        host.0.wakeups.notify(&key);
        // The instance was taken for another reason than the wake-up, such as its due time.
        assert_eq!(worker.look().await.unwrap(), 0);
        assert!(worker.driving[&key], "the wake-up counts");
        worker.driving.insert(key.clone(), false);
        host.0.wakeups.notify_all();
        worker.take_wakeups().await.unwrap();
        assert!(worker.driving[&key], "so does one whose name was not kept");
    }

    #[test]
    fn polls_are_frequent_where_they_find_something() {
        let mut poll = Poll::new();
        assert_eq!(poll.pause, POLLS.1);
        let pauses = [true, false, false, false, false, false, true].map(|has_found| {
            poll.polled(has_found, Duration::ZERO);
            u64::try_from(poll.pause.as_millis()).unwrap()
        });
        assert_eq!(pauses, [20, 40, 80, 160, 250, 250, 20]);
        poll.polled(true, Duration::from_secs(60));
        assert!(
            poll.next > Instant::now() + Duration::from_secs(200),
            "a database that is slow is not asked all the time"
        );
    }
}
