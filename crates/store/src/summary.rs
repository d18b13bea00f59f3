//! How an instance stands, and which instances are listed.

use crate::InstanceKey;
use receipt::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use workflow::TenantId;

/// How an instance stands, in a word. What it waits for and how it ended is in its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// It was created, and nothing has been asked for in it.
    Queued,
    /// It has something to do.
    Running,
    /// It waits for something outside, or for time.
    Waiting,
    /// An operator paused it.
    Paused,
    /// It took another path than the one in its journal, and stands still.
    Diverged,
    /// It ended badly.
    Errored,
    /// It ended well.
    Complete,
    /// An operator ended it.
    Terminated,
}

impl InstanceState {
    /// All of them, in a fixed order: an engine may store a state as its index here. New states go to the end.
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

    /// It is not run again, unless an operator restarts it.
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

/// A word that is none of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a status: queued, running, waiting, paused, diverged, errored, complete and terminated are")]
pub struct UnknownState;

impl FromStr for InstanceState {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|standing| standing.to_string() == word).ok_or(UnknownState)
    }
}

/// An instance's line in the agenda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScheduleRow {
    /// How it stands.
    pub standing: InstanceState,
    /// When it is to be driven next; never, for as long as nothing happens outside, where there is no time.
    pub due: Option<Timestamp>,
}

/// An instance, with its line in the agenda.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceSummary {
    /// Its name.
    pub key: InstanceKey,
    /// Its line.
    pub agenda: ScheduleRow,
    /// Since when it stands so.
    pub since: Timestamp,
}

/// Which instances.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only those of this tenant.
    pub tenant: Option<TenantId>,
    /// That stand so.
    pub standing: Option<InstanceState>,
    /// Those that follow this one in the list. Where there is no such instance, none do.
    pub after: Option<InstanceKey>,
    /// That stand so since then or later.
    pub since: Option<Timestamp>,
    /// As many as that.
    pub limit: Option<u32>,
}

/// A tenant that has instances which have ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstEnded {
    /// The tenant.
    pub tenant: TenantId,
    /// When the first of them ended.
    pub at: Timestamp,
}

/// An instance that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Its name. Another may have it by now.
    pub key: InstanceKey,
    /// When.
    pub at: Timestamp,
    /// The account that did it, or `retention`.
    pub by: String,
    /// How many facts there were about it.
    pub facts: u64,
    /// How it had ended, and when. Earlier formats did not keep it.
    pub end: Option<EndState>,
}

/// How an instance ended, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndState {
    /// How.
    pub state: InstanceState,
    /// When.
    pub at: Timestamp,
}
