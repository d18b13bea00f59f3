//! Driving an instance until it ends or waits.

mod driver;
mod effect;
mod redeemed;
mod request;

use crate::drive::driver::{Driver, SharedDriver, Stop, WriteTiming};
use crate::runtime::due::{instance_state, schedule_row};
use crate::runtime::journals::Origin;
use crate::runtime::lease::Lease;
use crate::runtime::times::Times;
use crate::{Error, Host};
use receipt::Digest;
use sandbox::Output;
use sandbox::{End, Event, Program};
use std::pin::pin;
use std::sync::Arc;
use store::{InstanceKey, StoreError, Write};
use tokio::sync::Mutex;
use tracing::Instrument as _;
use workflow::{Clipped, Failure, Replay, Status};

/// The number of entries of an instance that was created and has not run.
const CREATED: usize = 2;

impl Host {
    /// Runs an instance until it ends or waits. A first run, a resume and the recovery after a crash are this one call.
    ///
    /// # Errors
    /// When the host cannot continue. The journal is intact; drive again.
    pub async fn drive(&self, key: &InstanceKey) -> Result<Status, Error> {
        let span = tracing::info_span!("drive", tenant = %key.tenant, instance = %key.instance);
        (self.0.on_drive_span)(key, &span);
        let driven = async {
            let driven = self.drive_on(key).await;
            match &driven {
                Ok(status) => tracing::debug!(state = %instance_state(status), "driven"),
                Err(error) => tracing::debug!(error = %Clipped(&error.to_string()), "the drive failed"),
            }
            driven
        };
        driven.instrument(span).await
    }

