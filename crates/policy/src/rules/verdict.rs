//! Verdicts: the answer of a rule.

use crate::{Answer, AnswerKind, Ask, KeyClass, Need, PolicyError, PolicyErrorKind, Question, Quorum, Role};
use std::time::Duration;

/// A rule's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Allow,
    Ask(Ask),
    Deny(Option<String>),
}

impl Verdict {
    pub(super) fn kind(&self) -> AnswerKind {
        match self {
            Self::Allow => AnswerKind::Allow,
            Self::Ask(_) => AnswerKind::Ask,
            Self::Deny(_) => AnswerKind::Deny,
        }
    }

    /// The answer to a question that the rule decides. With enough approvals, an ask becomes allow.
    pub(super) fn answer(&self, question: &Question<'_>) -> Answer {
        match self {
            Self::Allow => Answer::Allow,
            Self::Ask(ask) if ask.met_by(question.approvals) => Answer::Allow,
            Self::Ask(ask) => Answer::Ask(ask.clone()),
            Self::Deny(_) => Answer::Deny,
        }
    }

    pub(super) fn message(&self) -> Option<&str> {
        match self {
            Self::Deny(message) => message.as_deref(),
            Self::Allow | Self::Ask(_) => None,
        }
    }

    pub(super) fn ask(&self) -> Option<&Ask> {
        match self {
            Self::Ask(ask) => Some(ask),
            Self::Allow | Self::Deny(_) => None,
        }
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.ask().into_iter().flat_map(Ask::roles)
    }
}

/// A value, and its line.
pub(super) type Placed<T> = (T, usize);

/// A verdict's keys, as far as they have been read.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) then: Option<AnswerKind>,
    pub(super) role: Option<Placed<Role>>,
    pub(super) approvals: Option<Placed<u32>>,
    pub(super) denials: Option<Placed<u32>>,
    pub(super) expires: Option<Placed<Duration>>,
    pub(super) keys: Option<Placed<KeyClass>>,
    pub(super) message: Option<Placed<String>>,
}

impl Draft {
    /// The verdict. `place` and `line` locate its table.
    pub(super) fn finish(self, place: &'static str, line: usize) -> Result<Verdict, PolicyError> {
        let missing = PolicyErrorKind::Missing { place, key: "then", example: "then = \"ask\"" };
        let kind = self.then.ok_or(PolicyError { line: Some(line), problem: missing })?;
        if let Some((key, goes_with, line)) = self.misplaced(kind) {
            return Err(PolicyError {
                line: Some(line),
                problem: PolicyErrorKind::Misplaced { key, goes_with, kind },
            });
        }
        Ok(match kind {
            AnswerKind::Allow => Verdict::Allow,
            AnswerKind::Ask => Verdict::Ask(self.ask()),
            AnswerKind::Deny => Verdict::Deny(self.message.map(|(message, _)| message)),
        })
    }

    /// The first key that goes with another answer: key, answer and line.
    fn misplaced(&self, kind: AnswerKind) -> Option<(&'static str, AnswerKind, usize)> {
        fn line<T>(placed: Option<&Placed<T>>) -> Option<usize> {
            placed.map(|(_, line)| *line)
        }
        let there = [
            ("role", AnswerKind::Ask, line(self.role.as_ref())),
            ("approvals", AnswerKind::Ask, line(self.approvals.as_ref())),
            ("denials", AnswerKind::Ask, line(self.denials.as_ref())),
            ("expires", AnswerKind::Ask, line(self.expires.as_ref())),
            ("keys", AnswerKind::Ask, line(self.keys.as_ref())),
            ("message", AnswerKind::Deny, line(self.message.as_ref())),
        ];
        there.into_iter().find_map(|(key, goes_with, line)| {
            let line = line.filter(|_| goes_with != kind)?;
            Some((key, goes_with, line))
        })
    }

    fn ask(self) -> Ask {
        let approvals = self.approvals.map_or(1, |(approvals, _)| approvals);
        let need = Need { role: self.role.map(|(role, _)| role), approvals };
        Ask {
            quorums: vec![Quorum { needs: vec![need] }],
            denials: self.denials.map_or(Ask::DENIALS, |(denials, _)| denials),
            expires: self.expires.map_or(Ask::EXPIRES, |(expires, _)| expires),
            keys: self.keys.map_or(KeyClass::Any, |(keys, _)| keys),
        }
    }
}
