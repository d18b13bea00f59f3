//! How an attack ended, and the end that is expected.

use crate::target::Target;
use engine::Status;
use receipt::Decision;
use std::fmt;
use workflow::{Check, Entry};

/// How an attack ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// A call was refused, or a check of the drill came out well, with these words.
    Refused(String),
    /// A call was not refused, or a check did not come out well.
    Through(String),
    /// An instance ran until it ended or waited, and left this journal.
    Ran(Status, Vec<Entry>),
    /// A neighbour was harmed, regardless of the attack's own end.
    Harm(String),
}

/// The expected end of an attack.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    /// The host refuses, in these words.
    Words(&'static str),
    /// The instance is ended with a failure of this name, in these words. Nothing was done without a decision.
    Ends(&'static str, &'static str),
    /// The gate refuses, by this check. Nothing was done at all.
    Gate(Check),
    /// The workflow continues with an answer that contains all of these texts. No action took place without a decision.
    Answers(&'static [&'static str]),
}

impl Ending {
    /// The end of a call of the embedding API. `Ok` describes what succeeded.
    pub(super) fn of<T: fmt::Display>(result: Result<T, engine::Error>) -> Self {
        match result {
            Ok(through) => Self::Through(through.to_string()),
            Err(error) => Self::Refused(error.to_string()),
        }
    }

    /// The end of a check that the drill makes itself.
    pub(super) fn check(holds: bool, words: impl Into<String>) -> Self {
        if holds { Self::Refused(words.into()) } else { Self::Through(words.into()) }
    }
}

impl Refusal {
    /// Whether an attack ended as expected.
    pub(super) fn is_met_by(&self, ending: &Ending) -> bool {
        match (self, ending) {
            (Self::Words(words), Ending::Refused(said)) => said.contains(words),
            (Self::Ends(name, words), Ending::Ran(Status::Failed(failure), entries)) => {
                failure.name == *name && failure.message.contains(words) && only_approved(entries)
            }
            (Self::Gate(check), Ending::Ran(_, entries)) => refusal_in(entries)
                .is_some_and(|(refused, _)| refused == *check && performed(entries) == spent(entries)),
            (Self::Answers(words), Ending::Ran(Status::Completed(output), entries)) => {
                words.iter().all(|words| output.contains(words)) && only_approved(entries)
            }
            _ => false,
        }
    }
}

impl Refusal {
    /// Whether the target performed, on this journal's receipts, at most what the journal records as spent. A receipt
    /// may be genuine, and the gate must still refuse it.
    pub(super) fn allows(&self, ending: &Ending, target: &Target) -> bool {
        let (Self::Gate(_), Ending::Ran(_, entries)) = (self, ending) else { return true };
        let receipts = entries.iter().filter_map(|entry| match entry {
            Entry::Issued { receipt, .. } => Some(receipt.as_str()),
            _ => None,
        });
        target.used(receipts) == spent(entries)
    }
}

/// Whether only approved actions took place.
fn only_approved(entries: &[Entry]) -> bool {
    let approved =
        entries.iter().filter(|entry| matches!(entry, Entry::Issued { decision: Decision::Approved, .. }));
    performed(entries) <= approved.count()
}

fn performed(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| matches!(entry, Entry::Performed { .. })).count()
}

fn spent(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| matches!(entry, Entry::Redeemed { .. })).count()
}

fn refusal_in(entries: &[Entry]) -> Option<(Check, &str)> {
    entries.iter().find_map(|entry| match entry {
        Entry::Refused { check, message, .. } => Some((*check, message.as_str())),
        _ => None,
    })
}

/// The message, for people. It may contain an attacker's words.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(words) => f.write_str(words),
            Self::Through(words) => write!(f, "it went through: {words}"),
            Self::Harm(words) => write!(f, "a neighbour was harmed: {words}"),
            Self::Ran(status, entries) => match (refusal_in(entries), status) {
                (Some((check, message)), _) => write!(f, "refused by the {check} check: {message}"),
                (None, Status::Failed(failure)) => write!(f, "{}: {}", failure.name, failure.message),
                (None, Status::Completed(output)) => write!(f, "the workflow got: {output}"),
                (None, other) => write!(f, "it neither ended nor was refused: {other:?}"),
            },
        }
    }
}

/// For the table of the threat model.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => write!(f, "“{words}”"),
            Self::Ends(name, words) => write!(f, "the instance is ended, `{name}`: “{words}”"),
            Self::Gate(check) => write!(f, "by the gate's {check} check"),
            Self::Answers(words) => write!(f, "the workflow continues, and gets `{}`", words.join("`, `")),
        }
    }
}
