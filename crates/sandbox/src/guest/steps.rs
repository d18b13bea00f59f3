//! Steps, sleeps and events.

use super::{AttemptHandle, Guest, PendingHandle, StepHandle, unexpected};
use crate::guest::bindings::permission_protocol::tenant::workflow as wit;
use receipt::Timestamp;
use wasmtime::component::Resource;
use workflow::{
    Alarm, Backoff, Begun, Command, Event, Expectation, Failure, Outcome, Ready, Retry, Sleep, Start,
    StepConfig,
};

/// The handle of a started call that is not a step, or why the host rejects the call.
pub(super) type Started = Result<Resource<PendingHandle>, String>;

impl Guest {
    /// Starts a call that is not a step.
    pub(super) async fn start_call(&mut self, start: Start) -> wasmtime::Result<Started> {
        match self.ask(Command::Start(start)).await? {
            Outcome::Started(call) => Ok(Ok(self.table.push(PendingHandle(call))?)),
            Outcome::Rejected(message) => Ok(Err(message)),
            other => unexpected(&other),
        }
    }

    /// The end of an attempt: recorded so, or the failure that was recorded.
    async fn end(&mut self, end: Command) -> wasmtime::Result<Result<(), wit::Failure>> {
        match self.ask(end).await? {
            Outcome::Ended(ended) => Ok(ended.map_err(Into::into)),
            other => unexpected(&other),
        }
    }
}

impl wit::Host for Guest {}

impl wit::HostStep for Guest {
    async fn begin(
        &mut self,
        _: Resource<StepHandle>,
        name: String,
    ) -> wasmtime::Result<Result<wit::Begun, wit::StepError>> {
        match self.ask(Command::BeginStep { name }).await? {
            Outcome::Begun(Begun::Run(call)) => {
                Ok(Ok(wit::Begun::Run(self.table.push(AttemptHandle(call))?)))
            }
            Outcome::Begun(Begun::Done(output)) => Ok(Ok(wit::Begun::Done(output))),
            Outcome::Begun(Begun::Failed(failure)) => Ok(Err(wit::StepError::Failed(failure.into()))),
            Outcome::Rejected(message) => Ok(Err(wit::StepError::Rejected(message))),
            other => unexpected(&other),
        }
    }

    async fn start(
        &mut self,
        _: Resource<StepHandle>,
        name: String,
        options: wit::StepOptions,
    ) -> wasmtime::Result<Result<wit::Started, String>> {
        let config = StepConfig::from(options);
        let (call, attempt) = match self.ask(Command::Start(Start::Step { name, config })).await? {
            Outcome::Begun(Begun::Run(call)) => (call, Some(self.table.push(AttemptHandle(call))?)),
            Outcome::Started(call) => (call, None),
            Outcome::Rejected(message) => return Ok(Err(message)),
            other => return unexpected(&other),
        };
        Ok(Ok(wit::Started { pending: self.table.push(PendingHandle(call))?, attempt }))
    }

    async fn sleep(
        &mut self,
        _: Resource<StepHandle>,
        name: String,
        alarm: wit::Alarm,
    ) -> wasmtime::Result<Result<(), String>> {
        match self.ask(Command::Sleep(Sleep { name, alarm: alarm.into() })).await? {
            Outcome::Woken { ready: Ready::Slept, .. } => Ok(Ok(())),
            Outcome::Rejected(message) => Ok(Err(message)),
            other => unexpected(&other),
        }
    }

    async fn start_sleep(
        &mut self,
        _: Resource<StepHandle>,
        name: String,
        alarm: wit::Alarm,
    ) -> wasmtime::Result<Started> {
        self.start_call(Start::Sleep(Sleep { name, alarm: alarm.into() })).await
    }

    async fn wait_for_event(
        &mut self,
        _: Resource<StepHandle>,
        expectation: wit::Expectation,
    ) -> wasmtime::Result<Result<wit::Received, wit::WaitError>> {
        match self.ask(Command::WaitForEvent(expectation.into())).await? {
            Outcome::Woken { ready: Ready::Event(event), .. } => Ok(Ok(event.into())),
            Outcome::Woken { ready: Ready::TimedOut { until }, .. } => {
                Ok(Err(wit::WaitError::TimedOut(millis(until))))
            }
            Outcome::Rejected(message) => Ok(Err(wit::WaitError::Rejected(message))),
            other => unexpected(&other),
        }
    }

