//! Steps, sleeps and waits.

use crate::bindings::permission_protocol::tenant::side_by_side::Ready;
use crate::bindings::permission_protocol::tenant::workflow;
use crate::bindings::permission_protocol::tenant::workflow::{Alarm, Attempt, Begun};
use crate::event::{moment, received, since_epoch};
use crate::failure::{parse, to_json};
use crate::pending::out_of_turn;
use crate::rollback::Rollbacks;
use crate::tries::millis;
use crate::{Failure, Fault, Pending, Received, Tries, Undo, WaitError, WithRollback, failure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, SystemTime};

/// The handle through which a workflow runs durable operations: steps, sleeps and waits.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    raw: &'a workflow::Step,
    rollbacks: &'a Rollbacks,
}

/// Steps.
impl<'a> Step<'a> {
    pub(crate) fn new(raw: &'a workflow::Step, rollbacks: &'a Rollbacks) -> Self {
        Self { raw, rollbacks }
    }

    /// The handle itself, for beginning and ending steps by hand.
    #[must_use]
    pub fn raw(self) -> &'a workflow::Step {
        self.raw
    }

    /// Runs `work` once and records its result or failure; later runs of the workflow get the record.
    ///
    /// The step has one attempt. On Cloudflare a step without a configuration has six: use [`run_with`](Self::run_with) and
    /// [`Tries::new`] for that.
    ///
    /// # Errors
    /// The work fails, or the host rejects the step. The failure is the same on every run.
    pub fn run<T, E>(self, name: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Fault>,
    {
        let attempt = match self.raw.begin(name)? {
            Begun::Done(output) => return parse(&output),
            Begun::Run(attempt) => attempt,
        };
        // Through JSON the first time too, so that the first run sees what every later run will see.
        self.make(attempt, work).and_then(|output| parse(&output))
    }

    /// Runs `work` until it succeeds, as often as `tries` says. `work` gets the number of the attempt, from 1. Between two attempts nothing
    /// runs, and the instance is on disk.
    ///
    /// # Errors
    /// The failure of the last attempt; or the failure with which the work says that another attempt would not help ([`Fault::never`]); or
    /// the host rejects the step.
    pub fn run_with<T, E>(
        self,
        name: &str,
        tries: Tries,
        work: impl FnMut(u32) -> Result<T, E>,
    ) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Fault>,
    {
        self.start(name, tries, work)?.wait()
    }

    /// Starts a step, makes its first attempt, and returns. Further attempts are made while the workflow waits for the step.
    ///
    /// # Errors
    /// The host rejects the step.
    pub fn start<'w, T, E>(
        self,
        name: &str,
        tries: Tries,
        mut work: impl FnMut(u32) -> Result<T, E> + 'w,
    ) -> Result<Pending<'w, Result<T, Failure>>, Failure>
    where
        'a: 'w,
        T: Serialize + DeserializeOwned + 'w,
        E: Into<Fault>,
    {
        let started = self.raw.start(name, tries.options()).map_err(rejected)?;
        if let Some(attempt) = started.attempt {
            // The step's end says whether this attempt was the last.
            let _ = self.make(attempt, || work(1));
        }
        let again = move |attempt, number| drop(self.make(attempt, || work(number)));
        Ok(Pending::step(started.pending, again, |ended| match ended {
            Ready::Step(ended) => ended.map_err(Failure::from).and_then(|output| parse(&output)),
            other => out_of_turn("a step", &other),
        }))
    }

    /// A step with the rollback `undo`. If the workflow fails, rollbacks run in the reverse of the order in which their steps were started,
    /// each as a step named `rollback: NAME`; the first failing rollback stops the sequence. The workflow then ends with its own failure.
    ///
    /// ```no_run
    /// # use guest_sdk::{Failure, Step};
    /// # fn reserve() -> Result<u32, Failure> { Ok(7) }
    /// # fn release(seat: Option<u32>) -> Result<(), Failure> { Ok(()) }
    /// # fn run(step: Step<'_>) -> Result<(), Failure> {
    /// let seat = step.with_rollback(|undo| release(undo.output)).run("reserve", reserve)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The rollback runs also if the step itself failed; [`Undo::output`] is then `None`. Rollbacks are not available inside a step.
    pub fn with_rollback<T, E>(
        self,
        undo: impl FnMut(Undo<'_, T>) -> Result<(), E> + 'static,
    ) -> WithRollback<'a, T>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Fault>,
    {
        WithRollback::new(self, self.rollbacks, undo)
    }

    /// Makes an attempt, reports its end, and returns what the journal recorded: the result or the failure.
    fn make<T: Serialize, E: Into<Fault>>(
        self,
        attempt: Attempt,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<String, Failure> {
        let made = self.rollbacks.inside(work).map_err(Into::into);
        match made.and_then(|value| to_json(&value).map_err(Fault::never)) {
            Ok(output) => {
                Attempt::complete(attempt, &output)?;
                Ok(output)
            }
            Err(fault) => Err(fault.report(attempt)),
        }
    }
}

/// Sleeps and waits.
impl Step<'_> {
    /// Sleeps. Nothing runs meanwhile.
    ///
    /// # Errors
    /// The sleep is longer than 365 days, or the name is invalid: `sleep-rejected`.
    pub fn sleep(self, name: &str, time: Duration) -> Result<(), Failure> {
        self.raw.sleep(name, Alarm::After(millis(time))).map_err(sleep_rejected)
    }

    /// Sleeps until the time `then`.
    ///
    /// # Errors
    /// The time is in the past or further away than 365 days, or the name is invalid: `sleep-rejected`.
    pub fn sleep_until(self, name: &str, then: SystemTime) -> Result<(), Failure> {
        self.raw.sleep(name, Alarm::At(since_epoch(then))).map_err(sleep_rejected)
    }

    /// Starts a sleep, and returns at once.
    ///
    /// # Errors
    /// Those of [`sleep`](Self::sleep), and too many started operations that have not ended.
    pub fn start_sleep(self, name: &str, time: Duration) -> Result<Pending<'static, ()>, Failure> {
        self.start_alarm(name, Alarm::After(millis(time)))
    }

    /// Starts a sleep until the time `then`, and returns at once.
    ///
    /// # Errors
    /// Those of [`sleep_until`](Self::sleep_until), and too many started operations that have not ended.
    pub fn start_sleep_until(self, name: &str, then: SystemTime) -> Result<Pending<'static, ()>, Failure> {
        self.start_alarm(name, Alarm::At(since_epoch(then)))
    }

    fn start_alarm(self, name: &str, alarm: Alarm) -> Result<Pending<'static, ()>, Failure> {
        let pending = self.raw.start_sleep(name, alarm).map_err(sleep_rejected)?;
        Ok(Pending::new(pending, |ended| match ended {
            Ready::Slept => (),
            other => out_of_turn("a sleep", &other),
        }))
    }

    /// Waits for an event of this type, at most `timeout` or 24 hours. An event that arrived before the wait is delivered at once. Events of
    /// one type are delivered oldest first, each to one wait.
    ///
    /// ```no_run
    /// # use guest_sdk::{Failure, Step};
    /// # use std::time::Duration;
    /// # fn run(step: Step<'_>) -> Result<(), Failure> {
    /// let cents = step.wait_for_event::<u32>("payment", "paid", Duration::from_secs(3600))?.payload;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// No event arrived in time, its payload does not have the type `T`, or the host rejects the wait.
    pub fn wait_for_event<T: DeserializeOwned>(
        self,
        name: &str,
        event_type: &str,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Received<T>, WaitError> {
        received(self.raw.wait_for_event(&expectation(name, event_type, timeout.into()))?)
    }

    /// Starts a wait for an event, and returns at once.
    ///
    /// # Errors
    /// The host rejects the wait, or too many started operations have not ended.
    pub fn start_wait_for_event<T: DeserializeOwned + 'static>(
        self,
        name: &str,
        event_type: &str,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Pending<'static, Result<Received<T>, WaitError>>, WaitError> {
        let expectation = expectation(name, event_type, timeout.into());
        let pending = self.raw.start_wait_for_event(&expectation).map_err(WaitError::Rejected)?;
        Ok(Pending::new(pending, |ended| match ended {
            Ready::Received(event) => received(event),
            Ready::TimedOut(until) => Err(WaitError::TimedOut(moment(until))),
            other => out_of_turn("a wait", &other),
        }))
    }
}

fn expectation(name: &str, event_type: &str, timeout: Option<Duration>) -> workflow::Expectation {
    let (name, event_type) = (name.to_owned(), event_type.to_owned());
    workflow::Expectation { name, event_type, timeout_ms: timeout.map(millis) }
}

fn rejected(message: String) -> Failure {
    failure("step-rejected", message)
}

fn sleep_rejected(message: String) -> Failure {
    failure("sleep-rejected", message)
}
