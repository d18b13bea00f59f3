//! The kind of a fact by its name, for counters and logs.

use crate::Entry;

impl Entry {
    /// The kind's name, as the fact's JSON has it. It contains no text of a guest.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Loaded { .. } => "loaded",
            Self::Started { .. } => "started",
            Self::StepStarted { .. } => "step-started",
            Self::AttemptFailed { .. } => "attempt-failed",
            Self::AttemptStarted { .. } => "attempt-started",
            Self::StepCompleted { .. } => "step-completed",
            Self::StepFailed { .. } => "step-failed",
            Self::Rejected { .. } => "rejected",
            Self::SleepStarted { .. } => "sleep-started",
            Self::SleepEnded { .. } => "sleep-ended",
            Self::WaitStarted { .. } => "wait-started",
            Self::WaitMatched { .. } => "wait-matched",
            Self::WaitTimedOut { .. } => "wait-timed-out",
            Self::EventReceived { .. } => "event-received",
            Self::Awaiting { .. } => "awaiting",
            Self::Delivered { .. } => "told",
            Self::Requested { .. } => "requested",
            Self::Signed { .. } => "signed",
            Self::Decided { .. } => "decided",
            Self::Issued { .. } => "issued",
            Self::Lapsed { .. } => "lapsed",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Redeemed { .. } => "redeemed",
            Self::Refused { .. } => "refused",
            Self::Performed { .. } => "performed",
            Self::Attested { .. } => "attested",
            Self::Resolved { .. } => "resolved",
            Self::Paused { .. } => "paused",
            Self::Resumed { .. } => "resumed",
            Self::Diverged { .. } => "diverged",
            Self::Restarted { .. } => "restarted",
            Self::Terminated { .. } => "terminated",
            Self::Completed { .. } => "completed",
            Self::Failed { .. } => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    #[test]
    fn a_kind_is_the_tag_of_the_json() {
        let failure = Failure { name: "a".to_owned(), message: "b".to_owned() };
        for entry in [Entry::Failed { failure }, Entry::Paused { by: "c".to_owned() }] {
            assert_eq!(serde_json::to_value(&entry).unwrap()["fact"], entry.kind());
        }
    }
}
