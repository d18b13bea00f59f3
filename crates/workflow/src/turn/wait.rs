//! Waits: an instance's reasons to be parked.

use crate::{Call, Entry, EventType, Quoted, RequestId};
use receipt::Timestamp;
use std::fmt;

/// The pending ends that an instance waits for: any one of them lets it continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// In the order of the workflow's calls. At least one.
    pub on: Vec<Pending>,
}

/// One pending end. Time alone ends each of them at the latest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pending {
    /// A decision.
    Approval {
        /// The call that asked for it.
        call: Call,
        /// The request that waits for it.
        request: RequestId,
        /// When the request lapses.
        expires_at: Timestamp,
    },
    /// An event.
    Event {
        /// The call that asked for it.
        call: Call,
        /// The name that the workflow gave the wait.
        name: String,
        /// The type of event.
        event_type: EventType,
        /// When the wait times out.
        until: Timestamp,
    },
    /// Time.
    Sleep {
        /// The call that asked for it.
        call: Call,
        /// The name that the workflow gave the sleep.
        name: String,
        /// When the sleep is over.
        until: Timestamp,
    },
    /// The next attempt of a step.
    Retry {
        /// The call that began the step.
        call: Call,
        /// The step's name.
        name: String,
        /// The attempt's number. The first was 1.
        attempt: u32,
        /// When the attempt is due.
        at: Timestamp,
    },
}

impl Wait {
    /// When time alone lets the instance continue.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.on.iter().map(Pending::due).min()
    }

    /// The requests that wait for a decision.
    pub fn requests(&self) -> impl Iterator<Item = &RequestId> {
        self.on.iter().filter_map(|pending| match pending {
            Pending::Approval { request, .. } => Some(request),
            _ => None,
        })
    }

    /// The request that has waited longest for a decision, if one does.
    #[must_use]
    pub fn request(&self) -> Option<&RequestId> {
        self.requests().next()
    }

    /// The types of event that would let the instance continue.
    pub fn event_types(&self) -> impl Iterator<Item = &EventType> {
        self.on.iter().filter_map(|pending| match pending {
            Pending::Event { event_type, .. } => Some(event_type),
            _ => None,
        })
    }
}

impl Pending {
    /// The call that asked for it.
    #[must_use]
    pub fn call(&self) -> Call {
        match self {
            Self::Approval { call, .. }
            | Self::Event { call, .. }
            | Self::Sleep { call, .. }
            | Self::Retry { call, .. } => *call,
        }
    }

    /// When time alone ends it.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        match self {
            Self::Approval { expires_at: due, .. }
            | Self::Event { until: due, .. }
            | Self::Sleep { until: due, .. }
            | Self::Retry { at: due, .. } => *due,
        }
    }
}

impl Pending {
    /// The entry that records that time alone has ended it.
    pub(crate) fn elapse(&self) -> Entry {
        match self {
            Self::Approval { request, .. } => Entry::Lapsed { request: request.clone() },
            Self::Event { call, .. } => Entry::WaitTimedOut { call: *call },
            Self::Sleep { call, .. } => Entry::SleepEnded { call: *call },
            Self::Retry { call, attempt, .. } => Entry::AttemptStarted { call: *call, attempt: *attempt },
        }
    }
}

/// Formats the end for people: `a decision on apr_7 until 2026-…`.
impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approval { request, expires_at, .. } => {
                write!(f, "a decision on {request} until {expires_at}")
            }
            Self::Event { name, event_type, until, .. } => {
                write!(f, "an event {event_type} ({}) until {until}", Quoted(name))
            }
            Self::Sleep { name, until, .. } => write!(f, "the end of sleep {} at {until}", Quoted(name)),
            Self::Retry { name, attempt, at, .. } => {
                write!(f, "attempt {attempt} of step {} at {at}", Quoted(name))
            }
        }
    }
}

/// Formats the ends for people, one after another.
impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, pending) in self.on.iter().enumerate() {
            write!(f, "{}{pending}", if place == 0 { "" } else { ", or " })?;
        }
        Ok(())
    }
}
