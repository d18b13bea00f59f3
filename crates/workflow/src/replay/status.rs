//! The state of an instance.

use crate::table::Calls;
use crate::table::trails::TrailMark;
use crate::{Call, CallMode, Failure, Pending, RequestId, Wait};
use std::fmt;

/// The state of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Created; the workflow has made no call.
    Queued,
    /// The workflow can continue.
    Running,
    /// The instance waits for something outside, or for time.
    Waiting(Wait),
    /// An operator paused it.
    Paused {
        /// The operator.
        by: String,
    },
    /// The workflow made another call than the one in its journal. The instance stops until an operator resumes,
    /// restarts or ends it.
    Diverged {
        /// The call at which it did.
        call: Call,
        /// The recorded call, and the call that the workflow made instead.
        message: String,
    },
    /// The workflow completed, with this result as JSON text.
    Completed(String),
    /// The workflow failed.
    Failed(Failure),
    /// An operator ended it.
    Terminated {
        /// The operator.
        by: String,
        /// The operator's reason.
        reason: Option<String>,
    },
}

impl Status {
    /// The workflow is not run again, unless an operator restarts it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Completed(_) | Self::Failed(_) | Self::Terminated { .. })
    }

    /// The request whose decision it waits for, if any. It may wait for other calls too.
    #[must_use]
    pub fn request(&self) -> Option<&RequestId> {
        match self {
            Self::Waiting(wait) => wait.request(),
            _ => None,
        }
    }

    /// Whether the workflow would progress if it were driven now, at any time of the clock.
    #[must_use]
    pub fn can_run(&self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// One word, as on Cloudflare Workflows.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting(_) => "waiting",
            Self::Paused { .. } => "paused",
            Self::Diverged { .. } | Self::Failed(_) => "errored",
            Self::Completed(_) => "complete",
            Self::Terminated { .. } => "terminated",
        })
    }
}

/// The state according to the calls alone.
impl Calls {
    /// The state of an instance that has not ended and is neither paused nor diverged.
    pub(crate) fn status(&self) -> Status {
        if self.next() == 0 {
            return Status::Queued;
        }
        match self.awaited() {
            Some(on) if !on.is_empty() => Status::Waiting(Wait { on }),
            _ => Status::Running,
        }
    }

    /// The ends that the guest is known to wait for, unless one of them has already arrived. A guest with started calls
    /// that has not yet recorded that it waits has more to do.
    fn awaited(&self) -> Option<Vec<Pending>> {
        if let Some(calls) = self.awaiting() {
            return calls.iter().map(|call| self.still_pending(*call)).collect();
        }
        let Some(TrailMark::Call(call)) = self.marks(self.innermost()).last() else { return None };
        let recorded = self.get(*call)?;
        (recorded.mode == CallMode::Blocking)
            .then(|| self.still_pending(*call).map(|pending| vec![pending]))?
    }

    fn still_pending(&self, call: Call) -> Option<Pending> {
        let there = self.matching(call).is_some();
        self.get(call)?.pending(call).filter(|_| !there)
    }
}