    async fn drive_on(&self, key: &InstanceKey) -> Result<Status, Error> {
        let lease = self.0.leases.acquire(key)?;
        self.0.claims.check(key)?;
        let (mut seen, mut timing) = (None, WriteTiming::Deferred);
        loop {
            let (origin, replay, times) = self.0.journals.read(key).await?;
            let (status, length) = (replay.status(), Some(replay.len()));
            if !self.gets_further(&status)? {
                return Ok(status);
            }
            // Drive again only if a signal arrived during the drive.
            if seen == length {
                return Err(StoreError::Conflict(key.clone()).into());
            }
            seen = length;
            match self.drive_once(origin, (replay, times), &lease, timing).await {
                Ok(Some(status)) if !status.can_run() => return Ok(status),
                Ok(Some(_)) => {}
                Ok(None) => seen = None,
                Err(Error::Store(StoreError::Conflict(_))) => timing = WriteTiming::Immediate,
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the workflow could progress if it were driven.
    fn gets_further(&self, status: &Status) -> Result<bool, Error> {
        Ok(match status {
            Status::Waiting(wait) => wait.due() <= Some(self.0.now()?),
            status => status.can_run(),
        })
    }

    /// Drives from the workflow's first line to its end or to a wait; returns nothing if the guest was unwound before
    /// that.
    async fn drive_once(
        &self,
        origin: Origin,
        (replay, times): (Replay, Times),
        lease: &Arc<Lease>,
        timing: WriteTiming,
    ) -> Result<Option<Status>, Error> {
        let (component, is_new) = (origin.component, replay.len() == CREATED);
        let event = event_of(&origin);
        let (key, limits) = (origin.key.clone(), self.0.journals.settings.of(&origin.key.tenant).sandbox);
        let row = schedule_row(&replay.status(), self.0.now()?);
        let driver =
            Driver::new(Arc::clone(&self.0), origin, replay, (times, row), (Arc::clone(lease), timing));
        let driver = Arc::new(Mutex::new(driver));
        let program = match self.program_of(component).await {
            Ok(program) => program,
            // The instance was submitted before its code was compiled. An instance that has begun keeps waiting for its
            // code.
            Err(Error::Load(refusal)) if is_new && refusal.is_lasting() => {
                let mut driver = driver.lock().await;
                let failure = Failure { name: "refused".to_owned(), message: refusal.to_string() };
                ended(&mut driver, End::Broke(failure)).await?;
                return Ok(Some(driver.replay.status()));
            }
            Err(error) => return Err(error),
        };
        driver.lock().await.script = program.script().cloned();
        let handler = Box::new(SharedDriver::new(&driver));
        let printed = Output::new(limits.output_bytes);
        let end = {
            let mut watching = pin!(driver::watch(&driver));
            tokio::select! {
                (end, _) = self.0.programs.sandbox.run_into(&printed, &program, event, &limits, handler) => {
                    // A watch that is dropped during a write loses its entries: it ends the write first.
                    tokio::select! {
                        held = driver.lock() => drop(held),
                        _ = &mut watching => {}
                    }
                    Some(end)
                }
                overdue = &mut watching => {
                    overdue?;
                    driver.lock().await.cut_off().await?;
                    None
                }
                // A signal pauses, ends or restarts the instance. An action that runs holds the driver, so the signal waits until the action has ended.
                () = async { lease.interrupted().await; drop(driver.lock().await) } => None,
            }
        };
        self.finish(&key, &driver, &printed, end).await
    }

    /// Keeps the output of a drive and records its end. Returns the status; none, if the guest was unwound before its end.
    async fn finish(
        &self,
        key: &InstanceKey,
        driver: &Mutex<Driver>,
        printed: &Output,
        end: Option<End>,
    ) -> Result<Option<Status>, Error> {
        let kept = self.keep_output(key, &printed.text()).await;
        let Some(end) = end else { return kept.map(|()| None) };
        let mut driver = driver.lock().await;
        ended(&mut driver, end).await?;
        kept?;
        Ok(Some(driver.replay.status()))
    }

    async fn keep_output(&self, key: &InstanceKey, printed: &str) -> Result<(), Error> {
        if printed.is_empty() {
            return Ok(());
        }
        let text = format!("[drive of {}]\n{}\n", self.0.now()?, printed.trim_end());
        let quotas = self.0.journals.settings.of(&key.tenant).quotas;
        match self.0.write(Write::Output { key: key.clone(), text, quotas }).await {
            // Output beyond the tenant's quota is dropped; no state depends on it.
            Err(StoreError::Quota(_)) => Ok(()),
            kept => Ok(kept.map(drop)?),
        }
    }

    /// Loading may take as long as compiling does; that is no work for a thread on which others are driven.
    async fn program_of(&self, component: Digest) -> Result<Program, Error> {
        if let Some(program) = self.0.programs.get(&component) {
            return Ok(program);
        }
        let inner = Arc::clone(&self.0);
        let loaded = tokio::task::spawn_blocking(move || inner.program_of(&component)).await;
        loaded.map_err(|error| Error::Internal(error.to_string()))?
    }
}

/// The event that an instance's guest is started with.
fn event_of(origin: &Origin) -> Event {
    Event {
        payload: origin.params.clone(),
        started_at: origin.started_at,
        seed: origin.seed,
        instance: origin.key.instance.to_string(),
        workflow: origin.workflow.clone(),
        tenant: origin.key.tenant.to_string(),
    }
}

/// Records how a drive ended.
async fn ended(driver: &mut Driver, end: End) -> Result<(), Error> {
    let stop = match end {
        End::Returned(result) => driver.finish(Ok(result)).await,
        End::Broke(failure) => driver.finish(Err(failure)).await,
        End::Halted(halt) => {
            Err(*halt.downcast::<Stop>().map_err(|other| Error::Internal(other.to_string()))?)
        }
    };
    match stop {
        Ok(()) => Ok(()),
        Err(Stop::Waiting) => driver.park().await,
        Err(Stop::Diverged(divergence)) => driver.diverge(divergence).await,
        Err(Stop::Broke(failure)) => match driver.finish(Err(failure)).await {
            Err(Stop::Error(error)) => Err(error),
            // The comparison with the journal is only for workflows that returned.
            _ => Ok(()),
        },
        Err(Stop::Error(error)) => Err(error),
    }
}
