//! The event that started an instance, and the events that are sent to it.

use crate::bindings::permission_protocol::tenant::workflow;
use crate::{Event, Failure, failure};
use serde::de::DeserializeOwned;
use std::fmt;
use std::time::{Duration, SystemTime};

impl Event {
    /// The parameters that the instance was started with.
    ///
    /// # Errors
    /// The parameters do not have the type `T`: `invalid-params`.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.payload).map_err(|error| failure("invalid-params", error))
    }

    /// When the instance was started.
    #[must_use]
    pub fn started_at(&self) -> SystemTime {
        moment(self.timestamp_ms)
    }
}

/// An event that was sent to the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<T> {
    /// The type of the event.
    pub event_type: String,
    /// The data that was sent with the event.
    pub payload: T,
    /// When the event arrived.
    pub at: SystemTime,
}

/// Why there is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitError {
    /// No event arrived before this time. The host keeps a later event for the next wait.
    TimedOut(SystemTime),
    /// The host rejects the wait; the text says what is wrong and how to fix it.
    Rejected(String),
    /// The event arrived, but its payload does not have the type that the workflow expects.
    Payload(String),
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(until) => {
                write!(f, "no event came until {} ms since the epoch", since_epoch(*until))
            }
            Self::Rejected(message) => f.write_str(message),
            Self::Payload(message) => {
                write!(f, "what was sent with the event is not what is expected: {message}")
            }
        }
    }
}

impl std::error::Error for WaitError {}

impl From<WaitError> for Failure {
    fn from(error: WaitError) -> Self {
        let name = match error {
            WaitError::TimedOut(_) => "wait-timed-out",
            WaitError::Rejected(_) => "wait-rejected",
            WaitError::Payload(_) => "invalid-payload",
        };
        failure(name, error)
    }
}

impl From<workflow::WaitError> for WaitError {
    fn from(error: workflow::WaitError) -> Self {
        match error {
            workflow::WaitError::TimedOut(until) => Self::TimedOut(moment(until)),
            workflow::WaitError::Rejected(message) => Self::Rejected(message),
        }
    }
}

/// Parses an event's payload into the type that the workflow expects.
pub(crate) fn received<T: DeserializeOwned>(event: workflow::Received) -> Result<Received<T>, WaitError> {
    let workflow::Received { event_type, payload, timestamp_ms } = event;
    let payload = serde_json::from_str(&payload).map_err(|error| WaitError::Payload(error.to_string()))?;
    Ok(Received { event_type, payload, at: moment(timestamp_ms) })
}

pub(crate) fn moment(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

/// Milliseconds since the epoch; 0 for a time before the epoch.
pub(crate) fn since_epoch(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_milliseconds_since_the_epoch_and_none_is_before_it() {
        for ms in [0, 1, 1_800_000_000_000] {
            assert_eq!(since_epoch(moment(ms)), ms);
        }
        assert_eq!(since_epoch(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), 0);
    }

    #[test]
    fn a_payload_that_is_not_expected_says_why() {
        let event = |payload: &str| workflow::Received {
            event_type: "paid".to_owned(),
            payload: payload.to_owned(),
            timestamp_ms: 7,
        };
        assert_eq!(received::<u8>(event("3")).unwrap().payload, 3);
        let failure = Failure::from(received::<u8>(event("300")).unwrap_err());
        assert_eq!(failure.name, "invalid-payload");
        assert!(failure.message.contains("invalid value"), "{failure}");
    }
}
