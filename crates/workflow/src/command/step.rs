//! The attempts and retries of a step.

use crate::Failure;
use receipt::Timestamp;
use serde::{Deserialize, Serialize};

/// The retries and timeouts of a step. The configuration with which a step was first begun stays in force, even if a
/// later run of the workflow passes another one.
///
/// The defaults are those of Cloudflare Workflows, as documented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepConfig {
    /// The number of *retries*: one less than the number of attempts. Default 5.
    pub retries: u32,
    /// Milliseconds between the first attempt's end and the second attempt. Default 10 seconds.
    pub delay_ms: u64,
    /// How the delay grows with each attempt. Default exponential.
    pub backoff: Backoff,
    /// Milliseconds for one attempt. An attempt that takes longer has failed, whatever its result. Default 10 minutes.
    pub timeout_ms: u64,
}

/// How the retry delay grows with the number of failed attempts. Without randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backoff {
    /// The same delay every time.
    Constant,
    /// The delay times the number of failed attempts.
    Linear,
    /// The delay, doubled with each failed attempt after the first.
    Exponential,
}

/// Whether a step is retried after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The step is tried again as it was configured.
    Configured,
    /// The step is retried after this number of milliseconds, if an attempt is left.
    After(u64),
    /// The step has failed permanently: a retry would not help.
    Never,
}

impl Default for StepConfig {
    fn default() -> Self {
        Self { retries: 5, delay_ms: 10_000, backoff: Backoff::Exponential, timeout_ms: 600_000 }
    }
}

impl StepConfig {
    /// Milliseconds until the next attempt after `failed` attempts; `None` when there is no next attempt.
    #[must_use]
    pub fn delay_after(&self, failed: u32, retry: Retry) -> Option<u64> {
        if failed > self.retries {
            return None;
        }
        let grown = match self.backoff {
            Backoff::Constant => self.delay_ms,
            Backoff::Linear => self.delay_ms.saturating_mul(u64::from(failed)),
            Backoff::Exponential => {
                let doublings = failed.saturating_sub(1);
                self.delay_ms.saturating_mul(1_u64.checked_shl(doublings).unwrap_or(u64::MAX))
            }
        };
        match retry {
            Retry::Configured => Some(grown),
            Retry::After(delay) => Some(delay),
            Retry::Never => None,
        }
    }

    /// Whether an attempt that began and ended then took too long.
    pub(crate) fn is_over(&self, began: Timestamp, ended: Timestamp) -> bool {
        let took = ended.as_millis().saturating_sub(began.as_millis());
        u64::try_from(took).is_ok_and(|took| took > self.timeout_ms)
    }

    /// The failure of an attempt that took too long.
    pub(crate) fn timeout(&self) -> Failure {
        let message = format!("Execution timed out after {}ms", self.timeout_ms);
        Failure { name: "timeout".to_owned(), message }
    }
}

/// The instant `ms` milliseconds after `than`.
pub(crate) fn later(than: Timestamp, ms: u64) -> Timestamp {
    Timestamp::from_millis(than.as_millis().saturating_add_unsigned(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(config: &StepConfig) -> Vec<Option<u64>> {
        (1..=5).map(|failed| config.delay_after(failed, Retry::Configured)).collect()
    }

    #[test]
    fn a_delay_grows_as_it_was_told_to() {
        let config = |backoff| StepConfig { retries: 4, delay_ms: 10, backoff, timeout_ms: 1 };
        assert_eq!(delays(&config(Backoff::Constant)), [Some(10), Some(10), Some(10), Some(10), None]);
        assert_eq!(delays(&config(Backoff::Linear)), [Some(10), Some(20), Some(30), Some(40), None]);
        assert_eq!(delays(&config(Backoff::Exponential)), [Some(10), Some(20), Some(40), Some(80), None]);
    }

    #[test]
    fn the_last_of_ten_thousand_attempts_still_has_a_delay() {
        let config = StepConfig { retries: 10_000, delay_ms: u64::MAX / 2, ..StepConfig::default() };
        assert_eq!(config.delay_after(10_000, Retry::Configured), Some(u64::MAX));
        assert_eq!(config.delay_after(10_000, Retry::After(7)), Some(7));
        assert_eq!(config.delay_after(10_001, Retry::After(7)), None, "no attempt is left");
        assert_eq!(config.delay_after(1, Retry::Never), None);
    }

    #[test]
    fn an_attempt_may_take_as_long_as_its_timeout_and_no_longer() {
        let config = StepConfig::default();
        let at = Timestamp::from_millis;
        assert!(!config.is_over(at(0), at(600_000)));
        assert!(!config.is_over(at(5), at(0)), "a clock that was set back is not a long time");
        assert!(config.is_over(at(0), at(600_001)));
        assert_eq!(config.timeout().message, "Execution timed out after 600000ms");
    }
}
