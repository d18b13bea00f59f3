//! Matchers: the conditions of a rule.

use crate::grammar::value::show_size;
use crate::{Environment, Mismatch, Novelty, Pattern, Question};
use std::fmt;
use workflow::Quoted;

/// One requirement of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Matcher {
    /// The text of a field fits one of these patterns.
    Text(Field, Vec<Pattern>),
    /// The environment is one of these.
    Environment(Vec<Environment>),
    /// The artifact is known or new; `None`: there is no artifact.
    Artifact(Option<Novelty>),
    /// The artifact has at most this many bytes.
    BytesAtMost(u64),
    /// The artifact has more bytes than this.
    BytesOver(u64),
    /// The component is known, or not.
    Component(Novelty),
}

/// A text of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Tenant,
    Actor,
    Capability,
    Resource,
}

impl Field {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Actor => "actor",
            Self::Capability => "capability",
            Self::Resource => "resource",
        }
    }

    fn of<'a>(self, question: &Question<'a>) -> &'a str {
        match self {
            Self::Tenant => question.tenant.as_str(),
            Self::Actor => question.actor.as_str(),
            Self::Capability => question.capability,
            Self::Resource => question.resource,
        }
    }
}

impl Matcher {
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::Text(field, _) => field.key(),
            Self::Environment(_) => "environment",
            Self::Artifact(_) => "artifact",
            Self::BytesAtMost(_) => "artifact-bytes-at-most",
            Self::BytesOver(_) => "artifact-bytes-over",
            Self::Component(_) => "component",
        }
    }

    /// The order in which mismatches are reported: who, what, where, then the bytes.
    pub(super) fn rank(&self) -> usize {
        match self {
            Self::Text(field, _) => *field as usize,
            Self::Environment(_) => 4,
            Self::Artifact(_) => 5,
            Self::BytesAtMost(_) => 6,
            Self::BytesOver(_) => 7,
            Self::Component(_) => 8,
        }
    }

    pub(super) fn fits(&self, question: &Question<'_>) -> bool {
        let bytes = question.artifact.map(|artifact| artifact.bytes);
        match self {
            Self::Text(field, any_of) => any_of.iter().any(|pattern| pattern.fits(field.of(question))),
            Self::Environment(any_of) => any_of.contains(&question.environment),
            Self::Artifact(novelty) => question.artifact.map(|artifact| artifact.novelty) == *novelty,
            Self::BytesAtMost(most) => bytes.is_some_and(|bytes| bytes <= *most),
            Self::BytesOver(least) => bytes.is_some_and(|bytes| bytes > *least),
            Self::Component(novelty) => question.component.novelty == *novelty,
        }
    }

    /// Why it does not match, for people.
    pub(super) fn mismatch(&self, question: &Question<'_>) -> Mismatch {
        Mismatch::Matcher { key: self.key(), wanted: self.to_string(), found: self.found(question) }
    }

    fn found(&self, question: &Question<'_>) -> String {
        let none = || "none".to_owned();
        match self {
            Self::Text(field, _) => Quoted(field.of(question)).to_string(),
            Self::Environment(_) => question.environment.to_string(),
            Self::Artifact(_) => question.artifact.map_or_else(none, |artifact| artifact.novelty.to_string()),
            Self::BytesAtMost(_) | Self::BytesOver(_) => {
                question.artifact.map_or_else(none, |artifact| show_size(artifact.bytes))
            }
            Self::Component(_) => question.component.novelty.to_string(),
        }
    }

    /// Whether this matcher matches every question that the other matches.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(field, any_of), Self::Text(of, others)) => {
                let covered = |other: &Pattern| any_of.iter().any(|pattern| pattern.covers(other));
                field == of && others.iter().all(covered)
            }
            (Self::Environment(any_of), Self::Environment(others)) => {
                others.iter().all(|other| any_of.contains(other))
            }
            (Self::BytesAtMost(most), Self::BytesAtMost(other)) => other <= most,
            (Self::BytesOver(least), Self::BytesOver(other)) => other >= least,
            (one, other) => one == other,
        }
    }

    /// Whether no question matches both.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::BytesAtMost(most), Self::BytesOver(least)) => least >= most,
            (Self::Artifact(None), Self::BytesAtMost(_) | Self::BytesOver(_)) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Matcher {
    /// The condition, in words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_, any_of) => write_any(f, any_of),
            Self::Environment(any_of) => write_any(f, any_of),
            Self::Artifact(novelty) => f.write_str(novelty.map_or("none", Novelty::as_str)),
            Self::BytesAtMost(most) => write!(f, "{} at most", show_size(*most)),
            Self::BytesOver(least) => write!(f, "more than {}", show_size(*least)),
            Self::Component(novelty) => f.write_str(novelty.as_str()),
        }
    }
}

fn write_any(f: &mut fmt::Formatter<'_>, any_of: &[impl fmt::Display]) -> fmt::Result {
    any_of
        .iter()
        .enumerate()
        .try_for_each(|(index, one)| write!(f, "{}{one}", if index == 0 { "" } else { " or " }))
}
