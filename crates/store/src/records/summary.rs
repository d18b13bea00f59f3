//! An instance's state in short, and the listing of instances.

use crate::InstanceKey;
use receipt::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use workflow::TenantId;

/// The state of an instance. Its journal has what it waits for and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Created; the workflow has made no call.
    Queued,
    /// The workflow can continue.
    Running,
    /// The instance waits for something outside, or for time.
    Waiting,
    /// An operator paused it.
    Paused,
    /// The workflow made another call than the one in its journal. The instance stops until an operator acts.
    Diverged,
    /// The workflow failed.
    Errored,
    /// The workflow completed.
    Complete,
    /// An operator ended it.
    Terminated,
}

impl InstanceState {
    /// Every state, in a fixed order: an engine may store a state as its index here. New states go to the end.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Diverged,
        Self::Errored,
        Self::Complete,
        Self::Terminated,
    ];

    /// Whether the instance has ended. It is not run again, unless an operator restarts it.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Errored | Self::Complete | Self::Terminated)
    }
}

/// One word, as on Cloudflare Workflows.
impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Diverged => "diverged",
            Self::Errored => "errored",
            Self::Complete => "complete",
            Self::Terminated => "terminated",
        })
    }
}

/// A word that is not a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a status; the statuses are queued, running, waiting, paused, diverged, errored, complete and terminated"
)]
pub struct UnknownState;

impl FromStr for InstanceState {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.to_string() == word).ok_or(UnknownState)
    }
}

/// An instance's row in the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleRow {
    /// The instance's state.
    pub state: InstanceState,
    /// When the instance is to be driven next. `None` if only something outside can make it due.
    pub due: Option<Timestamp>,
}

/// An instance, with its row in the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceSummary {
    /// The instance's name.
    pub key: InstanceKey,
    /// The instance's schedule row.
    pub schedule: ScheduleRow,
    /// The time at which this state began.
    pub since: Timestamp,
}

/// A selection of instances.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only instances of this tenant.
    pub tenant: Option<TenantId>,
    /// Only instances in this state.
    pub state: Option<InstanceState>,
    /// Only instances that follow this one in the list; none if there is no such instance.
    pub after: Option<InstanceKey>,
    /// Only instances that have been in their state since this time or later.
    pub since: Option<Timestamp>,
    /// The most instances to return.
    pub limit: Option<u32>,
}

/// A tenant that has instances which have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstEnded {
    /// The tenant.
    pub tenant: TenantId,
    /// When the first of the instances ended.
    pub at: Timestamp,
}

/// An instance that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The instance's name. A newer instance may have it.
    pub key: InstanceKey,
    /// The time of the deletion.
    pub at: Timestamp,
    /// The account that did it, or `retention`.
    pub by: String,
    /// The number of its facts.
    pub facts: u64,
    /// How it had ended, and when. `None` for records of earlier formats.
    pub end: Option<EndState>,
}

/// How an instance ended, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndState {
    /// The state.
    pub state: InstanceState,
    /// The time of the end.
    pub at: Timestamp,
}