    async fn start_wait_for_event(
        &mut self,
        _: Resource<StepHandle>,
        expectation: wit::Expectation,
    ) -> wasmtime::Result<Started> {
        self.start_call(Start::WaitForEvent(expectation.into())).await
    }

    async fn drop(&mut self, step: Resource<StepHandle>) -> wasmtime::Result<()> {
        self.table.delete(step).map(drop).map_err(Into::into)
    }
}

impl wit::HostAttempt for Guest {
    async fn complete(
        &mut self,
        attempt: Resource<AttemptHandle>,
        output: String,
    ) -> wasmtime::Result<Result<(), wit::StepError>> {
        let AttemptHandle(call) = self.table.delete(attempt)?;
        let ended = self.end(Command::EndStep { call, result: Ok(output) }).await?;
        Ok(ended.map_err(wit::StepError::Failed))
    }

    async fn fail(
        &mut self,
        attempt: Resource<AttemptHandle>,
        failure: wit::Failure,
    ) -> wasmtime::Result<wit::Failure> {
        let AttemptHandle(call) = self.table.delete(attempt)?;
        let result = Err(failure.clone().into());
        let ended = self.end(Command::EndStep { call, result }).await?;
        Ok(ended.err().unwrap_or(failure))
    }

    async fn fail_with(
        &mut self,
        attempt: Resource<AttemptHandle>,
        failure: wit::Failure,
        retry: wit::Retry,
    ) -> wasmtime::Result<wit::Failure> {
        let AttemptHandle(call) = self.table.delete(attempt)?;
        let (retry, reported) = (retry.into(), failure.clone().into());
        let ended = self.end(Command::FailStep { call, failure: reported, retry }).await?;
        Ok(ended.err().unwrap_or(failure))
    }

    async fn drop(&mut self, attempt: Resource<AttemptHandle>) -> wasmtime::Result<()> {
        self.table.delete(attempt).map(drop).map_err(Into::into)
    }
}

impl wit::HostPending for Guest {
    async fn drop(&mut self, pending: Resource<PendingHandle>) -> wasmtime::Result<()> {
        self.table.delete(pending).map(drop).map_err(Into::into)
    }
}

/// A missing option has the core's default.
impl From<wit::StepOptions> for StepConfig {
    fn from(options: wit::StepOptions) -> Self {
        let default = Self::default();
        Self {
            retries: options.retries.unwrap_or(default.retries),
            delay_ms: options.delay_ms.unwrap_or(default.delay_ms),
            backoff: options.backoff.map_or(default.backoff, Into::into),
            timeout_ms: options.timeout_ms.unwrap_or(default.timeout_ms),
        }
    }
}

impl From<wit::Backoff> for Backoff {
    fn from(backoff: wit::Backoff) -> Self {
        match backoff {
            wit::Backoff::Constant => Self::Constant,
            wit::Backoff::Linear => Self::Linear,
            wit::Backoff::Exponential => Self::Exponential,
        }
    }
}

impl From<wit::Retry> for Retry {
    fn from(retry: wit::Retry) -> Self {
        match retry {
            wit::Retry::After(ms) => Self::After(ms),
            wit::Retry::Never => Self::Never,
        }
    }
}

impl From<wit::Alarm> for Alarm {
    fn from(alarm: wit::Alarm) -> Self {
        match alarm {
            wit::Alarm::After(ms) => Self::In(ms),
            // The greatest instant exceeds every limit, like the requested one.
            wit::Alarm::At(ms) => Self::At(Timestamp::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))),
        }
    }
}

impl From<wit::Expectation> for Expectation {
    fn from(wit::Expectation { name, event_type, timeout_ms }: wit::Expectation) -> Self {
        Self { name, event_type, timeout_ms: timeout_ms.unwrap_or(Self::TIMEOUT_MS) }
    }
}

impl From<Event> for wit::Received {
    fn from(Event { event_type, payload, at }: Event) -> Self {
        Self { event_type: event_type.to_string(), payload, timestamp_ms: millis(at) }
    }
}

impl From<wit::Failure> for Failure {
    fn from(wit::Failure { name, message }: wit::Failure) -> Self {
        Self { name, message }
    }
}

impl From<Failure> for wit::Failure {
    fn from(Failure { name, message }: Failure) -> Self {
        Self { name, message }
    }
}

/// Milliseconds since the epoch. Nothing is recorded before it.
pub(super) fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or_default()
}
