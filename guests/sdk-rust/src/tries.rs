//! The retry policy of a step.

use crate::bindings::permission_protocol::tenant::workflow;
use std::time::Duration;

/// The retry policy and the attempt timeout of a step.
///
/// The defaults are those of Cloudflare Workflows: five retries, so six attempts; ten seconds before the first retry, twice as long before
/// each further retry; ten minutes an attempt. The options of the first start stay in force on later runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tries {
    retries: Option<u32>,
    delay: Option<Duration>,
    backoff: Option<Backoff>,
    timeout: Option<Duration>,
}

/// How the delay before the next attempt grows with the number of failed attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// The same delay every time.
    Constant,
    /// The delay, multiplied by the number of failed attempts.
    Linear,
    /// The delay, doubled for each failed attempt after the first.
    Exponential,
}

impl Tries {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One attempt, without retries.
    #[must_use]
    pub fn once() -> Self {
        Self::new().retries(0)
    }

    /// Sets the number of retries: one less than the number of attempts. At most 10 000.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        Self { retries: Some(retries), ..self }
    }

    /// Sets the delay between the first attempt and the second.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay: Some(delay), ..self }
    }

    /// Sets how the delay grows.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff: Some(backoff), ..self }
    }

    /// Sets the time limit of an attempt, by the host's clock. An attempt that takes longer fails, whatever its result.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    pub(crate) fn options(&self) -> workflow::StepOptions {
        workflow::StepOptions {
            retries: self.retries,
            delay_ms: self.delay.map(millis),
            backoff: self.backoff.map(Into::into),
            timeout_ms: self.timeout.map(millis),
        }
    }
}

impl From<Backoff> for workflow::Backoff {
    fn from(backoff: Backoff) -> Self {
        match backoff {
            Backoff::Constant => Self::Constant,
            Backoff::Linear => Self::Linear,
            Backoff::Exponential => Self::Exponential,
        }
    }
}

/// The duration in milliseconds, rounded up: a positive duration is never 0.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_that_is_asked_for_is_none() {
        assert_eq!(millis(Duration::ZERO), 0);
        assert_eq!(millis(Duration::from_nanos(1)), 1);
        assert_eq!(millis(Duration::from_millis(1_500)), 1_500);
        assert_eq!(millis(Duration::MAX), u64::MAX);
    }

    #[test]
    fn what_is_left_out_is_left_to_the_host() {
        let options = Tries::new().options();
        assert!(options.retries.is_none() && options.delay_ms.is_none());
        assert!(options.backoff.is_none() && options.timeout_ms.is_none());
        let options = Tries::once().delay(Duration::from_secs(1)).backoff(Backoff::Linear).options();
        assert_eq!((options.retries, options.delay_ms), (Some(0), Some(1_000)));
        assert!(matches!(options.backoff, Some(workflow::Backoff::Linear)));
    }
}
