//! The explanation of a ruling.

use crate::{AnswerKind, RuleId, Ruling};
use std::fmt;
use workflow::Quoted;

/// A ruling, and the part of each rule in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The ruling: what [`crate::Policy::rule`] answers to the same question.
    pub ruling: Ruling,
    /// Every rule, in the order of the text, and the default last if there is one.
    pub rules: Vec<Considered>,
}

impl fmt::Display for Explanation {
    /// A line for the ruling, and one for each rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.ruling)?;
        let width = self.rules.iter().map(|considered| considered.rule.as_str().len()).max().unwrap_or(0);
        for Considered { rule, line, kind, outcome } in &self.rules {
            let line = line.map_or("-".to_owned(), |line| line.to_string());
            let (rule, kind) = (rule.as_str(), kind.as_str());
            writeln!(f, "  line {line:<5} {rule:<width$}  {kind:<5}  {outcome}")?;
        }
        Ok(())
    }
}

/// A rule, and its part in the ruling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// The rule.
    pub rule: RuleId,
    /// The rule's line in the text, from 1. `None` for the default, if the text does not mention it.
    pub line: Option<usize>,
    /// The rule's answer. In Cedar, `permit` says allow and `forbid` says deny.
    pub kind: AnswerKind,
    /// The rule's outcome.
    pub outcome: RuleOutcome,
}

/// The outcome of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleOutcome {
    /// The rule determines the answer.
    Decides,
    /// The rule matches, but another rule takes precedence.
    Overruled(RuleId),
    /// Whether it holds depends on missing approvals.
    Waits,
    /// The rule does not match. The value is the first mismatch.
    Fails(Mismatch),
}

impl fmt::Display for RuleOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decides => f.write_str("decides"),
            Self::Overruled(rule) => write!(f, "matches, but {rule} goes before it"),
            Self::Waits => f.write_str("depends on approvals that are not there"),
            Self::Fails(mismatch) => write!(f, "does not match: {mismatch}"),
        }
    }
}

/// The mismatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// A matcher: the value that the rule requires, and the value of the question. Both are escaped for display.
    Matcher {
        /// The key in the rule.
        key: &'static str,
        /// The value that the rule requires.
        wanted: String,
        /// The value of the question.
        found: String,
    },
    /// A condition of a Cedar policy that is not true, or an exception that is.
    Condition(String),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matcher { key, wanted, found } => write!(f, "{key} is {found}, and {wanted} is wanted"),
            Self::Condition(text) => write!(f, "{} does not hold", Quoted(text)),
        }
    }
}
